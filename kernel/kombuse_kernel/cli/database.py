"""`kombuse db`: check, back up, restore and upgrade the database."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kombuse_kernel.cli.faults import explained
from kombuse_kernel.config import Config, load_config
from kombuse_kernel.home import hold, prepare
from kombuse_kernel.migrations import Migration
from kombuse_sdk.console import CommandError, ExitCode, Home, Json, print_json, print_table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def check(home: Home = None, as_json: Json = False) -> None:
    """Look for damage; a server may be running. Exit code 5 when there is some."""
    from kombuse_kernel.cli import maintenance

    config = load_config(home)
    with explained(config):
        found = maintenance.check(config.database_path, _wanted(config))
    if as_json:
        print_json([asdict(item) for item in found])
    else:
        rows = [(item.check, "; ".join(item.problems) or item.note or "ok") for item in found]
        print_table(("CHECK", "RESULT"), rows, empty="")
    if any(item.problems for item in found):
        raise CommandError(f"{config.database_path} has problems", ExitCode.STORAGE)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The new file; it must not exist.")],
    home: Home = None,
) -> None:
    """Copy the database into a file; a server may be running. Uploaded files are not part of it."""
    from kombuse_kernel.cli import maintenance

    config = load_config(home)
    with explained(config):
        try:
            maintenance.back_up(config.database_path, file.absolute())
        except FileExistsError as error:
            raise CommandError(f"{file} exists already: name a new file") from error
    typer.echo(f"{config.database_path} was copied to {file}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `kombuse db backup` made.")],
    home: Home = None,
) -> None:
    """Put a backup in the place of the database. The server must be stopped."""
    from kombuse_kernel.cli import maintenance

    config = load_config(home)
    with explained(config):
        prepare(config)
        with hold(config), explained(config, file):
            former = maintenance.restore(config, file, _wanted(config))
    typer.echo(f"{config.database_path} is now the one of {file}")
    if former is not None:
        typer.echo(f"The former database is kept as {former}")


@app.command()
def migrate(home: Home = None) -> None:
    """Bring the database up to this version, as the start of the server does."""
    from kombuse_kernel.app import build_kernel

    config = load_config(home)
    with explained(config):
        prepare(config)
        with hold(config):
            kernel = build_kernel(config)
            kernel.db.close()
    for item in kernel.migrated:
        typer.echo(f"applied {item.plugin}/{item.name}")
    typer.echo(f"{config.database_path} is up to date")


def _wanted(config: Config) -> list[Migration]:
    from kombuse_kernel.plugins import find_plugins
    from kombuse_kernel.upgrade import wanted_migrations

    host = find_plugins(config)
    return wanted_migrations(host)
