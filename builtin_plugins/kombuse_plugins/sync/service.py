"""The sync state: put together from what the plugins that are there know."""

from typing import Any

from kombuse_plugins.sync.schemas import SyncQuery
from kombuse_sdk.contracts import Permissions, Projects, Sessions
from kombuse_sdk.storage import ReadTx

__all__ = ["state"]


def state(tx: ReadTx, query: SyncQuery) -> dict[str, Any]:
    """Of one project when the query names one; of an unknown one there is nothing."""
    project_id = None
    permissions = tx.services.find(Permissions)
    sessions = tx.services.find(Sessions)
    if query.project_id is not None:
        projects = tx.services.find(Projects)
        project_id = projects.resolve(tx, query.project_id) if projects else None
        if project_id is None:
            permissions = sessions = None
    return {
        "pendingPermissions": permissions.pending(tx, project_id) if permissions else [],
        "ticketAgentStatuses": sessions.ticket_statuses(tx, project_id) if sessions else [],
        "activeSessions": sessions.active(tx, project_id) if sessions else [],
    }
