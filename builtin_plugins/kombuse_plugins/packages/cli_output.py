"""What the commands about packages share: the server, failures, questions, progress, results."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from kombuse_sdk.client import Client, Refused
from kombuse_sdk.console import (
    CommandError,
    ExitCode,
    one_line,
    print_fields,
    print_styled,
    print_table,
    print_text,
    warn,
)
from kombuse_sdk.home import PROCESS_VARIABLE

__all__ = [
    "Yes",
    "confirm",
    "failures",
    "find_plugin",
    "forbid_agents",
    "is_interactive",
    "print_plugin",
    "print_result",
    "server",
    "waiting",
]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

# A download may take five minutes, and there is more to do than that.
_SECONDS = 400.0
_BY_CODE = dict.fromkeys(
    ("INVALID_ARCHIVE", "UNSAFE_ARCHIVE_ENTRY", "ARCHIVE_TOO_LARGE", "INTEGRITY", "KEY_CHANGED"),
    ExitCode.INTEGRITY,
)
_BY_STATUS = {404: ExitCode.NOT_FOUND, 502: ExitCode.NETWORK, 507: ExitCode.STORAGE}
_TRUST = "`kombuse plugin sources trust` with its address takes the new key"
_HINTS = {
    "plugin_already_installed": "is installed already: --overwrite replaces it and keeps what was"
    " changed here",
    "author_mismatch": "is installed from another author: --allow-author-change if that is right",
    "downgrade": "is installed in a newer version: --allow-downgrade if that is right",
}


@contextmanager
def server(home: Path | None) -> Iterator[Client]:
    """The running server; what it refuses ends the command with the kind of failure."""
    with Client(home, seconds=_SECONDS) as api, failures():
        yield api


@contextmanager
def failures() -> Iterator[None]:
    """Refusals of the server and of the code for packages as exit codes and advice."""
    from kombuse_sdk.errors import KombuseError

    try:
        yield
    except Refused as refused:
        raise CommandError(_told(refused), _exit_code(refused.status, refused.body)) from refused
    except KombuseError as error:
        raise CommandError(error.message, _exit_code(error.status, error.body())) from error


def find_plugin(api: Client, project: dict[str, Any], name: str) -> dict[str, Any]:
    """The installed package of a name or id, with the digest of its allowed code."""
    plugins = api.get("/api/plugins", project_id=project["id"])
    for plugin in plugins:
        if name in (plugin["id"], plugin["name"], plugin["source_name"]):
            return dict(plugin)
    message = f"no package {name} is installed in {project['slug']}"
    raise CommandError(message, ExitCode.NOT_FOUND)


def is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, is_sure: bool) -> None:
    """Ask on a terminal; without one the person has to have said it before."""
    if is_sure:
        return
    if not is_interactive():
        raise CommandError("there is no terminal to ask on: say --yes", ExitCode.USAGE)
    typer.confirm(question, abort=True, err=True)


def forbid_agents(what: str) -> None:
    """What only the person may decide."""
    if PROCESS_VARIABLE in os.environ:
        raise CommandError(f"agents may not {what}: ask the person")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal that something goes on, and for how long."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(one_line(what).replace("[", "\\["), total=None)
        yield


def print_result(result: dict[str, Any]) -> None:
    """What an installation did, or would do."""
    for warning in result["warnings"]:
        warn(one_line(warning))
    for change in result.get("changes", ()):
        detail = f" ({one_line(change['detail'])})" if change["detail"] else ""
        print_text(f"  {change['action']} {change['kind']}: {one_line(change['name'])}{detail}")
    counted = [
        f"{number} {name.replace('_', ' ')}"
        for name, number in result.items()
        if isinstance(number, int) and not isinstance(number, bool) and number
    ]
    if counted:
        typer.echo(", ".join(counted))


def print_plugin(
    plugin: dict[str, Any], code: dict[str, Any], files: Sequence[dict[str, Any]]
) -> None:
    manifest = plugin["manifest"]
    print_styled(f"{plugin['name']} {plugin['version']}", bold=True)
    print_fields(
        {
            "about": plugin["description"],
            "author": manifest.get("author"),
            "state": "enabled" if plugin["is_enabled"] else "disabled",
            "id": plugin["id"],
            "installed": plugin["installed_at"],
            "updated": plugin["updated_at"],
            "from": plugin["source_feed_id"] or "this machine",
            "folder": plugin["directory"],
            "sha256": plugin["checksum"],
            "labels": ", ".join(label["name"] for label in manifest["kombuse"]["labels"]),
        }
    )
    if code["status"] != "none":
        print_fields(
            {
                "code": code["status"].replace("_", " "),
                "reason": code["reason"],
                "entry point": code["entry_point"],
                "capabilities": ", ".join(code["capabilities"]),
                "code sha256": code["code_sha256"],
            }
        )
    rows = [(file["path"], "yes" if file["is_user_modified"] else "no") for file in files]
    if rows:
        print_table(("FILE", "CHANGED HERE"), rows, empty="")


def _exit_code(status: int, body: Any) -> ExitCode:
    code = str(body.get("code")) if isinstance(body, dict) else ""
    return _BY_CODE.get(code) or _BY_STATUS.get(status, ExitCode.REFUSED)


def _told(refused: Refused) -> str:
    """With what to do next in words of the command line."""
    body = refused.body if isinstance(refused.body, dict) else {}
    if body.get("code") == "KEY_CHANGED":
        return f"{refused.message}: ask those who run it, and if it is right, {_TRUST}"
    details = body.get("details") or {}
    if body.get("error") == "package_exists":
        return f"{details.get('directory')} exists already: --overwrite replaces what was exported"
    hint = _HINTS.get(str(body.get("error")))
    if hint is None:
        return refused.message
    authors = details.get("installed_author"), details.get("author")
    told = f"{details.get('plugin_name')} {hint}"
    return f"{told} (installed: {authors[0]}, this one: {authors[1]})" if authors[0] else told
