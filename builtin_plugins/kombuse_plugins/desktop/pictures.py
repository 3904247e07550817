"""Where tools may save pictures: PNG files below the person's own folder."""

import os
from pathlib import Path

from kombuse_sdk import whole_files
from kombuse_sdk.errors import BadRequest

__all__ = ["target", "write"]

_OUTSIDE = "file_path must be an absolute path within the home directory"


def target(file_path: str) -> Path:
    """The file that a path means once links are followed. Raises BadRequest outside of home."""
    if "\0" in file_path or not Path(file_path).is_absolute():
        raise BadRequest(_OUTSIDE)
    if not file_path.lower().endswith(".png"):
        raise BadRequest("file_path must end with .png")
    path = Path(os.path.normpath(file_path))
    home = Path.home()
    if not path.is_relative_to(home) or not path.parent.resolve().is_relative_to(home.resolve()):
        raise BadRequest(_OUTSIDE)
    return path


def write(path: Path, data: bytes) -> None:
    """Replace the file in one step; a link in its place is replaced too. Raises BadRequest."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_files.replace(path, data)
    except OSError as error:
        raise BadRequest(f"Failed to write file: {error.strerror}") from error
