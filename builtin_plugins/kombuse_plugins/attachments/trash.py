"""Removing files that no attachment names: after a delete, a cascade, or an upload that failed.

A trigger records the path of every deleted row in the transaction that deletes it, and an upload
records its path before the file is there. So no crash can leave a file that nothing knows of.
"""

import logging
from datetime import UTC, datetime, timedelta

from kombuse_plugins.attachments import queries, storage
from kombuse_sdk.errors import Unavailable
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.storage import WriteTx
from kombuse_sdk.types import Kernel

__all__ = ["empty", "release", "reserve"]

log = logging.getLogger("kombuse.attachments")
_GRACE = timedelta(minutes=10)


def reserve(tx: WriteTx, storage_path: str) -> None:
    """Announce a file about to be placed; without `release` it is removed after ten minutes."""
    keep_until = timestamp(datetime.now(UTC) + _GRACE)
    sql = "INSERT INTO attachment_trash (storage_path, keep_until) VALUES (?, ?)"
    tx.execute(sql, (storage_path, keep_until))


def release(tx: WriteTx, storage_path: str) -> None:
    """A row names the file now. Unavailable when the file was given up already."""
    if not tx.execute("DELETE FROM attachment_trash WHERE storage_path = ?", (storage_path,)):
        raise Unavailable("The upload took too long, try again")


def empty(kernel: Kernel) -> None:
    """Remove what may be removed; a file that resists stays for the next time."""
    with kernel.db.read() as reader:
        paths = queries.trash(reader)
    removed = []
    for path in paths:
        try:
            storage.remove(kernel.config.uploads, path)
            removed.append((path,))
        except OSError as error:
            log.warning("cannot remove %s: %s", path, error)
    if removed:
        with kernel.db.write() as tx:
            for row in removed:
                tx.execute("DELETE FROM attachment_trash WHERE storage_path = ?", row)
