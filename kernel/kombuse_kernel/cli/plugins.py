"""`kombuse plugin`: what plugins there are."""

from dataclasses import asdict

import typer

from kombuse_kernel.config import load_config
from kombuse_kernel.plugins import find_plugins
from kombuse_sdk.console import Home, Json, print_json, print_table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """See which plugins there are."""


@app.command("list")
def list_plugins(home: Home = None, as_json: Json = False) -> None:
    """Every plugin, and why one is left out. No server is needed."""
    config = load_config(home)
    host = find_plugins(config)
    if as_json:
        print_json([asdict(status) for status in host.statuses])
        return
    rows = [(s.name, s.title, s.source, s.state, s.reason) for s in host.statuses]
    print_table(("NAME", "TITLE", "SOURCE", "STATE", "REASON"), rows, empty="There is no plugin.")
