"""Files that several processes read and write at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombuse_sdk import whole_files

__all__ = ["locked", "make_private", "replace"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other process or thread holds the lock file, which stays where it is.

    Removing it would let two processes lock two files of one name.
    """
    make_private(path.parent)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def replace(path: Path, data: bytes) -> None:
    """Readers see the old content or the new, whole; file and folder are their owner's alone."""
    make_private(path.parent)
    whole_files.replace(path, data)
