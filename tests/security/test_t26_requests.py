"""T26: what a source, a redirect or an answer points to is asked only if it may be."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.registry.stand_in_feed import Asked, Reply, StandIn, package_bytes, serving, sha256

from kombuse_registry.addresses import RequestFailed, RequestRefused, is_public
from kombuse_registry.client import RegistryClient
from kombuse_registry.documents import Documents
from kombuse_registry.errors import FeedError
from kombuse_registry.feeds.github import GitHubFeed
from kombuse_registry.feeds.http import HttpFeed
from kombuse_registry.transport import Downloaded, Limits, Transport
from kombuse_registry.trust import TrustedKeys
from kombuse_sdk.errors import BadGateway

PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
]


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with serving() as server:
        yield server


@pytest.fixture
def other() -> Iterator[StandIn]:
    """A second server of this machine, which no source names."""
    with serving() as server:
        server.answers = {"/secret": Reply(json={"secret": 1})}
        yield server


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Names and what they are looked up as, one list of addresses for each time."""
    looked_up: list[str] = []

    def as_addresses(answers: dict[str, list[list[str]]]) -> list[str]:
        def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            looked_up.append(host)
            queue = answers[host]
            addresses = queue.pop(0) if len(queue) > 1 else queue[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return looked_up

    return as_addresses


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where connections would have gone; none is made."""
    found: list[tuple[str, int]] = []

    def create_connection(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        found.append(address)
        raise ConnectionRefusedError("not in a test")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return found


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_in_any_clothing_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://h.example/x",
        "ftp://h.example/x",
        "javascript:alert(1)",
        "data:text/plain,x",
        "unix:///run/x.sock",
        "//h.example/x",
        "https://",
        "https://user:secret@h.example/",
        "http://h.example/",
        "http://10.0.0.1/",
        "",
        "http://[",
        "https://]xn--a",
        "https://h.example:99999",
    ],
)
def test_a_source_of_another_kind_or_without_tls_is_refused(url: str) -> None:
    with pytest.raises(RequestRefused):
        Transport(url)


@pytest.mark.parametrize(
    "host",
    [
        *(
            f"[{address}]" if ":" in address else address
            for address in PRIVATE[1:]
            if address != "::1"
        ),
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "127.1",
        "2852039166",
        "localhost.",
    ],
)
def test_a_source_at_a_private_address_is_refused_however_it_is_written(
    connected: list[tuple[str, int]], host: str
) -> None:
    with pytest.raises(RequestFailed):
        Transport(f"https://{host}").get("/api/pkg")

    assert connected == []


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_refused(
    resolve: Callable[..., Any], connected: list[tuple[str, int]], address: str
) -> None:
    resolve({"h.example": [["1.1.1.1", address]]})

    with pytest.raises(RequestRefused, match=r"h\.example is not a public address"):
        Transport("https://h.example").get("/api/pkg")

    assert connected == []


def test_what_was_checked_is_what_is_connected_to(
    resolve: Callable[..., Any], connected: list[tuple[str, int]]
) -> None:
    looked_up = resolve({"h.example": [["1.1.1.1"], ["127.0.0.1"]]})

    with pytest.raises(RequestFailed, match="not reachable"):
        Transport("https://h.example").get("/api/pkg")

    assert looked_up == ["h.example"]
    assert connected == [("1.1.1.1", 443)]


def test_a_name_that_changes_between_two_requests_is_checked_again(
    resolve: Callable[..., Any], connected: list[tuple[str, int]]
) -> None:
    resolve({"h.example": [["1.1.1.1"], ["169.254.169.254"]]})
    transport = Transport("https://h.example")
    with pytest.raises(RequestFailed):
        transport.get("/api/pkg")

    with pytest.raises(RequestRefused):
        transport.get("/api/pkg")

    assert connected == [("1.1.1.1", 443)]


def test_the_next_address_is_tried_when_one_does_not_answer(
    resolve: Callable[..., Any], connected: list[tuple[str, int]]
) -> None:
    resolve({"h.example": [["1.1.1.1", "8.8.8.8"]]})

    with pytest.raises(RequestFailed):
        Transport("https://h.example:8443").get("/api/pkg")

    assert connected == [("1.1.1.1", 8443), ("8.8.8.8", 8443)]


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "172.16.0.9", "fd12::1"])
def test_a_private_network_is_open_to_the_source_that_is_configured_so(
    resolve: Callable[..., Any], connected: list[tuple[str, int]], address: str
) -> None:
    resolve({"registry.corp": [[address]]})

    with pytest.raises(RequestFailed, match="not reachable"):
        Transport("http://registry.corp", allow_insecure=True).get("/api/pkg")

    assert connected == [(address, 80)]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0"])
def test_not_even_such_a_source_leads_to_this_machine_or_its_surroundings(
    resolve: Callable[..., Any], connected: list[tuple[str, int]], address: str
) -> None:
    resolve({"registry.corp": [[address]]})

    with pytest.raises(RequestRefused):
        Transport("http://registry.corp", allow_insecure=True).get("/api/pkg")

    assert connected == []


def test_a_source_on_this_machine_works_and_may_redirect_within_itself(stand_in: StandIn) -> None:
    stand_in.answers["/a"] = Reply(status=307, headers={"Location": "/b"})
    stand_in.answers["/b"] = Reply(status=302, headers={"Location": f"{stand_in.url}/c"})
    stand_in.answers["/c"] = Reply(json={"ok": True})

    answer = Transport(stand_in.url, token="secret").get("/a")

    assert (answer.status, answer.json(), answer.url) == (200, {"ok": True}, f"{stand_in.url}/c")
    assert {asked.headers["Authorization"] for asked in stand_in.asked} == {"Bearer secret"}


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://localhost/",
        "http://h.example/",
        "https://user:pass@h.example/",
        "https://[",
        "https://",
    ],
)
def test_a_redirect_to_what_may_not_be_asked_is_refused(stand_in: StandIn, target: str) -> None:
    stand_in.answers["/a"] = Reply(status=302, headers={"Location": target})

    with pytest.raises(RequestFailed):
        Transport(stand_in.url).get("/a")

    assert stand_in.paths() == ["/a"]


def test_a_redirect_to_another_port_of_this_machine_is_refused(
    stand_in: StandIn, other: StandIn
) -> None:
    for scheme in ("http", "https"):
        target = other.url.replace("http", scheme) + "/secret"
        stand_in.answers["/a"] = Reply(status=302, headers={"Location": target})
        with pytest.raises(RequestRefused):
            Transport(stand_in.url).get("/a")

    assert other.asked == []


def test_a_redirect_to_a_public_place_carries_no_token(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.answers["/a"] = Reply(status=302, headers={"Location": "https://h.example/b"})
    sent: list[tuple[str, dict[str, str]]] = []
    original = Transport._request

    def request(self: Transport, method: str, place: Any, *rest: Any) -> Any:
        made = original(self, method, place, *rest)
        sent.append((place.host, {name.decode(): value.decode() for name, value in made.headers}))
        return made

    monkeypatch.setattr(Transport, "_request", request)

    with pytest.raises(RequestFailed):
        Transport(stand_in.url, token="secret").get("/a")

    assert [host for host, _ in sent] == ["127.0.0.1", "h.example"]
    assert sent[0][1]["Authorization"] == "Bearer secret"
    assert "secret" not in str(sent[1])


def test_redirects_end(stand_in: StandIn) -> None:
    stand_in.answers["/a"] = Reply(status=302, headers={"Location": "/a"})

    with pytest.raises(RequestRefused, match="redirected more than 5 times"):
        Transport(stand_in.url).get("/a")

    assert len(stand_in.asked) == 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_upload_is_never_redirected(
    stand_in: StandIn, other: StandIn, tmp_path: Path, status: int
) -> None:
    target = {"Location": f"{other.url}/secret"}
    stand_in.answers["/api/pkg/acme/hello"] = Reply(status=status, headers=target)
    archive = tmp_path / "package.tar.gz"
    archive.write_bytes(package_bytes())

    with pytest.raises(BadGateway, match="redirects"):
        RegistryClient(stand_in.url, "secret").publish(archive, name="acme/hello", version="1.0.0")

    assert [asked.method for asked in stand_in.asked] == ["POST"]
    assert other.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_archive_at_a_private_place_is_not_fetched(
    stand_in: StandIn, other: StandIn, tmp_path: Path, scheme: str
) -> None:
    address = other.url.replace("http", scheme) + "/secret"
    entry = {"version": "1.0.0", "checksum": sha256(b""), "download_url": address}
    path = "/api/pkg/acme/hello/versions?include_yanked=true"
    stand_in.answers[path] = Reply(json={"versions": [entry]})
    trusted = TrustedKeys(tmp_path / "keys.json")
    feed = HttpFeed(stand_in.url, token="secret", documents=Documents(), trusted=trusted)

    with pytest.raises(FeedError, match='Feed "download"'):
        feed.download(feed.versions("acme/hello")[0], tmp_path)

    assert other.asked == []


def test_an_asset_at_a_private_place_is_not_fetched(
    stand_in: StandIn, other: StandIn, tmp_path: Path
) -> None:
    asset = {"name": "hello-1.0.0.tar.gz", "browser_download_url": f"{other.url}/secret"}
    stand_in.answers["/repos/acme/hello/releases?per_page=100"] = Reply(
        json=[{"tag_name": "v1.0.0", "assets": [asset]}]
    )
    feed = GitHubFeed("acme/hello", documents=Documents(), api_base=stand_in.url)

    with pytest.raises(FeedError, match='Feed "download"'):
        feed.download(feed.versions("hello")[0], tmp_path)

    assert other.asked == []


def test_a_next_page_at_a_private_place_is_not_fetched(
    stand_in: StandIn, other: StandIn, tmp_path: Path
) -> None:
    link = {"Link": f'<{other.url}/secret>; rel="next"'}
    stand_in.answers["/api/pkg"] = Reply(json={"packages": []}, headers=link)
    feed = HttpFeed(
        stand_in.url, documents=Documents(), trusted=TrustedKeys(tmp_path / "keys.json")
    )

    with pytest.raises(FeedError, match="https is required"):
        feed.packages()

    assert other.asked == []


def test_nothing_is_taken_from_proxies_or_netrc_of_the_environment(
    stand_in: StandIn, other: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other.url)
    stand_in.answers["/a"] = Reply(json=1)

    assert Transport(stand_in.url).get("/a").json() == 1

    assert stand_in.asked[0].headers["Authorization"] is None
    assert other.asked == []


def test_a_download_is_bounded_in_size_whatever_its_header_says(
    stand_in: StandIn, tmp_path: Path
) -> None:
    limits = Limits(archive_bytes=1 << 20)
    transport = Transport(stand_in.url, limits=limits)

    for reply in (Reply(body=b"", length=1 << 40), Reply(body=b"x" * (2 << 20))):
        stand_in.answers["/a"] = reply
        with pytest.raises(RequestFailed, match="larger than 1 MiB"):
            transport.download("/a", tmp_path / "big")
        (tmp_path / "big").unlink(missing_ok=True)


def test_a_download_that_drips_is_bounded_in_time(stand_in: StandIn, tmp_path: Path) -> None:
    released = threading.Event()
    stand_in.answers["/a"] = Reply(body=b"x" * 100, pause=released)
    transport = Transport(stand_in.url, limits=Limits(transfer_seconds=0.2))
    try:
        with pytest.raises(RequestFailed, match="no answer in time"):
            transport.download("/a", tmp_path / "slow")
    finally:
        released.set()


def test_headers_that_drip_are_bounded_in_time() -> None:
    """Each byte arrives within every single limit, the whole does not."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stopped = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                while not stopped.wait(0.02):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        try:
            with pytest.raises(RequestFailed, match=r"no answer in time|not HTTP"):
                Transport(f"http://127.0.0.1:{port}", limits=Limits(seconds=0.3)).get("/a")
        finally:
            stopped.set()
            thread.join(5)


def test_a_download_replaces_no_file(stand_in: StandIn, tmp_path: Path) -> None:
    target = tmp_path / "package.tar.gz"
    target.symlink_to(tmp_path / "elsewhere")
    stand_in.answers["/a"] = Reply(body=b"x")

    with pytest.raises(FileExistsError):
        Transport(stand_in.url).download("/a", target)

    assert not (tmp_path / "elsewhere").exists()


def test_a_download_comes_with_its_hashes(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.answers["/a"] = Reply(body=b"content")

    found = Transport(stand_in.url).download("/a", tmp_path / "file")

    assert isinstance(found, Downloaded)
    assert (found.sha256, found.size) == (sha256(b"content"), 7)


def test_errors_do_not_tell_the_token(stand_in: StandIn, tmp_path: Path) -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(status=500, body=asked.headers["Authorization"].encode())

    stand_in.answers["/api/pkg"] = echo
    feed = HttpFeed(
        stand_in.url,
        token="canary-secret",
        documents=Documents(),
        trusted=TrustedKeys(tmp_path / "keys.json"),
    )

    with pytest.raises(FeedError) as caught:
        feed.packages()

    assert "canary" not in str(caught.value)
