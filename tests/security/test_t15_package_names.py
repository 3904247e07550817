"""T15: no name or version of a package becomes a path or an address, wherever it comes from."""

import json
from pathlib import Path

import pytest
from tests.registry.stand_in_feed import BytesFeed, Reply, package_bytes, serving

from kombuse_registry.cache import PackageCache
from kombuse_registry.client import RegistryClient
from kombuse_registry.documents import Documents
from kombuse_registry.feeds import open_feed
from kombuse_registry.feeds.filesystem import FilesystemFeed
from kombuse_registry.trust import TrustedKeys
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.feeds import PackageVersion

NAMES = [
    "../x",
    "..",
    ".",
    "a/../b",
    "/etc/passwd",
    "a\\b",
    "C:\\x",
    "CON",
    "con",
    "nul",
    "a" * 300,
    "",
    " ",
    "a\x00b",
    "a\nb",
    "․․/x",
    "‥",
    "ａ",
    "x:y",
    "-rf",
    "~",
    "$HOME",
    "%2e%2e%2f",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_packages_is_not_left_by_a_name(tmp_path: Path, name: str) -> None:
    manifest = json.dumps({"name": "x", "version": "1.0.0", "type": "plugin"})
    (tmp_path / "manifest.json").write_text(manifest, encoding="utf-8")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "manifest.json").write_text(manifest, encoding="utf-8")
    (tmp_path / "packages").mkdir()

    assert FilesystemFeed(tmp_path / "packages").versions(name) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_registry_is_not_asked_for_such_a_name(tmp_path: Path, name: str) -> None:
    with serving() as registry:
        source = {"type": "http", "base_url": registry.url}
        trusted = TrustedKeys(tmp_path / "keys.json")
        feed = open_feed(source, documents=Documents(), trusted=trusted)

        for asked in (name, f"acme/{name}", f"{name}/hello"):
            assert feed.versions(asked) == []
            with pytest.raises(BadRequest):
                RegistryClient(registry.url).package(asked)

        assert registry.asked == []


def test_packages_that_a_registry_lists_under_such_names_are_left_out(tmp_path: Path) -> None:
    entry = {"author": "acme", "name": "hello", "latest_version": "1.0.0", "type": "plugin"}
    listed = [entry | {part: name} for name in NAMES for part in ("author", "name")]
    with serving() as registry:
        registry.answers["/api/pkg"] = Reply(json={"packages": listed})
        source = {"type": "http", "base_url": registry.url}
        trusted = TrustedKeys(tmp_path / "keys.json")

        assert open_feed(source, documents=Documents(), trusted=trusted).packages() == []


@pytest.mark.parametrize("name", NAMES)
def test_the_cache_makes_no_path_of_a_name_or_version(tmp_path: Path, name: str) -> None:
    cache = PackageCache(tmp_path / "cache")

    cache.fetch(BytesFeed(package_bytes()), PackageVersion(name=name, version=name))

    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    names = {path.name for path in (cache.folder / "index").iterdir()}
    assert all(len(found) == 64 + len(".json") for found in names)
    assert {path.name for path in cache.folder.iterdir()} == {
        "blobs",
        "index",
        "locks",
        "tmp",
        "trees",
    }
