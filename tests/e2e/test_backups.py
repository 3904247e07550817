"""Backups of a real server at work, and what they bring back."""

import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from httpx import Client
from tests.command_line import CommandLine
from tests.conftest import StartServer

from kombuse_sdk.processes import ServerProcess

CommandLines = Callable[[Path], CommandLine]
GIF = b"GIF89a"


@pytest.fixture
def work(server: ServerProcess) -> dict[str, Any]:
    """A project for one test."""
    body = {"name": "Work", "owner_id": "user-1"}
    made: dict[str, Any] = server.http.post("/api/projects", json=body).json()
    return made


def attach(http: Client, ticket: Any, content: bytes) -> dict[str, Any]:
    number = f"by-number/{ticket['ticket_number']}"
    answer = http.post(
        f"/api/projects/{ticket['project_id']}/tickets/{number}/attachments",
        files={"file": ("a.gif", content, "image/gif")},
        data={"uploaded_by_id": "user-1"},
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def new_ticket(http: Client, project: Any, title: str) -> dict[str, Any]:
    body = {"project_id": project["id"], "title": title, "author_id": "user-1"}
    answer = http.post("/api/tickets", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@contextmanager
def writers(server: ServerProcess, project: Any) -> Iterator[list[int]]:
    """Threads that write tickets with an attachment each; the numbers of the finished ones."""
    stop, done, failures = threading.Event(), list[int](), list[BaseException]()

    def write() -> None:
        try:
            with Client(base_url=server.url, timeout=30, trust_env=False) as http:
                while not stop.is_set():
                    ticket = new_ticket(http, project, "under load")
                    attach(http, ticket, GIF + str(ticket["ticket_number"]).encode())
                    done.append(ticket["ticket_number"])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_backup_under_load_is_of_one_moment_and_comes_back_whole(
    server: ServerProcess,
    work: dict[str, Any],
    command_line: CommandLines,
    start_server: StartServer,
    tmp_path: Path,
) -> None:
    cli = command_line(server.home)
    archive = tmp_path / "all.tar.gz"
    with writers(server, work) as done:
        while len(done) < 20:
            assert server.http.get("/health").status_code == 200
        ended = cli.run_process("db", "backup", str(archive))
        before = len(done)
        while len(done) < before + 5:
            assert server.http.get("/health").status_code == 200
    assert (ended.code, ended.err) == (0, "")
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600

    home = tmp_path / "restored"
    restored = command_line(home).run_process("db", "restore", str(archive))
    assert (restored.code, restored.err) == (0, "")
    back = start_server(home=home)

    with closing(sqlite3.connect(home / "data.db")) as database:
        sql = "SELECT ticket_number FROM tickets WHERE project_id = ? ORDER BY 1"
        numbers = [number for (number,) in database.execute(sql, (work["id"],))]
        files = database.execute("SELECT id FROM attachments").fetchall()
    assert numbers == list(range(1, len(numbers) + 1)) and 20 <= len(numbers) <= len(done)
    for (attachment,) in files:
        answer = back.http.get(f"/api/attachments/{attachment}/download")
        assert answer.status_code == 200 and answer.content.startswith(GIF)
    assert command_line(home).run("db", "check").code == 0


def test_restore_brings_back_what_was_deleted_and_keeps_what_was_there(
    start_server: StartServer, command_line: CommandLines, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    cli = command_line(home)
    server = start_server(home=home)
    project = server.http.post("/api/projects", json={"name": "P", "owner_id": "user-1"}).json()
    kept = attach(server.http, new_ticket(server.http, project, "old"), GIF + b"old")
    made = server.http.post("/api/database/backups").json()
    assert server.http.delete(f"/api/attachments/{kept['id']}").status_code == 204
    attach(server.http, new_ticket(server.http, project, "new"), GIF + b"new")
    server.stop()

    ended = cli.run("db", "restore", str(home / "backups" / made["name"]))

    assert ended.code == 0, ended.err
    former = [line.rpartition(" ")[2] for line in ended.out.splitlines()[1:]]
    assert [Path(name).exists() for name in former] == [True, True]
    uploads = [path.read_bytes() for path in Path(former[0]).rglob("*") if path.is_file()]
    assert GIF + b"new" in uploads
    again = start_server(home=home)
    answer = again.http.get(f"/api/attachments/{kept['id']}/download")
    assert answer.content == GIF + b"old"
    assert len(again.http.get("/api/tickets", params={"project_id": project["id"]}).json()) == 1
    attach(again.http, new_ticket(again.http, project, "after"), GIF + b"after")


def test_a_backup_without_a_name_goes_to_the_folder_of_backups(
    server: ServerProcess, command_line: CommandLines
) -> None:
    cli = command_line(server.home)

    ended = cli.run("db", "backup")

    assert ended.code == 0
    listed = server.http.get("/api/database/backups").json()["backups"]
    assert f"was copied to {server.home}/backups/{listed[0]['name']}\n" in ended.out


def rewritten(archive: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> None:
    with tarfile.open(archive) as opened:
        members = [
            (member.name, file.read())
            for member in opened
            if (file := opened.extractfile(member)) is not None
        ]
    with tarfile.open(archive, "w:gz") as opened:
        for name, content in members:
            name, content = change(name, content)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            opened.addfile(entry, BytesIO(content))


def cut(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])


def flip(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 0xFF
    archive.write_bytes(bytes(data))


def other_rows(archive: Path) -> None:
    rewritten(
        archive, lambda name, content: (name, content.replace(b"CREATE TABLE", b"CREATE tABLE"))
    )


def leads_out(archive: Path) -> None:
    rewritten(archive, lambda name, content: (name.replace("data.db", "uploads/../../x"), content))


def no_manifest(archive: Path) -> None:
    rewritten(archive, lambda name, content: (name.replace("manifest.json", "uploads/m"), content))


@pytest.mark.parametrize("damage", [cut, flip, other_rows, leads_out, no_manifest])
def test_an_archive_that_is_not_as_it_was_made_changes_nothing(
    command_line: CommandLines, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    cli = command_line(tmp_path / "home")
    cli.run("db", "migrate")
    assert cli.run("db", "backup", "copy.tar.gz").code == 0
    (cli.home / "uploads").mkdir()
    (cli.home / "uploads" / "mine").write_text("mine", encoding="utf-8")
    before = {path: path.read_bytes() for path in cli.home.rglob("*") if path.is_file()}
    damage(tmp_path / "copy.tar.gz")

    ended = cli.run("db", "restore", "copy.tar.gz")

    assert ended.code == 5, ended
    assert "copy.tar.gz cannot be used, and nothing was changed: " in ended.err
    assert {path: path.read_bytes() for path in cli.home.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "x").exists()
