"""Archives: what is read from them, that writing is reproducible, and that nothing is left half."""

import gc
import gzip
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.hostile_archives import END, GOOD, archive, entry, long_name, packed, pax

from kombuse_registry.archive import LIMITS, Limits, read_archive, unpack, write_archive
from kombuse_registry.errors import ArchiveTooLarge, InvalidArchive, UnsafeArchiveEntry
from kombuse_registry.folder import read_folder

FILES = {
    ".kombuse-plugin/plugin.json": b"{}",
    "files/B.md": b"big",
    "files/a.md": b"",
    "files/deep/er/c.txt": b"c" * 1000,
    "files/\u00fcn\u00efcode name.md": "\u00fc".encode(),
    "files/" + "long/" * 40 + "name.md": b"long",
    "manifest.json": b"{}",
}
SMALL = Limits(packed=4096, unpacked=64 * 1024, entries=20, file=16 * 1024, ratio_above=4096)
OURS = (InvalidArchive, UnsafeArchiveEntry, ArchiveTooLarge)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_was_written_is_read_in_byte_order(tmp_path: Path) -> None:
    info = write_archive(dict(reversed(FILES.items())), tmp_path / "a.tar.gz")

    found = read_archive(info.path)

    assert list(found.files) == sorted(FILES, key=str.encode)
    assert dict(found.files) == FILES
    assert (found.checksum, found.size) == (info.checksum, info.size)
    assert info.size == info.path.stat().st_size


def test_equal_files_make_equal_archives_whenever_and_in_whatever_order(tmp_path: Path) -> None:
    one = write_archive(FILES, tmp_path / "one.tar.gz", mtime=1767323045)
    other = write_archive(dict(reversed(FILES.items())), tmp_path / "x" / "two.gz", 1767323045)

    assert one.path.read_bytes() == other.path.read_bytes()
    assert write_archive(FILES, tmp_path / "three", mtime=1).checksum != one.checksum


def test_an_archive_tells_nothing_of_who_made_it(tmp_path: Path) -> None:
    info = write_archive(FILES, tmp_path / "a", mtime=7, executables={"files/a.md"})

    with tarfile.open(info.path) as found:
        members = found.getmembers()

    assert [member.name for member in members] == [f"./{name}" for name in sorted(FILES)]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 7)}
    assert {m.name: m.mode for m in members if m.mode != 0o644} == {"./files/a.md": 0o755}
    assert info.path.read_bytes()[4:8] == bytes(4), "gzip has no time"


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    target = written(tmp_path / "a.tar.gz", b"before")

    with pytest.raises(UnsafeArchiveEntry, match=r"a name with \.\."):
        write_archive({"../x": b""}, target)
    with pytest.raises(UnsafeArchiveEntry, match="control character"):
        write_archive({"files/\ud800": b""}, target)
    with pytest.raises(ArchiveTooLarge, match="has more than 5 MiB"):
        write_archive({"x": bytes(os.urandom(LIMITS.file + 1))}, target)

    assert everything(tmp_path) == {"a.tar.gz": b"before"}


def test_files_are_unpacked_with_plain_modes(tmp_path: Path) -> None:
    info = write_archive(FILES, tmp_path / "a", executables={"manifest.json"})
    before = os.umask(0o077)
    try:
        unpack(read_archive(info.path), tmp_path / "new" / "folder")
    finally:
        os.umask(before)

    folder = tmp_path / "new" / "folder"
    assert everything(folder) == FILES
    modes = {path.stat().st_mode & 0o7777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o644, 0o755}
    assert (folder / "manifest.json").stat().st_mode & 0o7777 == 0o755
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o7777 for path in folders} == {0o755}


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_is_not_written_over(tmp_path: Path, kind: str) -> None:
    found = read_archive(write_archive(FILES, tmp_path / "a").path)
    (tmp_path / "other").mkdir()
    target = tmp_path / "target"
    if kind == "folder":
        target.mkdir()
        (target / "mine").touch()
    elif kind == "file":
        target.touch()
    else:
        target.symlink_to("other", target_is_directory=True)

    with pytest.raises(FileExistsError):
        unpack(found, target)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "other", "target"]
    assert not list((tmp_path / "other").iterdir())


