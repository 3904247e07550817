"""Who has installed the command line, what the tools are told to do, and what is kept for later."""

import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kombuse_plugins.updates.installation import Installation
from kombuse_plugins.updates.installers import installer_of, semantic
from kombuse_plugins.updates.shell_updater import ShellUpdater
from kombuse_plugins.updates.wheels import repack
from kombuse_sdk.errors import BadGateway, KombuseError, Unavailable

Program = Callable[[str, str], Path]
_RECORD = "kombuse-{0}.dist-info/RECORD"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    prefix = tmp_path / "prefix"
    made = Installation(
        prefix=prefix,
        python=Path(sys.executable),
        site=prefix / "lib",
        scripts=prefix / "bin",
    )
    put(made, "1.0.0", "pip")
    return made


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Put a program on the PATH: a shell script."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(
            f'#!/bin/sh\necho "$0" "$@" >> {folder}/calls\n{script}\n', encoding="utf-8"
        )
        path.chmod(0o755)
        return path

    return make


def put(installation: Installation, version: str, installer: str) -> None:
    """What an installer leaves of a release, and the program of it."""
    information = installation.site / f"kombuse-{version}.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    files = {
        "kombuse_part.py": "x = 1\n",
        f"{information.name}/METADATA": (
            f"Metadata-Version: 2.1\nName: kombuse\nVersion: {version}\n"
        ),
        f"{information.name}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{information.name}/INSTALLER": f"{installer}\n",
    }
    for name, text in files.items():
        (installation.site / name).write_text(text, encoding="utf-8")
    record = "".join(f"{name},,\n" for name in [*files, "../bin/kombuse", "kombuse_part.pyc"])
    (information / "RECORD").write_text(record, encoding="utf-8")
    installation.scripts.mkdir(exist_ok=True)
    says(installation, version)


def says(installation: Installation, version: str) -> None:
    program = installation.scripts / "kombuse"
    program.write_text(f"#!/bin/sh\necho kombuse {version}\n", encoding="utf-8")
    program.chmod(0o755)


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "programs" / "calls").read_text(encoding="utf-8").splitlines()


def reinstaller(installation: Installation) -> str:
    """A script of a tool: the dry run and the installation of 2.0.0, and going back to 1.0.0."""
    lib = installation.site
    return f"""
case "$*" in
  *--dry-run*) echo " - kombuse==1.0.0" >&2; echo " + kombuse==2.0.0" >&2;;
  *.whl*) mv {lib}/kombuse-2.0.0.dist-info {lib}/kombuse-1.0.0.dist-info
    sed -i s/2.0.0/1.0.0/ {lib}/kombuse-1.0.0.dist-info/* {installation.scripts}/kombuse;;
  *) mv {lib}/kombuse-1.0.0.dist-info {lib}/kombuse-2.0.0.dist-info
    sed -i s/1.0.0/2.0.0/ {lib}/kombuse-2.0.0.dist-info/* {installation.scripts}/kombuse;;
esac
"""


def test_pip_is_what_its_mark_says(installation: Installation) -> None:
    assert (installation.tool(), installation.version()) == ("pip", "1.0.0")


@pytest.mark.parametrize(
    ("installer", "marker", "tool"),
    [
        ("uv", None, "uv"),
        ("uv", "uv-receipt.toml", "uv"),
        ("uv", "pipx_metadata.json", "uv"),
        ("pip", "pipx_metadata.json", "pipx"),
    ],
)
def test_pipx_and_uv_are_known_by_what_they_leave(
    installation: Installation, installer: str, marker: str | None, tool: str
) -> None:
    put(installation, "1.0.0", installer)
    if marker:
        (installation.prefix / marker).touch()

    assert installation.tool() == tool


@pytest.mark.parametrize(
    ("installer", "text"), [("dpkg", "was installed by dpkg"), ("", "was installed by hand")]
)
def test_other_installers_are_named(installation: Installation, installer: str, text: str) -> None:
    put(installation, "1.0.0", installer)

    with pytest.raises(Unavailable, match=text):
        installation.tool()


def test_a_folder_of_sources_is_not_updated(installation: Installation) -> None:
    origin = json.dumps({"url": "file:///src", "dir_info": {"editable": True}})
    path = installation.site / "kombuse-1.0.0.dist-info" / "direct_url.json"
    path.write_text(origin, encoding="utf-8")

    with pytest.raises(Unavailable, match="folder of sources"):
        installation.tool()


def test_without_the_distribution_nothing_is_updated(tmp_path: Path) -> None:
    empty = Installation(
        prefix=tmp_path, python=Path(sys.executable), site=tmp_path, scripts=tmp_path
    )

    with pytest.raises(Unavailable, match="is not installed"):
        empty.tool()


