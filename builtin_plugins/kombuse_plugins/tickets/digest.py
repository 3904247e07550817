"""One ticket for an agent to read: the gist, who took part, and the latest comments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from kombuse_plugins.tickets.pruning import NO_CUTS, prune, shortened, size
from kombuse_sdk.contracts import Attachments, Comments, Labels, Profiles
from kombuse_sdk.contracts.agents import Agents
from kombuse_sdk.contracts.profiles import marked
from kombuse_sdk.mcp import ToolInput
from kombuse_sdk.schemas import LooseInt, NonEmpty
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["CAP", "CommentFilters", "DigestConfig", "Skipped", "build"]

CAP = 25_000
_DESCRIPTION = 240
# Agents of these types act on the ticket itself, not on what was said about it.
_WITHOUT_COMMENTS = frozenset({"triage", "orchestration"})
_TICKET = (
    "id",
    "ticket_number",
    "project_id",
    "title",
    "status",
    "priority",
    "author_id",
    "assignee_id",
    "created_at",
    "updated_at",
    "last_activity_at",
)
_COMMENT = (
    "id",
    "ticket_id",
    "author_id",
    "actor_type",
    "parent_id",
    "is_edited",
    "created_at",
    "updated_at",
)

Skipped = Annotated[LooseInt, Field(ge=0), WithJsonSchema({"type": "integer", "minimum": 0})]


class CommentFilters(ToolInput):
    author_ids: list[NonEmpty] | None = None
    actor_types: list[Literal["user", "agent"]] | None = None
    agent_types: list[str] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    offset: Skipped = 0
    include_bodies: bool = True
    max_body_chars: Annotated[int, Field(ge=1, le=4000)] = 400


class DigestConfig(ToolInput):
    overview: bool | None = Field(
        default=None, description="Comment counts per author; default true"
    )
    comments: bool | None = Field(default=None, description="Default true")
    images: bool | None = Field(default=None, description="Paths of image files; default false")
    force_full: bool = Field(default=False, description="Whole texts, no size cap")
    ticket_body_preview_chars: Annotated[int, Field(ge=1, le=10_000)] = 1000
    comment_filters: CommentFilters | None = None

    @property
    def filters(self) -> CommentFilters:
        return self.comment_filters or CommentFilters()


@dataclass(slots=True)
class _Page:
    """The comments asked for, and how many there are with these filters."""

    rows: Sequence[Row] = ()
    total: int = 0


def build(tx: ReadTx, ticket: Row, config: DigestConfig, agent_type: str | None) -> dict[str, Any]:
    """The digest of a row of tickets; at most `CAP` bytes unless the whole was asked for."""
    with_comments = agent_type not in _WITHOUT_COMMENTS
    flags = {
        "overview": config.overview is not False,
        "comments": with_comments if config.comments is None else config.comments,
        "images": config.images is True,
    }
    page = _page(tx, ticket["id"], config) if flags["comments"] or flags["images"] else _Page()
    activity = _activity(tx, ticket["id"]) if flags["overview"] else []
    (shown,) = marked(tx, [_ticket(tx, ticket, config)], [ticket])
    digest: dict[str, Any] = {"ticket": shown}
    if flags["overview"]:
        digest["overview"] = {
            "total_comments": sum(row["comment_count"] for row in activity),
            "participant_count": len(activity),
            "comment_activity": activity,
        }
    if flags["comments"]:
        digest["comments"] = marked(tx, [_comment(row, config) for row in page.rows], page.rows)
    if flags["images"]:
        digest |= _images(tx, ticket["id"], page)
    commenters = activity if flags["overview"] else page.rows
    digest["participants"] = _participants(tx, ticket, [row["author_id"] for row in commenters])
    digest["meta"] = _meta(config, agent_type, flags)

    def settle(digest: dict[str, Any]) -> None:
        returned = len(digest["comments"] if flags["comments"] else page.rows)
        _settle(digest, returned, page.total, config)

    if config.force_full:
        settle(digest)
        return digest
    return prune(digest, CAP, settle)


def _ticket(tx: ReadTx, row: Row, config: DigestConfig) -> dict[str, Any]:
    body = row["body"]
    limit = config.ticket_body_preview_chars
    preview = body if body is None or config.force_full else shortened(body, limit)
    labels = tx.services.find(Labels)
    attachments = tx.services.find(Attachments)
    total, images = attachments.count(tx, row["id"]) if attachments else (0, 0)
    shown = {name: row[name] for name in _TICKET}
    shown |= {"body_preview": preview, "body_preview_truncated": preview != body}
    shown["labels"] = [
        {name: label[name] for name in ("id", "name", "color")}
        for label in (labels.of_ticket(tx, row["id"]) if labels else ())
    ]
    if config.force_full:
        shown["body"] = body
    shown["attachment_counts"] = {"total": total, "images": images}
    return shown


def _page(tx: ReadTx, ticket_id: int, config: DigestConfig) -> _Page:
    comments = tx.services.find(Comments)
    if comments is None:
        return _Page()
    filters = config.filters
    rows, total = comments.page(
        tx,
        ticket_id,
        author_ids=filters.author_ids,
        limit=filters.limit,
        offset=filters.offset,
        **_authors(tx, filters),
    )
    return _Page(rows, total)


def _authors(tx: ReadTx, filters: CommentFilters) -> dict[str, Any]:
    """Types of agents, given alone, mean agents alone; together with users, these as well."""
    if filters.agent_types is None:
        return {"actor_types": filters.actor_types}
    agents = tx.services.find(Agents)
    return {
        "actor_types": filters.actor_types or ["agent"],
        "agent_ids": agents.of_types(tx, filters.agent_types) if agents else [],
    }


def _activity(tx: ReadTx, ticket_id: int) -> list[dict[str, Any]]:
    comments = tx.services.find(Comments)
    return [dict(row) for row in comments.activity(tx, ticket_id)] if comments else []


def _comment(row: Row, config: DigestConfig) -> dict[str, Any]:
    filters = config.filters
    shown = {name: row[name] for name in _COMMENT}
    shown["is_edited"] = bool(row["is_edited"])
    if filters.include_bodies:
        body = row["body"]
        shown["body"] = body if config.force_full else shortened(body, filters.max_body_chars)
        shown["body_truncated"] = shown["body"] != body
    return shown


def _images(tx: ReadTx, ticket_id: int, page: _Page) -> dict[str, Any]:
    attachments = tx.services.find(Attachments)
    if attachments is None:
        return {"ticket_attachments": [], "comment_attachments": []}
    of_comments = attachments.images_of_comments(tx, [row["id"] for row in page.rows])
    return {
        "ticket_attachments": [dict(row) for row in attachments.images_of_ticket(tx, ticket_id)],
        "comment_attachments": [
            {"comment_id": row["id"], "attachments": [dict(i) for i in of_comments[row["id"]]]}
            for row in page.rows
            if of_comments.get(row["id"])
        ],
    }


def _participants(tx: ReadTx, ticket: Row, commenter_ids: Sequence[str]) -> dict[str, Any]:
    """The author, the assignee and those who commented."""
    wanted = dict.fromkeys((ticket["author_id"], ticket["assignee_id"], *commenter_ids))
    wanted.pop(None, None)
    rows = tx.services.get(Profiles).rows(tx, list(wanted))
    agents = tx.services.find(Agents)
    agent_ids = [row["id"] for row in rows.values() if row["type"] == "agent"]
    types = agents.types(tx, agent_ids) if agents else {}
    return {i: _participant(rows[i], types) for i in wanted if i in rows}


def _participant(row: Row, types: Mapping[str, str | None]) -> dict[str, Any]:
    shown = {"type": row["type"], "name": row["name"]}
    if row["type"] == "agent":
        shown["agent_type"] = types.get(row["id"])
        if row["description"]:
            shown["description"] = shortened(row["description"], _DESCRIPTION)
    return shown


def _meta(
    config: DigestConfig, agent_type: str | None, flags: Mapping[str, bool]
) -> dict[str, Any]:
    filters = config.filters.model_dump(
        include={"author_ids", "actor_types", "agent_types"}, exclude_none=True
    )
    meta: dict[str, Any] = {
        "cap_bytes": CAP,
        "cap_enforced": not config.force_full,
        "force_full": config.force_full,
        "caller_agent_type": agent_type,
        "section_flags": dict(flags),
        "defaults_applied": {
            name: getattr(config, name) is None for name in ("comments", "overview", "images")
        },
        "comments_page": {
            "total_filtered": 0,
            "returned": 0,
            "offset": 0,
            "limit": 0,
            "has_more": False,
            "next_offset": None,
            "filters": filters,
        },
        "truncated": False,
    }
    if not config.force_full:
        meta["prune_stats"] = dict(NO_CUTS)
    return meta


def _settle(digest: dict[str, Any], returned: int, total: int, config: DigestConfig) -> None:
    """The page as it is after cutting, so that the next one begins where this one ends."""
    meta, filters = digest["meta"], config.filters
    flags = meta["section_flags"]
    if flags["comments"] or flags["images"]:
        after = filters.offset + returned
        has_more = after < total
        meta["comments_page"] |= {
            "total_filtered": total,
            "returned": returned,
            "offset": filters.offset,
            "limit": filters.limit,
            "has_more": has_more,
            "next_offset": after if has_more and returned else None,
        }
    meta["bytes_used"] = 0
    rest = size(digest) - 1
    meta["bytes_used"] = next(
        rest + digits for digits in range(1, 12) if len(str(rest + digits)) == digits
    )
