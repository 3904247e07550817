"""`kombuse` itself: help, plugins' commands, exit codes, and what is not imported."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.command_line import CommandLine
from tests.installed import install

from kombuse_kernel.cli.root import run
from kombuse_sdk.processes import environment

CommandLines = Callable[[Path], CommandLine]
HEAVY = ("fastapi", "sqlmodel", "sqlalchemy", "mcp", "uvicorn", "starlette")
HELLO = """
@hookimpl
def kombuse_commands():
    return [Command(name="hello", target="hello_plugin.cli:app", help="Greets.")]
"""
HELLO_APP = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str) -> None:
    typer.echo(f"hello {name}")
"""


@pytest.fixture
def cli(command_line: CommandLines, tmp_path: Path) -> CommandLine:
    return command_line(tmp_path / "home")


@pytest.fixture
def hello(tmp_path: Path) -> dict[str, str]:
    env = install(tmp_path / "site", "hello", HELLO)
    module = tmp_path / "site" / "hello_plugin" / "cli.py"
    module.write_text(HELLO_APP, encoding="utf-8")
    return env


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        pytest.param(["--help"], (*HEAVY, "pydantic"), id="help"),
        pytest.param(["plugin", "list"], HEAVY, id="plugins"),
        pytest.param(["ticket", "list"], HEAVY, id="tickets"),
    ],
)
def test_what_must_be_quick_imports_nothing_heavy(
    tmp_path: Path, arguments: list[str], heavy: tuple[str, ...]
) -> None:
    code = f"""
import sys
from kombuse_kernel.cli.root import run
try:
    run({arguments!r})
except SystemExit:
    pass
print("imported:", [name for name in {heavy!r} if name in sys.modules])
"""
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout

    assert printed.splitlines()[-1] == "imported: []"


def test_help_lists_own_commands_those_of_plugins_and_the_exit_codes(cli: CommandLine) -> None:
    ended = cli.run("--help")

    assert ended.code == 0
    words = ended.out.split()
    assert {"serve", "db", "plugin", "project", "ticket"} <= set(words)
    text = " ".join(words)
    assert "Exit codes: 0 done; 1 the server said no" in text
    assert "5 the storage cannot be used" in text


def test_version(cli: CommandLine) -> None:
    ended = cli.run("--version")

    assert ended.code == 0
    assert ended.out.startswith("kombuse 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--nope"], id="option"),
        pytest.param(["serve", "--port", "70000"], id="port"),
        pytest.param(["db", "restore"], id="argument"),
        pytest.param(["ticket", "show", "eight"], id="number"),
    ],
)
def test_wrong_usage_ends_with_2(cli: CommandLine, arguments: list[str]) -> None:
    ended = cli.run(*arguments)

    assert ended.code == 2
    assert ended.out == ""
    assert "Usage: kombuse" in ended.err


def test_unknown_command_names_the_nearest(cli: CommandLine) -> None:
    ended = cli.run("tickt", "list")

    assert ended.code == 2
    assert "No such command 'tickt'. Did you mean 'ticket'?" in " ".join(ended.err.split())


def test_no_server_ends_with_3(cli: CommandLine) -> None:
    ended = cli.run("project", "list")

    assert ended.code == 3
    assert ended.err == (
        f"error: no server runs on {cli.home}: start it with `kombuse serve --home {cli.home}`\n"
    )


def test_parts_do_not_offer_shell_completion(cli: CommandLine) -> None:
    assert "--install-completion" in cli.run("--help").out
    assert "--install-completion" not in cli.run("ticket", "--help").out


def test_third_party_command_is_listed_and_runs(cli: CommandLine, hello: dict[str, str]) -> None:
    assert "Greets." in cli.run_process("--help", env=hello).out
    assert cli.run_process("hello", "ann", env=hello).out == "hello ann\n"


