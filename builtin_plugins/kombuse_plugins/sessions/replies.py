"""What a session says on its ticket by itself: the agent's last words, and plans that it made.

Nobody is called by them: what looks like a mention in them is mere text, for an agent that only
quotes another would start it.
"""

import re
from typing import Any

from kombuse_plugins.sessions.states import merge_metadata
from kombuse_sdk.contracts import Comments, Profiles, Tickets
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.errors import NotFound
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["plan_text", "post_last_words", "post_plan"]

_HEADING = re.compile(r"^##\s+Approved Plan:\s*$", re.MULTILINE)
_MAX_COMMENT = 60_000


def plan_text(content: Any) -> str | None:
    """The plan in the result of `ExitPlanMode`."""
    if isinstance(content, list):
        texts = [item.get("text") for item in content if isinstance(item, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    if not isinstance(content, str):
        return None
    match = _HEADING.search(content)
    plan = content[match.end() :] if match else content
    return plan.strip() or None


def post_last_words(tx: WriteTx, session: SessionRef, text: str) -> None:
    ticket = _ticket(tx, session)
    comments = tx.services.find(Comments)
    if ticket is None or comments is None:
        return
    author = _author(tx, session)
    comments.add(
        tx,
        ticket,
        author_id=author,
        body=text[:_MAX_COMMENT],
        parent_id=_last_of_others(tx, session, author),
        kombuse_session_id=session.id,
        parse_mentions=False,
    )


def post_plan(tx: WriteTx, session: SessionRef, row_id: str, plan: str) -> None:
    """One comment per session, which later plans replace."""
    ticket = _ticket(tx, session)
    comments = tx.services.find(Comments)
    if ticket is None or comments is None:
        return
    body = f"**Implementation Plan**\n\n{plan}"[:_MAX_COMMENT]
    sql = "SELECT metadata ->> '$.planCommentId' FROM sessions WHERE id = ?"
    known = tx.value(sql, (row_id,))
    if known is not None:
        try:
            comments.edit(tx, int(known), body, parse_mentions=False)
            return
        except NotFound:
            pass
    comment_id = comments.add(
        tx,
        ticket,
        author_id=_author(tx, session),
        body=body,
        kombuse_session_id=session.id,
        parse_mentions=False,
    )
    merge_metadata(tx, row_id, planCommentId=comment_id)


def _ticket(tx: ReadTx, session: SessionRef) -> Any:
    if session.ticket_id is None:
        return None
    return tx.services.get(Tickets).by_id(tx, session.ticket_id)


def _author(tx: ReadTx, session: SessionRef) -> str:
    profiles = tx.services.get(Profiles)
    if session.agent_id is not None and profiles.actor_type(tx, session.agent_id) is not None:
        return session.agent_id
    return ANONYMOUS_AGENT


def _last_of_others(tx: ReadTx, session: SessionRef, author: str) -> int | None:
    sql = """
        SELECT id FROM comments
        WHERE kombuse_session_id = ? AND ticket_id = ? AND author_id != ? ORDER BY id DESC LIMIT 1
    """
    found: int | None = tx.value(sql, (session.id, session.ticket_id, author))
    return found
