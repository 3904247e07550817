"""The tables of sessions and of what happens in them."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["SessionEventRow", "SessionRow"]

_metadata = MetaData()


class SessionRow(Table, table=True):
    __tablename__ = "sessions"
    metadata = _metadata

    id: str = Field(primary_key=True)
    kombuse_session_id: str
    backend_type: str | None
    backend_session_id: str | None
    ticket_id: int | None
    project_id: str | None
    agent_id: str | None
    status: str = "pending"
    started_at: str
    completed_at: str | None
    failed_at: str | None
    aborted_at: str | None
    last_event_seq: int = 0
    last_event_ms: int | None
    active_ms: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    prompt_preview: str | None
    created_at: str
    updated_at: str


class SessionEventRow(Table, table=True):
    __tablename__ = "session_events"
    metadata = _metadata

    id: int | None = Field(default=None, primary_key=True)
    session_id: str
    kombuse_session_id: str
    seq: int
    event_type: str
    created_at: str
    payload: str
