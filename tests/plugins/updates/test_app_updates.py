"""The application package of a registry: every check of it, the switch, and the way back."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.updates.app_packages import (
    KEY,
    VERSIONS,
    download_of,
    listed,
    offer,
    package,
)
from tests.registry import hostile_archives
from tests.registry.stand_in_feed import Reply, StandIn

from kombuse_plugins.updates.announcements import Announcements
from kombuse_plugins.updates.service import Updates
from kombuse_plugins.updates.version_store import VersionStore, exclusive
from kombuse_registry import signing
from kombuse_sdk.contracts import Live
from kombuse_sdk.types import Kernel
from kombuse_sdk.updates import UpdateStatus


@pytest.fixture
def packages(kernel: Kernel) -> Path:
    return kernel.config.home / "packages"


def check(client: TestClient, **body: Any) -> Any:
    answer = client.post("/api/updates/check", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def install(client: TestClient) -> None:
    assert check(client)["hasUpdate"]
    answer = client.post("/api/updates/install")
    assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text


def target(packages: Path) -> str:
    return (packages / "current").readlink().name


def refused(client: TestClient, packages: Path, text: str, status: int = 502) -> None:
    """The installation fails with this text, and leaves nothing behind."""
    assert check(client)["hasUpdate"]

    answer = client.post("/api/updates/install")

    assert answer.status_code == status, answer.text
    assert text in answer.json()["error"]
    state = client.get("/api/updates/status").json()
    assert (state["state"], state["error"]) == ("error", answer.json()["error"])
    assert [path.name for path in packages.iterdir()] == [".lock"]


def replace_download(stand_in: StandIn, data: bytes, **more: Any) -> None:
    """Another package, honestly listed."""
    stand_in.answers[VERSIONS] = Reply(json={"versions": [listed("9.0.0", data, **more)]})
    stand_in.answers[download_of("9.0.0")] = Reply(body=data)


def test_the_newest_version_of_the_channel_is_found(client: TestClient, stand_in: StandIn) -> None:
    offer(stand_in, "9.0.0", "0.0.1", "9.1.0", "9.0.5")

    found = check(client)

    assert found["hasUpdate"] is True
    assert found["updateInfo"] == {
        "version": "9.1.0",
        "downloadUrl": download_of("9.1.0"),
        "releaseNotes": "What is new in 9.1.0",
        "publishedAt": "2026-05-01T10:00:00.000Z",
    }
    assert client.get("/api/updates/status").json()["state"] == "available"


@pytest.mark.parametrize(
    "change",
    [
        {"type": "plugin"},
        {"channel": "beta"},
        {"yanked": "broken"},
        {"version": "0.0.1"},
        {"version": "v9.0.0"},
        {"version": "newest"},
    ],
)
def test_what_is_none_of_ours_is_no_update(
    client: TestClient, stand_in: StandIn, change: dict[str, Any]
) -> None:
    good = listed("0.0.2", package("0.0.2"))
    stand_in.answers[VERSIONS] = Reply(json={"versions": [listed("9.0.0", b"") | change, good]})

    assert check(client)["hasUpdate"] is False
    assert client.get("/api/updates/status").json()["state"] == "idle"


@pytest.mark.parametrize(
    "change",
    [
        {"min_kombuse_version": "8.0.0"},
        {"manifest": {"type": "app", "min_kombuse_version": "8.0.0"}},
        {"manifest": {"type": "app", "minShellVersion": "8.0.0"}},
    ],
)
def test_a_version_that_demands_too_much_is_passed_over_for_an_older_one(
    client: TestClient, stand_in: StandIn, change: dict[str, Any]
) -> None:
    entries = [listed("9.0.0", b"") | change, listed("8.0.0", b"")]
    stand_in.answers[VERSIONS] = Reply(json={"versions": entries})
    assert check(client)["updateInfo"]["version"] == "8.0.0"

    stand_in.answers[VERSIONS] = Reply(json={"versions": entries[:1]})
    answer = client.post("/api/updates/check")

    assert answer.status_code == 502
    assert answer.json()["error"].startswith("Update check failed: 9.0.0 needs ")


@pytest.mark.parametrize(
    "reply", [Reply(status=500), Reply(status=404), Reply(status=401), Reply(body=b"<html>")]
)
def test_a_registry_that_fails_is_a_state_and_no_silence(
    client: TestClient, stand_in: StandIn, reply: Reply
) -> None:
    stand_in.answers[VERSIONS] = reply

    answer = client.post("/api/updates/check")

    assert answer.status_code == 502
    assert answer.json()["error"].startswith("Update check failed: ")
    state = client.get("/api/updates/status").json()
    assert (state["state"], state["error"]) == ("error", answer.json()["error"])


@pytest.mark.parametrize(
    ("updates_config", "text"),
    [
        ({"registry_url": "http://127.0.0.1:9"}, "not reachable"),
        ({"registry_url": "http://registry.example"}, "https is required"),
        ({"registry_url": "file:///etc"}, "only http and https"),
        ({"registry_url": "https://registry.example", "public_keys": []}, "names no key"),
    ],
)
def test_a_registry_that_may_not_or_cannot_be_asked_is_a_state(
    client: TestClient, text: str
) -> None:
    answer = client.post("/api/updates/check")

    assert answer.status_code == 502
    assert text in answer.json()["error"]


@pytest.mark.parametrize("updates_config", [{"enabled": 1}, {"public_keys": 5}])
def test_settings_that_make_no_sense_are_said(client: TestClient) -> None:
    answer = client.get("/api/updates/status")

    assert answer.status_code == 503
    assert answer.json()["error"].startswith("config.json: updates.")


def test_an_update_is_downloaded_verified_and_switched_to(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    offer(stand_in, "9.0.0")

    install(client)

    assert target(packages) == "v9.0.0"
    assert (packages / "v9.0.0/server/__main__.py").is_file()
    state = client.get("/api/updates/status").json()
    assert (state["state"], state["currentVersion"]) == ("ready", "9.0.0")
    assert (state["downloadProgress"], state["updateInfo"]["version"]) == (100, "9.0.0")
    assert not list(packages.glob(".*-*"))


def test_what_is_installed_is_no_update_any_more(client: TestClient, stand_in: StandIn) -> None:
    offer(stand_in, "9.0.0")
    install(client)

    assert check(client) == {"hasUpdate": False, "updateInfo": None, "currentVersion": "9.0.0"}
    assert client.get("/api/updates/status").json()["state"] == "ready"


def test_going_back_goes_to_the_version_before_and_then_no_further(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    offer(stand_in, "9.0.0")
    install(client)
    offer(stand_in, "9.0.0", "9.1.0")
    install(client)

    answer = client.post("/api/updates/rollback")

    assert answer.json() == {"success": True, "currentVersion": "9.0.0"}
    assert target(packages) == "v9.0.0"
    again = client.post("/api/updates/rollback")
    assert (again.status_code, again.json()) == (409, {"error": "No previous version"})


def test_the_first_update_can_be_taken_back_to_what_came_with_the_command_line(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    before = client.get("/api/updates/status").json()["currentVersion"]
    offer(stand_in, "9.0.0")
    install(client)

    assert client.post("/api/updates/rollback").json()["currentVersion"] == before

    assert not (packages / "current").is_symlink()


def test_a_rollback_without_an_update_is_a_conflict(client: TestClient) -> None:
    answer = client.post("/api/updates/rollback")

    assert (answer.status_code, answer.json()) == (409, {"error": "No previous version"})


def test_versions_are_listed_the_newest_first(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    assert client.get("/api/updates/versions").json() == []
    for version in ("9.0.0", "9.0.10"):
        offer(stand_in, version)
        install(client)
    (packages / "v9.9.9").mkdir()

    found = client.get("/api/updates/versions").json()

    assert [(one["version"], one["isCurrent"]) for one in found] == [
        ("9.0.10", True),
        ("9.0.0", False),
    ]
    assert found[0].keys() == {"version", "path", "isCurrent", "installed_at"}


def test_only_three_versions_stay_beside_the_current_and_the_previous(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    for version in ("9.0.0", "9.0.1", "9.0.2", "9.0.3", "9.0.4"):
        offer(stand_in, version)
        install(client)

    assert sorted(path.name for path in packages.glob("v*")) == ["v9.0.2", "v9.0.3", "v9.0.4"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"checksum": "0" * 64}, "Integrity check failed: expected 000000000000"),
        ({"checksum": None}, "names no checksum"),
        ({"checksum": ""}, "names no checksum"),
        ({"integrity": "sha512-AAAA"}, "Integrity check failed"),
        ({"signatures": []}, "is not signed by a known key"),
        ({"published_at": "2026-05-02T10:00:00.000Z"}, "is not signed by a known key"),
        ({"download_url": None}, "no address"),
        ({"download_url": "/elsewhere"}, "HTTP 404"),
        ({"archive_size": 100}, "larger"),
    ],
)
def test_a_package_that_is_not_what_was_announced_is_refused(
    client: TestClient, stand_in: StandIn, packages: Path, change: dict[str, Any], text: str
) -> None:
    offer(stand_in, "9.0.0", **change)

    refused(client, packages, text)


def test_a_signature_by_another_key_is_refused(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    data = package("9.0.0")
    entry = listed("9.0.0", data)
    other = signing.PrivateKey.generate()
    line = signing.registry_line(
        "kombuse/kombuse", "9.0.0", entry["checksum"], entry["published_at"]
    )
    entry["signatures"] = [
        {"keyid": other.keyid, "alg": "ed25519", "sig": other.sign(line)},
        {"keyid": KEY.keyid, "alg": "ed25519", "sig": other.sign(line)},
    ]
    offer(stand_in, "9.0.0")
    stand_in.answers[VERSIONS] = Reply(json={"versions": [entry]})

    refused(client, packages, "is not signed by a known key")


def test_bytes_that_were_changed_on_the_way_are_refused(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    offer(stand_in, "9.0.0")
    changed = package("9.0.0", files={"package/server/more.py": b"1"})
    entry = listed("9.0.0", package("9.0.0"), archive_size=len(changed))
    stand_in.answers[VERSIONS] = Reply(json={"versions": [entry]})
    stand_in.answers[download_of("9.0.0")] = Reply(body=changed)

    refused(client, packages, "Integrity check failed: expected ")


def test_a_download_that_breaks_off_is_refused(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    data = package("9.0.0")
    offer(stand_in, "9.0.0")
    stand_in.answers[download_of("9.0.0")] = Reply(body=data[:-50], length=len(data))

    refused(client, packages, "broke off")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (package("9.0.0", manifest={"version": "9.0.1"}), "9.0.0 was announced"),
        (package("9.0.0", manifest={"minShellVersion": "8.0.0"}), "needs the command line 8.0.0"),
        (package("9.0.0", manifest={"minShellVersion": "newest"}), "needs the command line newest"),
        (package("9.0.0", manifest={"files": {"server": "none"}}), "has no server none"),
        (package("9.0.0", manifest={"files": {"server": "../../x"}}), "has no server ../../x"),
        (package("9.0.0", manifest={"files": {"server": "/etc/passwd"}}), "has no server /etc"),
        (package("9.0.0", manifest={"files": {}}), "Invalid manifest.json: files.server"),
        (package("9.0.0", says="9.0.1"), "does not say 9.0.0"),
        (
            package("9.0.0", files={"package/server/__main__.py": b"raise SystemExit(1)"}),
            "does not say 9.0.0",
        ),
    ],
)
def test_a_package_that_contradicts_itself_is_refused(
    client: TestClient, stand_in: StandIn, packages: Path, data: bytes, text: str
) -> None:
    replace_download(stand_in, data)

    refused(client, packages, text)


@pytest.mark.parametrize("name", hostile_archives.UNSAFE | hostile_archives.BROKEN)
def test_a_hostile_archive_is_refused(
    client: TestClient, stand_in: StandIn, packages: Path, name: str
) -> None:
    data = (hostile_archives.UNSAFE | hostile_archives.BROKEN)[name]
    replace_download(stand_in, data, archive_size=max(len(data), 1))

    refused(client, packages, "")

    assert not list(packages.parent.rglob(hostile_archives.MARKER))


def test_a_bomb_is_refused(client: TestClient, stand_in: StandIn, packages: Path) -> None:
    replace_download(stand_in, hostile_archives.TOO_LARGE["10 GB of zeros in 10 MB"]())

    refused(client, packages, "Archive too large")


def test_a_crash_before_the_switch_leaves_the_current_version_and_is_made_up_for(
    client: TestClient,
    stand_in: StandIn,
    packages: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer(stand_in, "9.0.0")
    install(client)
    offer(stand_in, "9.1.0")
    check(client)

    def crash(self: VersionStore, version: str) -> None:
        (self.folder / ".staging-of-the-dead").mkdir()
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(VersionStore, "switch", crash)
        assert client.post("/api/updates/install").status_code == 500
    assert target(packages) == "v9.0.0"
    assert client.get("/api/updates/status").json()["currentVersion"] == "9.0.0"

    install(client)

    assert target(packages) == "v9.1.0"
    assert not list(packages.glob(".staging-*"))


def test_another_package_in_the_place_of_the_version_is_not_replaced(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    offer(stand_in, "9.0.0")
    place = packages / "v9.0.0"
    place.mkdir(parents=True)
    (place / "manifest.json").write_text("{}", encoding="utf-8")
    check(client)

    answer = client.post("/api/updates/install")

    assert (answer.status_code, "other content" in answer.json()["error"]) == (502, True)
    assert (place / "manifest.json").read_text(encoding="utf-8") == "{}"
    assert not (packages / "current").is_symlink()


def test_the_link_is_there_at_every_moment_of_a_switch(tmp_path: Path) -> None:
    store = VersionStore(tmp_path)
    versions = ("1.0.0", "2.0.0")
    for version in versions:
        store.place(version).mkdir()
    store.switch(versions[0])
    missed: list[OSError] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                (tmp_path / "current").readlink()
            except OSError as error:
                missed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(200):
        store.switch(versions[turn % 2])
    done.set()
    reader.join(10)

    assert missed == []


def test_another_process_that_updates_is_in_the_way(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    offer(stand_in, "9.0.0")
    check(client)

    with exclusive(packages / ".lock"):
        answer = client.post("/api/updates/install")

    assert (answer.status_code, answer.json()) == (409, {"error": "Update already in progress"})


def test_a_second_installation_is_refused_and_a_check_asks_nobody_meanwhile(
    client: TestClient, stand_in: StandIn
) -> None:
    offer(stand_in, "9.0.0")
    data = package("9.0.0")
    pause = threading.Event()
    stand_in.answers[download_of("9.0.0")] = Reply(body=data, pause=pause)
    check(client)
    answers: list[int] = []

    first = threading.Thread(
        target=lambda: answers.append(client.post("/api/updates/install").status_code)
    )
    first.start()
    while download_of("9.0.0") not in stand_in.paths():
        assert first.is_alive()
    asked = len(stand_in.asked)
    second = client.post("/api/updates/install")
    meanwhile = check(client)
    pause.set()
    first.join(20)

    assert (second.status_code, second.json()) == (409, {"error": "Update already in progress"})
    assert meanwhile["updateInfo"]["version"] == "9.0.0"
    assert len(stand_in.asked) == asked
    assert answers == [200]


def test_force_asks_the_registry_anew(client: TestClient, stand_in: StandIn) -> None:
    offer(stand_in, "9.0.0")
    reply = stand_in.answers[VERSIONS]
    assert isinstance(reply, Reply)
    stand_in.answers[VERSIONS] = Reply(json=reply.json, headers={"ETag": '"1"'})

    for body in ({}, {}, {"force": True}):
        check(client, **body)

    assert [asked.headers["If-None-Match"] for asked in stand_in.asked] == [None, '"1"', None]


@pytest.mark.parametrize("updates_config", [{"enabled": False}])
@pytest.mark.parametrize(
    ("group", "text"),
    [("updates", "Updates not available"), ("shell-updates", "Shell updates not available")],
)
def test_without_a_source_nothing_is_available_and_no_request_is_made(
    client: TestClient, stand_in: StandIn, group: str, text: str
) -> None:
    offer(stand_in, "9.0.0")

    answers = [
        client.get(f"/api/{group}/status"),
        client.post(f"/api/{group}/check", json={"force": True}),
        client.post(f"/api/{group}/install"),
        client.post(f"/api/{group}/rollback"),
        client.get(f"/api/{group}/versions"),
        client.post(f"/api/{group}/dismiss", json={"version": "1"}),
    ]

    assert {answer.status_code for answer in answers} == {503}
    assert [answer.json() for answer in answers] == [{"error": text}] * 6
    assert stand_in.asked == []


@pytest.mark.parametrize("hours", [0, 24])
def test_the_job_asks_only_when_it_is_told_to_in_what_intervals(
    kernel: Kernel, stand_in: StandIn, hours: int
) -> None:
    offer(stand_in, "9.0.0")

    kernel.services.get(Updates).check_when_due(hours)

    assert bool(stand_in.asked) == bool(hours)


def test_no_request_is_made_by_the_start_and_one_when_it_is_due(
    kernel: Kernel, stand_in: StandIn
) -> None:
    offer(stand_in, "9.0.0")
    assert stand_in.asked == []

    for _ in range(3):
        kernel.services.get(Updates).check_when_due(24)

    assert stand_in.paths() == [VERSIONS]


def test_progress_is_told_at_most_five_times_a_second(kernel: Kernel) -> None:
    told: list[Any] = []

    class Heard:
        def publish(self, topics: Any, message: Any, *, sender: str | None = None) -> None:
            told.append(message["status"]["downloadProgress"])

    class Services:
        def find(self, protocol: Any) -> Any:
            return Heard() if protocol is Live else None

    class Fake:
        services = Services()

    now = [100.0]
    announcements = Announcements(Fake(), "app", clock=lambda: now[0])  # type: ignore[arg-type]
    for progress in range(100):
        status = UpdateStatus(state="downloading", current_version="1", progress=progress)
        announcements.status_changed(status)
        now[0] += 0.01
    announcements.status_changed(UpdateStatus(state="verifying", current_version="1", progress=100))

    assert told == [0, 20, 40, 60, 80, 100]


def test_a_manifest_with_more_keys_than_are_known_is_fine(
    client: TestClient, stand_in: StandIn, packages: Path
) -> None:
    about = {"buildTime": "now", "minShellVersion": "0.1.0", "files": {"server": "server"}}
    replace_download(stand_in, package("9.0.0", manifest=about))

    install(client)

    assert json.loads((packages / "v9.0.0/manifest.json").read_bytes())["buildTime"] == "now"
