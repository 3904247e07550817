"""`kombuse`: its own commands, those of plugins, and what every command has in common."""

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from kombuse_sdk.console import CommandError, ExitCode, one_line, report, warn
from kombuse_sdk.types import Command

__all__ = ["app", "run"]

_OWN = (
    Command(
        name="serve",
        target="kombuse_kernel.cli.serve:app",
        help="Run the server on this machine.",
    ),
    Command(
        name="db",
        target="kombuse_kernel.cli.database:app",
        help="Check, back up, restore and upgrade the database.",
    ),
    Command(
        name="api",
        target="kombuse_kernel.cli.api:app",
        help="Send one request to the server's API, for scripts.",
    ),
    Command(
        name="mcp",
        target="kombuse_kernel.cli.mcp:app",
        help="Connect an MCP client to the server over standard input and output.",
    ),
    Command(
        name="plugin",
        target="kombuse_kernel.cli.plugins:app",
        help="See, make, install and publish plugins.",
    ),
)
_COMPLETION = ("install_completion", "show_completion")  # options of the whole, not of a part
_EPILOG = (
    "Exit codes: 0 done; 1 the server said no (not found, invalid, conflict); 2 wrong usage; 3 no"
    " server is running; 4 the home or the port is taken; 5 the storage cannot be used (disk full,"
    " read-only, damaged). Of `plugin` and `init` also: 6 not found; 7 a package is damaged, unsafe"
    " or not what was announced; 8 a registry cannot be used.\n\n"
    "Every command that shows something takes --json. Colours appear on a terminal only, never"
    " with NO_COLOR set. --home or KOMBUSE_HOME name the data folder, instead of ~/.kombuse."
)


class RootGroup(TyperGroup):
    """Commands are imported when they are run; a list of them needs only their names."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [item.name for item in _commands()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = _find(cmd_name)
        return None if found is None else TyperCommand(name=found.name, help=found.help)

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        found = _find(args[0])
        if found is None:
            self.commands = {item.name: self.get_command(ctx, item.name) for item in _commands()}
            return super().resolve_command(ctx, args)
        return found.name, _load_whole(found), args[1:]


app = typer.Typer(
    name="kombuse",
    cls=RootGroup,
    help="Kombuse: a local issue tracker for people and their coding agents.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        import importlib_metadata

        typer.echo(f"kombuse {importlib_metadata.version('kombuse')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> None:
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        app(arguments, prog_name="kombuse")
    except CommandError as error:
        report(error.message)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("KOMBUSE_TRACEBACK"):
            raise
        report(f"{type(error).__name__}: {one_line(error)} (KOMBUSE_TRACEBACK=1 shows where)")
        sys.exit(ExitCode.REFUSED)


def _commands() -> list[Command]:
    """One of each name, ours first; later groups of a name add their commands to the first."""
    found = {item.name: item for item in _OWN}
    for item in _offered():
        found.setdefault(item.name, item)
    return list(found.values())


def _find(name: str) -> Command | None:
    own = next((item for item in _OWN if item.name == name), None)
    return own or next((item for item in _offered() if item.name == name), None)


def _offered() -> Iterable[Command]:
    from kombuse_kernel.cli.plugin_commands import offered_commands

    return offered_commands()


def _load_whole(command: Command) -> Any:
    """With the commands that plugins add to a group of this name; none takes another's place."""
    found = _load(command)
    if not isinstance(found, TyperGroup):
        return found
    for offered in _offered():
        if offered.name != command.name or offered is command:
            continue
        try:
            added = _load(offered)
        except CommandError as error:
            warn(error.message)
            continue
        if isinstance(added, TyperGroup):
            found.commands = {**added.commands, **found.commands}
    return found


def _load(command: Command) -> Any:
    module, _, name = command.target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:
        message = f"the command {command.name} cannot be loaded: {one_line(error)}"
        raise CommandError(message, ExitCode.REFUSED) from error
    if isinstance(found, typer.Typer):
        found = typer.main.get_command(found)
    found.name = command.name
    found.help = found.help or command.help
    found.params = [item for item in found.params if item.name not in _COMPLETION]
    return found
