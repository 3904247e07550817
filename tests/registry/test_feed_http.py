"""The package protocol as our client speaks it, against a server that says anything."""

import base64
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.registry.stand_in_feed import Asked, Reply, StandIn, package_bytes, sha256

from kombuse_registry.documents import Documents
from kombuse_registry.errors import FeedError, IntegrityError
from kombuse_registry.feeds.http import HttpFeed
from kombuse_registry.signing import PrivateKey, registry_line
from kombuse_registry.transport import Limits
from kombuse_registry.trust import TrustedKeys
from kombuse_sdk.feeds import PackageVersion

VERSIONS = "/api/pkg/acme/hello/versions?include_yanked=true"
DOWNLOAD = "/api/pkg/acme/hello/versions/1.0.0/download"
KEYS = "/api/pkg/-/keys"
DATA = package_bytes()
PUBLISHED = "2026-01-02T03:04:05.000Z"
MakeFeed = Callable[..., HttpFeed]


@pytest.fixture
def make_feed(stand_in: StandIn, tmp_path: Path) -> MakeFeed:
    documents, trusted = Documents(), TrustedKeys(tmp_path / "keys.json")

    def make(base_url: str | None = None, **options: Any) -> HttpFeed:
        made: dict[str, Any] = {"documents": documents, "trusted": trusted} | options
        return HttpFeed(base_url or stand_in.url, **made)

    return make


