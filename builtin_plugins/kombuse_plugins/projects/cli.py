"""`kombuse project`"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kombuse_sdk.client import Client
from kombuse_sdk.console import Home, Json, print_fields, print_json, print_table, warn
from kombuse_sdk.current_project import Project, current_project, remember

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Name = Annotated[str, typer.Argument(metavar="PROJECT", help="Id or slug.")]


class RepoSource(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"
    BITBUCKET = "bitbucket"


@app.command("list")
def list_projects(
    search: Annotated[str | None, typer.Option(help="Part of the name or description.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """All projects, the newest first."""
    with Client(home) as api:
        projects = api.get("/api/projects", search=search, limit=limit, offset=offset)
    if as_json:
        print_json(projects)
        return
    rows = [(p["slug"], p["name"], p["local_path"]) for p in projects]
    print_table(("SLUG", "NAME", "FOLDER"), rows, empty="There is no project.")


@app.command()
def show(
    project: Annotated[
        str | None,
        typer.Argument(metavar="[PROJECT]", help="Id or slug.  [default: the current project]"),
    ] = None,
    option: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """One project, with the number of its tickets by status."""
    with Client(home) as api:
        found = current_project(api, project or option)
        counts = api.get("/api/tickets/counts", project_id=found["id"])
    if as_json:
        print_json({**found, "ticket_counts": counts})
        return
    _print_project(found)
    print_fields({"tickets": ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in counts.items())})


@app.command()
def create(
    name: str,
    slug: Annotated[str | None, typer.Option(help="Made from the name unless given.")] = None,
    description: Annotated[str | None, typer.Option()] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="The code of the project. The files by which coding agents find Kombuse are"
            " written into it.",
        ),
    ] = None,
    repo_source: Annotated[RepoSource | None, typer.Option()] = None,
    repo_owner: Annotated[str | None, typer.Option()] = None,
    repo_name: Annotated[str | None, typer.Option()] = None,
    owner: Annotated[
        str, typer.Option("--as", envvar="KOMBUSE_PROFILE", help="Who owns it: a profile id.")
    ] = "user-1",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a project."""
    body = {
        "name": name,
        "owner_id": owner,
        "slug": slug,
        "description": description,
        "local_path": None if folder is None else str(folder.expanduser().absolute()),
        "repo_source": None if repo_source is None else repo_source.value,
        "repo_owner": repo_owner,
        "repo_name": repo_name,
    }
    given = {key: value for key, value in body.items() if value is not None}
    with Client(home) as api:
        made = api.post("/api/projects", body=given)
    if made.get("warning"):
        warn(made["warning"])
    if as_json:
        print_json(made)
    else:
        _print_project(made)


@app.command()
def use(project: Name, home: Home = None) -> None:
    """Remember a project for commands that are run outside of the folder of any project."""
    with Client(home) as api:
        found = api.get("/api/projects/{}", project)
        remember(api.home, found["id"])
    typer.echo(f"{found['slug']} is the project now, where no folder says another")


def _print_project(project: dict[str, Any]) -> None:
    repository = "/".join(p for p in (project["repo_owner"], project["repo_name"]) if p)
    print_fields(
        {
            "name": project["name"],
            "slug": project["slug"],
            "id": project["id"],
            "owner": project["owner_id"],
            "folder": project["local_path"],
            "repository": repository,
            "created": project["created_at"],
            "about": project["description"],
        }
    )
