"""`kombuse mcp`: the running server for clients that speak MCP over standard input and output."""

import typer

from kombuse_sdk.bridge import run
from kombuse_sdk.console import Home

__all__ = ["app"]

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def mcp(home: Home = None) -> None:
    """Relay MCP between standard input and output and the running server, for coding agents.

    Clients start this command themselves; it waits for the server and follows it to other ports.
    """
    run(home)
