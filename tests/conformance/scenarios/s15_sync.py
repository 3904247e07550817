"""The sync state."""
from kit import Group

g = Group("sync_basic", "sync", "public")
g.get("state", "/api/sync/state", mode="shape", loose=["activeSessions", "ticketAgentStatuses", "pendingPermissions"])
