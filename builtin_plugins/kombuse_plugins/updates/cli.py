"""`kombuse update`"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from kombuse_plugins.updates.announcements import shown_info
from kombuse_plugins.updates.choice import choose
from kombuse_plugins.updates.configuration import Configuration, of_config
from kombuse_plugins.updates.states import NothingToGoBackTo
from kombuse_sdk import json_files
from kombuse_sdk.console import CommandError, ExitCode, Home, Json, print_json, report
from kombuse_sdk.errors import KombuseError, Unavailable
from kombuse_sdk.home import default_home
from kombuse_sdk.updates import Kind, ReversibleUpdater

__all__ = ["app"]

app = typer.Typer(pretty_exceptions_enable=False)
_OFF = (
    'updates are switched off, and nothing is asked for them: put "updates": {"enabled": true}'
    " into {config} to switch them on"
)

_SAID = {
    "newest": "is the newest",
    "installed": "is installed, for the next start of the server",
    "former": "is back, for the next start of the server",
}
Act = Callable[[ReversibleUpdater], dict[str, Any]]


class What(StrEnum):
    APP = "app"
    SHELL = "shell"
    ALL = "all"


_KINDS: Mapping[What, Sequence[Kind]] = {
    What.APP: ("app",),
    What.SHELL: ("shell",),
    What.ALL: ("shell", "app"),
}


@app.command()
def update(
    what: Annotated[
        What,
        typer.Argument(help="The application package, the installed command line, or both."),
    ] = What.ALL,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether there is something newer.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the former version.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Update Kombuse, or go back to what was there before. A server has to be started again."""
    if check and rollback:
        raise CommandError("give --check or --rollback, not both", ExitCode.USAGE)
    folder = (home or default_home()).expanduser().absolute()
    kinds: Sequence[Kind] = _KINDS[what]
    configuration = _configuration(folder)
    if not configuration.enabled and not rollback:
        raise CommandError(_OFF.replace("{config}", str(folder / "config.json")))
    act = _go_back if rollback else partial(_update, is_check=check)
    found = {kind: _outcome(folder, kind, configuration, act) for kind in kinds}
    if as_json:
        print_json(found)
    else:
        for kind, result in found.items():
            _print(kind, result)
    outcomes = {result["outcome"] for result in found.values()}
    if "failed" in outcomes or outcomes <= {"absent"}:
        raise typer.Exit(ExitCode.REFUSED)


def _configuration(home: Path) -> Configuration:
    path = home / "config.json"
    try:
        return of_config(json_files.parse(path.read_bytes()))
    except FileNotFoundError:
        return Configuration()
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    except KombuseError as error:
        raise CommandError(error.message) from error


def _outcome(home: Path, kind: Kind, configuration: Configuration, act: Act) -> dict[str, Any]:
    """What became of one kind; `absent` is what cannot be done here at all."""
    result: dict[str, Any] = {"currentVersion": None, "updateInfo": None, "error": None}
    try:
        updater = choose(home, kind, configuration)
    except Unavailable as error:
        return result | {"outcome": "absent", "error": error.message}
    try:
        result |= act(updater)
    except NothingToGoBackTo as error:
        result |= {"outcome": "absent", "error": error.message}
    except KombuseError as error:
        result |= {"outcome": "failed", "error": error.message}
    return result | {"currentVersion": updater.status().current_version}


def _update(updater: ReversibleUpdater, is_check: bool) -> dict[str, Any]:
    info = updater.check()
    if info is None:
        return {"outcome": "newest"}
    if not is_check:
        updater.install()
    return {"outcome": "available" if is_check else "installed", "updateInfo": shown_info(info)}


def _go_back(updater: ReversibleUpdater) -> dict[str, Any]:
    updater.rollback()
    return {"outcome": "former"}


def _print(kind: Kind, result: dict[str, Any]) -> None:
    version = result["currentVersion"]
    if result["outcome"] == "failed":
        report(f"{kind}: {result['error']}")
    elif result["outcome"] == "absent":
        typer.echo(f"{kind}: {result['error']}")
    elif result["outcome"] == "available":
        typer.echo(f"{kind}: {result['updateInfo']['version']} is available, this is {version}")
    else:
        typer.echo(f"{kind}: {version} {_SAID[result['outcome']]}")
