"""T11: nothing in an archive becomes a file outside of the package's folder, nor a link or device.

CVE-2007-4559 (names with ..), CVE-2024-12718, CVE-2025-4138, CVE-2025-4330 and CVE-2025-4517 (what
Python's extraction filters let through), CVE-2026-7774.
"""

import tarfile
from pathlib import Path

import pytest
from tests.registry.hostile_archives import BROKEN, MARKER, UNSAFE

from kombuse_registry import archive as archives
from kombuse_registry import tar_reader
from kombuse_registry.archive import read_archive
from kombuse_registry.errors import InvalidArchive, UnsafeArchiveEntry
from kombuse_registry.package import read_package


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_entry_refuses_the_whole_archive(tmp_path: Path, name: str) -> None:
    path = tmp_path / "deep" / "er" / "a.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(UNSAFE[name])

    with pytest.raises(UnsafeArchiveEntry) as refused:
        read_package(path)

    assert refused.value.status == 400
    assert refused.value.body() == {
        "error": f"Invalid archive: {refused.value.reason}",
        "code": "UNSAFE_ARCHIVE_ENTRY",
    }
    assert refused.value.message.isprintable(), "names of strangers are shown with escapes"
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == [path]
    assert not list(Path("/tmp").glob(f"{MARKER}*"))


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_archive_is_refused_before_anything_is_read_from_it(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(BROKEN[name])

    with pytest.raises(InvalidArchive) as refused:
        read_archive(path)

    assert refused.value.body()["code"] == "INVALID_ARCHIVE"
    assert list(tmp_path.iterdir()) == [path]


def test_no_library_unpacks_anything() -> None:
    """The module tarfile only makes headers, and the reader of headers does without it."""
    used = {
        name
        for name in dir(tarfile)
        if f"tarfile.{name}" in Path(archives.__file__).read_text("utf-8")
    }

    assert used == {"BLOCKSIZE", "PAX_FORMAT", "TarInfo"}
    assert "tarfile" not in Path(tar_reader.__file__).read_text(encoding="utf-8")


def test_a_link_that_takes_the_place_of_a_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if somebody swaps a file of the temporary folder for a link while it is filled."""
    found = read_archive(archives.write_archive({"a": b"1", "b": b"2"}, tmp_path / "a").path)
    written = archives._write

    def swapped(path: Path, content: bytes, mode: int) -> None:
        if path.name == "b":
            path.symlink_to(tmp_path / MARKER)
        written(path, content, mode)

    monkeypatch.setattr(archives, "_write", swapped)
    with pytest.raises(FileExistsError):
        archives.unpack(found, tmp_path / "target")

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
