"""`kombuse approvals`: what agents wait to be allowed, against the running server."""

import os
import time
from typing import Annotated, Any

import typer

from kombuse_sdk.client import Client
from kombuse_sdk.console import (
    CommandError,
    ExitCode,
    Home,
    Json,
    one_line,
    print_json,
    print_table,
    warn,
)
from kombuse_sdk.current_project import Project
from kombuse_sdk.home import PROCESS_VARIABLE

__all__ = ["app"]

# Programs that backends start have it in their environment, and all that these start.
_MARK_OF_AGENTS = PROCESS_VARIABLE
_POLL_SECONDS = 0.2
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Request = Annotated[
    str,
    typer.Argument(metavar="REQUEST", help="As `list` shows it; a part that no other has will do."),
]
Message = Annotated[str | None, typer.Option("--message", "-m", help="Why; the agent is told.")]


@app.command("list")
def list_requests(
    wait: Annotated[bool, typer.Option("--wait", help="Until there is something.")] = False,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What waits, of all projects unless one is named, in the order in which it was asked."""
    with Client(home) as api:
        while not (waiting := _waiting(api, project)) and wait:
            time.sleep(_POLL_SECONDS)
    if as_json:
        print_json(waiting)
        return
    rows = [
        (
            item["permissionKey"],
            f"#{item['ticketNumber']}" if "ticketNumber" in item else "",
            item["toolName"],
            item["description"],
            _input(item),
        )
        for item in waiting
    ]
    headings = ("REQUEST", "TICKET", "TOOL", "WHAT", "INPUT")
    print_table(headings, rows, empty="Nothing waits for an answer.")


@app.command()
def allow(
    request: Request,
    always: Annotated[
        bool, typer.Option("--always", help="Do not ask again for this tool or command.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Let the agent do it."""
    _answer(home, request, {"behavior": "allow", "always_allow": always}, as_json)


@app.command()
def deny(
    request: Request, message: Message = None, home: Home = None, as_json: Json = False
) -> None:
    """Do not let the agent do it."""
    body = {"behavior": "deny"} | ({} if message is None else {"message": message})
    _answer(home, request, body, as_json)


def _waiting(api: Client, project: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/api/permissions/pending", project_id=project)
    return found


def _answer(home: Home, request: str, body: dict[str, Any], as_json: bool) -> None:
    _refuse_agents()
    with Client(home) as api:
        item = _find(_waiting(api), request)
        address = "/api/permissions/{}/{}"
        answered = api.post(address, item["sessionId"], item["requestId"], body=body)
    if answered["note"]:
        warn(one_line(answered["note"]))
    if as_json:
        print_json(answered)
        return
    what = "allowed" if answered["behavior"] == "allow" else "denied"
    typer.echo(f"{what}: {one_line(item['description'])}")
    if answered["remembered"]:
        typer.echo(f"from now on without asking: {one_line(answered['remembered'])}")


def _refuse_agents() -> None:
    """What an agent starts does not answer in the place of a person."""
    if _MARK_OF_AGENTS in os.environ:
        raise CommandError("an agent cannot answer permission requests")


def _find(waiting: list[dict[str, Any]], text: str) -> dict[str, Any]:
    """Raises CommandError unless the text names exactly one request."""
    exact = [item for item in waiting if text in (item["permissionKey"], item["requestId"])]
    found = exact or [item for item in waiting if text and text in item["permissionKey"]]
    if not found:
        raise CommandError(f"nothing waits that is called {text}")
    if len(found) > 1:
        raise CommandError(f"{text} is not plain: {len(found)} requests have it", ExitCode.USAGE)
    return found[0]


def _input(item: dict[str, Any]) -> str:
    """The command itself: who allows it must have seen all of it."""
    command = item["input"].get("command")
    return command if isinstance(command, str) else ""
