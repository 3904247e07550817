"""The tables of triggers and of the runs that they start."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["InvocationRow", "TriggerRow"]

_metadata = MetaData()


class TriggerRow(Table, table=True):
    """`conditions`, `allowed_invokers` and `plugin_base` are JSON text."""

    __tablename__ = "agent_triggers"
    metadata = _metadata

    id: int | None = Field(default=None, primary_key=True)
    agent_id: str
    slug: str | None
    event_type: str
    project_id: str | None
    conditions: str | None
    is_enabled: bool = True
    priority: int = 0
    disabled_by_plugin: bool = False
    plugin_id: str | None
    plugin_base: str | None
    allowed_invokers: str | None
    created_at: str
    updated_at: str


class InvocationRow(Table, table=True):
    """`context` and `result` are JSON text."""

    __tablename__ = "agent_invocations"
    metadata = _metadata

    id: int | None = Field(default=None, primary_key=True)
    agent_id: str
    trigger_id: int | None
    event_id: int | None
    session_id: str | None
    project_id: str | None
    ticket_id: int | None
    kombuse_session_id: str | None
    origin: str
    is_by_person: bool = False
    loop_stop: str | None
    status: str = "pending"
    attempts: int = 0
    max_attempts: int = 3
    run_at: str
    context: str
    result: str | None
    error: str | None
    started_at: str | None
    completed_at: str | None
    created_at: str
