"""`kombuse update`, and which server is started after it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import CommandLine
from tests.plugins.updates.app_packages import KEY, offer, package
from tests.registry.stand_in_feed import StandIn

from kombuse_kernel.config import load_config
from kombuse_plugins.updates.version_store import VersionStore
from kombuse_registry.archive import read_archive
from kombuse_sdk.app_package import current_version, newer_program, packages_folder


@pytest.fixture
def home(tmp_path: Path, stand_in: StandIn) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    configure(folder, stand_in)
    return folder


@pytest.fixture
def cli(home: Path, command_line: Callable[[Path], CommandLine]) -> CommandLine:
    return command_line(home)


def configure(home: Path, stand_in: StandIn, **settings: Any) -> None:
    updates = {"enabled": True, "registry_url": stand_in.url, "public_keys": [KEY.public_text]}
    text = json.dumps({"updates": updates | settings})
    (home / "config.json").write_text(text, encoding="utf-8")


def put(home: Path, version: str, **manifest: Any) -> Path:
    """Make a package the current one, without any check."""
    archive = home / "package.tar.gz"
    archive.write_bytes(package(version, manifest=manifest))
    store = VersionStore(packages_folder(home))
    store.unpack(read_archive(archive, roots=("manifest.json",)), store.place(version))
    store.switch(version)
    return store.place(version)


def test_a_check_says_what_is_newer_and_changes_nothing(
    cli: CommandLine, home: Path, stand_in: StandIn
) -> None:
    offer(stand_in, "9.0.0")

    shown = cli.run("update", "app", "--check")
    found = cli.run("update", "app", "--check", "--json").json["app"]

    assert shown.code == 0
    assert shown.out.startswith("app: 9.0.0 is available, this is ")
    assert (found["outcome"], found["updateInfo"]["version"]) == ("available", "9.0.0")
    assert current_version(home) is None


def test_an_update_is_installed_and_taken_back(
    cli: CommandLine, home: Path, stand_in: StandIn
) -> None:
    offer(stand_in, "9.0.0")

    updated = cli.run("update", "app")
    again = cli.run("update", "app")
    assert current_version(home) == "9.0.0"
    back = cli.run("update", "app", "--rollback")
    more = cli.run("update", "app", "--rollback")

    assert updated.out == "app: 9.0.0 is installed, for the next start of the server\n"
    assert again.out == "app: 9.0.0 is the newest\n"
    assert (back.code, "is back" in back.out) == (0, True)
    assert (more.code, more.out) == (1, "app: No previous version\n")


def test_a_failure_says_why_and_ends_with_1(cli: CommandLine, stand_in: StandIn) -> None:
    offer(stand_in, "9.0.0", checksum="0" * 64)

    ended = cli.run("update", "app")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: app: Integrity check failed")


def test_without_a_server_of_the_registry_the_state_is_clear(
    cli: CommandLine, home: Path, stand_in: StandIn
) -> None:
    configure(home, stand_in, registry_url="http://127.0.0.1:9")

    ended = cli.run("update", "--check", "--json")

    assert ended.code == 1
    assert ended.json["app"]["outcome"] == "failed"
    assert "not reachable" in ended.json["app"]["error"]
    assert ended.json["shell"]["outcome"] in ("absent", "failed")


@pytest.mark.parametrize(
    "config", ["{}", '{"updates": {}}', '{"updates": {"enabled": false}}', None]
)
def test_switched_off_it_asks_nobody(
    cli: CommandLine, home: Path, stand_in: StandIn, config: str | None
) -> None:
    (home / "config.json").unlink()
    if config is not None:
        (home / "config.json").write_text(config, encoding="utf-8")

    ended = [cli.run("update"), cli.run("update", "--check")]

    assert [one.code for one in ended] == [1, 1]
    assert "updates are switched off" in ended[0].err
    assert str(home / "config.json") in ended[0].err
    assert stand_in.asked == []


@pytest.mark.parametrize(
    ("config", "text"),
    [('{"updates": {"enabled": "x"}}', "updates.enabled"), ("{", "cannot be read")],
)
def test_a_configuration_that_makes_no_sense_is_said(
    cli: CommandLine, home: Path, config: str, text: str
) -> None:
    (home / "config.json").write_text(config, encoding="utf-8")

    ended = cli.run("update", "--check")

    assert (ended.code, text in ended.err) == (1, True)


def test_check_and_rollback_exclude_each_other(cli: CommandLine) -> None:
    assert cli.run("update", "--check", "--rollback").code == 2


def test_a_newer_package_is_what_a_start_runs(home: Path) -> None:
    place = put(home, "9.0.0")

    assert newer_program(load_config(home).home) == place / "server"


def test_a_start_without_a_package_runs_what_is_installed(home: Path) -> None:
    assert newer_program(home) is None


@pytest.mark.parametrize(
    ("version", "manifest"),
    [
        ("0.0.1", {}),
        ("9.0.0", {"minShellVersion": "8.0.0"}),
        ("9.0.0", {"minShellVersion": "newest"}),
        ("9.0.0", {"files": {"server": "none"}}),
        ("9.0.0", {"files": {"server": "../../x"}}),
        ("9.0.0", {"files": None}),
        ("nine", {}),
    ],
)
def test_a_package_that_is_older_or_unfit_is_left_alone(
    home: Path, version: str, manifest: dict[str, Any]
) -> None:
    put(home, version, **manifest)

    assert newer_program(home) is None


def test_a_link_to_what_is_gone_is_left_alone(home: Path) -> None:
    packages_folder(home).mkdir()
    (packages_folder(home) / "current").symlink_to("v9.0.0")

    assert newer_program(home) is None


def test_what_runs_from_the_package_does_not_start_it_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(home, "9.0.0")
    monkeypatch.syspath_prepend(str(place / "server"))

    assert newer_program(home) is None
