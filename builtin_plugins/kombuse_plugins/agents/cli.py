"""`kombuse agent`"""

from pathlib import Path
from typing import Annotated, Any

import typer

from kombuse_sdk.client import Client, Refused
from kombuse_sdk.console import (
    CommandError,
    ExitCode,
    Home,
    Json,
    print_fields,
    print_json,
    print_table,
    print_text,
    read_text,
)
from kombuse_sdk.current_project import Project, current_project

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Name = Annotated[str, typer.Argument(metavar="AGENT", help="Slug or id.")]


@app.command("list")
def list_agents(
    enabled: Annotated[bool, typer.Option("--enabled", help="Only those.")] = False,
    chat: Annotated[bool, typer.Option("--chat", help="Only those one can chat with.")] = False,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """All agents, or those that may work in a project."""
    with Client(home) as api:
        project_id = current_project(api, project)["id"] if project else None
        agents = list(
            api.pages(
                "/api/agents",
                is_enabled=enabled or None,
                enabled_for_chat=chat or None,
                project_id=project_id,
            )
        )
        names = {
            profile["id"]: profile["name"] for profile in api.pages("/api/profiles", has_agent=True)
        }
    if as_json:
        print_json([{**agent, "name": names.get(agent["id"])} for agent in agents])
        return
    headings = ("SLUG", "NAME", "TYPE", "BACKEND", "STATE", "PROJECT")
    rows = [
        (
            agent["slug"],
            names.get(agent["id"]),
            agent["resolved_preset"]["type"],
            agent["config"].get("backend_type"),
            "enabled" if agent["is_enabled"] else "disabled",
            agent["project_id"],
        )
        for agent in agents
    ]
    print_table(headings, rows, empty="There is no such agent.")


@app.command()
def show(name: Name, project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """One agent with its triggers and prompt."""
    with Client(home) as api:
        agent = _agent(api, name, project)
        profile = api.get("/api/profiles/{}", agent["id"])
        triggers = _triggers(api, agent["id"])
    if as_json:
        print_json({**agent, "profile": profile, "triggers": triggers})
        return
    config = agent["config"]
    print_fields(
        {
            "name": profile["name"],
            "slug": agent["slug"],
            "id": agent["id"],
            "about": profile["description"],
            "state": "enabled" if agent["is_enabled"] else "disabled",
            "type": agent["resolved_preset"]["type"],
            "backend": config.get("backend_type"),
            "model": config.get("model"),
            "chat": "yes" if config.get("enabled_for_chat") else "no",
            "project": agent["project_id"],
            "package": agent["plugin_id"],
        }
    )
    if triggers:
        typer.echo()
        rows = [
            (t["id"], t["event_type"], t["priority"], "yes" if t["is_enabled"] else "no")
            for t in triggers
        ]
        print_table(("TRIGGER", "EVENT", "PRIORITY", "ENABLED"), rows, empty="")
    typer.echo()
    print_text(agent["system_prompt"])


@app.command()
def create(
    name: str,
    description: Annotated[str, typer.Option(help="What it is for.")],
    prompt: Annotated[
        str | None, typer.Option(help="The system prompt; - reads standard input.")
    ] = None,
    prompt_file: Annotated[str | None, typer.Option(help="A file to read it from.")] = None,
    slug: Annotated[str | None, typer.Option(help="Made from the name unless given.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="As in kombuse, coder.")] = None,
    backend: Annotated[str | None, typer.Option(help="claude-code, codex or mock.")] = None,
    model: Annotated[str | None, typer.Option()] = None,
    chat: Annotated[bool, typer.Option("--chat", help="One can chat with it.")] = False,
    disabled: Annotated[bool, typer.Option("--disabled")] = False,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make an agent, of every project unless one is named."""
    text = read_text(prompt, prompt_file)
    if not text:
        raise CommandError("there is no prompt: give --prompt or --prompt-file", ExitCode.USAGE)
    config = _given(
        type=kind, backend_type=backend, model=model, enabled_for_chat=True if chat else None
    )
    with Client(home) as api:
        body = _given(
            name=name,
            description=description,
            system_prompt=text,
            slug=slug,
            config=config,
            is_enabled=not disabled,
            project_id=current_project(api, project)["id"] if project else None,
        )
        made = api.post("/api/agents", body=body)
    print_json(made) if as_json else typer.echo(f"{made['slug']}: created, id {made['id']}")


@app.command()
def trigger(
    name: Name,
    event: Annotated[str, typer.Argument(help="As in ticket.created, label.added.")],
    label: Annotated[
        str | None, typer.Option("--label", "-l", help="Only this label of the project.")
    ] = None,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Start an agent by what people do, in every project unless one is named.

    By mention.created it starts when it is mentioned itself.
    """
    with Client(home) as api:
        agent = _agent(api, name, project)
        chosen = current_project(api, project) if project or label else None
        conditions = {"mentioned_profile_id": agent["id"]} if event == "mention.created" else {}
        if label and chosen:
            conditions["label_id"] = _label_id(api, chosen["id"], label)
        body = _given(
            event_type=event,
            conditions=conditions,
            project_id=chosen["id"] if chosen else None,
        )
        made = api.post("/api/agents/{}/triggers", agent["id"], body=body)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{agent['slug']}: starts on {made['event_type']}")


@app.command()
def run(
    name: Name,
    ticket: Annotated[
        int | None, typer.Option("--ticket", "-t", min=1, help="What it works on.")
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="- reads standard input.")
    ] = None,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Chat with an agent for one turn, and show what it does.

    It must be enabled for chat. Interrupting the command stops the agent.
    """
    from kombuse_plugins.agents.cli_run import run_turn

    text = read_text(message) or (f"Work on ticket #{ticket}." if ticket else None)
    if text is None:
        raise CommandError("there is nothing to do: give --ticket or --message", ExitCode.USAGE)
    with Client(home) as api:
        agent = _agent(api, name, project)
        needs_project = ticket is not None or project is not None
        project_id = current_project(api, project)["id"] if needs_project else agent["project_id"]
        if ticket is not None:
            api.get("/api/projects/{}/tickets/by-number/{}", project_id, ticket)
        port = api.port
    invoke = _given(message=text, agentId=agent["id"], projectId=project_id, ticketNumber=ticket)
    run_turn(port, invoke, as_json=as_json)


@app.command()
def export(
    directory: Path,
    names: Annotated[list[str] | None, typer.Argument(metavar="[AGENT]...")] = None,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write agents as markdown files, all of them unless some are named."""
    with Client(home) as api:
        ids = [_agent(api, name, project)["id"] for name in names or ()]
        folder = str(directory.expanduser().absolute())
        done = api.post("/api/agents/export", body={"directory": folder, "agent_ids": ids})
    if as_json:
        print_json(done)
        return
    typer.echo(f"{done['count']} agents written to {done['directory']}")


def _agent(api: Client, name: str, project: str | None) -> dict[str, Any]:
    """By slug, those of the named project first, or by id."""
    try:
        found: dict[str, Any] = api.get("/api/agents/by-slug/{}", name, project_id=project)
    except Refused as error:
        if error.status != 404:
            raise
        found = api.get("/api/agents/{}", name)
    return found


def _triggers(api: Client, agent_id: str) -> list[dict[str, Any]]:
    """None without the plugin that has them."""
    try:
        found: list[dict[str, Any]] = api.get("/api/agents/{}/triggers", agent_id)
    except Refused as error:
        if error.status != 404:
            raise
        return []
    return found


def _label_id(api: Client, project_id: str, name: str) -> int:
    labels = api.get("/api/projects/{}/labels", project_id, search=name)
    found = [label["id"] for label in labels if label["name"].casefold() == name.casefold()]
    if not found:
        raise CommandError(f"the project has no label {name}")
    return int(found[0])


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, {})}
