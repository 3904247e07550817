"""`kombuse serve`: the server in the foreground."""

import gc
import logging
import os
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from kombuse_kernel.cli.faults import explained
from kombuse_kernel.config import DEFAULT_PORT, Config, load_config
from kombuse_kernel.home import hold, prepare
from kombuse_sdk import app_package
from kombuse_sdk.console import CommandError, ExitCode, Home, one_line
from kombuse_sdk.home import TOKEN_FILE, default_home

if TYPE_CHECKING:
    from kombuse_kernel.kernel import RunningKernel

__all__ = ["app"]

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")
    ] = DEFAULT_PORT,
    home: Home = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the web interface in a browser.")
    ] = False,
    require_token: Annotated[
        bool, typer.Option("--require-token", help="Answer only who has the token of the home.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more to standard error.")] = False,
) -> None:
    """Run the server on this machine, until Ctrl-C or SIGTERM."""
    newer = app_package.newer_program((home or default_home()).expanduser().absolute())
    if newer is not None:
        app_package.run(newer)
    os.umask(0o077)
    gc.disable()  # there is no garbage in what is imported now; `_ready` turns it on again
    _configure_logging(verbose)
    config = load_config(home, port=port)
    if require_token:
        config = replace(config, values={**config.values, "require_token": True})
    with explained(config):
        prepare(config)
        with hold(config):
            _serve(config, open_browser)


def _serve(config: Config, open_browser: bool) -> None:
    from kombuse_kernel import server
    from kombuse_kernel.app import build_kernel

    try:
        listener = server.listen(config.port)
    except server.PortTaken as error:
        message = f"{error}: choose another with --port, or any free one with --port 0"
        raise CommandError(message, ExitCode.TAKEN) from error
    with listener:
        config = replace(config, port=listener.getsockname()[1])
        is_new = not config.database_path.exists()
        kernel = build_kernel(config)
        try:
            server.run(kernel, listener, lambda: _ready(kernel, is_new, open_browser))
        except server.StartFailed as failed:
            raise failed.__cause__ or failed from None


def _ready(kernel: "RunningKernel", is_new: bool, open_browser: bool) -> None:
    gc.freeze()
    gc.enable()
    url = f"http://127.0.0.1:{kernel.config.port}"
    lines = [f"Kombuse is ready at {url}"]
    if is_new:
        lines += [
            f"  A new database was made: {kernel.config.database_path}",
            "  To begin, with agents for triage, planning, coding and review, in the folder of your"
            " code:",
            "    kombuse init",
        ]
    else:
        lines.append(f"  The database: {kernel.config.database_path}")
    lines += [
        "  Everything stays on this machine: no data leaves it.",
        "  To connect a coding agent:",
        f"    claude mcp add --transport http kombuse {url}/mcp",
        f"    codex mcp add kombuse --url {url}/mcp",
        *_needed(kernel),
        "  Ctrl-C ends the server.",
    ]
    with suppress(BrokenPipeError):  # nobody reads, which is no reason not to serve
        typer.echo("\n".join(lines))
        sys.stdout.flush()
    for status in kernel.host.left_out:
        reason = one_line(status.reason)
        typer.echo(f"  Plugin {status.name} is {status.state}: {reason}", err=True)
    if open_browser:
        import webbrowser

        # A browser in the terminal would hold up the server until it is closed.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _needed(kernel: "RunningKernel") -> list[str]:
    if not kernel.access.is_required:
        return []
    path = kernel.config.home / TOKEN_FILE
    return [f"  Every request needs the token in {path}: Authorization: Bearer <token>"]


def _configure_logging(verbose: bool) -> None:
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        level=logging.DEBUG if verbose else logging.WARNING,
        force=True,
    )
    if not verbose:  # `_ready` lists the plugins that are left out
        logging.getLogger("kombuse.plugins").setLevel(logging.ERROR)
