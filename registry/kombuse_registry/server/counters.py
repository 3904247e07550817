"""What changes with every request, kept in memory and written down now and then."""

from collections import Counter
from threading import Lock

from kombuse_registry.server.database import Tx
from kombuse_sdk.schemas import timestamp

__all__ = ["Counters"]

_DAILY = """
INSERT INTO downloads_daily (version_id, day, downloads) VALUES (?, ?, ?)
ON CONFLICT (version_id, day) DO UPDATE SET downloads = downloads + excluded.downloads
"""
_PACKAGE = """
UPDATE packages SET downloads = downloads + ?
WHERE id = (SELECT package_id FROM versions WHERE id = ?)
"""


class Counters:
    """Downloads by version and day, and when each token was used last.

    A server that is killed loses the last seconds of them; a transaction for each download would
    cost every reader more than that.
    """

    def __init__(self) -> None:
        self._downloads: Counter[tuple[int, str]] = Counter()
        self._uses: dict[str, tuple[str, str]] = {}
        self._lock = Lock()

    def count_download(self, version_id: int) -> None:
        with self._lock:
            self._downloads[version_id, timestamp()[:10]] += 1

    def note_use(self, token_id: str, address: str) -> None:
        with self._lock:
            self._uses[token_id] = (timestamp(), address)

    @property
    def is_empty(self) -> bool:
        return not self._downloads and not self._uses

    def write(self, tx: Tx) -> None:
        with self._lock:
            downloads, self._downloads = self._downloads, Counter()
            uses, self._uses = self._uses, {}
        for (version_id, day), number in downloads.items():
            tx.execute(_DAILY, (version_id, day, number))
            sql = "UPDATE versions SET downloads = downloads + ? WHERE id = ?"
            tx.execute(sql, (number, version_id))
            tx.execute(_PACKAGE, (number, version_id))
        for token_id, (at, address) in uses.items():
            sql = "UPDATE tokens SET last_used_at = ?, last_used_ip = ? WHERE id = ?"
            tx.execute(sql, (at, address, token_id))