def test_a_failure_while_unpacking_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read_archive(write_archive(FILES, tmp_path / "a").path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(found, tmp_path / "target")

    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        (b"", ".kombuse-plugin/plugin.json"),
        (b"./", ".kombuse-plugin/plugin.json"),
        (b"package/", ".kombuse-plugin/plugin.json"),
        (b"./any name-1.0.0/", ".kombuse-plugin/plugin.json"),
        (b"two/folders/", "two/folders/.kombuse-plugin/plugin.json"),
    ],
)
def test_the_root_is_that_of_the_archive_or_its_only_folder(
    tmp_path: Path, prefix: bytes, expected: str
) -> None:
    tar = entry(prefix + b".kombuse-plugin/plugin.json", b"{}") + END

    found = read_archive(written(tmp_path / "a", packed(tar)))

    assert list(found.files) == [expected]


def test_a_folder_beside_another_entry_is_no_root(tmp_path: Path) -> None:
    tar = entry(b"package/.kombuse-plugin/plugin.json", b"{}") + entry(b"x") + END

    found = read_archive(written(tmp_path / "a", packed(tar)))

    assert list(found.files) == ["package/.kombuse-plugin/plugin.json", "x"]


def test_applications_have_their_root_where_manifest_json_is(tmp_path: Path) -> None:
    path = written(tmp_path / "a", packed(entry(b"package/manifest.json", b"{}") + END))

    assert list(read_archive(path).files) == ["package/manifest.json"]
    assert list(read_archive(path, roots=("x", "manifest.json")).files) == ["manifest.json"]


def test_archives_of_other_tools_are_read(tmp_path: Path) -> None:
    (tmp_path / "source" / "files").mkdir(parents=True)
    for name in ("files/\u00e9.md", "files/" + "n" * 180 + ".md", "a"):
        (tmp_path / "source" / name).write_text(name, encoding="utf-8")
    (tmp_path / "source" / "a").chmod(0o700)
    formats = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
    for name, number in formats.items():
        with tarfile.open(tmp_path / name, "w:gz", format=number) as tar:
            for path in sorted((tmp_path / "source").rglob("*")):
                inside = path.relative_to(tmp_path / "source").as_posix()
                if name != "ustar" or len(inside) < 100:
                    tar.add(path, f"./{inside}", recursive=False)

        found = read_archive(tmp_path / name)

        assert found.executables == {"a"}
        assert all(content.decode() == path for path, content in found.files.items())
        assert len(found.files) == (2 if name == "ustar" else 3)


def test_long_names_and_large_sizes_may_be_in_extended_headers(tmp_path: Path) -> None:
    name = b"files/" + b"n" * 200
    path = written(
        tmp_path / "a",
        archive(
            *(pax({b"comment": b"of git"}, b"g"), pax({b"path": name, b"mtime": b"1.5"})),
            *(entry(b"x", b"1"), long_name(name + b"2"), entry(b"x", b"2")),
            *(pax({b"size": b"3"}), entry(b"files/sized", b"333")),
        ),
    )

    found = read_archive(path).files

    assert found[name.decode()] == b"1"
    assert found[f"{name.decode()}2"] == b"2"
    assert found["files/sized"] == b"333"


def test_only_plain_files_are_opened_and_nobody_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InvalidArchive, match="no regular file"):
            read_archive(path)
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "nothing")


def test_files_can_be_read_by_many_threads_and_outlive_their_archive(tmp_path: Path) -> None:
    many = {f"files/{number}": os.urandom(20_000) for number in range(100)}
    files = read_archive(write_archive(many, tmp_path / "a").path).files
    gc.collect()
    wrong: list[str] = []

    def read() -> None:
        wrong.extend(name for name in many if files[name] != many[name])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_the_last_file_within_all_limits_is_read_and_the_next_byte_is_not(tmp_path: Path) -> None:
    content = {"a": os.urandom(2000), "b": os.urandom(1000)}
    size = write_archive(content, tmp_path / "a").size
    tar = len(gzip.decompress((tmp_path / "a").read_bytes()))
    exact = Limits(packed=size, unpacked=tar, entries=2, file=2000, ratio=1, ratio_above=tar)

    assert len(read_archive(tmp_path / "a", exact).files) == 2
    for name in ("packed", "unpacked", "entries", "file", "ratio_above"):
        less = {field: getattr(exact, field) for field in Limits.__slots__}
        less[name] -= 1
        with pytest.raises(ArchiveTooLarge):
            read_archive(tmp_path / "a", Limits(**less))


