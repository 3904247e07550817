"""`kombuse ticket`: daily work on tickets, against the running server."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from kombuse_plugins.tickets.cli_output import print_ticket, print_tickets
from kombuse_sdk.client import Client
from kombuse_sdk.console import (
    CommandError,
    ExitCode,
    Home,
    Json,
    one_line,
    print_json,
    read_text,
)
from kombuse_sdk.current_project import Project, in_project

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
_TICKET = "/api/projects/{}/tickets/by-number/{}"


class Status(StrEnum):
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    CLOSED = "closed"


class Sort(StrEnum):
    CREATED = "created_at"
    UPDATED = "updated_at"
    ACTIVITY = "last_activity_at"
    PRIORITY = "priority"


class Order(StrEnum):
    ASCENDING = "asc"
    DESCENDING = "desc"


def _number(text: str | int) -> int:
    digits = str(text).removeprefix("#")
    if not (digits.isascii() and digits.isdigit()):
        raise typer.BadParameter(f"{text} is not the number of a ticket")
    return int(digits)


Number = Annotated[
    int, typer.Argument(parser=_number, metavar="NUMBER", help="As in #8; the # may be left out.")
]
Actor = Annotated[
    str, typer.Option("--as", envvar="KOMBUSE_PROFILE", help="Who does it: a profile id.")
]
Body = Annotated[str | None, typer.Option("--body", help="Markdown; - reads standard input.")]
BodyFile = Annotated[
    str | None, typer.Option("--body-file", help="A file to read it from; - is standard input.")
]
Priority = Annotated[int | None, typer.Option(min=0, max=4)]
Labels = Annotated[list[str] | None, typer.Option("--label", "-l", help="Name; may be repeated.")]
Limit = Annotated[int, typer.Option(min=1, max=100)]
Offset = Annotated[int, typer.Option(min=0)]
ME = "user-1"


@app.command("list")
def list_tickets(
    status: Annotated[Status | None, typer.Option()] = None,
    assignee: Annotated[str | None, typer.Option(help="Profile id.")] = None,
    claimed_by: Annotated[str | None, typer.Option(help="Profile id.")] = None,
    unclaimed: Annotated[bool, typer.Option("--unclaimed", help="Only what is free.")] = False,
    label: Labels = None,
    priority: Priority = None,
    milestone: Annotated[int | None, typer.Option(help="Milestone id.")] = None,
    sort: Annotated[Sort, typer.Option()] = Sort.CREATED,
    order: Annotated[Order, typer.Option()] = Order.DESCENDING,
    limit: Limit = 50,
    offset: Offset = 0,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Tickets of the project."""
    with in_project(home, project) as (api, project_id):
        labels = _label_ids(api, project_id, label or ())
        tickets = api.get(
            "/api/tickets",
            project_id=project_id,
            status=status and status.value,
            assignee_id=assignee,
            claimed_by_id=claimed_by,
            unclaimed=unclaimed or None,
            label_ids=",".join(map(str, labels)) or None,
            priority=priority,
            milestone_id=milestone,
            sort_by=sort.value,
            sort_order=order.value,
            limit=limit,
            offset=offset,
        )
    print_json(tickets) if as_json else print_tickets(tickets)


