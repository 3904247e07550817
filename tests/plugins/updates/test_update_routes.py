"""/api/updates and /api/shell-updates, with updaters that do as they are told."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin
from tests.plugins.updates.conftest import Scripted

from kombuse_sdk.errors import BadGateway, Conflict
from kombuse_sdk.updates import UpdateInfo

GROUPS = ["updates", "shell-updates"]
INFO = UpdateInfo(version="2.0.0", download_url="/d", release_notes="New", published_at="now")
SHOWN = {"version": "2.0.0", "downloadUrl": "/d", "releaseNotes": "New", "publishedAt": "now"}


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {}


@pytest.fixture
def plugins_under_test(scripted: Scripted) -> list[object]:
    return [fake_plugin("scripted", updater=lambda kernel, kind: scripted)]


def fail(error: BaseException) -> Callable[..., None]:
    def failing(*_: object) -> None:
        raise error

    return failing


@pytest.mark.parametrize("group", GROUPS)
def test_the_status_is_told_in_camel_case(
    client: TestClient, scripted: Scripted, group: str
) -> None:
    scripted.becomes(state="downloading", info=INFO, progress=40, bytes_downloaded=12)

    assert client.get(f"/api/{group}/status").json() == {
        "state": "downloading",
        "currentVersion": "1.0.0",
        "updateInfo": SHOWN,
        "downloadProgress": 40,
        "error": None,
        "bytesDownloaded": 12,
    }


@pytest.mark.parametrize(
    "state",
    ["idle", "checking", "available", "downloading", "verifying", "ready", "error"],
)
def test_every_state_can_be_told(client: TestClient, scripted: Scripted, state: str) -> None:
    scripted.becomes(state=state, error="Broken" if state == "error" else None)

    answer = client.get("/api/updates/status")

    assert (answer.status_code, answer.json()["state"]) == (200, state)


def test_a_download_of_unknown_size_can_be_told(client: TestClient, scripted: Scripted) -> None:
    scripted.becomes(state="downloading", progress=-1, bytes_downloaded=7)

    answer = client.get("/api/updates/status")

    assert (answer.status_code, answer.json()["downloadProgress"]) == (200, -1)


@pytest.mark.parametrize("group", GROUPS)
def test_a_check_tells_what_is_newer(client: TestClient, scripted: Scripted, group: str) -> None:
    scripted.check_does = lambda: INFO

    assert client.post(f"/api/{group}/check").json() == {
        "hasUpdate": True,
        "updateInfo": SHOWN,
        "currentVersion": "1.0.0",
    }


def test_a_check_without_a_find_is_no_failure(client: TestClient) -> None:
    answer = client.post("/api/updates/check", json={})

    assert answer.status_code == 200
    assert answer.json() == {"hasUpdate": False, "updateInfo": None, "currentVersion": "1.0.0"}


def test_optional_addresses_are_told_when_they_are_known(
    client: TestClient, scripted: Scripted
) -> None:
    info = UpdateInfo(version="2.0.0", checksum_url="/c", release_url="/r")
    scripted.check_does = lambda: info

    shown = client.post("/api/updates/check").json()["updateInfo"]

    assert (shown["checksumUrl"], shown["releaseUrl"]) == ("/c", "/r")


@pytest.mark.parametrize(
    ("group", "body", "cleared"),
    [
        ("updates", {"force": True}, 1),
        ("updates", {"force": False}, 0),
        ("updates", {"force": "yes"}, 0),
        ("updates", {"force": 1}, 0),
        ("updates", None, 0),
        ("shell-updates", {"force": True}, 0),
    ],
)
def test_only_true_and_only_for_the_application_clears_the_cache(
    client: TestClient, scripted: Scripted, group: str, body: Any, cleared: int
) -> None:
    assert client.post(f"/api/{group}/check", json=body).status_code == 200

    assert scripted.cleared == cleared


@pytest.mark.parametrize(
    ("content", "kind", "status"), [(b"", "application/json", 400), (b"x", "text/plain", 415)]
)
def test_a_body_is_json_or_absent(
    client: TestClient, content: bytes, kind: str, status: int
) -> None:
    answer = client.post("/api/updates/check", content=content, headers={"content-type": kind})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (RuntimeError("it broke"), 500, "it broke"),
        (RuntimeError(), 500, "Check failed"),
        (BadGateway("Update check failed: offline"), 502, "Update check failed: offline"),
    ],
)
def test_a_failed_check_says_why(
    client: TestClient, scripted: Scripted, error: Exception, status: int, text: str
) -> None:
    scripted.check_does = fail(error)

    answer = client.post("/api/updates/check")

    assert (answer.status_code, answer.json()) == (status, {"error": text})


@pytest.mark.parametrize("group", GROUPS)
def test_an_installation_is_answered_when_it_is_done(
    client: TestClient, scripted: Scripted, group: str
) -> None:
    done: list[str] = []
    scripted.install_does = lambda: done.append(group)
    scripted.becomes(state="available", info=INFO)

    answer = client.post(f"/api/{group}/install")

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert done == [group]


def test_an_installation_need_not_be_waited_for(client: TestClient, scripted: Scripted) -> None:
    started, may_end = threading.Event(), threading.Event()

    def install() -> None:
        started.set()
        may_end.wait(10)
        raise Conflict("another was first")

    scripted.install_does = install
    scripted.becomes(state="available", info=INFO)

    answer = client.post("/api/updates/install?wait=false")

    assert started.wait(10)
    may_end.set()

    assert answer.status_code == 202
    assert answer.json() == {"success": True, "state": "downloading"}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("idle", "No update available"),
        ("ready", "No update available"),
        ("error", "No update available"),
        ("downloading", "Update already in progress"),
        ("verifying", "Update already in progress"),
    ],
)
@pytest.mark.parametrize("wait", ["true", "false"])
def test_what_cannot_be_installed_is_a_conflict(
    client: TestClient, scripted: Scripted, state: str, text: str, wait: str
) -> None:
    scripted.install_does = fail(AssertionError("called"))
    scripted.becomes(state=state)

    answer = client.post(f"/api/updates/install?wait={wait}")

    assert (answer.status_code, answer.json()) == (409, {"error": text})


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (RuntimeError("it broke"), 500, "it broke"),
        (RuntimeError(), 500, "Install failed"),
        (BadGateway("offline"), 502, "offline"),
    ],
)
def test_a_failed_installation_says_why(
    client: TestClient, scripted: Scripted, error: Exception, status: int, text: str
) -> None:
    scripted.install_does = fail(error)
    scripted.becomes(state="available", info=INFO)

    answer = client.post("/api/updates/install")

    assert (answer.status_code, answer.json()) == (status, {"error": text})


def test_an_updater_that_keeps_nothing_cannot_go_back(client: TestClient) -> None:
    answer = client.post("/api/updates/rollback")

    assert (answer.status_code, answer.json()) == (409, {"error": "No previous version"})
    assert client.get("/api/updates/versions").json() == []


def test_a_dismissed_version_is_marked_for_all_clients(
    client: TestClient, scripted: Scripted
) -> None:
    scripted.becomes(state="available", info=INFO)

    assert client.post("/api/updates/dismiss", json={"version": "2.0.0"}).status_code == 204

    assert client.get("/api/updates/status").json()["dismissed"] is True
    assert "dismissed" not in client.get("/api/shell-updates/status").json()
    scripted.becomes(state="available", info=UpdateInfo(version="2.0.1"))
    assert "dismissed" not in client.get("/api/updates/status").json()


@pytest.mark.parametrize("body", [{}, {"version": ""}, {"version": 2}])
def test_what_is_dismissed_is_a_version(client: TestClient, body: Any) -> None:
    assert client.post("/api/updates/dismiss", json=body).status_code == 400


def test_what_happens_is_in_the_event_log(client: TestClient, scripted: Scripted) -> None:
    scripted.check_does = lambda: INFO
    client.post("/api/updates/check")
    client.post("/api/updates/check")
    scripted.becomes(state="available", info=INFO)
    client.post("/api/updates/install")
    scripted.install_does = fail(BadGateway("offline"))
    client.post("/api/updates/install")

    events = [
        event
        for event in reversed(client.get("/api/events").json())
        if event["event_type"].startswith("update.")
    ]

    assert [event["event_type"] for event in events] == [
        *("update.available", "update.installed", "update.failed")
    ]
    assert {event["actor_type"] for event in events} == {"system"}


def test_clients_are_told_the_status_when_they_subscribe_and_at_every_change(
    client: TestClient, scripted: Scripted
) -> None:
    with client.websocket_connect("ws://127.0.0.1:3331/ws") as socket:
        socket.send_json({"type": "subscribe", "topics": ["updates", "shell-updates"]})
        assert socket.receive_json()["type"] == "subscribed"
        first = [socket.receive_json() for _ in range(2)]
        scripted.becomes(state="available", info=INFO)
        then = [socket.receive_json() for _ in range(2)]

    assert [message["type"] for message in first] == ["update:status", "shell-update:status"]
    assert {message["status"]["state"] for message in first} == {"idle"}
    assert sorted(message["type"] for message in then) == ["shell-update:status", "update:status"]
    assert then[0]["status"]["updateInfo"] == SHOWN
    assert set(then[0]) == {"type", "status"}
