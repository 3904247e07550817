"""Plugins that are distributions of Python: `kombuse plugin install pip:...`."""

import os
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.command_line import CommandLine, Ended
from tests.installed import install

from kombuse_plugins.packages import pip

Run = Callable[..., Ended]


@pytest.fixture
def line(command_line: Callable[[Path], CommandLine], tmp_path: Path) -> CommandLine:
    return command_line(tmp_path / "home")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A distribution with the plugin `hello`."""
    install(tmp_path / "source", "hello")
    information = tmp_path / "source" / "hello_plugin-1.0.dist-info"
    tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    (information / "WHEEL").write_text(tag, encoding="utf-8")
    (information / "RECORD").write_text("", encoding="utf-8")
    path = tmp_path / "hello_plugin-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((tmp_path / "source").rglob("*")):
            archive.write(file, file.relative_to(tmp_path / "source"))
    return path


def test_a_distribution_is_installed_and_its_plugin_is_there_at_the_next_start(
    line: CommandLine, wheel: Path, tmp_path: Path
) -> None:
    aside = {"PIP_TARGET": str(tmp_path / "site"), "PIP_NO_INDEX": "1", "PIP_USER": "0"}

    refused = line.run_process("plugin", "install", f"pip:{wheel}", env=aside)
    ended = line.run_process("plugin", "install", f"pip:{wheel}", "--allow-code", env=aside)

    assert (refused.code, "--allow-code" in refused.err) == (1, True)
    assert ended.code == 0, ended.err
    assert ended.out == "Restart the server, then see `kombuse plugin list`\n"
    there = {"PYTHONPATH": str(tmp_path / "site")}
    listed = line.run_process("plugin", "list", "--json", env=there).json
    assert {"name": "hello", "state": "loaded"}.items() <= next(
        item.items() for item in listed if item["name"] == "hello"
    )


def test_a_trial_installs_nothing(line: CommandLine, wheel: Path, tmp_path: Path) -> None:
    aside = {"PIP_TARGET": str(tmp_path / "site"), "PIP_NO_INDEX": "1"}

    ended = line.run_process("plugin", "install", f"pip:{wheel}", "--dry-run", "--json", env=aside)

    assert ended.json == {"requirement": str(wheel), "dry_run": True, "restart_required": False}
    assert not (tmp_path / "site").exists()


def test_what_pip_cannot_find_is_an_error(line: CommandLine) -> None:
    env = {"PIP_NO_INDEX": "1"}

    ended = line.run_process("plugin", "install", "pip:no-such-thing", "--allow-code", env=env)

    assert (ended.code, ended.out) == (1, "")
    assert "error: pip failed with 1" in ended.err


def test_an_environment_without_pip_is_said(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip, "find_spec", lambda name: None)

    ended = line.run("plugin", "install", "pip:hello", "--allow-code")

    assert ended.code == 1
    assert f"there is no pip in {pip.place()}" in ended.err


def test_the_environment_of_the_operating_system_is_left_alone(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr("sys.base_prefix", pip.place())

    for arguments in (("install", "--allow-code"), ("uninstall", "--yes")):
        ended = line.run("plugin", *arguments, "pip:hello")
        assert ended.code == 1
        assert "managed by the operating system" in ended.err


@pytest.mark.parametrize("name", ["pip:", "pip:--target=x", "pip:-rfile"])
def test_an_option_is_no_distribution(line: CommandLine, name: str) -> None:
    assert line.run("plugin", "install", name, "--allow-code").code == 2


def test_an_agent_installs_no_distribution(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOMBUSE_PROCESS", str(os.getpid()))

    ended = line.run("plugin", "install", "pip:hello", "--allow-code")

    assert (ended.code, "agents may not" in ended.err) == (1, True)
