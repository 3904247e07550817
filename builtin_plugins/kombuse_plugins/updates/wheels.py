"""Installed distributions packed into wheels again, so that they can come back without a network.

Format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import csv
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

__all__ = ["repack"]

# What an installer has made by itself, and makes anew.
_MADE = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")
_TAG = "py3-none-any"


def repack(distribution: Distribution, folder: Path) -> Path:
    """A wheel of the files below site-packages; scripts come from the entry points again.

    Raises OSError when files of the distribution are missing, ValueError when it names none.
    """
    files = dict(_files(distribution))
    information = next((name for name in files if name.endswith(".dist-info/WHEEL")), None)
    if information is None:
        raise ValueError(f"{distribution.name} was not installed from a wheel")
    record = information.replace("WHEEL", "RECORD")
    name = record.removesuffix(".dist-info/RECORD")
    wheel = folder / f"{name}-{_tag(files[information])}.whl"
    lines = []
    with zipfile.ZipFile(wheel, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, source in files.items():
            data = source.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            lines.append(f"{path},sha256={digest},{len(data)}")
            archive.write(source, path)
        archive.writestr(record, "\n".join([*lines, f"{record},,", ""]))
    return wheel


def _files(distribution: Distribution) -> Iterator[tuple[str, Path]]:
    """By the record of the installation: what is missing of it is a fault, not left out."""
    for path, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        folder, _, name = path.rpartition("/")
        is_outside = path.startswith(("/", "../"))
        is_made = name in _MADE and folder.endswith(".dist-info")
        if not is_outside and not is_made and not path.endswith(".pyc"):
            yield path, Path(str(distribution.locate_file(path)))


def _tag(information: Path) -> str:
    """The first tag that the wheel had; a wheel for several is named by one of them."""
    for line in information.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "tag":
            return value.strip()
    return _TAG
