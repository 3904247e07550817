"""`kombuse registry`: a registry of packages, served from a folder of this machine."""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from kombuse_registry import key_commands, token_commands
from kombuse_registry.data_folder import Data, explained, folder_of, opened
from kombuse_sdk.console import CommandError, ExitCode, Home, Json, print_fields, print_json, warn

__all__ = ["app"]

DEFAULT_PORT = 3332
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(token_commands.app, name="token", help="Who may publish what.")
app.add_typer(key_commands.app, name="keys", help="Keys of the registry and of publishers.")

Version = Annotated[str, typer.Argument(metavar="AUTHOR/NAME@VERSION")]


@app.command()
def init(
    account: Annotated[
        str, typer.Option(help="The name of the account that may do all.")
    ] = "admin",
    data: Data = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make a registry, its key to sign with, and the token of its admin, shown only now."""
    from kombuse_registry.server.registry import AlreadyInitialised, initialise

    folder = folder_of(data, home)
    with explained(folder):
        try:
            made = initialise(folder, account)
        except AlreadyInitialised as error:
            message = f"{folder} is a registry already"
            raise CommandError(message, ExitCode.TAKEN) from error
    if as_json:
        print_json({"data": str(folder), **made})
        return
    print_fields({"folder": folder, **made})
    warn("the token is shown only this once: keep it where nobody else reads it")


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")
    ] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    insecure_http: Annotated[
        bool,
        typer.Option(
            "--insecure-http",
            help="Listen at another address than loopback, without encryption: for networks where"
            " nobody listens in, or behind a proxy that encrypts.",
        ),
    ] = False,
    data: Data = None,
    home: Home = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more to standard error.")] = False,
) -> None:
    """Run the registry, until Ctrl-C or SIGTERM."""
    if not _is_loopback(host) and not insecure_http:
        message = (
            f"{host} can be reached from other machines, and tokens would cross the network"
            " unencrypted: let a proxy encrypt in front of 127.0.0.1, or add --insecure-http"
        )
        raise CommandError(message, ExitCode.USAGE)
    os.umask(0o077)
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        level=logging.DEBUG if verbose else logging.WARNING,
    )
    from kombuse_registry.server import process

    folder = folder_of(data, home)
    with opened(data, home) as registry:
        try:
            with process.hold(folder), process.listen(host, port) as listener:
                address = listener.getsockname()
                process.run(registry, listener, lambda: _ready(folder, *address[:2]))
        except process.AlreadyRunning as error:
            message = f"another server uses {folder} already"
            raise CommandError(message, ExitCode.TAKEN) from error
        except process.PortTaken as error:
            message = f"{error}: choose another with --port, or any free one with --port 0"
            raise CommandError(message, ExitCode.TAKEN) from error


@app.command()
def yank(
    version: Version,
    reason: Annotated[str, typer.Argument(help="What people read who have it.")],
    data: Data = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Withdraw a version: it is offered no longer, but those who name it exactly still get it."""
    from kombuse_registry.server import administration

    name, number = _split(version)
    with opened(data, home) as registry:
        administration.yank(registry, name, number, reason)
    if as_json:
        print_json({"name": name, "version": number, "yanked": reason})
    else:
        typer.echo(f"{name}@{number} is withdrawn")


@app.command()
def unyank(version: Version, data: Data = None, home: Home = None, as_json: Json = False) -> None:
    """Offer a version again that was withdrawn."""
    from kombuse_registry.server import administration

    name, number = _split(version)
    with opened(data, home) as registry:
        administration.unyank(registry, name, number)
    if as_json:
        print_json({"name": name, "version": number, "yanked": False})
    else:
        typer.echo(f"{name}@{number} is offered again")


@app.command()
def verify(data: Data = None, home: Home = None, as_json: Json = False) -> None:
    """Read every archive again and look for damage. Exit code 5 when there is some."""
    from kombuse_registry.server import administration

    with opened(data, home) as registry:
        found = administration.verify(registry)
    if as_json:
        print_json(found)
    else:
        print_fields(
            {
                "versions": found["versions"],
                "missing": ", ".join(found["missing"]),
                "damaged": ", ".join(found["damaged"]),
                "archives of no version": found["orphans"] or None,
            }
        )
    if found["missing"] or found["damaged"]:
        raise CommandError("archives are missing or damaged", ExitCode.STORAGE)


def _ready(folder: Path, host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    lines = [
        f"The registry is ready at http://{shown}:{port}",
        f"  Its folder: {folder}",
        "  Ctrl-C ends the server.",
    ]
    with suppress(BrokenPipeError):  # nobody reads, which is no reason not to serve
        typer.echo("\n".join(lines))
        sys.stdout.flush()


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(text: str) -> tuple[str, str]:
    name, at, version = text.rpartition("@")
    if not at or not name or not version:
        raise CommandError(f"{text} is not AUTHOR/NAME@VERSION", ExitCode.USAGE)
    return name, version
