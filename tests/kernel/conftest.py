"""A database of its own, with a table to write to, for tests below the plugins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kombuse_kernel.database import SqliteDatabase
from kombuse_kernel.migrations import collect, migrate
from kombuse_kernel.services import ServiceRegistry


class BareKernel:
    """As much of a kernel as a transaction needs."""

    def __init__(self) -> None:
        self.services = ServiceRegistry()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[SqliteDatabase]:
    from importlib.resources import files

    made = SqliteDatabase(tmp_path / "data.db", BareKernel())  # type: ignore[arg-type]
    migrate(made.writer, collect("kernel", files("kombuse_kernel") / "sql"))
    made.writer.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
    yield made
    made.close()