def test_a_tool_that_is_gone_is_named(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "kombuse_plugins.updates.installers.search_path", lambda program: str(tmp_path)
    )

    with pytest.raises(Unavailable, match="uv, which has installed Kombuse, is not on the PATH"):
        installer_of(installation, "uv")


def test_pipx_is_asked_for_its_pip(
    installation: Installation, program: Program, tmp_path: Path
) -> None:
    program("pipx", 'echo "kombuse (2.0.0)"; echo "Available versions: 2.0.0, 1.0.0"')

    assert installer_of(installation, "pipx").newest(prereleases=True) == "2.0.0"

    (call,) = calls(tmp_path)
    assert " runpip kombuse index " in call
    assert call.endswith(" --pre kombuse")


def test_uv_updates_and_goes_back(
    installation: Installation, program: Program, tmp_path: Path
) -> None:
    put(installation, "1.0.0", "uv")
    program("uv", reinstaller(installation))
    updater = ShellUpdater(tmp_path / "home", "stable", installation)

    found = updater.check()
    assert found is not None
    updater.install()
    versions = [(item.version, item.is_current) for item in updater.versions()]
    back = updater.rollback()

    assert (found.version, back) == ("2.0.0", "1.0.0")
    assert versions == [("2.0.0", True), ("1.0.0", False)]
    *_, last = calls(tmp_path)
    assert "--offline --no-deps --reinstall" in last
    assert last.endswith("kombuse-1.0.0-py3-none-any.whl")
    assert len(updater.versions()) == 1


def test_what_does_not_start_is_taken_back(
    installation: Installation, program: Program, tmp_path: Path
) -> None:
    put(installation, "1.0.0", "uv")
    broken = "-e s/1.0.0/2.0.0/ -e s/echo/false/"
    program("uv", reinstaller(installation).replace("s/1.0.0/2.0.0/", broken))
    updater = ShellUpdater(tmp_path / "home", "stable", installation)
    updater.check()

    with pytest.raises(BadGateway, match=r"does not start as 2\.0\.0"):
        updater.install()

    status = updater.status()
    assert (status.state, status.current_version) == ("error", "1.0.0")
    with pytest.raises(KombuseError, match="No previous version"):
        updater.rollback()


def test_a_tool_that_fails_changes_nothing_and_its_words_are_told(
    installation: Installation, program: Program, tmp_path: Path
) -> None:
    put(installation, "1.0.0", "uv")
    program("uv", 'echo "warning: x" >&2; echo "error: no route to host" >&2; exit 2')
    updater = ShellUpdater(tmp_path / "home", "stable", installation)

    with pytest.raises(BadGateway, match=r"^Update check failed: no route to host$"):
        updater.check()

    assert updater.status().error == "Update check failed: no route to host"


def test_a_rollback_is_only_for_the_installation_that_was_updated(
    installation: Installation, program: Program, tmp_path: Path
) -> None:
    put(installation, "1.0.0", "uv")
    program("uv", reinstaller(installation))
    updater = ShellUpdater(tmp_path / "home", "stable", installation)
    updater.check()
    updater.install()
    record = tmp_path / "home/packages/shell/previous.json"
    record.write_text(json.dumps({"version": "1.0.0", "prefix": "/elsewhere"}), encoding="utf-8")

    with pytest.raises(KombuseError, match="No previous version"):
        updater.rollback()


def test_a_distribution_becomes_a_wheel_of_what_came_with_it(
    installation: Installation, tmp_path: Path
) -> None:
    found = installation.distribution()
    assert found is not None

    wheel = repack(found, tmp_path)

    assert wheel.name == "kombuse-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        record = archive.read(_RECORD.format("1.0.0")).decode()
    assert names == [
        "kombuse_part.py",
        "kombuse-1.0.0.dist-info/METADATA",
        "kombuse-1.0.0.dist-info/WHEEL",
        "kombuse-1.0.0.dist-info/RECORD",
    ]
    assert record.startswith("kombuse_part.py,sha256=")


def test_a_distribution_with_missing_files_is_not_kept(
    installation: Installation, tmp_path: Path
) -> None:
    (installation.site / "kombuse_part.py").unlink()
    found = installation.distribution()
    assert found is not None

    with pytest.raises(OSError, match="kombuse_part"):
        repack(found, tmp_path)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3", "1.2.3"),
        ("1.2.3rc1", "1.2.3-rc.1"),
        ("1.2.3b10", "1.2.3-b.10"),
        ("1.2.3.post1", "0.0.0"),
        ("nonsense", "0.0.0"),
    ],
)
def test_versions_of_python_are_read_as_semantic_ones(text: str, version: str) -> None:
    assert semantic(text) == version
