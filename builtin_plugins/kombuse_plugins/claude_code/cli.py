"""`kombuse claude`"""

from pathlib import Path
from typing import Annotated

import typer

from kombuse_sdk.client import Client
from kombuse_sdk.console import Home, Json, print_json, print_table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the project.")]


@app.command()
def scan(home: Home = None, as_json: Json = False) -> None:
    """The folders that Claude Code has worked in, the last one first."""
    with Client(home) as api:
        found = api.get("/api/claude-code/projects")
    if as_json:
        print_json(found)
        return
    rows = [
        (p["path"], p["totalSessions"], p["lastAccessed"], "yes" if p["isImported"] else "no")
        for p in found
    ]
    headings = ("FOLDER", "SESSIONS", "LAST USED", "IMPORTED")
    print_table(headings, rows, empty="Claude Code has not worked in any folder.")


@app.command("import")
def import_projects(
    paths: Annotated[list[Path], typer.Argument(metavar="FOLDER...")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a project of each folder that none has yet."""
    body = {"paths": [str(path.expanduser().absolute()) for path in paths]}
    with Client(home) as api:
        made = api.post("/api/claude-code/projects/import", body=body)
    if as_json:
        print_json(made)
        return
    rows = [(project["slug"], project["name"], project["local_path"]) for project in made]
    print_table(("SLUG", "NAME", "FOLDER"), rows, empty="They all are projects already.")


@app.command()
def sessions(folder: Folder, home: Home = None, as_json: Json = False) -> None:
    """The sessions of Claude Code in a folder, the newest first."""
    with Client(home) as api:
        path = str(folder.expanduser().absolute())
        found = api.get("/api/claude-code/sessions", path=path)["sessions"]
    if as_json:
        print_json(found)
        return
    rows = [(s["sessionId"], s["messageCount"], s["modified"], s["gitBranch"] or "") for s in found]
    headings = ("SESSION", "MESSAGES", "LAST USED", "BRANCH")
    print_table(headings, rows, empty="Claude Code has no session of this folder.")
