"""Which project a command is about.

In this order: `--project` or KOMBUSE_PROJECT; the project whose folder the command is run in; the
one that `kombuse project use` remembered in the home.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from kombuse_sdk.client import Client
from kombuse_sdk.exit_codes import CommandError, ExitCode
from kombuse_sdk.home import write_private

__all__ = ["Project", "current_project", "in_project", "remember"]

Project = Annotated[
    str | None,
    typer.Option("--project", "-p", envvar="KOMBUSE_PROJECT", help="Id or slug of the project."),
]


def current_project(api: Client, given: str | None) -> dict[str, Any]:
    """Raises CommandError when there is none, Refused when it does not exist (any more)."""
    here = None if given is not None else _of_folder(api, Path.cwd())
    if here is not None:
        return here
    chosen = given if given is not None else _remembered(api.home)
    if chosen is None:
        raise CommandError(
            "no project is chosen: name one with --project, or choose with `kombuse project use`",
            ExitCode.USAGE,
        )
    found: dict[str, Any] = api.get("/api/projects/{}", chosen)
    return found


@contextmanager
def in_project(home: Path | None, given: str | None) -> Iterator[tuple[Client, str]]:
    """A client, and the id of the project that the command is about."""
    with Client(home) as api:
        yield api, current_project(api, given)["id"]


def remember(home: Path, project_id: str) -> None:
    write_private(home / "cli.json", json.dumps({"project": project_id}) + "\n")


def _of_folder(api: Client, folder: Path) -> dict[str, Any] | None:
    """The project with the innermost folder that contains this one."""
    above = [folder, *folder.parents]
    inside = [
        project
        for project in api.pages("/api/projects")
        if project["local_path"] and Path(project["local_path"]).resolve() in above
    ]
    return max(inside, key=lambda project: len(Path(project["local_path"]).parts), default=None)


def _remembered(home: Path) -> str | None:
    try:
        value = json.loads((home / "cli.json").read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None
