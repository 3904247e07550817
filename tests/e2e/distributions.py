"""Kombuse as it would be released: wheels and application packages of these sources."""

import base64
import hashlib
import json
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kombuse_registry.archive import write_archive

__all__ = ["application", "environment_of", "wheel"]

_ROOT = Path(__file__).parents[2]
_SOURCES = (
    "kernel/kombuse_kernel",
    "plugin_sdk/kombuse_sdk",
    "builtin_plugins/kombuse_plugins",
    "registry/kombuse_registry",
)
_ENTRY_POINTS = """
[console_scripts]
kombuse = kombuse_kernel.cli:main

[kombuse.kernel]
build = kombuse_kernel.app:kernel_for_tests
app = kombuse_kernel.app:build_app
"""
_MAIN = b"from kombuse_kernel.cli import main\n\nmain()\n"
_WHEEL = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@cache
def _modules() -> dict[str, bytes]:
    return dict(_found())


def _found() -> Iterator[tuple[str, bytes]]:
    for source in _SOURCES:
        folder = _ROOT / source
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(folder.parent).as_posix(), path.read_bytes()


def _information(version: str) -> dict[str, bytes]:
    folder = f"kombuse-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: kombuse\nVersion: {version}\n"
    return {
        f"{folder}/METADATA": metadata.encode(),
        f"{folder}/WHEEL": _WHEEL,
        f"{folder}/entry_points.txt": _ENTRY_POINTS.encode(),
    }


def wheel(folder: Path, version: str, *, broken: bool = False) -> Path:
    """What it needs is left out, for it is there; a broken one ends when it is started."""
    files = _modules() | _information(version)
    if broken:
        files |= {"kombuse_kernel/cli/__init__.py": b"raise SystemExit('broken')\n"}
    path = folder / f"kombuse-{version}-py3-none-any.whl"
    record = f"kombuse-{version}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(record, "\n".join([*lines, f"{record},,", ""]))
    return path


def application(folder: Path, version: str) -> Path:
    manifest = {
        "author": "kombuse",
        "name": "kombuse",
        "version": version,
        "type": "app",
        "minShellVersion": "0.1.0",
        "buildTime": "2026-05-01T10:00:00.000Z",
        "files": {"server": "server"},
    }
    files = {
        "package/manifest.json": json.dumps(manifest).encode(),
        "package/server/__main__.py": _MAIN,
        **{
            f"package/server/{name}": data
            for name, data in (_modules() | _information(version)).items()
        },
    }
    return write_archive(files, folder / f"kombuse-package-{version}.tar.gz").path


def environment_of(folder: Path) -> Path:
    """The Python of a new virtual environment that finds our libraries and pip, but no Kombuse."""
    venv.create(folder, symlinks=True)
    libraries = folder / "libraries"
    libraries.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "kombuse" not in path.name and path.suffix != ".pth":
            (libraries / path.name).symlink_to(path)
    site = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (site / "libraries.pth").write_text(str(libraries), encoding="utf-8")
    return folder / "bin" / "python"


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
