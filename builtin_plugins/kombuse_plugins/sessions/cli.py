"""`kombuse session`: what agents do and did, against the running server."""

import json
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from kombuse_sdk.client import Client
from kombuse_sdk.console import (
    CommandError,
    Home,
    Json,
    one_line,
    print_fields,
    print_json,
    print_styled,
    print_table,
    print_text,
)
from kombuse_sdk.current_project import Project, current_project

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
_SESSION = "/api/sessions/{}"
_POLL_SECONDS = 0.5
_PAGE = 1000
_WIDTH = 200
_OVER = ("completed", "failed", "aborted", "stopped")

Name = Annotated[str, typer.Argument(metavar="SESSION", help="As in chat-... or trigger-...")]


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"
    STOPPED = "stopped"


@app.command("list")
def list_sessions(
    status: Annotated[Status | None, typer.Option()] = None,
    agent: Annotated[str | None, typer.Option(help="Agent id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Of all projects.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Sessions of the project, what changed last first."""
    with Client(home) as api:
        sessions = api.get(
            "/api/sessions",
            project_id=None if every else current_project(api, project)["id"],
            status=status and status.value,
            agent_id=agent,
            limit=limit,
            offset=offset,
        )
    if as_json:
        print_json(sessions)
        return
    rows = [
        (
            item["kombuse_session_id"],
            item["status"],
            item["agent_name"],
            item["ticket_number"] and f"#{item['ticket_number']}",
            item["updated_at"],
            item["prompt_preview"],
        )
        for item in sessions
    ]
    headings = ("SESSION", "STATUS", "AGENT", "TICKET", "UPDATED", "BEGINS")
    print_table(headings, rows, empty="There is no session.")


@app.command()
def show(session: Name, home: Home = None, as_json: Json = False) -> None:
    """One session: how it went and what it cost."""
    with Client(home) as api:
        found = api.get(_SESSION, session)
    if as_json:
        print_json(found)
        return
    metadata = found["metadata"]
    print_fields(
        {
            "session": found["kombuse_session_id"],
            "status": found["status"],
            "reason": metadata.get("terminal_reason"),
            "error": metadata.get("terminal_error"),
            "agent": found["agent_name"],
            "ticket": found["ticket_number"] and f"#{found['ticket_number']}",
            "backend": found["effective_backend"],
            "model": found["applied_model"],
            "events": found["last_event_seq"],
            "started": found["started_at"],
            "updated": found["updated_at"],
            "tokens": f"{found['input_tokens']} in, {found['output_tokens']} out",
            "cost": f"${found['cost_usd']:.4f}" if found["cost_usd"] else None,
            "begins": found["prompt_preview"],
        }
    )


@app.command()
def tail(
    session: Annotated[
        str | None,
        typer.Argument(metavar="[SESSION]", help="Of the project the last one unless it is named."),
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=_PAGE)] = 20,
    follow: Annotated[bool, typer.Option(help="Until the turn ends.")] = True,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What happens in a session, as it happens."""
    with Client(home) as api:
        session = session or _last(api, project)
        seq = _print_last(api, session, lines, as_json)
        while follow:
            is_over = api.get(_SESSION, session)["status"] in _OVER
            page = api.get(f"{_SESSION}/events", session, since_seq=seq, limit=_PAGE)["events"]
            for event in page:
                _print_event(event, as_json)
                seq = event["seq"]
            if is_over and not page:
                return
            if not page:
                time.sleep(_POLL_SECONDS)


@app.command()
def stop(session: Name, home: Home = None, as_json: Json = False) -> None:
    """End the turn that runs, or an idle backend."""
    with Client(home) as api:
        answer = api.post(f"{_SESSION}/stop", session)
    if as_json:
        print_json(answer)
    elif answer["stopped"]:
        typer.echo(f"{session}: stopped")
    else:
        raise CommandError(f"nothing runs in {session}")


def _last(api: Client, project: str | None) -> str:
    project_id = current_project(api, project)["id"]
    found = api.get("/api/sessions", project_id=project_id, sort_by="created_at", limit=1)
    if not found:
        raise CommandError("the project has no session yet")
    return str(found[0]["kombuse_session_id"])


def _print_last(api: Client, session: str, lines: int, as_json: bool) -> int:
    """The number of the last event that there was."""
    page = api.get(f"{_SESSION}/events", session, limit=max(lines, 1))["events"]
    for event in page if lines else []:
        _print_event(event, as_json)
    return int(page[-1]["seq"]) if page else 0


def _print_event(event: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(event, ensure_ascii=False))
        return
    payload = event["payload"]
    match event["event_type"]:
        case "message":
            role = one_line(payload.get("role"))
            print_styled(f"{role}: ", bold=True, nl=False)
            print_text(str(payload.get("content") or ""))
        case "tool_use":
            shown = f"{payload.get('name')} {_short(payload.get('input'))}"
            print_styled(f"> {one_line(shown)}", fg="cyan")
        case "tool_result":
            is_error = bool(payload.get("isError"))
            shown = f"< {one_line(_short(payload.get('content')))}"
            print_styled(shown, fg="red" if is_error else "green")
        case "permission_request":
            shown = f"{payload.get('toolName')} {_short(payload.get('input'))}"
            print_styled(f"? {one_line(shown)}", fg="yellow")
        case "permission_response":
            print_styled(f"! {one_line(payload.get('behavior'))}", fg="yellow")
        case "error":
            print_styled(f"error: {one_line(payload.get('message'))}", fg="red")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else text[:_WIDTH] + "…"
