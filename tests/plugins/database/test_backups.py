"""Backups that the running server makes."""

import json
import logging
import sqlite3
import stat
import tarfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.database.backups import Backups, Plan, read_plan
from kombuse_sdk.backups import unpack
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

PATH = "/api/database/backups"
OLD = [f"scheduled-2020-01-0{day}T000000.000Z.tar.gz" for day in range(1, 5)]


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"backup": {"every": "24h", "keep": 3}}


@pytest.fixture
def service(kernel: Kernel) -> Backups:
    return kernel.services.get(Backups)


def damage(path: Path) -> None:
    """Overwrite the pages of the events' table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'profiles'"
        (page,) = connection.execute(sql).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_a_backup_holds_the_database_and_the_uploads(
    client: TestClient, make: Factory, kombuse_home: Path, tmp_path: Path
) -> None:
    ticket = make.ticket(make.project())
    comment = make.comment(ticket)
    file = {"file": ("a.gif", b"GIF89a" + bytes(20), "image/gif")}
    path = f"/api/comments/{comment['id']}/attachments"
    stored = client.post(path, files=file, data={"uploaded_by_id": "user-1"})
    assert stored.status_code == 201, stored.text

    made = client.post(PATH)

    assert made.status_code == 201, made.text
    archive = kombuse_home / "backups" / made.json()["name"]
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert made.json()["kind"] == "manual" and made.json()["size"] == archive.stat().st_size
    (tmp_path / "out").mkdir()
    database, uploads = unpack(archive, tmp_path / "out")
    (kept,) = [path for path in uploads.rglob("*") if path.is_file()]
    assert kept.read_bytes() == b"GIF89a" + bytes(20)
    with closing(sqlite3.connect(database)) as copy:
        assert copy.execute("SELECT title FROM tickets").fetchall() == [(ticket["title"],)]
    with tarfile.open(archive) as opened:
        manifest = json.load(opened.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert manifest["rows"]["tickets"] == 1 and manifest["rows"]["comments"] == 1
    status = client.get(PATH).json()
    assert status["backups"] == [made.json()]
    assert (status["running"], status["last_failure"]) == (False, None)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def test_a_due_backup_is_made_and_the_oldest_go(
    service: Backups, client: TestClient, kombuse_home: Path
) -> None:
    folder = kombuse_home / "backups"
    folder.mkdir()
    others = ["manual-2019-01-01T000000.000Z.tar.gz", "before-migration-x.db", "mine.tar.gz"]
    for name in OLD + others:
        (folder / name).touch()

    thread = service.begin_if_due()
    assert thread is not None
    thread.join()

    scheduled = [item for item in client.get(PATH).json()["backups"] if item["kind"] == "scheduled"]
    assert [item["name"] for item in scheduled[1:]] == [OLD[3], OLD[2]]
    assert scheduled[0]["size"] > 0
    assert {path.name for path in folder.iterdir()} == {
        *others,
        *(item["name"] for item in scheduled),
    }
    assert service.begin_if_due() is None


def test_a_damaged_copy_is_not_kept_and_is_reported(
    client: TestClient,
    service: Backups,
    kernel: Kernel,
    kombuse_home: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = kombuse_home / "backups"
    folder.mkdir()
    for name in OLD:
        (folder / name).touch()
    damage(kernel.config.database_path)

    with caplog.at_level(logging.ERROR, "kombuse.backups"):
        answer = client.post(PATH)
        thread = service.begin_if_due()

    assert answer.status_code == 503 and answer.json()["error"].startswith("The backup failed: ")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert thread is None, "it is not tried again at once"
    failure = client.get(PATH).json()["last_failure"]
    assert failure["error"] in answer.json()["error"]
    assert sorted(path.name for path in folder.iterdir()) == OLD


def test_a_folder_that_cannot_be_written_is_reported(
    client: TestClient, kombuse_home: Path
) -> None:
    (kombuse_home / "backups").write_text("in the way", encoding="utf-8")

    answer = client.post(PATH)

    assert answer.status_code == 503
    assert str(kombuse_home) not in answer.text


def test_one_backup_is_made_at_a_time(
    client: TestClient, service: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    def during(*arguments: object) -> None:
        assert client.get(PATH).json()["running"] is True
        assert client.post(PATH).status_code == 409
        assert service.begin_if_due() is None
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kombuse_sdk.backups.write_archive", during)

    answer = client.post(PATH)

    assert answer.json() == {"error": "The backup failed: No space left on device"}
    assert client.get(PATH).json()["running"] is False


def test_the_end_of_the_server_ends_a_backup(service: Backups, kombuse_home: Path) -> None:
    service.close()

    with pytest.raises(Exception, match="The server ends"):
        service.make()

    assert list((kombuse_home / "backups").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        (None, Plan()),
        ({}, Plan()),
        ({"keep": 2}, Plan()),
        ({"every": "24h"}, Plan(every=timedelta(days=1))),
        ({"every": "30m", "keep": 2}, Plan(every=timedelta(minutes=30), keep=2)),
        ({"every": "2 d"}, Plan(every=timedelta(days=2))),
    ],
)
def test_a_plan_is_read_from_the_configuration(given: Any, plan: Plan) -> None:
    assert read_plan({"backup": given}) == plan


@pytest.mark.parametrize(
    "given",
    [
        5,
        {"every": 24},
        {"every": "0h"},
        {"every": "1 week"},
        {"every": "-1h"},
        {"every": "1h", "keep": 0},
        {"every": "1h", "keep": "7"},
        {"every": "1h", "keep": True},
    ],
)
def test_a_plan_that_makes_no_sense_is_a_problem(given: Any) -> None:
    plan = read_plan({"backup": given})

    assert plan.every is None and plan.problem
