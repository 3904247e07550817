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
    file: Annotated[
        Path | None,
        typer.Argument(
            help="The new file; it must not exist. A .db holds the database alone."
            "  [default: a new .tar.gz in the folder backups of the home]"
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Copy the database and the uploaded files into one file; a server may be running.

    The copy is read again and checked before it gets its name.
    """
    from kombuse_kernel.cli import maintenance
    from kombuse_sdk.backups import BackupError, new_name, write_archive

    config = load_config(home)
    with explained(config):
        if not config.database_path.is_file():
            raise FileNotFoundError(2, "there is no database", str(config.database_path))
        if file is None:
            prepare(config)
            config.backups.mkdir(exist_ok=True, mode=0o700)
            file = config.backups / new_name("manual")
        try:
            if _is_archive_name(file):
                write_archive(config.database_path, config.uploads, file.absolute())
            else:
                maintenance.back_up(config.database_path, file.absolute())
        except FileExistsError as error:
            raise CommandError(f"{file} exists already: name a new file") from error
        except BackupError as error:
            raise CommandError(f"no backup was made: {error}", ExitCode.STORAGE) from error
    typer.echo(f"{config.database_path} was copied to {file}")
    if _is_archive_name(file):
        typer.echo("The uploaded files are in it too")
    else:
        typer.echo("Uploaded files are not in it: a .tar.gz has both")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `kombuse db backup` made.")],
    home: Home = None,
) -> None:
    """Put a backup in the place of the database, and of the uploaded files that it holds.

    The server must be stopped. What was there is kept in the folder backups.
    """
    from kombuse_kernel.cli import maintenance
    from kombuse_sdk.backups import BackupError

    config = load_config(home)
    with explained(config):
        prepare(config)
        with hold(config), explained(config, file):
            try:
                former = maintenance.restore(config, file, _wanted(config))
            except BackupError as error:
                message = f"{file} cannot be used, and nothing was changed: {error}"
                raise CommandError(message, ExitCode.STORAGE) from error
    typer.echo(f"{config.database_path} is now the one of {file}")
    if former.uploads is not None:
        typer.echo(f"The former uploaded files are kept as {former.uploads}")
    if former.database is not None:
        typer.echo(f"The former database is kept as {former.database}")


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


def _is_archive_name(file: Path) -> bool:
    return file.name.endswith((".tar.gz", ".tgz"))


def _wanted(config: Config) -> list[Migration]:
    from kombuse_kernel.plugins import find_plugins
    from kombuse_kernel.upgrade import wanted_migrations

    host = find_plugins(config)
    return wanted_migrations(host)
