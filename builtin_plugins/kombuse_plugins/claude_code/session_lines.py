"""Lines of JSON Lines files of any size and content, one at a time in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

__all__ = ["MAX_DEPTH", "MAX_LINE", "Line", "Unreadable", "parse", "read_lines"]

MAX_LINE = 8 * 1024 * 1024
MAX_DEPTH = 100
_CHUNK = 1024 * 1024
_SPACE = 4096
_KEPT = 1000
_decode = msgspec.json.Decoder().decode


class Unreadable(Exception):
    """Why a line is not used."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, without what ends it.

    `start` and `end` are bytes in the file. Of a line of more than `MAX_LINE` bytes only the
    beginning is there, and `is_whole` is false.
    """

    start: int
    end: int
    data: bytes
    is_whole: bool = True
    is_ended: bool = True


def read_lines(file: BinaryIO, end: int) -> Iterator[Line]:
    """From the position of the file up to the byte `end`."""
    start = file.tell()
    while start < end:
        data = file.readline(min(MAX_LINE + 1, end - start))
        after = start + len(data)
        is_ended = data.endswith(b"\n")
        is_whole = is_ended or len(data) <= MAX_LINE
        while not is_ended and after < end and (more := file.readline(min(_CHUNK, end - after))):
            after += len(more)
            is_ended = more.endswith(b"\n")
        if not data:
            return
        text = data.strip() if is_whole else data[:_KEPT]
        if text:
            yield Line(start, after, text, is_whole, is_ended)
        else:
            after = _pass_over_space(file, after, end)
        start = after


def parse(line: Line) -> Any:
    """The value of a line; raises Unreadable."""
    if not line.is_whole:
        raise Unreadable(f"Longer than {MAX_LINE} bytes")
    try:
        value = _decode(line.data)
    except RecursionError:
        raise Unreadable(f"Nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise Unreadable(f"Invalid JSON: {error}") from None
    if line.data.count(b"[") + line.data.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise Unreadable(f"Nested deeper than {MAX_DEPTH} levels")
    return value


def _pass_over_space(file: BinaryIO, start: int, end: int) -> int:
    """To where the next line begins that is not blank: millions of blank ones cost little."""
    while block := file.read(min(_SPACE, end - start)):
        rest = block.lstrip()
        start += len(block) - len(rest)
        if rest:
            file.seek(start)
            break
    return start


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True
