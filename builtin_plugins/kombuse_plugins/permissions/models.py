"""The permission_requests table."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["PermissionRequestRow"]


class PermissionRequestRow(Table, table=True):
    __tablename__ = "permission_requests"
    metadata = MetaData()

    id: int | None = Field(default=None, primary_key=True)
    kombuse_session_id: str
    request_id: str
    tool_name: str
    input: str
    argument_hash: str
    description: str
    status: str = "pending"
    message: str | None
    always_allow: str | None
    agent_id: str | None
    project_id: str | None
    ticket_id: int | None
    requested_at: str
    resolved_at: str | None
