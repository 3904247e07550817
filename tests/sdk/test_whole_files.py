"""Files are replaced whole, or stay as they were and leave nothing behind."""

import stat
from pathlib import Path

import pytest

from kombuse_sdk.whole_files import replace, replacing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_its_owners_alone_unless_a_mode_is_given(tmp_path: Path) -> None:
    replace(tmp_path / "private", b"1")
    replace(tmp_path / "shared", b"2", 0o644)

    assert (mode(tmp_path / "private"), mode(tmp_path / "shared")) == (0o600, 0o644)


def test_the_file_that_is_there_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with replacing(path, 0o644) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        assert mode(Path(file.name)) == 0o600

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_what_it_led_to_is_left_alone(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)

    replace(link, b"new")

    assert not link.is_symlink()
    assert (link.read_bytes(), target.read_bytes()) == (b"new", b"old")


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)

    replace(path, b"1")

    assert list(tmp_path.iterdir()) == [path]
