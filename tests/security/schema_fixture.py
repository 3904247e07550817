"""Makes the fixture of a release: `python -m tests.security.schema_fixture` on its last commit.

`tests/data/schema-<version>.sql` is a database of that version with something of everything in it.
Later versions must upgrade it, so a fixture is never changed once its version was released.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from starlette.testclient import TestClient

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_sdk.testing import Factory, ticket_path

__all__ = ["FOLDER", "restore"]

FOLDER = Path(__file__).parents[1] / "data"


def restore(fixture: Path, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(fixture.read_text(encoding="utf-8"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        kernel = kernel_for_tests(home, [])
        kernel.start()
        fill(TestClient(build_app(kernel), base_url="http://localhost"))
        kernel.stop()
        with closing(sqlite3.connect(home / "data.db")) as connection:
            script = "".join(f"{statement};\n" for statement in dump(connection))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"schema-{version('kombuse')}.sql").write_text(script, encoding="utf-8")


def dump(connection: sqlite3.Connection) -> Iterator[str]:
    """Unlike `iterdump`, full-text indexes as statements that build them; triggers after rows."""
    sql = dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())
    kinds = connection.execute(
        "SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name"
    ).fetchall()
    tables = [name for name, kind in kinds if kind == "table" and not name.startswith("sqlite_")]
    virtual = [name for name, kind in kinds if kind == "virtual"]
    yield "BEGIN"
    for name in tables + virtual:
        yield sql[name]
    yield "DELETE FROM sqlite_sequence"
    for name in [*tables, "sqlite_sequence"]:
        yield from rows(connection, name)
    for name in virtual:
        yield f"INSERT INTO {name} ({name}) VALUES ('rebuild')"
    for (other,) in connection.execute(
        "SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger', 'view')"
        " AND sql IS NOT NULL ORDER BY type, name"
    ):
        yield other
    yield "COMMIT"


def rows(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    values = " || ', ' || ".join(f"quote({name})" for name in columns)
    for (row,) in connection.execute(f"SELECT {values} FROM {table}"):
        yield f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({row})"


def fill(client: TestClient) -> None:
    make = Factory(client)
    ann = make.profile(id="ann", name="Ann", email="ann@example.com")
    project = make.project(name="Old project", owner_id=ann["id"])
    label = make.label(project, name="bug", color="#ff0000")
    milestone = make.milestone(project, title="First", due_date="2030-01-01")
    ticket = make.ticket(
        project, title="An old ticket", body="with words", label_ids=[label["id"]], priority=2
    )
    path = ticket_path(ticket)
    client.patch(path, json={"milestone_id": milestone["id"]}).raise_for_status()
    make.comment(ticket, body="@[Ann](ann) remembers #1", author_id=ann["id"])
    client.post(f"{path}/claim", json={"claimer_id": ann["id"]}).raise_for_status()
    closed = make.ticket(project, title="A closed ticket")
    client.patch(ticket_path(closed), json={"status": "closed"}).raise_for_status()
    setting = {"profile_id": "user-1", "setting_key": "theme", "setting_value": "dark"}
    client.put("/api/profile-settings", json=setting).raise_for_status()


if __name__ == "__main__":
    main()
