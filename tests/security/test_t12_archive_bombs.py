"""T12: archives that become far more than they are refused early, in little memory and time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.registry.hostile_archives import TOO_LARGE

from kombuse_registry.archive import read_archive, write_archive
from kombuse_registry.errors import ArchiveTooLarge

MIB = 1024 * 1024
MEASURED = """
import json, resource, sys, time
from pathlib import Path
from kombuse_registry.archive import read_archive
from kombuse_sdk.errors import KombuseError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(path):
    found = read_archive(Path(path))
    for name in found.files:
        found.files[name]

before, started = peak(), time.perf_counter()
try:
    read(sys.argv[1])
    outcome = "read"
except KombuseError as error:
    outcome = type(error).__name__
print(json.dumps([outcome, peak() - before, time.perf_counter() - started]))
"""


def measured(path: Path) -> tuple[str, int, float]:
    """Outcome, peak of memory above that of the bare process in bytes, and seconds."""
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    outcome, memory, seconds = json.loads(ended.stdout)
    return outcome, memory, seconds


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_bomb_is_refused_in_little_memory_and_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(TOO_LARGE[name]())

    outcome, memory, seconds = measured(path)

    assert outcome == "ArchiveTooLarge"
    assert memory < 64 * MIB
    assert seconds < 20
    assert list(tmp_path.iterdir()) == [path]


def test_the_largest_archive_that_is_taken_needs_little_memory_too(tmp_path: Path) -> None:
    piece = os.urandom(16 * 1024) * 64
    files = {f"files/{number}": piece + bytes([number]) for number in range(49)}
    path = write_archive(files, tmp_path / "large.tar.gz").path

    outcome, memory, _ = measured(path)

    assert outcome == "read"
    assert memory < 64 * MIB


def test_an_archive_inside_of_an_archive_is_a_file_like_others(tmp_path: Path) -> None:
    inner = write_archive({"a": b"a" * 4 * MIB + os.urandom(64 * 1024)}, tmp_path / "inner").path
    content = inner.read_bytes()
    outer = write_archive({"files/inner.tar.gz": content}, tmp_path / "outer")

    assert dict(read_archive(outer.path).files) == {"files/inner.tar.gz": content}


def test_the_answer_says_what_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(TOO_LARGE["64 MiB of zeros in one file"]())

    with pytest.raises(ArchiveTooLarge) as refused:
        read_archive(tmp_path / "a")

    assert refused.value.status == 413
    assert refused.value.body() == {
        "error": "Archive too large: more than 200 times its size when unpacked",
        "code": "ARCHIVE_TOO_LARGE",
    }
