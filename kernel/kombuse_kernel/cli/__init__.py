"""The command line. Nothing is imported before it is needed, for `--help` must be quick."""

import sys

__all__ = ["main"]


def main() -> None:
    if sys.argv[1:] == ["mcp"] or (len(sys.argv) == 4 and sys.argv[1:3] == ["mcp", "--home"]):
        _bridge(*sys.argv[3:])
        return
    from kombuse_kernel.cli.root import run

    run()


def _bridge(home: str | None = None) -> None:
    """`kombuse mcp` as clients start it, who wait for it: Typer would take longer than the rest."""
    from pathlib import Path

    from kombuse_sdk.bridge import run

    run(None if home is None else Path(home))
