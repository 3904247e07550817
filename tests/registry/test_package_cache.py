"""Fetched packages: checked at each use, fetched once, pruned only when nobody uses them."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.registry.stand_in_feed import BytesFeed, package_bytes, sha256

from kombuse_registry.cache import CachedPackage, PackageCache
from kombuse_registry.errors import IntegrityError, InvalidArchive
from kombuse_sdk.feeds import PackageVersion


def wanted(version: str = "1.0.0", name: str = "acme/hello", **more: str) -> PackageVersion:
    return PackageVersion(name=name, version=version, **more)  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> PackageCache:
    return PackageCache(tmp_path / "cache")


def note(cached: CachedPackage) -> str:
    return (cached.directory / "files" / "note.md").read_text(encoding="utf-8")


def left_over(cache: PackageCache) -> list[Path]:
    return list((cache.folder / "tmp").iterdir())


def test_a_package_is_kept_by_its_hash_and_unpacked(cache: PackageCache) -> None:
    data = package_bytes(note="hi")

    cached = cache.fetch(BytesFeed(data), wanted())

    assert cached.checksum == sha256(data)
    assert cached.archive == cache.folder / "blobs" / "sha256" / sha256(data)
    assert cached.archive.read_bytes() == data
    assert cached.directory == cache.folder / "trees" / "sha256" / sha256(data)
    assert note(cached) == "hi"
    assert left_over(cache) == []


def test_a_version_is_downloaded_once(cache: PackageCache) -> None:
    feed = BytesFeed(package_bytes())

    first, second = cache.fetch(feed, wanted()), cache.fetch(feed, wanted())

    assert first == second == cache.get(feed.id, "acme/hello", "1.0.0")
    assert feed.downloads == 1


def test_what_was_never_fetched_is_not_there(cache: PackageCache) -> None:
    assert cache.get("http:https://h.example", "acme/hello", "1.0.0") is None


def test_two_feeds_with_one_name_and_version_do_not_share_it(cache: PackageCache) -> None:
    mine = BytesFeed(package_bytes(note="mine"), "http:https://mine.example")
    theirs = BytesFeed(package_bytes(note="theirs"), "http:https://theirs.example")

    assert note(cache.fetch(mine, wanted())) == "mine"
    assert note(cache.fetch(theirs, wanted())) == "theirs"
    assert cache.feeds_of("acme/hello") == {mine.id, theirs.id}


@pytest.mark.parametrize("damage", ["changed", "removed", "added", "linked"])
def test_a_damaged_tree_is_made_again(cache: PackageCache, tmp_path: Path, damage: str) -> None:
    feed = BytesFeed(package_bytes(note="hi"))
    cached = cache.fetch(feed, wanted())
    file = cached.directory / "files" / "note.md"
    if damage == "changed":
        file.write_text("evil", encoding="utf-8")
    elif damage == "removed":
        file.unlink()
    elif damage == "added":
        (cached.directory / "agents").mkdir()
        (cached.directory / "agents" / "evil.md").write_text("evil", encoding="utf-8")
    else:
        (tmp_path / "note").write_text("hi", encoding="utf-8")
        file.unlink()
        file.symlink_to(tmp_path / "note")

    again = cache.get(feed.id, "acme/hello", "1.0.0")

    assert again is not None
    assert note(again) == "hi"
    assert not (again.directory / "agents").exists()
    assert not (again.directory / "files" / "note.md").is_symlink()
    assert feed.downloads == 1


def test_a_damaged_archive_is_fetched_again(cache: PackageCache) -> None:
    feed = BytesFeed(package_bytes())
    cached = cache.fetch(feed, wanted())
    cached.archive.write_bytes(b"damaged")

    assert cache.get(feed.id, "acme/hello", "1.0.0") is None
    assert cache.fetch(feed, wanted()).archive.read_bytes() == feed.data
    assert feed.downloads == 2


@pytest.mark.parametrize("data", [b"", b"no archive", package_bytes()[:-9]])
def test_a_bad_archive_leaves_nothing_behind(cache: PackageCache, data: bytes) -> None:
    feed = BytesFeed(data)

    with pytest.raises(InvalidArchive):
        cache.fetch(feed, wanted())

    assert cache.get(feed.id, "acme/hello", "1.0.0") is None
    assert left_over(cache) == []
    assert not (cache.folder / "blobs").exists()


def test_other_bytes_than_announced_are_not_kept(cache: PackageCache) -> None:
    with pytest.raises(IntegrityError):
        cache.fetch(BytesFeed(package_bytes()), wanted(checksum=sha256(b"other")))

    assert left_over(cache) == []
    assert not (cache.folder / "blobs").exists()


def test_names_never_become_paths(cache: PackageCache, tmp_path: Path) -> None:
    feed = BytesFeed(package_bytes())

    cache.fetch(feed, wanted("../../1.0.0", "../../../x"))

    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    (entry,) = (cache.folder / "index").iterdir()
    assert len(entry.stem) == 64


def test_archives_of_folders_on_this_machine_may_change(cache: PackageCache) -> None:
    feed = BytesFeed(package_bytes(note="one"), "fs:/packages")
    assert note(cache.fetch(feed, wanted(name="hello"))) == "one"

    feed.data = package_bytes(note="two")

    assert note(cache.fetch(feed, wanted(name="hello"))) == "two"
    assert cache.get(feed.id, "hello", "1.0.0") is None


def test_an_archive_of_this_machine_is_taken_in_and_stays_where_it_is(
    cache: PackageCache, tmp_path: Path
) -> None:
    archive = tmp_path / "mine.tar.gz"
    archive.write_bytes(package_bytes(note="mine"))

    cached = cache.add(archive)

    assert note(cached) == "mine"
    assert archive.exists()
    assert left_over(cache) == []


def test_pruning_keeps_what_is_named_and_the_newest_of_each_package(cache: PackageCache) -> None:
    feed = BytesFeed(b"")
    found = {}
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.10.0"):
        feed.data = package_bytes(version=version)
        found[version] = cache.fetch(feed, wanted(version))

    removed = cache.prune({found["1.0.0"].checksum}, newest=2, grace_seconds=-1)

    assert removed == 1
    assert [version for version, cached in found.items() if cached.directory.exists()] == [
        "1.0.0",
        "1.2.0",
        "1.10.0",
    ]
    assert cache.get(feed.id, "acme/hello", "1.1.0") is None


def test_what_was_fetched_just_now_is_not_pruned(cache: PackageCache) -> None:
    feed = BytesFeed(package_bytes())
    cached = cache.fetch(feed, wanted())
    stray = cache.folder / "tmp" / "work"
    stray.mkdir()

    assert cache.prune(set(), newest=0) == 0
    assert cached.directory.exists()
    assert stray.exists()
    assert cache.prune(set(), newest=0, grace_seconds=-1) == 1
    assert not stray.exists()


def test_pruning_an_empty_cache_is_fine(cache: PackageCache) -> None:
    assert cache.prune(set()) == 0


FETCH = """
import sys
from pathlib import Path
from kombuse_registry.cache import PackageCache
from kombuse_sdk.feeds import Download, PackageVersion