def entry(version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {
        "version": version,
        "channel": "stable",
        "type": "plugin",
        "archive_size": len(DATA),
        "checksum": sha256(DATA),
        "published_at": PUBLISHED,
        "download_url": f"/api/pkg/acme/hello/versions/{version}/download",
    } | more


def offer(stand_in: StandIn, *entries: dict[str, Any]) -> None:
    stand_in.answers[VERSIONS] = Reply(json={"versions": list(entries)})
    stand_in.answers[DOWNLOAD] = Reply(body=DATA)


def fetch(feed: HttpFeed, folder: Path) -> bytes:
    (version,) = feed.versions("acme/hello")
    folder.mkdir(exist_ok=True)
    downloaded = feed.download(version, folder)
    data = downloaded.path.read_bytes()
    downloaded.path.unlink()
    return data


def test_a_feed_is_known_by_its_address_without_slashes_at_the_end() -> None:
    feed = HttpFeed("https://h.example/base//", documents=Documents(), trusted=TrustedKeys(Path()))

    assert (feed.id, feed.name) == ("http:https://h.example/base", "HTTP (https://h.example/base)")


def test_packages_are_those_with_a_type_and_a_version(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    good = {"author": "acme", "name": "hello", "latest_version": "1.2.0", "type": "plugin"}
    bad: list[Any] = [
        good | {"latest_version": None},
        good | {"latest_version": "latest"},
        {key: good[key] for key in ("author", "name", "latest_version")},
        good | {"author": "../x"},
        good | {"name": "a/b"},
        good | {"name": ""},
        None,
        "text",
    ]
    app = good | {"name": "app", "type": "app", "status": "archived", "description": "An app"}
    stand_in.answers["/api/pkg"] = Reply(json={"packages": [*bad, good, app]})

    found = make_feed().packages()

    assert [(one.name, one.version, one.type) for one in found] == [
        ("acme/hello", "1.2.0", "plugin"),
        ("acme/app", "1.2.0", "app"),
    ]
    assert (found[1].description, found[1].deprecated) == ("An app", "archived")


@pytest.mark.parametrize("document", [{}, {"packages": None}, [], {"packages": {}}, 5])
def test_a_list_of_another_shape_is_empty(
    stand_in: StandIn, make_feed: MakeFeed, document: Any
) -> None:
    stand_in.answers["/api/pkg"] = Reply(json=document)

    assert make_feed().packages() == []


@pytest.mark.parametrize("link", ["https://[", "http://xn--", "file:///x"])
def test_a_next_page_that_is_no_address_is_a_failure(
    stand_in: StandIn, make_feed: MakeFeed, link: str
) -> None:
    headers = {"Link": f'<{link}>; rel="next"'}
    stand_in.answers["/api/pkg"] = Reply(json={"packages": []}, headers=headers)

    with pytest.raises(FeedError):
        make_feed().packages()


def test_all_pages_of_a_list_are_read(stand_in: StandIn, make_feed: MakeFeed) -> None:
    def package(name: str) -> dict[str, Any]:
        return {"author": "acme", "name": name, "latest_version": "1.0.0", "type": "plugin"}

    stand_in.answers["/api/pkg"] = Reply(
        json={"packages": [package("one")]}, headers={"Link": '</api/pkg?cursor=2>; rel="next"'}
    )
    stand_in.answers["/api/pkg?cursor=2"] = Reply(json={"packages": [package("two")]})

    assert [one.name for one in make_feed().packages()] == ["acme/one", "acme/two"]


def test_a_list_is_kept_for_five_minutes_and_then_asked_for_by_its_etag(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    now = 1000.0
    documents = Documents(clock=lambda: now)
    listed = {"author": "acme", "name": "hello", "latest_version": "1.0.0", "type": "plugin"}
    stand_in.answers["/api/pkg"] = [
        Reply(json={"packages": [listed]}, headers={"ETag": '"1"'}),
        Reply(status=304),
    ]

    assert len(make_feed(documents=documents).packages()) == 1
    now += 299
    assert len(make_feed(documents=documents).packages()) == 1
    assert len(stand_in.asked) == 1
    now += 2
    assert len(make_feed(documents=documents).packages()) == 1
    now += 1
    assert len(make_feed(documents=documents).packages()) == 1

    assert [asked.headers["If-None-Match"] for asked in stand_in.asked] == [None, '"1"']


def test_versions_are_asked_for_each_time_by_their_etag(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    stand_in.answers[VERSIONS] = [
        Reply(json={"versions": [entry()]}, headers={"ETag": '"1"'}),
        Reply(status=304),
        Reply(json={"versions": [entry(), entry("1.1.0")]}),
    ]

    counts = [len(make_feed().versions("acme/hello")) for _ in range(3)]

    assert counts == [1, 1, 2]
    assert [asked.headers["If-None-Match"] for asked in stand_in.asked] == [None, '"1"', '"1"']


def test_another_token_does_not_see_what_was_kept_for_the_first(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    def answer(asked: Asked) -> Reply:
        is_known = asked.headers["Authorization"] == "Bearer good"
        return Reply(json={"packages": []}) if is_known else Reply(status=401)

    stand_in.answers["/api/pkg"] = answer
    make_feed(token="good").packages()

    with pytest.raises(FeedError, match="Registry refused the token"):
        make_feed(token="bad").packages()


def test_versions_come_newest_first_with_all_that_is_told(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    told = entry(
        "2.0.0",
        channel="beta",
        yanked="broken",
        deprecated="use other",
        release_notes="New",
        integrity="sha512-x",
        signatures=[{"keyid": "a", "alg": "ed25519", "sig": "b"}],
        manifest={"name": "hello", "type": "app", "description": "Says it"},
    )
    offer(stand_in, entry("1.0.0"), entry("latest"), entry("1.0"), entry("1.10.0"), told)

    found = make_feed().versions("acme/hello")

    assert [one.version for one in found] == ["2.0.0", "1.10.0", "1.0.0"]
    first = found[0]
    assert (first.channel, first.yanked, first.deprecated) == ("beta", "broken", "use other")
    assert (first.type, first.description, first.release_notes) == ("app", "Says it", "New")
    assert first.signatures[0]["sig"] == "b"
    assert found[1].yanked is None


@pytest.mark.parametrize(
    "name", ["hello", "", "../x", "acme/../x", "a/b/c", "/hello", "acme/", "Acme/x", "ac me/x"]
)
def test_a_name_that_is_not_author_and_name_is_never_asked_for(
    stand_in: StandIn, make_feed: MakeFeed, name: str
) -> None:
    assert make_feed().versions(name) == []
    assert stand_in.asked == []


def test_the_path_of_the_address_is_kept(stand_in: StandIn, make_feed: MakeFeed) -> None:
    stand_in.answers["/base" + VERSIONS] = Reply(json={"versions": [entry()]})
    stand_in.answers["/base" + DOWNLOAD] = Reply(body=DATA)
    feed = make_feed(stand_in.url + "/base/")

    assert feed.versions("acme/hello")[0].version == "1.0.0"


def test_requests_say_who_asks_and_carry_the_token(
    stand_in: StandIn, make_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_REGISTRY_TOKEN", "secret")
    make_feed(token="$MY_REGISTRY_TOKEN").versions("acme/hello")

    (asked,) = stand_in.asked
    assert asked.headers["Authorization"] == "Bearer secret"
    assert asked.headers["Accept"] == "application/json"
    assert asked.headers["User-Agent"].startswith("kombuse/")


def test_a_token_from_a_variable_that_is_not_set_says_which(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    with pytest.raises(FeedError) as caught:
        make_feed(token="$KOMBUSE_NO_SUCH_TOKEN").packages()

    assert caught.value.text == (
        'Environment variable "KOMBUSE_NO_SUCH_TOKEN" is not set '
        '(referenced in config as "$KOMBUSE_NO_SUCH_TOKEN")'
    )
    assert stand_in.asked == []


@pytest.mark.parametrize("token", ["a b", "a\r\nX-Evil: 1", "ä", "\x00"])
def test_a_token_that_no_header_can_carry_is_not_sent_and_not_shown(
    stand_in: StandIn, make_feed: MakeFeed, token: str
) -> None:
    with pytest.raises(FeedError) as caught:
        make_feed(token=token).packages()

    assert "Evil" not in str(caught.value)
    assert stand_in.asked == []


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "Registry refused the token"),
        (403, "Registry refused the token"),
        (500, "HTTP 500: Internal Server Error"),
        (410, "HTTP 410: Gone"),
    ],
)
def test_refusals_and_failures_are_told_apart(
    stand_in: StandIn, make_feed: MakeFeed, status: int, text: str
) -> None:
    stand_in.answers[VERSIONS] = Reply(status=status)
    feed = make_feed()

    with pytest.raises(FeedError) as caught:
        feed.versions("acme/hello")

    assert str(caught.value) == f'Feed "{feed.id}": {text}'
    assert caught.value.status == 502


def test_what_the_registry_does_not_have_is_no_failure(make_feed: MakeFeed) -> None:
    assert make_feed().versions("acme/hello") == []


def test_an_answer_that_is_no_json_is_a_failure(stand_in: StandIn, make_feed: MakeFeed) -> None:
    stand_in.answers[VERSIONS] = Reply(body=b"<html>")

    with pytest.raises(FeedError, match="the answer is not JSON"):
        make_feed().versions("acme/hello")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_registry_is_asked_twice_more(
    stand_in: StandIn, make_feed: MakeFeed, status: int
) -> None:
    busy = Reply(status=status, headers={"Retry-After": "0"})
    stand_in.answers[VERSIONS] = [busy, busy, Reply(json={"versions": [entry()]})]

    assert len(make_feed().versions("acme/hello")) == 1
    assert len(stand_in.asked) == 3


def test_a_registry_that_stays_busy_fails_after_the_third_time(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    stand_in.answers[VERSIONS] = Reply(status=429, headers={"Retry-After": past})

    with pytest.raises(FeedError, match="HTTP 429: Too Many Requests"):
        make_feed().versions("acme/hello")

    assert len(stand_in.asked) == 3


@pytest.mark.parametrize("wait", ["11", "3600", "soon", "²", "9" * 5000, "-1"])
def test_nobody_waits_long_for_a_busy_registry(
    stand_in: StandIn, make_feed: MakeFeed, wait: str
) -> None:
    stand_in.answers[VERSIONS] = Reply(status=503, headers={"Retry-After": wait})

    with pytest.raises(FeedError, match="HTTP 503"):
        make_feed().versions("acme/hello")

    assert len(stand_in.asked) == 1


def test_a_registry_that_is_not_there_is_a_failure(tmp_path: Path, make_feed: MakeFeed) -> None:
    with pytest.raises(FeedError, match="not reachable"):
        make_feed("http://127.0.0.1:1").packages()


def test_a_document_that_is_too_large_is_refused_by_its_header_and_by_its_bytes(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    small = Limits(document_bytes=1000)
    for reply in (Reply(body=b"{}", length=1001), Reply(json={"packages": ["x" * 2000]})):
        stand_in.answers["/api/pkg"] = reply
        with pytest.raises(FeedError, match="larger than"):
            make_feed(limits=small).packages()


def test_a_registry_that_stops_in_the_middle_is_given_up(
    stand_in: StandIn, make_feed: MakeFeed
) -> None:
    released = threading.Event()
    stand_in.answers["/api/pkg"] = Reply(json={"packages": []}, pause=released)
    try:
        with pytest.raises(FeedError, match="no answer in time"):
            make_feed(limits=Limits(seconds=0.2)).packages()
    finally:
        released.set()


def test_a_download_is_proven_by_its_checksum(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    offer(stand_in, entry())
    feed = make_feed()
    (version,) = feed.versions("acme/hello")
    seen: list[tuple[int, int | None]] = []

    found = feed.download(version, tmp_path, lambda *now: seen.append(now))

    assert found.path.read_bytes() == DATA
    assert found.checksum == sha256(DATA)
    assert seen[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize(
    "checksum",
    [
        sha256(DATA).upper(),
        f"sha256:{sha256(DATA)}",
        "sha256-" + base64.b64encode(hashlib.sha256(DATA).digest()).decode(),
    ],
)
def test_a_checksum_may_have_any_of_its_usual_forms(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path, checksum: str
) -> None:
    offer(stand_in, entry(checksum=checksum))

    assert fetch(make_feed(), tmp_path) == DATA


@pytest.mark.parametrize(
    "wrong",
    [
        {"checksum": sha256(b"other")},
        {"checksum": "nonsense"},
        {"integrity": "sha512-" + base64.b64encode(hashlib.sha512(b"other").digest()).decode()},
        {"integrity": "sha512-nonsense"},
    ],
)
def test_other_bytes_than_announced_are_refused(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path, wrong: dict[str, str]
) -> None:
    offer(stand_in, entry(**wrong))

    with pytest.raises(IntegrityError, match=r"Integrity check failed: expected .*\.\.\., got"):
        fetch(make_feed(), tmp_path)


def test_the_integrity_of_the_right_bytes_is_right(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    digest = base64.b64encode(hashlib.sha512(DATA).digest()).decode()
    offer(stand_in, entry(integrity=f"sha512-{digest} md5-x"))

    assert fetch(make_feed(), tmp_path) == DATA


def test_a_package_without_a_checksum_is_taken_only_if_the_source_says_so(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    offer(stand_in, entry(checksum=""))

    with pytest.raises(IntegrityError, match="names no checksum"):
        fetch(make_feed(), tmp_path)
    assert DOWNLOAD not in stand_in.paths()

    assert fetch(make_feed(allow_unverified=True), tmp_path) == DATA


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(status=500), "HTTP 500: Internal Server Error"),
        (Reply(status=404), "HTTP 404: Not Found"),
        (Reply(status=403), "Registry refused the token"),
        (Reply(body=DATA, length=len(DATA) + 9), "the answer broke off or is not HTTP"),
    ],
)
def test_a_download_that_fails_says_why(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path, reply: Reply, text: str
) -> None:
    offer(stand_in, entry())
    stand_in.answers[DOWNLOAD] = reply

    with pytest.raises(FeedError) as caught:
        fetch(make_feed(), tmp_path)

    assert str(caught.value) == f'Feed "download": {text}'


def test_a_version_without_an_address_does_not_spoil_the_list(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    offer(stand_in, entry(download_url=None))

    with pytest.raises(FeedError, match="no address to download from"):
        fetch(make_feed(), tmp_path)


def test_an_archive_that_is_too_large_is_given_up_while_it_arrives(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    offer(stand_in, entry())
    stand_in.answers[DOWNLOAD] = Reply(body=b"x" * 5000)

    with pytest.raises(FeedError, match="larger than"):
        fetch(make_feed(limits=Limits(archive_bytes=4000)), tmp_path)


def test_a_token_stays_with_the_registry_when_the_archive_is_elsewhere(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    elsewhere = stand_in.url.replace("127.0.0.1", "localhost")
    offer(stand_in, entry(download_url=f"{elsewhere}{DOWNLOAD}"))

    with pytest.raises(FeedError, match="https is required"):
        fetch(make_feed(token="secret"), tmp_path)

    assert stand_in.paths() == [VERSIONS]


def signed(key: PrivateKey, **more: Any) -> dict[str, Any]:
    line = registry_line("acme/hello", "1.0.0", sha256(DATA), PUBLISHED)
    signature = {"keyid": key.keyid, "alg": "ed25519", "sig": key.sign(line)}
    return entry(signatures=[signature]) | more


def key_list(*keys: PrivateKey, **more: Any) -> Reply:
    listed = [
        {"keyid": key.keyid, "alg": "ed25519", "public_key": key.public_text, "usage": "registry"}
        for key in keys
    ]
    return Reply(json={"keys": [one | more for one in listed]})


def test_a_source_with_keys_takes_only_what_they_signed(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    key, other = PrivateKey.generate(), PrivateKey.generate()
    mine = make_feed(public_keys=[key.public_text])

    offer(stand_in, signed(key))
    assert fetch(mine, tmp_path) == DATA

    later = signed(key, published_at="2026-01-02T03:04:06.000Z")
    for number, wrong in enumerate((signed(other), entry(), later)):
        offer(stand_in, wrong)
        with pytest.raises(IntegrityError, match="not signed by a known key"):
            fetch(mine, tmp_path / str(number))


def test_a_source_with_a_key_that_is_none_says_so(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    offer(stand_in, entry())

    with pytest.raises(FeedError, match="is no ed25519 key"):
        fetch(make_feed(public_keys=["nonsense"]), tmp_path)


def test_keys_are_trusted_when_met_first_and_a_change_is_an_error(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    key, thief = PrivateKey.generate(), PrivateKey.generate()
    offer(stand_in, signed(key))
    stand_in.answers[KEYS] = key_list(key)
    assert fetch(make_feed(documents=Documents()), tmp_path / "1") == DATA

    stand_in.answers[KEYS] = key_list(thief)
    for stolen in (signed(thief), entry()):
        offer(stand_in, stolen)
        feed = make_feed(documents=Documents())
        with pytest.raises(FeedError) as caught:
            fetch(feed, tmp_path / str(len(stand_in.asked)))
        assert str(caught.value) == f'Feed "{feed.id}": Registry key changed'
        assert caught.value.status == 502


def test_a_changed_key_is_taken_after_the_person_said_so(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    old, new = PrivateKey.generate(), PrivateKey.generate()
    trusted = TrustedKeys(tmp_path / "trusted.json")
    feed = make_feed(trusted=trusted)
    trusted.trust(feed.id, {old.keyid: old.public_text})
    offer(stand_in, signed(new))
    stand_in.answers[KEYS] = key_list(new)

    assert trusted.forget(feed.id)
    assert fetch(feed, tmp_path) == DATA

    assert trusted.of(feed.id) == {new.keyid: new.public_text}
    assert not trusted.forget("http:https://other.example")


def test_a_new_key_that_was_announced_before_may_sign(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    old, new = PrivateKey.generate(), PrivateKey.generate()
    stand_in.answers[KEYS] = key_list(old, new)

    for key in (old, new):
        offer(stand_in, signed(key))
        assert fetch(make_feed(), tmp_path) == DATA


@pytest.mark.parametrize(
    "fault",
    [
        {"expires_at": "2025-12-31T00:00:00.000Z"},
        {"revoked_at": "2026-06-01T00:00:00.000Z"},
        {"usage": "publisher"},
        {"keyid": "0" * 16},
        {"public_key": "nonsense"},
    ],
)
def test_a_key_that_is_not_the_registrys_good_one_signs_nothing(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path, fault: dict[str, str]
) -> None:
    key = PrivateKey.generate()
    offer(stand_in, signed(key))
    stand_in.answers[KEYS] = key_list(key, **fault)

    with pytest.raises(IntegrityError, match="not signed by a known key"):
        fetch(make_feed(), tmp_path)


def test_what_an_expired_key_signed_in_its_time_stays_good(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path
) -> None:
    key = PrivateKey.generate()
    offer(stand_in, signed(key))
    stand_in.answers[KEYS] = key_list(key, expires_at="2026-02-01T00:00:00.000Z")

    assert fetch(make_feed(), tmp_path) == DATA


@pytest.mark.parametrize(
    "signature", [5, {"keyid": []}, {"keyid": {"a": 1}, "sig": 1}, {"keyid": "a", "sig": "b"}]
)
def test_a_signature_of_another_shape_is_none(
    stand_in: StandIn, make_feed: MakeFeed, tmp_path: Path, signature: Any
) -> None:
    key = PrivateKey.generate()
    offer(stand_in, entry(signatures=[signature]))

    with pytest.raises(IntegrityError, match="not signed by a known key"):
        fetch(make_feed(public_keys=[key.public_text]), tmp_path)


def test_a_version_tells_its_feed(stand_in: StandIn, make_feed: MakeFeed) -> None:
    offer(stand_in, entry())
    feed = make_feed()

    found: PackageVersion = feed.versions("acme/hello")[0]

    assert found.feed_id == feed.id == f"http:{stand_in.url}"
