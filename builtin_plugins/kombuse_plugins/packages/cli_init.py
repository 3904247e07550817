"""`kombuse init`: a folder becomes a project with agents, and coding agents find the server."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kombuse_plugins.packages.cli_output import print_result, server, waiting
from kombuse_sdk.client import Client
from kombuse_sdk.console import Home, Json, print_fields, print_json, warn
from kombuse_sdk.current_project import remember

__all__ = ["app"]

PACKAGE = "kombuse-dev"
app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def init(
    project_dir: Annotated[Path, typer.Argument(help="The folder of your code.")] = Path(),
    name: Annotated[
        str | None, typer.Option(help="Of a new project.", show_default="that of the folder")
    ] = None,
    no_package: Annotated[
        bool, typer.Option("--no-package", help=f"Without the agents of {PACKAGE}.")
    ] = False,
    owner: Annotated[
        str, typer.Option("--as", envvar="KOMBUSE_PROFILE", help="Who owns it: a profile id.")
    ] = "user-1",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a folder a project: with the files by which coding agents find Kombuse, with agents for
    triage, planning, coding and review, and as the current project. What is there already stays.
    """
    folder = project_dir.expanduser().resolve()
    with server(home) as api:
        folder.mkdir(parents=True, exist_ok=True)
        project = _find(api, folder)
        is_new = project is None
        if project is None:
            made = {"name": name or folder.name, "owner_id": owner, "local_path": str(folder)}
            project = api.post("/api/projects", body=made)
        files = api.post("/api/projects/{}/init", project["id"])["files"]
        package = None if no_package else _install(api, project["id"])
        remember(api.home, project["id"])
    for file in files:
        if file["action"] == "error":
            warn(f"{file['file']}: {file['reason']}")
    if as_json:
        print_json({"project": project, "created": is_new, "files": files, "package": package})
        return
    _print(project, is_new, files, package)


def _find(api: Client, folder: Path) -> dict[str, Any] | None:
    for project in api.pages("/api/projects"):
        if project["local_path"] and Path(project["local_path"]).resolve() == folder:
            return dict(project)
    return None


def _install(api: Client, project_id: str) -> dict[str, Any]:
    """What its installation did; `installed` is False when it was there before."""
    known = api.get("/api/plugins", project_id=project_id)
    if any(plugin["name"] == PACKAGE for plugin in known):
        return {"name": PACKAGE, "installed": False}
    with waiting(f"Installing {PACKAGE}"):
        result = api.post(
            "/api/plugins/install-remote", body={"name": PACKAGE, "project_id": project_id}
        )
    return {"name": PACKAGE, "installed": True, "result": result}


def _print(
    project: dict[str, Any],
    is_new: bool,
    files: list[dict[str, str]],
    package: dict[str, Any] | None,
) -> None:
    there = ", ".join(file["file"] for file in files if file["action"] != "error")
    print_fields(
        {
            "project": f"{project['name']} ({project['slug']}), {'new' if is_new else 'known'}",
            "folder": project["local_path"],
            "for coding agents": there,
            "package": package
            and f"{PACKAGE} {'is installed' if package['installed'] else 'was installed before'}",
        }
    )
    if package and package["installed"]:
        print_result(package["result"])
    typer.echo("It is the current project. Next:")
    typer.echo('  kombuse ticket create "What is to be done"')
    if package:
        typer.echo(f"  kombuse plugin info {PACKAGE}")
    typer.echo("  and start your coding agent in the folder: it finds the tickets over MCP")
