"""What a person looks at before the Python of a package may run with the server's rights."""

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

from kombuse_plugins.packages import digests
from kombuse_registry.package import PYTHON, Package, read_package
from kombuse_sdk.errors import BadRequest, KombuseError
from kombuse_sdk.storage import Row

__all__ = ["CodeNotAllowed", "review"]

_LONGEST_DIFF = 200_000


class CodeNotAllowed(BadRequest):
    """Nobody allowed this code yet; `review` tells what there is to allow."""

    code = "CODE_NOT_ALLOWED"

    def __init__(self, message: str, review: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.review = dict(review)

    def body(self) -> dict[str, Any]:
        return super().body() | {"details": self.review}


def review(package: Package, digest: str, installed: Row | None, home: Path) -> dict[str, Any]:
    """`diff` compares with the code that was allowed before; None when there is none to be had."""
    assert package.code is not None
    new = _python(package.content.files)
    before = installed["code_sha256"] if installed else None
    old = _allowed(installed, home) if installed and before else None
    return {
        "name": package.manifest.name,
        "version": package.manifest.version,
        "entry_point": package.code.entry_point,
        "capabilities": list(package.code.capabilities),
        "code_sha256": digest,
        "allowed_sha256": before,
        "files": list(new),
        "diff": None if old is None else "".join(_diff(old, new))[:_LONGEST_DIFF],
    }


def _python(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: files[path] for path in files if path.startswith(PYTHON)}


def _allowed(installed: Row, home: Path) -> dict[str, bytes] | None:
    """From the copy that runs; from where it was installed only if nobody changed it there."""
    ran = home / "code" / installed["code_sha256"]
    if ran.is_dir():
        return {
            PYTHON + path.relative_to(ran).as_posix(): path.read_bytes()
            for path in sorted(ran.rglob("*"))
            if path.is_file()
        }
    try:
        package = read_package(Path(installed["directory"]))
    except (OSError, KombuseError):
        return None
    is_same = package.code and digests.of_code(package.code) == installed["code_sha256"]
    return _python(package.content.files) if is_same else None


def _diff(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    for path in sorted({*old, *new}):
        before, after = (_lines(files.get(path)) for files in (old, new))
        yield from unified_diff(
            before,
            after,
            path if path in old else "/dev/null",
            path if path in new else "/dev/null",
        )


def _lines(data: bytes | None) -> list[str]:
    """Each ends with a line feed, so that no two lines of the diff become one."""
    return [f"{line}\n" for line in (data or b"").decode("utf-8", "replace").split("\n")]