class CountingFeed:
    id, name = "http:https://h.example", "Counting"

    def download(self, version, folder, progress=None):
        print("downloads")
        path = folder / "package.tar.gz"
        path.write_bytes(Path(sys.argv[2]).read_bytes())
        return Download(path=path, checksum=None)

version = PackageVersion(name="acme/hello", version="1.0.0")
print(PackageCache(Path(sys.argv[1])).fetch(CountingFeed(), version).checksum)
"""


def test_several_processes_at_once_download_once(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(package_bytes())
    command = [sys.executable, "-c", FETCH, str(tmp_path / "cache"), str(tmp_path / "data")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    printed = sorted(process.communicate(timeout=60)[0].split() for process in processes)

    checksum = sha256(package_bytes())
    assert printed == [[checksum], [checksum], ["downloads", checksum]]


def test_two_threads_may_fetch_what_has_the_same_bytes(cache: PackageCache) -> None:
    data = package_bytes(note="hi")
    feeds = [BytesFeed(data, f"http:https://{number}.example") for number in range(6)]
    found: list[CachedPackage] = []

    def fetch(feed: BytesFeed) -> None:
        found.append(cache.fetch(feed, wanted()))

    threads = [threading.Thread(target=fetch, args=(feed,)) for feed in feeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [note(cached) for cached in found] == ["hi"] * 6


def test_a_lost_tree_is_unpacked_again(cache: PackageCache) -> None:
    feed = BytesFeed(package_bytes(note="hi"))
    shutil.rmtree(cache.fetch(feed, wanted()).directory)

    assert note(cache.fetch(feed, wanted())) == "hi"
    assert feed.downloads == 1