@app.command()
def search(
    text: str,
    status: Annotated[Status | None, typer.Option()] = None,
    limit: Limit = 20,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Tickets whose title, body or comments contain the words, the best match first."""
    with in_project(home, project) as (api, project_id):
        tickets = api.get(
            "/api/tickets",
            project_id=project_id,
            search=text,
            status=status and status.value,
            limit=limit,
        )
    print_json(tickets) if as_json else print_tickets(tickets)


@app.command()
def show(number: Number, project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """One ticket with all its comments."""
    with in_project(home, project) as (api, project_id):
        ticket = api.get(_TICKET, project_id, number)
        comments = list(api.pages(f"{_TICKET}/comments", project_id, number))
    if as_json:
        print_json({**ticket, "comments": comments})
    else:
        print_ticket(ticket, comments)


@app.command()
def create(
    title: str,
    body: Body = None,
    body_file: BodyFile = None,
    status: Annotated[Status | None, typer.Option()] = None,
    priority: Priority = None,
    assignee: Annotated[str | None, typer.Option(help="Profile id.")] = None,
    label: Labels = None,
    milestone: Annotated[int | None, typer.Option(help="Milestone id.")] = None,
    actor: Actor = ME,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a ticket."""
    text = read_text(body, body_file)
    with in_project(home, project) as (api, project_id):
        given = _given(
            project_id=project_id,
            author_id=actor,
            title=title,
            body=text,
            status=status and status.value,
            priority=priority,
            assignee_id=assignee,
            milestone_id=milestone,
            label_ids=_label_ids(api, project_id, label or ()) or None,
        )
        made = api.post("/api/tickets", body=given)
    _confirm(made, "created", as_json)


@app.command()
def edit(
    number: Number,
    title: Annotated[str | None, typer.Option()] = None,
    body: Body = None,
    body_file: BodyFile = None,
    status: Annotated[Status | None, typer.Option()] = None,
    priority: Priority = None,
    assignee: Annotated[str | None, typer.Option(help="Profile id; empty for nobody.")] = None,
    milestone: Annotated[int | None, typer.Option(help="Milestone id; 0 for none.")] = None,
    add_label: Annotated[list[str] | None, typer.Option(help="Name; may be repeated.")] = None,
    remove_label: Annotated[list[str] | None, typer.Option(help="Name; may be repeated.")] = None,
    actor: Actor = ME,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Change a ticket: what is not named stays as it is."""
    changes = _given(
        title=title,
        body=read_text(body, body_file),
        status=status and status.value,
        priority=priority,
    )
    if assignee is not None:
        changes["assignee_id"] = assignee or None
    if milestone is not None:
        changes["milestone_id"] = milestone or None
    if not (changes or add_label or remove_label):
        raise CommandError("nothing to change: name at least one option", ExitCode.USAGE)
    with in_project(home, project) as (api, project_id):
        changes["add_label_ids"] = _label_ids(api, project_id, add_label or ())
        changes["remove_label_ids"] = _label_ids(api, project_id, remove_label or ())
        api.patch(_TICKET, project_id, number, body=changes | {"updated_by_id": actor})
        ticket = api.get(_TICKET, project_id, number)
    _confirm(ticket, "changed", as_json)


@app.command()
def comment(
    number: Number,
    text: Annotated[str | None, typer.Argument(help="Markdown; - reads standard input.")] = None,
    body: Body = None,
    body_file: BodyFile = None,
    reply_to: Annotated[int | None, typer.Option(help="Id of the comment to answer.")] = None,
    actor: Actor = ME,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say something about a ticket."""
    if text is not None and body is not None:
        raise CommandError("give the text once", ExitCode.USAGE)
    said = read_text(body if text is None else text, body_file)
    if not said:
        raise CommandError("there is no text", ExitCode.USAGE)
    with in_project(home, project) as (api, project_id):
        made = api.post(
            f"{_TICKET}/comments",
            project_id,
            number,
            body=_given(author_id=actor, body=said, parent_id=reply_to),
        )
    if as_json:
        print_json(made)
    else:
        typer.echo(f"comment {made['id']} on #{number}")


@app.command()
def claim(
    number: Number,
    minutes: Annotated[
        int | None, typer.Option(min=1, help="Until it is free again.  [default: no end]")
    ] = None,
    actor: Actor = ME,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take a ticket, so that nobody else works on it."""
    with in_project(home, project) as (api, project_id):
        body = _given(claimer_id=actor, duration_minutes=minutes)
        ticket = api.post(f"{_TICKET}/claim", project_id, number, body=body)
    _confirm(ticket, f"claimed by {actor}", as_json)


@app.command()
def unclaim(
    number: Number,
    force: Annotated[bool, typer.Option("--force", help="Even if another claimed it.")] = False,
    actor: Actor = ME,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Give a ticket back."""
    with in_project(home, project) as (api, project_id):
        body = {"requester_id": actor, "force": force}
        ticket = api.post(f"{_TICKET}/unclaim", project_id, number, body=body)
    _confirm(ticket, "free again", as_json)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _label_ids(api: Client, project_id: str, names: Iterable[str]) -> list[int]:
    """Labels by name, whatever the case. Raises CommandError for one that does not exist."""
    found = []
    for name in names:
        matches = api.get("/api/projects/{}/labels", project_id, search=name)
        exact = [item["id"] for item in matches if item["name"].casefold() == name.casefold()]
        if not exact:
            raise CommandError(f"there is no label {name}")
        found.append(exact[0])
    return found


def _confirm(ticket: dict[str, Any], what: str, as_json: bool) -> None:
    if as_json:
        print_json(ticket)
    else:
        typer.echo(f"#{ticket['ticket_number']} {one_line(ticket['title'])}: {what}")
