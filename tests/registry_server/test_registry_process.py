"""A real registry server: our own clients work against it, and it may die at any time."""

import hashlib
import random
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.registry_server.registry_process import (
    RegistryProcess,
    initialised,
    started,
)
from tests.registry_server.site import archive

from kombuse_registry.client import RegistryClient, RegistryRefused
from kombuse_registry.documents import Documents
from kombuse_registry.errors import FeedError
from kombuse_registry.feeds.http import HttpFeed
from kombuse_registry.server import administration
from kombuse_registry.server.registry import Registry
from kombuse_registry.server.settings import Settings
from kombuse_registry.signing import PrivateKey
from kombuse_registry.trust import TrustedKeys

HELLO = "acme/hello"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RegistryProcess, str]]:
    home = tmp_path_factory.mktemp("registry") / "home"
    token = initialised(home)["token"]
    with started(home) as server:
        yield server, token


@pytest.fixture
def client(registry: tuple[RegistryProcess, str]) -> RegistryClient:
    return RegistryClient(registry[0].url, registry[1])


@pytest.fixture
def feed(registry: tuple[RegistryProcess, str], tmp_path: Path) -> HttpFeed:
    return HttpFeed(
        registry[0].url, documents=Documents(), trusted=TrustedKeys(tmp_path / "trusted.json")
    )


def written(folder: Path, name: str, version: str, **more: Any) -> Path:
    path = folder / f"{version}.tar.gz"
    path.write_bytes(archive(name, version, **more))
    return path


def publish(client: RegistryClient, folder: Path, name: str, version: str, **more: Any) -> None:
    client.publish(written(folder, name, version), name=name, version=version, **more)


def test_the_client_does_everything_that_people_do(client: RegistryClient, tmp_path: Path) -> None:
    name = "acme/everything"
    key = PrivateKey.generate()
    client.add_key(key, "laptop")
    publish(client, tmp_path, name, "1.0.0", key=key, release_notes="Für alle")
    publish(client, tmp_path, name, "1.1.0")
    publish(client, tmp_path, name, "2.0.0", channel="beta")

    client.yank(name, "1.1.0", "broken")
    client.deprecate(name, "1.0.0", "old")
    client.set_channel(name, "lts", "1.0.0")

    assert client.search("everything")["total"] == 1
    assert client.package(name)["latest_version"] == "1.0.0"
    found = {version["version"]: version for version in client.versions(name)}
    assert found["1.1.0"]["yanked"] == "broken"
    assert found["1.0.0"]["release_notes"] == "Für alle"
    assert found["1.0.0"]["deprecated"] == "old"
    assert client.version(name, "@beta")["version"] == "2.0.0"
    assert client.channels(name) == {"beta": "2.0.0", "lts": "1.0.0", "stable": "1.0.0"}
    client.unyank(name, "1.1.0")
    client.remove_channel(name, "lts")
    assert client.channels(name) == {"beta": "2.0.0", "stable": "1.1.0"}
    made = client.create_token("ci", ["read"], ["acme/*"])
    client.revoke_token(made["id"])
    other = client.create_token("ci", ["read"], ["acme/*"])
    client.revoke_leaked(other["token"])
    revoked = {token["id"] for token in client.tokens() if token["revoked_at"]}
    assert {made["id"], other["id"]} <= revoked
    assert client.owners(name) == ["root"]
    client.require_signature(name, True)
    with pytest.raises(RegistryRefused, match="signed versions only"):
        publish(client, tmp_path, name, "3.0.0")
    client.set_status(name, "archived", "done")
    assert client.whoami()["account"] == "root"


def test_the_feed_lists_checks_and_downloads(
    client: RegistryClient, feed: HttpFeed, tmp_path: Path
) -> None:
    name = "acme/feed"
    publish(client, tmp_path, name, "1.0.0")
    publish(client, tmp_path, name, "1.1.0")
    client.yank(name, "1.1.0", "broken")

    listed = {package.name: package.version for package in feed.packages()}
    yanked, good = feed.versions(name)
    downloaded = feed.download(good, tmp_path)

    assert listed[name] == "1.0.0"
    assert (yanked.yanked, good.yanked) == ("broken", None)
    assert downloaded.path.read_bytes() == (tmp_path / "1.0.0.tar.gz").read_bytes()
    assert feed.versions("acme/none") == []


def test_what_was_signed_before_a_new_key_stays_good(
    client: RegistryClient,
    feed: HttpFeed,
    registry: tuple[RegistryProcess, str],
    tmp_path: Path,
) -> None:
    name = "acme/keys"
    publish(client, tmp_path, name, "1.0.0")
    listed = client.keys()
    before = [key["keyid"] for key in listed]
    opened = Registry(registry[0].data, Settings())
    keyid = administration.rotate_key(opened)
    opened.close()
    publish(client, tmp_path, name, "1.1.0")

    new, old = feed.versions(name)

    assert keyid not in before
    assert new.signatures[0]["keyid"] == keyid
    for version in (old, new):
        folder = tmp_path / f"{version.version}-downloaded"
        folder.mkdir()
        assert feed.download(version, folder).checksum == version.checksum