def test_disabled_plugin_offers_no_command(cli: CommandLine, hello: dict[str, str]) -> None:
    cli.home.mkdir()
    config = '{"disabled_plugins": ["hello"]}'
    (cli.home / "config.json").write_text(config, encoding="utf-8")

    assert "Greets." not in cli.run_process("--help", env=hello).out


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("import nowhere", "No module named 'nowhere'", id="import"),
        pytest.param("raise SystemExit('bye')", "bye", id="exit"),
        pytest.param(
            "@hookimpl\ndef kombuse_commands():\n    return ['x']", "not a Command", id="value"
        ),
        pytest.param(
            "@hookimpl\ndef kombuse_commands():\n    raise OSError('one\\ntwo')", "one", id="raise"
        ),
    ],
)
def test_broken_plugin_is_one_line_on_stderr_beside_the_help(
    cli: CommandLine, tmp_path: Path, code: str, reason: str
) -> None:
    ended = cli.run_process("--help", env=install(tmp_path / "site", "broken", code))

    assert ended.code == 0
    assert {"serve", "ticket"} <= set(ended.out.split())
    (line,) = ended.err.splitlines()
    assert "broken" in line
    assert reason in line


def test_command_that_cannot_be_loaded_is_an_error_without_a_traceback(
    cli: CommandLine, tmp_path: Path
) -> None:
    ended = cli.run_process("hello", env=install(tmp_path / "site", "hello", HELLO))

    assert ended.code == 1
    assert ended.err == (
        "error: the command hello cannot be loaded: No module named 'hello_plugin.cli'\n"
    )


def test_plugin_cannot_take_the_name_of_an_own_command(cli: CommandLine, tmp_path: Path) -> None:
    env = install(tmp_path / "site", "thief", HELLO.replace('"hello"', '"db"'))

    assert "Greets." not in cli.run_process("--help", env=env).out
    assert "integrity" not in cli.run_process("db", "--help", env=env).err


def test_unforeseen_fault_is_one_line(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("odd\nthing")

    monkeypatch.setattr("kombuse_kernel.cli.plugins.load_config", fail)

    ended = cli.run("plugin", "list")

    assert ended.code == 1
    assert ended.err == "error: RuntimeError: odd thing (KOMBUSE_TRACEBACK=1 shows where)\n"
    monkeypatch.setenv("KOMBUSE_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        run(["plugin", "list"])


def test_plugins_are_listed_without_a_server(cli: CommandLine) -> None:
    found = {plugin["name"]: plugin for plugin in cli.run("plugin", "list", "--json").json}

    assert found["profiles"] == {
        "name": "profiles",
        "title": "Profiles",
        "source": "built-in",
        "state": "loaded",
        "requires": [],
        "reason": None,
    }
    assert not cli.home.exists()


def test_plugins_left_out_are_listed_with_the_reason(cli: CommandLine, tmp_path: Path) -> None:
    cli.home.mkdir()
    config = '{"disabled_plugins": ["settings"]}'
    (cli.home / "config.json").write_text(config, encoding="utf-8")
    env = install(tmp_path / "site", "broken", "import nowhere")

    ended = cli.run_process("plugin", "list", env=env)

    assert ended.code == 0
    lines = {line.split()[0]: line for line in ended.out.splitlines()}
    assert "disabled" in lines["settings"]
    assert "named in disabled_plugins" in lines["settings"]
    assert "failed" in lines["broken"]
    assert "ModuleNotFoundError: No module named 'nowhere'" in lines["broken"]


ADDED_APP = """
import typer
app = typer.Typer()
@app.command()
def greet() -> None:
    typer.echo("hello")
@app.command("list")
def list_plugins() -> None:
    typer.echo("stolen")
"""


def test_plugin_adds_commands_to_a_group_and_takes_none_from_it(
    cli: CommandLine, tmp_path: Path
) -> None:
    env = install(tmp_path / "site", "hello", HELLO.replace('"hello"', '"plugin"'))
    module = tmp_path / "site" / "hello_plugin" / "cli.py"
    module.write_text(ADDED_APP, encoding="utf-8")

    assert cli.run_process("plugin", "greet", env=env).out == "hello\n"
    assert "stolen" not in cli.run_process("plugin", "list", env=env).out


def test_commands_that_cannot_be_added_leave_the_group_as_it_is(
    cli: CommandLine, tmp_path: Path
) -> None:
    env = install(tmp_path / "site", "hello", HELLO.replace('"hello"', '"plugin"'))

    ended = cli.run_process("plugin", "list", env=env)

    assert (ended.code, "hello" in ended.out) == (0, True)
    assert ended.err.startswith("warning: the command plugin cannot be loaded: ")
