"""Folders as feeds: what is a package in them, and how little is read to know."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.registry.stand_in_feed import package_bytes

from kombuse_registry.feeds.filesystem import FilesystemFeed


def package(folder: Path, version: str = "1.0.0", **manifest: Any) -> Path:
    folder.mkdir(parents=True)
    written = {"name": folder.name, "version": version, "type": "plugin"} | manifest
    (folder / "manifest.json").write_text(json.dumps(written), encoding="utf-8")
    return folder


def listed(feed: FilesystemFeed) -> list[tuple[str, str]]:
    return [(found.name, found.version) for found in feed.packages()]


def test_a_feed_is_known_by_its_folder(tmp_path: Path) -> None:
    feed = FilesystemFeed(tmp_path / "plugins")

    assert (feed.id, feed.name) == (f"fs:{tmp_path}/plugins", "Filesystem (plugins)")
    assert feed.packages() == []


def test_a_folder_with_a_manifest_is_a_package_named_like_the_folder(tmp_path: Path) -> None:
    folder = package(tmp_path / "hello", name="other", description="Says it", channel="beta")

    (found,) = FilesystemFeed(tmp_path).packages()

    assert (found.name, found.version, found.description) == ("hello", "1.0.0", "Says it")
    assert (found.directory, found.channel, found.feed_id) == (folder, "beta", f"fs:{tmp_path}")


def test_version_folders_are_versions_the_newest_first(tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0-rc.1", "1.10.0", "latest", "1.0"):
        package(tmp_path / "kit" / version, version="9.9.9")
    (tmp_path / "kit" / "3.0.0").mkdir()
    (tmp_path / "kit" / "3.0.0" / "manifest.json").write_text("{", encoding="utf-8")
    feed = FilesystemFeed(tmp_path)

    assert [found.version for found in feed.versions("kit")] == ["2.0.0-rc.1", "1.10.0", "1.0.0"]
    assert listed(feed) == [("kit", "2.0.0-rc.1")]
    assert feed.versions("kit")[1].directory == tmp_path / "kit" / "1.10.0"


def test_archives_beside_folders_are_packages_named_by_their_file(tmp_path: Path) -> None:
    for name in ("tool-1.0.0", "tool-1.2.0", "my-kit-0.1.0-rc.1"):
        (tmp_path / f"{name}.tar.gz").write_bytes(package_bytes(name="x"))
    feed = FilesystemFeed(tmp_path)

    assert listed(feed) == [("my-kit", "0.1.0-rc.1"), ("tool", "1.2.0")]
    assert [found.version for found in feed.versions("tool")] == ["1.2.0", "1.0.0"]


def test_an_archive_without_a_version_in_its_name_is_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "tool.tar.gz").write_bytes(package_bytes("tool", "3.1.0"))
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")

    assert listed(FilesystemFeed(tmp_path)) == [("tool", "3.1.0")]


def test_the_archive_of_an_export_is_not_listed_beside_its_folder(tmp_path: Path) -> None:
    folder = package(tmp_path / "tool")
    (tmp_path / "tool.tar.gz").write_bytes(package_bytes("tool", "0.9.0"))

    (found,) = FilesystemFeed(tmp_path).versions("tool")

    assert found.directory == folder


@pytest.mark.parametrize("name", ["Weird", "a_b", "-a", "con", "a" * 200, ".hidden"])
def test_a_folder_of_another_name_is_no_package(tmp_path: Path, name: str) -> None:
    package(tmp_path / name)

    assert FilesystemFeed(tmp_path).packages() == []


@pytest.mark.parametrize("name", ["../outside", "/etc", "..", "", "acme/hello", "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    package(tmp_path / "outside")
    feed = FilesystemFeed(tmp_path / "inside")
    feed.folder.mkdir()

    assert feed.versions(name) == []


@pytest.mark.parametrize(
    "manifest", [{"version": ""}, {"type": None}, {"name": 5}, {"version": ["1.0.0"]}]
)
def test_a_manifest_without_name_version_or_type_is_skipped(
    tmp_path: Path, manifest: dict[str, Any]
) -> None:
    package(tmp_path / "bad", **manifest)
    package(tmp_path / "good")

    assert listed(FilesystemFeed(tmp_path)) == [("good", "1.0.0")]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from now on."""
    found: list[Path] = []
    original = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        found.append(path)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    return found


def test_of_a_package_only_its_manifest_is_read(tmp_path: Path, read: list[Path]) -> None:
    for number in range(50):
        folder = package(tmp_path / f"kit-{number}")
        (folder / "files").mkdir()
        (folder / "files" / "big.md").write_bytes(b"x" * 1000)
        (tmp_path / f"tool-{number}-1.0.0.tar.gz").write_bytes(b"never opened")

    found = FilesystemFeed(tmp_path).packages()

    assert len(found) == 100
    assert [path.name for path in read] == ["manifest.json"] * 50


def test_one_package_is_looked_up_without_reading_the_others(
    tmp_path: Path, read: list[Path]
) -> None:
    for name in ("one", "two", "three"):
        package(tmp_path / name)

    assert len(FilesystemFeed(tmp_path).versions("two")) == 1
    assert read == [tmp_path / "two" / "manifest.json"]


def test_a_folder_is_used_in_place_and_an_archive_is_copied(tmp_path: Path) -> None:
    folder = package(tmp_path / "feed" / "one")
    archive = tmp_path / "feed" / "two-1.0.0.tar.gz"
    archive.write_bytes(package_bytes("two"))
    feed, work = FilesystemFeed(tmp_path / "feed"), tmp_path / "work"
    work.mkdir()
    seen: list[tuple[int, int | None]] = []

    in_place = feed.download(feed.versions("one")[0], work)
    copied = feed.download(feed.versions("two")[0], work, lambda *now: seen.append(now))

    assert in_place.path == folder
    assert copied.path.parent == work
    assert copied.path.read_bytes() == archive.read_bytes()
    assert seen == [(archive.stat().st_size, archive.stat().st_size)]