def test_a_folder_is_read_like_the_archive_of_it(tmp_path: Path) -> None:
    unpack(read_archive(write_archive(FILES, tmp_path / "a").path), tmp_path / "folder")
    for name in (".git/config", "__pycache__/x.pyc", "python/a.pyc", "dist/old", "old.tar.gz"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    found = read_folder(tmp_path / "folder")

    assert list(found.files.items()) == [(n, FILES[n]) for n in sorted(FILES, key=str.encode)]


@pytest.mark.parametrize("target", ["/etc/hostname", "a.md", "nothing", "."])
def test_links_in_folders_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/a.md").touch()
    (tmp_path / "files/link").symlink_to(target)

    with pytest.raises(UnsafeArchiveEntry, match="'files/link' is a link, or no regular file"):
        read_folder(tmp_path)


def test_a_pipe_and_odd_names_in_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeArchiveEntry, match="'pipe'"):
        read_folder(tmp_path)

    (tmp_path / "pipe").unlink()
    (tmp_path / "a\nb").touch()
    with pytest.raises(UnsafeArchiveEntry, match="control character"):
        read_folder(tmp_path)


def test_the_limits_hold_for_folders_too(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(bytes(100))

    assert len(read_folder(tmp_path, Limits(entries=3, file=100, unpacked=300)).files) == 3
    for less in (Limits(entries=2), Limits(file=99), Limits(unpacked=299)):
        with pytest.raises(ArchiveTooLarge):
            read_folder(tmp_path, less)


@contextmanager
def checked_reading(content: bytes) -> Iterator[None]:
    """Whatever the bytes are: our errors, or files within the limits; and nothing is left over."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = written(folder / "a.tar.gz", content)
        try:
            found = read_archive(path, SMALL)
        except OURS:
            assert [item.name for item in folder.iterdir()] == ["a.tar.gz"]
            yield
            return
        assert len(content) <= SMALL.packed
        assert len(found.files) <= SMALL.entries
        assert sum(map(len, found.files.values())) <= SMALL.unpacked
        (folder / "parent").mkdir()
        unpack(found, folder / "parent" / "target")
        assert everything(folder / "parent" / "target") == dict(found.files)
        assert not [item for item in folder.rglob("*") if item.is_symlink()]
        assert sorted(item.name for item in folder.iterdir()) == ["a.tar.gz", "parent"]
        assert [item.name for item in (folder / "parent").iterdir()] == ["target"]
        yield


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_or_read(content: bytes) -> None:
    with checked_reading(content):
        pass


@given(st.binary(max_size=5000), st.booleans())
def test_any_bytes_in_gzip_are_refused_or_read(content: bytes, is_padded: bool) -> None:
    with checked_reading(packed(content + (END if is_padded else b""))):
        pass


NAMES = st.one_of(
    st.sampled_from(
        [b"a", b"A", b"files/a", b"files/", b"../a", b"/a", b"files/../../a", b".", b"./", b""]
    ),
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode(errors="replace")),
)
ENTRIES = st.lists(
    st.one_of(
        st.builds(
            entry,
            NAMES.map(lambda name: name[:100]),
            st.binary(max_size=700),
            st.sampled_from([b"0", b"0", b"0", b"5", b"\0", b"1", b"2", b"7", b"S", b"x", b"g"]),
            NAMES.map(lambda name: name[:100]),
        ),
        st.builds(lambda name: long_name(name) + entry(b"x"), NAMES),
        st.builds(lambda name: pax({b"path": name}) + entry(b"x"), NAMES),
        st.builds(pax, st.dictionaries(NAMES, NAMES, max_size=3)),
    ),
    max_size=6,
)


@given(ENTRIES)
def test_any_entries_are_refused_or_read(entries: list[bytes]) -> None:
    with checked_reading(archive(*entries)):
        pass


@given(ENTRIES, st.lists(st.tuples(st.integers(0, 6000), st.integers(1, 255)), max_size=4))
def test_damaged_archives_are_refused_or_read(
    entries: list[bytes], damages: list[tuple[int, int]]
) -> None:
    tar = bytearray(GOOD + b"".join(entries) + END)
    for place, bits in damages:
        tar[place % len(tar)] ^= bits
    with checked_reading(packed(bytes(tar))):
        pass


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_damage_to_the_compressed_bytes_goes_unnoticed(place: int, bits: int) -> None:
    """But for what says nothing of the content: fields of gzip's header, bits that fill a byte."""
    whole = archive(entry(b"./files/a.md"), entry(b"./files/b.md"))
    content = bytearray(whole)
    place = 10 + place % (len(content) - 10)
    content[place] ^= bits
    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name) / "a", bytes(content))
        try:
            found = dict(read_archive(path).files)
        except OURS:
            return
        assert found == dict(read_archive(written(Path(name) / "b", whole)).files)
