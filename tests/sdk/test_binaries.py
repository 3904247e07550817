"""Where the programs of agents are looked for."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kombuse_sdk.binaries import Finder, Found, Program, backend_options, meets_minimum

PROGRAM = Program(name="agentprog", variable="AGENTPROG_PATH")


@pytest.fixture
def kombuse_config(tmp_path: Path) -> dict[str, Any]:
    env = {"GOOD": "1", "BAD": 2, "NUL": "a\0b"}
    return {
        "binaries": {"configured": str(tmp_path / "configured")},
        "backends": {"tidy": {"env": env, "x": 1}, "odd": [], "odder": {"env": "x"}},
    }


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/nonexistent")
    monkeypatch.delenv("AGENTPROG_PATH", raising=False)


def program(path: Path, code: str = "echo 1.2.3") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{code}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def find(kernel: Any, wanted: Program = PROGRAM, project_id: str | None = None) -> Found:
    return asyncio.run(Finder(kernel, wanted).find(project_id))


def test_a_program_that_is_nowhere_is_a_bare_name(kernel: Any) -> None:
    found = find(kernel)

    assert (found.command, found.path, found.is_available) == ("agentprog", None, False)


def test_the_usual_places_and_the_search_path_are_looked_at(
    kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = program(tmp_path / "bin" / "agentprog")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find(kernel).path == on_path

    usual = program(tmp_path / ".local" / "bin" / "agentprog")
    assert find(kernel).path == usual


def test_the_login_shell_is_asked_last(
    kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = program(tmp_path / "hidden" / "agentprog")
    shell = program(tmp_path / "shell", f"echo a greeting; echo {hidden}")
    monkeypatch.setenv("SHELL", shell)

    assert find(kernel).path == hidden


def test_what_is_named_wins_even_if_it_is_not_there(
    kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / ".local" / "bin" / "agentprog")
    monkeypatch.setenv("AGENTPROG_PATH", str(tmp_path / "absent"))

    found = find(kernel)

    assert (found.path, found.is_available) == (str(tmp_path / "absent"), False)


def test_the_order_of_what_is_named(
    kernel: Any, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Program(name="configured", variable="AGENTPROG_PATH")

    def put(key: str, value: str) -> None:
        body = {"profile_id": "user-1", "setting_key": key, "setting_value": value}
        assert client.put("/api/profile-settings", json=body).status_code == 200

    monkeypatch.setenv("AGENTPROG_PATH", "/by/variable")
    assert find(kernel, wanted).command == str(tmp_path / "configured")
    put("binaries.configured", " /by/setting ")
    assert find(kernel, wanted).command == "/by/setting"
    put("binaries.configured.p1", "~/by-project")
    assert find(kernel, wanted, "p1").command == str(tmp_path / "by-project")
    assert find(kernel, wanted, "p2").command == "/by/setting"
    put("binaries.configured", "  ")
    assert find(kernel, wanted).command == str(tmp_path / "configured")


@pytest.mark.parametrize(
    ("code", "version"),
    [
        ("echo 'Tool 1.2.3 (x)'", "1.2.3"),
        ("echo v1.2.3-beta.1", "1.2.3-beta.1"),
        ("echo 4.5.6 >&2", "4.5.6"),
        ("echo nothing", None),
        ("exit 1", None),
        ("kill -9 $$", None),
    ],
)
def test_the_version_is_what_looks_like_one(
    kernel: Any, tmp_path: Path, code: str, version: str | None
) -> None:
    program(tmp_path / ".local" / "bin" / "agentprog", code)

    found = find(kernel)

    assert (found.is_available, found.version) == (True, version)


def test_a_program_that_hangs_has_no_version(
    kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kombuse_sdk.binaries._SECONDS", 0.2)
    program(tmp_path / ".local" / "bin" / "agentprog", "sleep 600 & sleep 600")

    assert find(kernel).version is None


def test_the_version_is_asked_again_only_for_another_file(kernel: Any, tmp_path: Path) -> None:
    path = tmp_path / ".local" / "bin" / "agentprog"
    counting = f"echo x >> {tmp_path}/calls; echo 1.0.0"
    program(path, counting)
    finder = Finder(kernel, PROGRAM)

    async def twice() -> list[str | None]:
        first = [(await finder.find()).version for _ in range(2)]
        program(path, f"{counting.replace('1.0.0', '2.0.0')} # another")
        return [*first, (await finder.find()).version]

    assert asyncio.run(twice()) == ["1.0.0", "1.0.0", "2.0.0"]
    assert (tmp_path / "calls").read_text(encoding="utf-8").count("x") == 2


@pytest.mark.parametrize(
    ("version", "meets"),
    [
        (None, True),
        ("1.0.40", True),
        ("1.0.100", True),
        ("2.0.0", True),
        ("1.0.39", False),
        ("0.9.99", False),
        ("1.0.41-beta", False),
        ("1.0", False),
    ],
)
def test_versions_are_compared_as_numbers(version: str | None, meets: bool) -> None:
    assert meets_minimum(version, "1.0.40") is meets


def test_options_of_a_backend_are_what_fits(kernel: Any) -> None:
    assert backend_options(kernel, "tidy").env == {"GOOD": "1"}
    assert backend_options(kernel, "tidy").values["x"] == 1
    for name in ("odd", "odder", "absent"):
        assert backend_options(kernel, name).env == {}
