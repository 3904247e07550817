"""`kombuse plugin`, beside the kernel's `list`; and what is done with installed packages."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from kombuse_plugins.packages import cli_sources
from kombuse_plugins.packages.cli_build import build, check, new
from kombuse_plugins.packages.cli_install import install, outdated, uninstall_distribution, update
from kombuse_plugins.packages.cli_output import Yes, confirm, find_plugin, print_plugin, server
from kombuse_plugins.packages.cli_publish import export, login, publish
from kombuse_sdk.console import Home, Json, one_line, print_json, print_table, warn
from kombuse_sdk.current_project import Project, current_project

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command("new")(new)
app.command("build")(build)
app.command("check")(check)
app.command("install")(install)
app.command("update")(update)
app.command("outdated")(outdated)
app.command("export")(export)
app.command("publish")(publish)
app.command("login")(login)
app.add_typer(cli_sources.app, name="sources")

Name = Annotated[str, typer.Argument(help="Of an installed package, or its id.")]


class Mode(StrEnum):
    ORPHAN = "orphan"
    DELETE = "delete"


@app.command()
def info(name: Name, project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """What an installed package is and brought, or what a feed offers under a name."""
    with server(home) as api:
        where = current_project(api, project)
        found = next(iter(_installed(api, where, name)), None)
        if found is None:
            _print_offered(api, where, name, as_json)
            return
        code = api.get("/api/plugins/{}/code", found["id"])
        files = api.get("/api/plugins/{}/files", found["id"], fields="meta")
    if as_json:
        print_json({**found, "code": code, "files": files})
    else:
        print_plugin(found, code, files)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Part of a name or description.")] = "",
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What the sources of the project offer."""
    with server(home) as api:
        found = _offered(api, current_project(api, project))
    wanted = text.casefold()
    shown = [item for item in found if wanted in f"{item['name']} {_about(item)}".casefold()]
    if as_json:
        print_json(shown)
        return
    rows = [
        (item["name"], item["version"], item.get("installed_version"), _source(item), _about(item))
        for item in shown
    ]
    headings = ("NAME", "VERSION", "INSTALLED", "SOURCE", "ABOUT")
    print_table(headings, rows, empty="No source offers such a package.")


@app.command()
def enable(name: Name, project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """Let a disabled package work again: everything in the state that it had."""
    _switch(name, project, home, as_json, is_enabled=True)


@app.command()
def disable(name: Name, project: Project = None, home: Home = None, as_json: Json = False) -> None:
    """Stop a package without removing it: agents, triggers, labels and code."""
    _switch(name, project, home, as_json, is_enabled=False)


@app.command()
def uninstall(
    name: Annotated[str, typer.Argument(help="Of an installed package; or pip:NAME.")],
    mode: Annotated[
        Mode,
        typer.Option(
            help="orphan: what it brought stays, without the package. delete: its agents and"
            " triggers go. Labels stay on tickets either way."
        ),
    ] = Mode.ORPHAN,
    yes: Yes = False,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Remove a package from a project."""
    if name.startswith("pip:"):
        uninstall_distribution(name.removeprefix("pip:"), yes, as_json)
        return
    with server(home) as api:
        found = find_plugin(api, current_project(api, project), name)
        if mode is Mode.DELETE:
            confirm(f"Remove {found['name']} with its agents and triggers?", yes)
        api.delete(f"/api/plugins/{{}}?mode={mode.value}", found["id"])
    if as_json:
        print_json({"plugin_id": found["id"], "plugin_name": found["name"], "mode": mode.value})
        return
    typer.echo(f"{found['name']} {found['version']} is removed")
    if found["code_sha256"]:
        typer.echo("Its code does nothing any more; it leaves memory when the server is restarted")


@app.command("accept-tools")
def accept_tools(
    name: Name, yes: Yes = False, project: Project = None, home: Home = None, as_json: Json = False
) -> None:
    """Offer MCP tools that are others than those which were allowed, after showing them."""
    with server(home) as api:
        found = find_plugin(api, current_project(api, project), name)
        for change in api.get("/api/plugins/{}/code", found["id"])["tool_changes"]:
            typer.echo(f"{change['tool']}", err=True)
            typer.echo(f"  before: {one_line(change['before'] or 'nothing')}", err=True)
            typer.echo(f"  now:    {one_line(change['after'] or 'nothing')}", err=True)
        confirm(f"Offer these tools of {found['name']} to agents?", yes)
        status = api.post("/api/plugins/{}/code/accept-tools", found["id"])
    if as_json:
        print_json(status)
    else:
        typer.echo(f"The tools of {found['name']} are accepted: restart the server to offer them")


def _switch(name: str, project: str | None, home: Any, as_json: bool, *, is_enabled: bool) -> None:
    with server(home) as api:
        found = find_plugin(api, current_project(api, project), name)
        saved = api.patch("/api/plugins/{}", found["id"], body={"is_enabled": is_enabled})
        code = api.get("/api/plugins/{}/code", found["id"])
    if as_json:
        print_json(saved)
        return
    typer.echo(f"{saved['name']} is {'enabled' if is_enabled else 'disabled'}")
    if code["status"] == "restart_required":
        typer.echo("Restart the server to run its code")


def _installed(api: Any, project: dict[str, Any], name: str) -> list[dict[str, Any]]:
    plain = name.rpartition("/")[2]
    plugins = api.get("/api/plugins", project_id=project["id"])
    return [item for item in plugins if item["id"] == name or item["name"] == plain]


def _offered(api: Any, project: dict[str, Any]) -> list[dict[str, Any]]:
    """Feeds that do not answer are warned of."""
    for feed in api.get("/api/plugins/feeds", project_id=project["id"]):
        if not feed["ok"]:
            warn(f"{feed['name']} does not answer: {one_line(feed.get('error'))}")
    found: list[dict[str, Any]] = api.get("/api/plugins/available", project_id=project["id"])
    return found


def _print_offered(api: Any, project: dict[str, Any], name: str, as_json: bool) -> None:
    from kombuse_sdk.console import CommandError, ExitCode, print_fields

    for item in _offered(api, project):
        if item["name"] == name:
            if as_json:
                print_json(item)
            else:
                keys = ("name", "version", "description", "source_feed_id", "directory")
                print_fields({key.replace("_", " "): item.get(key) for key in keys})
                typer.echo(f"Not installed: kombuse plugin install {name}")
            return
    message = f"no package {name} is installed in {project['slug']}, and no source offers it"
    raise CommandError(message, ExitCode.NOT_FOUND)


def _about(item: dict[str, Any]) -> str:
    return str(item.get("description") or "")


def _source(item: dict[str, Any]) -> str:
    return str(item["scope"] if item["source"] == "filesystem" else item["source_feed_id"])
