"""`kombuse plugin sources`: where the packages of a project come from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kombuse_plugins.packages.cli_output import failures, server
from kombuse_sdk.console import CommandError, ExitCode, Home, Json, print_json, print_table
from kombuse_sdk.current_project import Project, current_project
from kombuse_sdk.home import default_home

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Where the packages of a project come from.",
)
Place = Annotated[str, typer.Argument(help="A folder, https://registry, or github:owner/repo.")]


@app.command("list")
def list_sources(project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """In the order in which they are asked: the first that knows a name decides."""
    with server(home) as api:
        found = api.get("/api/plugin-sources", project_id=current_project(api, project)["id"])
    _print(found, as_json)


@app.command()
def add(
    place: Place,
    token: Annotated[
        str | None,
        typer.Option(help="$NAME is looked up in the server's environment, with every request."),
    ] = None,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Ask one more place for packages, after those that there are."""
    source = _source(place) | ({"token": token} if token else {})
    with server(home) as api:
        project_id = current_project(api, project)["id"]
        others = [item for item in _of_project(api, project_id) if not _is_same(item, source)]
        body = {"project_id": project_id, "sources": [*others, source]}
        found = api.put("/api/plugin-sources", body=body)
    _print(found, as_json)


@app.command()
def remove(place: Place, project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """Ask a place no more. What was installed from it stays."""
    source = _source(place)
    with server(home) as api:
        project_id = current_project(api, project)["id"]
        known = _of_project(api, project_id)
        others = [item for item in known if not _is_same(item, source)]
        if others == known:
            message = f"{place} is no source that was added to the project"
            raise CommandError(message, ExitCode.NOT_FOUND)
        found = api.put("/api/plugin-sources", body={"project_id": project_id, "sources": others})
    _print(found, as_json)


@app.command()
def trust(
    registry: Annotated[str, typer.Argument(help="Its address, as `list` shows it.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Forget the keys of a registry that has others now: it is met anew. Ask those who run it."""
    from kombuse_plugins.packages.feeds import trusted_keys

    with failures():
        is_forgotten = trusted_keys(home or default_home()).forget(f"http:{registry.rstrip('/')}")
    if as_json:
        print_json({"registry": registry, "forgotten": is_forgotten})
        return
    typer.echo("Its keys are forgotten" if is_forgotten else "No key of it was known")


def _of_project(api: Any, project_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/api/plugin-sources", project_id=project_id)[
        "project_sources"
    ]
    return found


def _source(place: str) -> dict[str, str]:
    if place.startswith("github:"):
        return {"type": "github", "repo": place.removeprefix("github:")}
    if place.startswith(("http://", "https://")):
        return {"type": "http", "base_url": place.rstrip("/")}
    return {"type": "filesystem", "path": str(Path(place).expanduser().absolute())}


def _is_same(one: dict[str, Any], other: dict[str, str]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("type", "repo", "base_url", "path"))


def _print(found: dict[str, list[dict[str, Any]]], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    folders = [item for item in found["default_sources"] if item["type"] == "filesystem"]
    registries = [item for item in found["default_sources"] if item["type"] != "filesystem"]
    named = (
        (folders, "default"),
        (found["global_sources"], "home"),
        (found["project_sources"], "project"),
        (registries, "default"),
    )
    rows = [
        (
            item["type"],
            item.get("path") or item.get("repo") or item.get("base_url"),
            set_by,
            item.get("token"),
        )
        for items, set_by in named
        for item in items
    ]
    print_table(("TYPE", "PLACE", "SET BY", "TOKEN"), rows, empty="There is no source.")
