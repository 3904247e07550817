"""The log of permissions, as long as `retention.permissions_days` of the configuration says."""

from kombuse_sdk.retention import oldest_kept
from kombuse_sdk.types import Kernel

__all__ = ["expire"]

_AT_ONCE = 500
# Ids are in the order of time, so that nothing but the oldest has to be looked at.
_DELETE = """
    DELETE FROM permission_requests WHERE id IN (
        SELECT id FROM (SELECT * FROM permission_requests ORDER BY id LIMIT :at_once)
        WHERE requested_at < :oldest AND status != 'pending'
    )
"""


def expire(kernel: Kernel) -> None:
    """Delete what was decided longer ago, a few in a transaction."""
    while True:
        with kernel.db.read() as reader:
            oldest = oldest_kept(reader, "permissions")
        if oldest is None:
            return
        with kernel.db.write() as tx:
            if not tx.execute(_DELETE, {"at_once": _AT_ONCE, "oldest": oldest}):
                return
