"""Making a digest fit into so many bytes: the oldest and least telling things go first."""

from collections.abc import Callable
from typing import Any

from pydantic_core import to_json

__all__ = ["NO_CUTS", "prune", "shortened", "size"]

Digest = dict[str, Any]
NO_CUTS = {
    "commentsDropped": 0,
    "commentAttachmentGroupsDropped": 0,
    "ticketAttachmentsDropped": 0,
    "participantsDropped": 0,
    "commentActivityDropped": 0,
    "commentBodiesRemoved": 0,
    "commentBodiesShortened": 0,
}
_MARK = "...[truncated]"
_SHORTEST_BODY = 120
_LONGEST_TITLE = 500
# The counters in `meta` grow a little while things are cut.
_SLACK = 100


def size(value: Any) -> int:
    """Bytes of the compact JSON text."""
    return len(to_json(value))


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, with a mark where there is room for one."""
    if len(text) <= limit:
        return text
    return text[:limit] if limit <= 16 else text[: limit - 16] + _MARK


def prune(digest: Digest, cap: int, settle: Callable[[Digest], None]) -> Digest:
    """Cut until the digest has at most `cap` bytes.

    `settle` brings the numbers in `meta` up to date. When there is nothing left to cut, the answer
    only says which ticket it is.
    """
    settle(digest)
    over = size(digest) - cap
    if over <= 0:
        return digest
    digest["meta"]["truncated"] = True
    over += _SLACK
    for cut in _CUTS:
        over = cut(digest, digest["meta"]["prune_stats"], over)
        if over <= 0:
            settle(digest)
            return digest
    return _minimal(digest["ticket"], cap)


def _shorten_bodies(digest: Digest, stats: dict[str, int], over: int) -> int:
    for comment in reversed(digest.get("comments", ())):
        body = comment.get("body", "")
        if over <= 0:
            break
        if len(body) > _SHORTEST_BODY:
            before = size(comment)
            comment["body"] = shortened(body, max(_SHORTEST_BODY, len(body) - over))
            comment["body_truncated"] = True
            stats["commentBodiesShortened"] += 1
            over -= before - size(comment)
    return over


def _remove_bodies(digest: Digest, stats: dict[str, int], over: int) -> int:
    for comment in reversed(digest.get("comments", ())):
        if over <= 0:
            break
        if "body" in comment:
            before = size(comment)
            del comment["body"], comment["body_truncated"]
            comment["body_omitted"] = True
            stats["commentBodiesRemoved"] += 1
            over -= before - size(comment)
    return over


def _drop(name: str, stat: str) -> Callable[[Digest, dict[str, int], int], int]:
    """From the end of a list of the digest; `name` may lead into an object."""

    def cut(digest: Digest, stats: dict[str, int], over: int) -> int:
        *outer, last = name.split(".")
        holder = digest
        for key in outer:
            holder = holder.get(key, {})
        items = holder.get(last, [])
        while items and over > 0:
            over -= size(items.pop())
            stats[stat] += 1
        return over

    return cut


def _remove_descriptions(digest: Digest, stats: dict[str, int], over: int) -> int:
    for participant in digest["participants"].values():
        before = size(participant)
        participant.pop("description", None)
        over -= before - size(participant)
    return over


def _drop_participants(digest: Digest, stats: dict[str, int], over: int) -> int:
    ticket = digest["ticket"]
    for profile_id in list(digest["participants"]):
        if profile_id not in (ticket["author_id"], ticket["assignee_id"]):
            over -= size(digest["participants"].pop(profile_id))
            stats["participantsDropped"] += 1
    return over


def _drop_preview(digest: Digest, stats: dict[str, int], over: int) -> int:
    ticket = digest["ticket"]
    before = size(ticket)
    ticket.pop("body_preview", None)
    ticket.pop("body_preview_truncated", None)
    return over - (before - size(ticket))


def _minimal(ticket: dict[str, Any], cap: int) -> Digest:
    shown = {name: ticket[name] for name in ("id", "ticket_number", "project_id")}
    shown |= {"title": shortened(ticket["title"], _LONGEST_TITLE), "status": ticket["status"]}
    meta = {"cap_bytes": cap, "truncated": True, "fallback_minimal": True}
    return {"ticket": shown, "meta": meta}


_CUTS = (
    _shorten_bodies,
    _remove_bodies,
    _drop("comments", "commentsDropped"),
    _drop("comment_attachments", "commentAttachmentGroupsDropped"),
    _drop("ticket_attachments", "ticketAttachmentsDropped"),
    _drop("overview.comment_activity", "commentActivityDropped"),
    _remove_descriptions,
    _drop_participants,
    _drop_preview,
)
