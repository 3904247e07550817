"""What commands share: options, exit codes, errors, tables and JSON on standard output.

Colours appear on a terminal only, and never when NO_COLOR is set. Rich is imported when the first
table is printed.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kombuse_sdk.exit_codes import CommandError, ExitCode

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "CommandError",
    "ExitCode",
    "Home",
    "Json",
    "one_line",
    "print_fields",
    "print_json",
    "print_styled",
    "print_table",
    "print_text",
    "read_text",
    "report",
    "warn",
]


_UNBROKEN = 100_000
Home = Annotated[
    Path | None,
    typer.Option(
        "--home", envvar="KOMBUSE_HOME", help="The data folder.", show_default="~/.kombuse"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def print_styled(
    text: str, *, fg: str | None = None, bold: bool = False, nl: bool = True, err: bool = False
) -> None:
    """Text with a colour or in bold, on a terminal that wants it."""
    color = False if os.environ.get("NO_COLOR") else None
    typer.secho(text, fg=fg, bold=bold or None, nl=nl, err=err, color=color)


def report(message: str) -> None:
    """Why a command failed."""
    print_styled("error: ", fg="red", bold=True, nl=False, err=True)
    typer.echo(message, err=True)


def warn(message: str) -> None:
    """Something to know about a command that did its work."""
    print_styled("warning: ", fg="yellow", bold=True, nl=False, err=True)
    typer.echo(message, err=True)


def one_line(text: object) -> str:
    """Text without line breaks and control characters, which would garble a terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text).strip())


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_text(text: str) -> None:
    """Text of other people: control characters but line breaks and tabs are left out."""
    typer.echo("".join(c for c in text if c.isprintable() or c in "\n\t"))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Columns under headings; `empty` says that there is no row. None becomes an empty cell."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading != headings[-1])
    for row in rows:
        table.add_row(*(Text("" if cell is None else one_line(cell)) for cell in row))
    if not table.row_count:
        typer.echo(empty)
        return
    _console().print(table)


def print_fields(fields: Mapping[str, object]) -> None:
    """`name  value` lines; fields without a value are left out."""
    shown = {name: value for name, value in fields.items() if value not in (None, "", [])}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        print_styled(f"{name:<{width}}  ", bold=True, nl=False)
        typer.echo(one_line(value))


def read_text(text: str | None, file: str | None = None) -> str | None:
    """The value of an option, or of the file that another option names; `-` is standard input."""
    if text is not None and file is not None:
        raise CommandError("give the text or a file, not both", ExitCode.USAGE)
    if "-" in (text, file):
        return sys.stdin.read()
    if file is None:
        return text
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}", ExitCode.USAGE) from error


def _console() -> "Console":
    """Rows are as wide as a terminal, and unbroken for a file or another program."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=_UNBROKEN)
