"""A registry in its data folder: what all requests share, and what runs beside them."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from kombuse_registry.server import publishing, tokens
from kombuse_registry.server.access import account_id
from kombuse_registry.server.audit import Origin, record
from kombuse_registry.server.blobs import Blobs
from kombuse_registry.server.counters import Counters
from kombuse_registry.server.database import Database
from kombuse_registry.server.keys import SigningKeys
from kombuse_registry.server.rate_limit import RateLimiter
from kombuse_registry.server.settings import Settings, load_settings

__all__ = ["DATABASE", "AlreadyInitialised", "Registry", "initialise"]

DATABASE = "registry.db"
_FLUSH_SECONDS = 5
_SWEEP_SECONDS = 3600
# An archive may take 50 MB when it is unpacked, so that few are looked into at once.
_INSPECTIONS = 2
log = logging.getLogger("kombuse.registry")


class AlreadyInitialised(Exception):
    """The data folder holds a registry already."""


class Registry:
    """Raises DatabaseUnusable, UnusableSettings, or OSError for a folder that is none of ours."""

    def __init__(self, data: Path, settings: Settings | None = None) -> None:
        self.data = data
        self.settings = load_settings(data) if settings is None else settings
        self.db = Database(data / DATABASE)
        self.blobs = Blobs(data)
        self.keys = SigningKeys(data)
        self.counters = Counters()
        self.limiter = RateLimiter(self.settings.rate_limits)
        self.inspections = asyncio.Semaphore(_INSPECTIONS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes counters down and removes leftovers, until the end of the block."""
        self.blobs.prepare()
        tasks = [
            asyncio.create_task(self._repeat(_FLUSH_SECONDS, self.flush)),
            asyncio.create_task(self._repeat(_SWEEP_SECONDS, self.sweep)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.flush()

    def flush(self) -> None:
        if not self.counters.is_empty:
            with self.db.write() as tx:
                self.counters.write(tx)

    def sweep(self) -> int:
        """The number of files that no version names any more and that are gone now."""
        with self.db.write() as tx:
            publishing.forget_idempotency_keys(tx)
        return self.blobs.sweep(self.is_known)

    def is_known(self, sha256: str) -> bool:
        with self.db.read() as tx:
            sql = "SELECT 1 FROM versions WHERE sha256 = ? AND removed_at IS NULL"
            return bool(tx.value(sql, (sha256,)))

    def close(self) -> None:
        self.db.close()

    async def _repeat(self, seconds: float, work: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(work)
            except (OSError, sqlite3.Error):
                log.exception("work in the background failed; it is tried again")


def initialise(data: Path, account: str) -> dict[str, str]:
    """Make a registry with a key and an admin's token, which is in the result this once."""
    registry = Registry(data)
    try:
        with registry.db.write() as tx:
            if tx.value("SELECT 1 FROM accounts"):
                raise AlreadyInitialised
            identifier = account_id(tx, account, create=True)
            token = tokens.create(
                tx,
                identifier,
                name="first token",
                scopes=["admin"],
                packages=["*"],
                expires_at=tokens.expiry(None),
            )
            keyid = registry.keys.rotate(tx)
            origin = Origin(actor="command line")
            record(tx, origin, "token.create", token=token["id"], account=account)
            record(tx, origin, "key.add", keyid=keyid, usage="registry")
        registry.blobs.prepare()
    finally:
        registry.close()
    return {
        "account": account,
        "token": token["token"],
        "expires_at": token["expires_at"],
        "keyid": keyid,
    }
