"""Plain text tables with aligned columns, and the checks of command line numbers."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, ["-" * width for width in widths], *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())


def number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def between(fewest: int, most: int) -> Callable[[str], int]:
    """An argparse type: whole numbers from the fewest to the most."""

    def whole_number(text: str) -> int:
        if not fewest <= (value := int(text)) <= most:
            raise ArgumentTypeError(f"{value} is not between {fewest} and {most}")
        return value

    return whole_number