def test_a_quarantined_package_is_explained_to_the_feed(
    client: RegistryClient, feed: HttpFeed, tmp_path: Path
) -> None:
    name = "acme/quarantine"
    publish(client, tmp_path, name, "1.0.0")
    (version,) = feed.versions(name)
    client.set_status(name, "quarantined", "malware")

    with pytest.raises(FeedError, match="451"):
        feed.download(version, tmp_path)
    assert name not in {package.name for package in feed.packages()}


def test_requests_as_the_reference_client_sends_them(
    registry: tuple[RegistryProcess, str],
) -> None:
    server, token = registry
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    usual = {
        "Accept": "*/*",
        "Accept-Language": "*",
        "Sec-Fetch-Mode": "cors",
        "User-Agent": "node",
        "Accept-Encoding": "gzip, deflate",
    }

    def ask(
        method: str, path: str, more: dict[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        connection.request(method, path, body, usual | more)
        answer = connection.getresponse()
        return answer.status, answer.read()

    data = archive("acme/old-client")
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/gzip"}
    status, _ = ask("POST", "/api/pkg/acme/old-client?channel=stable", sent, data)
    assert status == 201
    lower = {"Authorization": f"bearer {token}"}
    assert ask("GET", "/api/pkg", lower)[0] == 200
    assert ask("GET", "/api/pkg/acme/old-client/versions", lower)[0] == 200
    found = ask("GET", "/api/pkg/acme/old-client/versions/1.0.0/download", lower)
    assert found == (200, data)
    assert ask("GET", "/api/..%2Fx/versions", {})[0] == 404
    assert ask("GET", "/api/pkg/ac%20me/e%3Fn/versions", {})[0] == 400
    connection.close()


def test_the_database_holds_no_token(registry: tuple[RegistryProcess, str]) -> None:
    server, token = registry
    client = RegistryClient(server.url, token)
    other = client.create_token("ci", ["read"], ["acme/*"])["token"]
    with pytest.raises(RegistryRefused):
        RegistryClient(server.url, other[:-6] + "000000").whoami()

    stored = b"".join(path.read_bytes() for path in server.data.rglob("registry.db*"))

    assert other.split("_")[1].encode() in stored
    for text in (token, other):
        assert text.encode() not in stored
        assert text.split("_")[2].encode() not in stored


def test_the_files_are_for_their_owner_alone(registry: tuple[RegistryProcess, str]) -> None:
    data = registry[0].data

    assert all(path.stat().st_mode & 0o077 == 0 for path in [data, *data.rglob("*")])


def test_nothing_was_logged_as_an_error(registry: tuple[RegistryProcess, str]) -> None:
    assert "Traceback" not in registry[0].errors


def test_kill_9_in_the_middle_of_uploads_leaves_nothing_visible(tmp_path: Path) -> None:
    """Each version is there whole or not at all, and each that was answered 201 is there."""
    home = tmp_path / "home"
    token = initialised(home)["token"]
    pause = random.Random(4)
    answered: list[str] = []
    number = 0
    for _ in range(4):
        server = RegistryProcess(home)
        begun = threading.Event()
        wanted = [f"1.0.{number + n}" for n in range(40)]
        number += 40
        thread = threading.Thread(
            target=_publish_until_dead, args=(server, token, wanted, answered, begun)
        )
        half = _half_an_upload(server, token)
        thread.start()
        assert begun.wait(10)
        threading.Event().wait(pause.random() * 0.2)
        server.kill()
        thread.join(20)
        half.close()
        server.stop()

    with started(home) as server:
        client = RegistryClient(server.url, token)
        found = client.versions(HELLO)
        assert set(answered) <= {version["version"] for version in found}
        assert answered
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        for version in found:
            connection.request("GET", version["download_url"])
            body = connection.getresponse().read()
            assert hashlib.sha256(body).hexdigest() == version["checksum"]
        connection.close()
        with pytest.raises(RegistryRefused):
            client.package("acme/half")
        assert list((server.data / "incoming").iterdir()) == []


def _publish_until_dead(
    server: RegistryProcess,
    token: str,
    wanted: list[str],
    answered: list[str],
    begun: threading.Event,
) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/gzip"}
    for version in wanted:
        begun.set()
        try:
            connection.request("POST", f"/api/pkg/{HELLO}", archive(HELLO, version), headers)
            answer = connection.getresponse()
            answer.read()
        except OSError:
            break
        if answer.status == 201:
            answered.append(version)
    connection.close()


def _half_an_upload(server: RegistryProcess, token: str) -> socket.socket:
    data = archive("acme/half")
    head = (
        f"POST /api/pkg/acme/half HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/gzip\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    connection.sendall(head.encode() + data[: len(data) // 2])
    return connection
