"""Numbered SQL files per plugin, applied once, in one ledger.

Forward only. Each file and its ledger row commit together; an applied file that has changed, or a
ledger row of a present plugin that no file explains, stops the start before anything is touched.
Before a database that has data is upgraded, a copy is put into the backups folder.
"""

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from kombuse_sdk.backups import copy_database
from kombuse_sdk.schemas import timestamp

__all__ = [
    "Migration",
    "MigrationError",
    "backup",
    "check_file",
    "collect",
    "is_ours",
    "migrate",
    "pending",
]

_LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at TEXT NOT NULL,
    UNIQUE (plugin, name)
)
"""

_DENIED = (sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)


class MigrationError(Exception):
    """The database and the migrations of `plugin` do not fit together; nothing was changed."""

    def __init__(self, plugin: str, message: str) -> None:
        super().__init__(message)
        self.plugin = plugin


@dataclass(frozen=True, slots=True)
class Migration:
    plugin: str
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def collect(plugin: str, folder: Traversable) -> list[Migration]:
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(plugin, f.name[:-4], f.read_text(encoding="utf-8")) for f in files]


def migrate(
    connection: sqlite3.Connection, migrations: Iterable[Migration], backups: Path | None = None
) -> list[Migration]:
    """Apply what is missing, in the given order; returns what was applied."""
    missing = pending(connection, migrations)
    if not missing:
        return []
    if backups is not None and is_ours(connection):
        backup(connection, backups / f"before-migration-{timestamp().replace(':', '')}.db")
    connection.execute(_LEDGER)
    for item in missing:
        _apply(connection, item)
    return missing


def pending(connection: sqlite3.Connection, migrations: Iterable[Migration]) -> list[Migration]:
    """What `migrate` would apply; MigrationError when the database does not fit."""
    migrations = list(migrations)
    if not is_ours(connection):
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise MigrationError("kernel", "it was made by another program")
        return migrations
    _check(connection, migrations)
    done = {tuple(row) for row in connection.execute("SELECT plugin, name FROM migrations")}
    return [item for item in migrations if (item.plugin, item.name) not in done]


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the database has our ledger; a new one has not."""
    sql = "SELECT 1 FROM pragma_table_info('migrations') WHERE name = 'plugin'"
    return connection.execute(sql).fetchone() is not None


def check_file(path: Path, migrations: Iterable[Migration]) -> None:
    """MigrationError when the database at `path`, if there is one, does not fit.

    It is opened for reading only: one that another version or program made stays as it is.
    """
    if path.exists() and path.stat().st_size:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            pending(connection, migrations)


def backup(connection: sqlite3.Connection, target: Path) -> None:
    """A complete, checked copy of a database in use; FileExistsError when `target` exists."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy_database(connection, target)


def _check(connection: sqlite3.Connection, migrations: list[Migration]) -> None:
    known = {(item.plugin, item.name): item for item in migrations}
    present = {item.plugin for item in migrations}
    rows = connection.execute("SELECT plugin, name, checksum FROM migrations ORDER BY id")
    for plugin, name, checksum in rows.fetchall():
        item = known.get((plugin, name))
        if item is None and plugin in present:
            raise MigrationError(
                plugin,
                f"it was made by a newer version of {plugin} (it has migration {name}): "
                "install that version, or restore a backup",
            )
        if item is not None and item.checksum != checksum:
            raise MigrationError(
                plugin, f"migration {plugin}/{name} has changed since it was applied"
            )


def _apply(connection: sqlite3.Connection, item: Migration) -> None:
    """Foreign keys are off while tables are rebuilt, and all checked before the commit."""
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.set_authorizer(_inside_one_transaction)
        for statement in _statements(item.sql):
            connection.execute(statement)
        connection.set_authorizer(None)
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            message = f"{item.plugin}/{item.name} breaks a reference of {broken[0]}"
            raise MigrationError(item.plugin, message)
        connection.execute(
            "INSERT INTO migrations (plugin, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
            (item.plugin, item.name, item.checksum, timestamp()),
        )
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.set_authorizer(None)
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise MigrationError(item.plugin, f"{item.plugin}/{item.name}: {error}") from error
    except MigrationError:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def _inside_one_transaction(action: int, *_: str | None) -> int:
    """Denies a script to end its transaction or to reach for other files."""
    return sqlite3.SQLITE_DENY if action in _DENIED else sqlite3.SQLITE_OK


def _statements(sql: str) -> Iterable[str]:
    """Single statements of a script; `executescript` would commit behind our back."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if pending.strip() and sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
