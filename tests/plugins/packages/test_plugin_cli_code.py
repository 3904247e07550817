"""Python in packages is shown to the person, asked for, and allowed byte by byte."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.code_packages import ROUTE, write_package
from tests.plugin_commands import Plugins

from kombuse_sdk.processes import command, environment


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write_package(tmp_path, ROUTE.format(path="/x/NAME/hello"), "routes", "network")


def change(package: Path) -> None:
    (module,) = (package / "python").glob("*.py")
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace('["hello"]', '["changed"]'), encoding="utf-8")


def answered(plugins: Plugins, answer: bytes, *arguments: str) -> tuple[int, str]:
    """`kombuse plugin` on a terminal, where a person types an answer; code and all output."""
    ours, theirs = os.openpty()
    os.write(ours, answer)
    process = subprocess.Popen(
        command("plugin", *arguments, "--project", plugins.project["slug"]),
        env=environment(plugins.server.home, {"NO_COLOR": "1", "COLUMNS": "200"}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    try:
        while block := os.read(ours, 4096):
            printed += block
    except OSError:  # the other end of a terminal is closed
        pass
    finally:
        os.close(ours)
    return process.wait(20), printed.decode()


def test_without_a_terminal_code_needs_an_option_and_is_shown(
    plugins: Plugins, package: Path
) -> None:
    refused = plugins.here("install", str(package))
    nothing = plugins.installed()
    allowed = plugins.here("install", str(package), "--allow-code", "--json")

    assert (refused.code, refused.out, nothing) == (1, "", {})
    assert refused.err.endswith("error: code needs a person's consent: --allow-code gives it\n")
    for ended in (refused, allowed):
        assert f"entry point     {package.name.replace('-', '_')}_code" in ended.err
        assert "capabilities    routes, network" in ended.err
    assert allowed.json["restart_required"]
    digest = plugins.installed()[package.name]["code_sha256"]
    assert f"sha256          {digest}" in allowed.err


def test_yes_does_not_allow_code(plugins: Plugins, package: Path) -> None:
    assert plugins.here("install", str(package), "--yes").code == 1
    assert plugins.installed() == {}


def test_an_agent_cannot_allow_code(
    plugins: Plugins, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOMBUSE_PROCESS", "p")
    monkeypatch.setenv("KOMBUSE_TOKEN", plugins.server.token or "")

    ended = plugins.here("install", str(package), "--allow-code")

    assert ended.code == 1
    assert "agents may not allow code" in ended.err
    assert plugins.installed() == {}


@pytest.mark.parametrize(("answer", "is_installed"), [(b"y\n", True), (b"n\n", False)])
def test_on_a_terminal_the_person_is_asked(
    plugins: Plugins, package: Path, answer: bytes, is_installed: bool
) -> None:
    code, printed = answered(plugins, answer, "install", str(package))

    assert "Let this code run with all rights of the server? [y/N]" in printed
    assert (code == 0) is is_installed
    assert (package.name in plugins.installed()) is is_installed


def test_a_trial_asks_nothing_and_shows_the_code(plugins: Plugins, package: Path) -> None:
    ended = plugins.here("install", str(package), "--dry-run")

    assert ended.code == 0
    assert "runs Python, with all rights of the server" in ended.err
    assert plugins.installed() == {}


def test_an_update_shows_what_is_different(plugins: Plugins, package: Path, tmp_path: Path) -> None:
    archive = plugins("build", str(package), "--output", str(tmp_path), "--json").json["path"]
    plugins.here("install", archive, "--allow-code")
    before = plugins.installed()[package.name]["code_sha256"]
    same = plugins.here("install", str(package), "--overwrite")
    plugins.here("install", archive, "--overwrite")
    change(package)
    other = plugins.here("install", str(package), "--overwrite")

    assert (same.code, same.err) == (0, "")
    assert other.code == 1
    assert "runs other Python code than before" in other.err
    assert f"allowed before  {before}" in other.err
    assert '-    return ["hello"]' in other.err
    assert '+    return ["changed"]' in other.err
    assert plugins.installed()[package.name]["code_sha256"] == before


def test_what_was_shown_is_what_is_allowed(plugins: Plugins, package: Path) -> None:
    body = {"package_path": str(package), "project_id": plugins.project["id"]}
    http = plugins.server.http
    shown = http.post("/api/plugins/install", json=body).json()
    change(package)

    consent = {"allow_code": True, "code_sha256": shown["details"]["code_sha256"]}
    answer = http.post("/api/plugins/install", json=body | consent)

    assert shown["code"] == "CODE_NOT_ALLOWED"
    assert (answer.status_code, answer.json()["code"]) == (400, "CODE_NOT_ALLOWED")
    assert "holds other code than was allowed" in answer.json()["error"]
    assert plugins.installed() == {}


def test_code_cannot_garble_the_terminal(plugins: Plugins, package: Path) -> None:
    plugins.here("install", str(package), "--allow-code")
    (module,) = (package / "python").glob("*.py")
    text = module.read_text(encoding="utf-8")
    plugins("build", str(package))
    archive = str(next(package.glob("*.tar.gz")))
    plugins.here("install", archive, "--overwrite")
    module.write_text(f"{text}\n# \x1b[2Jhidden\n", encoding="utf-8")

    ended = plugins.here("install", str(package), "--overwrite")

    assert "hidden" in ended.err
    assert "\x1b" not in ended.err


def test_a_package_is_disabled_enabled_and_removed(plugins: Plugins, package: Path) -> None:
    plugins.here("install", str(package), "--allow-code")

    disabled = plugins.here("disable", package.name)
    listed = plugins.here("list")
    enabled = plugins.here("enable", package.name)
    info = plugins.here("info", package.name)
    unsure = plugins.here("uninstall", package.name, "--mode", "delete")
    removed = plugins.here("uninstall", package.name, "--mode", "delete", "--yes")

    assert disabled.out == f"{package.name} is disabled\n"
    assert "disabled" in listed.out
    assert "Restart the server to run its code" in enabled.out
    assert "restart required" in info.out
    assert unsure.code == 2
    assert removed.code == 0
    assert plugins.here("list").out == "No package is installed.\n"
    assert plugins.here("uninstall", package.name).code == 6
    assert plugins.here("accept-tools", package.name, "--yes").code == 6
