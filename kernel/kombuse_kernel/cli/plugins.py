"""`kombuse plugin list`; the plugin of packages adds its commands to this group."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kombuse_kernel.config import load_config
from kombuse_kernel.plugins import find_plugins
from kombuse_sdk.console import Home, Json, print_json, print_table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """See, make, install and publish plugins."""


@app.command("list")
def list_plugins(
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", help="Id or slug: the packages installed in this project."),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Every plugin of the server, and why one is left out: no server is needed.

    With --project, the packages that are installed in a project: the server is asked.
    """
    if project is not None:
        _list_packages(project, home, as_json)
        return
    config = load_config(home)
    host = find_plugins(config)
    if as_json:
        print_json([asdict(status) for status in host.statuses])
        return
    rows = [(s.name, s.title, s.source, s.state, s.reason) for s in host.statuses]
    print_table(("NAME", "TITLE", "SOURCE", "STATE", "REASON"), rows, empty="There is no plugin.")


def _list_packages(project: str, home: Path | None, as_json: bool) -> None:
    from kombuse_sdk.client import Client

    with Client(home) as api:
        found = api.get("/api/plugins", project_id=api.get("/api/projects/{}", project)["id"])
    if as_json:
        print_json(found)
        return
    rows = [
        (
            plugin["name"],
            plugin["version"],
            plugin["manifest"].get("author"),
            "enabled" if plugin["is_enabled"] else "disabled",
            plugin["source_feed_id"] or plugin["directory"],
        )
        for plugin in found
    ]
    headings = ("NAME", "VERSION", "AUTHOR", "STATE", "FROM")
    print_table(headings, rows, empty="No package is installed.")
