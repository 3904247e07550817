"""T13: where a package comes from is decided once, and what it is does not change unnoticed."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.registry.stand_in_feed import Reply, StandIn, package_bytes, serving, sha256

from kombuse_registry.cache import CachedPackage, PackageCache
from kombuse_registry.documents import Documents
from kombuse_registry.errors import FeedError, IntegrityError
from kombuse_registry.feeds.http import HttpFeed
from kombuse_registry.resolver import Downgrade, Resolver, refuse_downgrade
from kombuse_registry.signing import PrivateKey, registry_line
from kombuse_registry.trust import TrustedKeys

NAME = "acme/hello"
PUBLISHED = "2026-01-02T03:04:05.000Z"


@pytest.fixture
def registries() -> Iterator[tuple[StandIn, StandIn]]:
    """A private registry and a public one."""
    with ExitStack() as stack:
        yield stack.enter_context(serving()), stack.enter_context(serving())


@pytest.fixture
def registry(registries: tuple[StandIn, StandIn]) -> StandIn:
    return registries[0]


@pytest.fixture
def cache(tmp_path: Path) -> PackageCache:
    return PackageCache(tmp_path / "cache")


@pytest.fixture
def trusted(tmp_path: Path) -> TrustedKeys:
    return TrustedKeys(tmp_path / "keys.json")


def offer(
    registry: StandIn,
    version: str = "1.0.0",
    data: bytes | None = None,
    key: PrivateKey | None = None,
    **more: Any,
) -> bytes:
    data = package_bytes(version=version) if data is None else data
    path = f"/api/pkg/acme/hello/versions/{version}/download"
    entry: dict[str, Any] = {"version": version, "checksum": sha256(data), "download_url": path}
    entry |= {"published_at": PUBLISHED} | more
    if key:
        line = registry_line(NAME, version, sha256(data), PUBLISHED)
        entry["signatures"] = [{"keyid": key.keyid, "alg": "ed25519", "sig": key.sign(line)}]
        public = {"keyid": key.keyid, "public_key": key.public_text, "usage": "registry"}
        registry.answers["/api/pkg/-/keys"] = Reply(json={"keys": [public]})
    listed = "/api/pkg/acme/hello/versions?include_yanked=true"
    registry.answers[listed] = Reply(json={"versions": [entry]})
    registry.answers[path] = Reply(body=data)
    return data


def fail(registry: StandIn) -> None:
    listed = "/api/pkg/acme/hello/versions?include_yanked=true"
    registry.answers[listed] = Reply(status=500)


def feed(registry: StandIn, trusted: TrustedKeys, **options: Any) -> HttpFeed:
    return HttpFeed(registry.url, documents=Documents(), trusted=trusted, **options)


def fetch(cache: PackageCache, source: HttpFeed) -> CachedPackage:
    return cache.fetch(source, source.versions(NAME)[0])


def test_a_public_registry_cannot_outbid_the_private_one(
    registries: tuple[StandIn, StandIn], trusted: TrustedKeys
) -> None:
    private, public = registries
    offer(private, "1.0.0")
    offer(public, "99.0.0")
    feeds = [feed(private, trusted), feed(public, trusted)]

    found = Resolver(feeds).resolve(NAME)

    assert (found.feed, found.version.version) == (feeds[0], "1.0.0")
    assert found.conflicts == (feeds[1].id,)
    assert f'"{NAME}" is also in {feeds[1].id}' in found.warnings[0]


def test_a_public_registry_does_not_take_over_while_the_private_one_is_down(
    registries: tuple[StandIn, StandIn], trusted: TrustedKeys, cache: PackageCache
) -> None:
    private, public = registries
    offer(private, "1.0.0")
    feeds = [feed(private, trusted), feed(public, trusted)]
    fetch(cache, feeds[0])
    fail(private)
    offer(public, "99.0.0")

    with pytest.raises(FeedError, match="HTTP 500"):
        Resolver(feeds).resolve(NAME, owners=cache.feeds_of(NAME))


def test_an_installed_package_comes_from_where_it_came_from(
    registries: tuple[StandIn, StandIn], trusted: TrustedKeys
) -> None:
    first, second = registries
    offer(first, "99.0.0")
    offer(second, "1.1.0")
    feeds = [feed(first, trusted), feed(second, trusted)]

    found = Resolver(feeds, mode="highest").resolve(NAME, pin=feeds[1].id)

    assert found.version.version == "1.1.0"
    assert first.asked == []


def test_changed_bytes_of_the_same_version_are_refused(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    source = feed(registry, trusted)
    offer(registry)
    fetch(cache, source)
    offer(registry, data=package_bytes(note="evil"))

    with pytest.raises(IntegrityError, match="published again with other content"):
        fetch(cache, source)


def test_changed_bytes_are_refused_also_when_the_first_are_long_gone(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    source = feed(registry, trusted, allow_unverified=True)
    offer(registry, checksum=None)
    first = fetch(cache, source)
    assert cache.prune(set(), newest=0, grace_seconds=-1) == 1
    offer(registry, data=package_bytes(note="evil"), checksum=None)

    with pytest.raises(IntegrityError, match="published again with other content"):
        fetch(cache, source)

    offer(registry, checksum=None)
    assert fetch(cache, source).checksum == first.checksum


def test_changed_bytes_are_taken_when_the_person_says_so(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    source = feed(registry, trusted)
    offer(registry)
    fetch(cache, source)
    changed = offer(registry, data=package_bytes(note="fixed"))

    assert cache.forget(source.id, NAME, "1.0.0")
    assert not cache.forget(source.id, NAME, "1.0.0")
    assert fetch(cache, source).checksum == sha256(changed)


def test_a_memory_of_what_was_fetched_that_is_damaged_is_not_ignored(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    source = feed(registry, trusted)
    offer(registry)
    fetch(cache, source)
    (entry,) = (cache.folder / "index").iterdir()
    entry.write_text("{}", encoding="utf-8")

    with pytest.raises(IntegrityError, match="is damaged"):
        fetch(cache, source)


def test_what_is_not_signed_or_signed_by_another_is_refused_where_keys_are_configured(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    key, thief = PrivateKey.generate(), PrivateKey.generate()
    source = feed(registry, trusted, public_keys=[key.public_text])

    for wrong in (None, thief):
        offer(registry, key=wrong)
        with pytest.raises(IntegrityError, match="not signed by a known key"):
            fetch(cache, source)

    offer(registry, key=key)
    assert fetch(cache, source).size > 0


def test_a_registry_that_signed_once_cannot_stop_signing_or_change_its_key(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    offer(registry, "1.0.0", key=PrivateKey.generate())
    fetch(cache, feed(registry, trusted))

    for number, key in enumerate((None, PrivateKey.generate()), 1):
        offer(registry, f"1.{number}.0", key=key)
        with pytest.raises(FeedError, match="Registry key changed"):
            fetch(cache, feed(registry, trusted))


def test_a_mirror_that_swaps_the_bytes_and_the_checksum_is_found_out_by_the_signature(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    key = PrivateKey.generate()
    offer(registry, "1.0.0", key=key)
    fetch(cache, feed(registry, trusted))
    listed = "/api/pkg/acme/hello/versions?include_yanked=true"
    offer(registry, "1.1.0", key=key)
    honest = registry.answers[listed]
    assert isinstance(honest, Reply)
    (entry,) = honest.json["versions"]
    evil = package_bytes(version="1.1.0", note="evil")
    registry.answers[listed] = Reply(json={"versions": [entry | {"checksum": sha256(evil)}]})
    registry.answers[entry["download_url"]] = Reply(body=evil)

    with pytest.raises(IntegrityError, match="not signed by a known key"):
        fetch(cache, feed(registry, trusted))


def test_naming_the_trusted_key_beside_another_does_not_make_the_other_trusted(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    key, thief = PrivateKey.generate(), PrivateKey.generate()
    offer(registry, "1.0.0", key=key)
    fetch(cache, feed(registry, trusted))
    offer(registry, "1.1.0", key=thief)
    listed = registry.answers["/api/pkg/acme/hello/versions?include_yanked=true"]
    assert isinstance(listed, Reply)
    listed.json["versions"][0]["signatures"].append({"keyid": key.keyid, "sig": "AAAA"})

    with pytest.raises(IntegrityError, match="not signed by a known key"):
        fetch(cache, feed(registry, trusted))


def test_a_damaged_list_of_trusted_keys_trusts_nobody(
    registry: StandIn, trusted: TrustedKeys, cache: PackageCache
) -> None:
    offer(registry, key=PrivateKey.generate())
    for damaged in ("{", "[]", ""):
        trusted.path.write_text(damaged, encoding="utf-8")

        with pytest.raises(IntegrityError, match="list of trusted keys is damaged"):
            fetch(cache, feed(registry, trusted))


def test_a_downgrade_is_refused() -> None:
    with pytest.raises(Downgrade) as caught:
        refuse_downgrade(NAME, "2.0.0", "1.0.0")

    assert (caught.value.status, caught.value.code) == (409, "DOWNGRADE")


def test_a_near_miss_of_an_installed_name_is_told(registry: StandIn, trusted: TrustedKeys) -> None:
    offer(registry)

    found = Resolver([feed(registry, trusted)]).resolve(NAME, known=["acme/he11o", "acme/other"])

    assert found.warnings == (f'"{NAME}" is nearly the name of "acme/he11o"',)
