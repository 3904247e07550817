"""No file outlives its attachment, whatever ends it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_kernel.app import kernel_for_tests
from kombuse_plugins.attachments import service, storage, trash
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

Disk = Callable[[], list[str]]


def left_in_trash(kernel: Kernel) -> list[str]:
    with kernel.db.read() as tx:
        return [str(path) for path in tx.values("SELECT storage_path FROM attachment_trash")]


def test_a_successful_upload_leaves_nothing_in_the_trash(upload: Any, kernel: Kernel) -> None:
    upload()

    assert left_in_trash(kernel) == []


def test_the_files_of_a_deleted_comment_go_with_it(
    client: TestClient, upload: Any, comment: Any, on_disk: Disk
) -> None:
    stays = upload()
    gone = upload(path=f"/api/comments/{comment['id']}/attachments")

    assert client.delete(f"/api/comments/{comment['id']}").status_code == 204

    assert client.get(f"/api/attachments/{gone['id']}").status_code == 404
    assert on_disk() == [stays["storage_path"]]


def test_a_crash_after_a_comment_was_deleted_loses_nothing(
    client: TestClient,
    kernel: Any,
    upload: Any,
    comment: Any,
    on_disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload(path=f"/api/comments/{comment['id']}/attachments")
    monkeypatch.setattr(service, "forget_comment_soon", lambda tx, event: None)

    assert client.delete(f"/api/comments/{comment['id']}").status_code == 204
    kernel.dispatcher.drain()

    assert on_disk() == []


def test_an_event_alone_deletes_no_files(
    client: TestClient, kernel: Any, upload: Any, comment: Any
) -> None:
    made = upload(path=f"/api/comments/{comment['id']}/attachments")
    body = {"event_type": "comment.deleted", "actor_type": "user"}

    for payload in ({"comment_id": comment["id"]}, {"comment_id": "x"}, {}):
        answer = client.post("/api/events", json=body | {"payload": payload})
        assert answer.status_code == 201
    kernel.dispatcher.drain()

    assert client.get(f"/api/attachments/{made['id']}").status_code == 200


@pytest.mark.parametrize("what", ["ticket", "project"])
def test_the_files_of_a_cascade_are_removed_by_the_job(
    client: TestClient,
    upload: Any,
    ticket: Any,
    comment: Any,
    kernel: Kernel,
    on_disk: Disk,
    make: Factory,
    what: str,
) -> None:
    other = upload(path=f"{ticket_path(make.ticket(make.project()))}/attachments")
    gone = [upload(), upload(path=f"/api/comments/{comment['id']}/attachments")]
    path = ticket_path(ticket) if what == "ticket" else f"/api/projects/{ticket['project_id']}"

    assert client.delete(path).status_code == 204

    assert sorted(left_in_trash(kernel)) == sorted(item["storage_path"] for item in gone)
    trash.empty(kernel)
    assert on_disk() == [other["storage_path"]]
    assert left_in_trash(kernel) == []


def test_the_job_runs_every_minute(kernel: Kernel) -> None:
    jobs = {job.name: job for _, job in kernel.offers("kombuse_jobs")}

    assert (jobs["attachments.trash"].every, jobs["attachments.trash"].run) == (60, trash.empty)


def test_a_file_that_cannot_be_removed_stays_for_the_next_time(
    client: TestClient,
    upload: Any,
    kernel: Kernel,
    on_disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = upload()

    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", refuse)
        assert client.delete(f"/api/attachments/{made['id']}").status_code == 204

    assert on_disk() == left_in_trash(kernel) == [made["storage_path"]]
    trash.empty(kernel)
    assert on_disk() == left_in_trash(kernel) == []


def test_a_row_that_fails_takes_its_file_along(
    send: Any, kernel: Kernel, on_disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("no row today")

    monkeypatch.setattr(trash, "release", fail)

    assert send().status_code == 500
    assert on_disk() == []


def test_an_announced_file_is_kept_for_a_while(kernel: Kernel, on_disk: Disk) -> None:
    path = storage.new_storage_path("a.png", "2026-01-31T00:00:00.000Z")
    incoming, descriptor = storage.new_incoming(kernel.config.uploads)
    with os.fdopen(descriptor, "wb"):
        storage.place(incoming, kernel.config.uploads, path)
    with kernel.db.write() as tx:
        trash.reserve(tx, path)

    trash.empty(kernel)
    assert on_disk() == [path]

    with kernel.db.write() as tx:
        tx.execute("UPDATE attachment_trash SET keep_until = ?", (tx.now,))
    trash.empty(kernel)
    assert on_disk() == left_in_trash(kernel) == []


def test_an_upload_that_took_too_long_is_refused(
    send: Any, kernel: Kernel, on_disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = storage.place

    def slowly(*arguments: Any) -> None:
        place(*arguments)
        with kernel.db.write() as tx:
            tx.execute("UPDATE attachment_trash SET keep_until = NULL")
        trash.empty(kernel)

    monkeypatch.setattr(storage, "place", slowly)

    assert send().status_code == 503
    assert on_disk() == left_in_trash(kernel) == []


_DIES = """
import os, signal, sys
from pathlib import Path
from starlette.testclient import TestClient
from kombuse_kernel.app import build_app, build_kernel
from kombuse_kernel.config import load_config
from kombuse_plugins.attachments import storage

home, step = Path(sys.argv[1]), sys.argv[2]
done = getattr(storage, step)

def then_die(*arguments):
    done(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(storage, step, then_die)
kernel = build_kernel(load_config(home))
kernel.start()
client = TestClient(build_app(kernel), base_url="http://127.0.0.1:3331")
project = client.post("/api/projects", json={"name": "p", "owner_id": "user-1"}).json()
body = {"project_id": project["id"], "author_id": "user-1", "title": "t"}
ticket = client.post("/api/tickets", json=body).json()
path = f"/api/projects/{project['id']}/tickets/by-number/1/attachments"
files = {"file": ("a.svg", b"<svg/>", "image/svg+xml")}
client.post(path, files=files, data={"uploaded_by_id": "user-1"})
"""


@pytest.mark.parametrize("step", ["new_incoming", "place"])
def test_a_server_that_is_killed_in_an_upload_cleans_up_later(tmp_path: Path, step: str) -> None:
    home = tmp_path / "killed"
    home.mkdir(mode=0o700)
    died = subprocess.run([sys.executable, "-c", _DIES, str(home), step], capture_output=True)
    assert died.returncode == -9, died.stderr.decode()
    uploads = home / "uploads"
    assert len([path for path in uploads.rglob("*") if path.is_file()]) == 1

    kernel = kernel_for_tests(home, [])
    with kernel.db.write() as tx:
        tx.execute("UPDATE attachment_trash SET keep_until = ?", (tx.now,))
    kernel.start()
    kernel.stop()

    assert not [path for path in uploads.rglob("*") if path.is_file()]
