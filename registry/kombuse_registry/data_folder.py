"""What the commands of a registry share: its folder, opened, and faults as exit codes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kombuse_sdk.console import CommandError, ExitCode
from kombuse_sdk.errors import KombuseError
from kombuse_sdk.home import default_home

if TYPE_CHECKING:
    from kombuse_registry.server.registry import Registry

__all__ = ["Account", "Data", "explained", "folder_of", "opened"]

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="KOMBUSE_REGISTRY",
        help="The folder of the registry.  [default: registry, in the data folder]",
    ),
]
Account = Annotated[str, typer.Option(help="Whose it is.")]


def folder_of(data: Path | None, home: Path | None) -> Path:
    return (data or (home or default_home()) / "registry").expanduser().absolute()


@contextmanager
def opened(data: Path | None, home: Path | None) -> "Iterator[Registry]":
    """The registry of a folder that `init` made."""
    from kombuse_registry.server.registry import DATABASE, Registry

    folder = folder_of(data, home)
    if not (folder / DATABASE).is_file():
        message = f"there is no registry in {folder}: make one with `kombuse registry init`"
        raise CommandError(message)
    with explained(folder):
        registry = Registry(folder)
        try:
            yield registry
        finally:
            registry.close()


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Faults as one sentence and an exit code."""
    from kombuse_registry.server.database import DatabaseUnusable
    from kombuse_registry.server.settings import UnusableSettings

    try:
        yield
    except KombuseError as error:
        raise CommandError(error.message) from error
    except UnusableSettings as error:
        raise CommandError(str(error), ExitCode.USAGE) from error
    except (DatabaseUnusable, sqlite3.Error) as error:
        message = f"the registry in {folder} cannot be used: {error}"
        raise CommandError(message, ExitCode.STORAGE) from error
    except OSError as error:
        message = f"{error.filename or folder} cannot be used: {error.strerror or error}"
        raise CommandError(message, ExitCode.STORAGE) from error
