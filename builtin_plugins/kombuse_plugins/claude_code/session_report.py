"""The validation report of a session file, made while it is read once and continued as it grows."""

from array import array
from collections.abc import Callable
from time import sleep
from typing import Any, BinaryIO

from kombuse_plugins.claude_code.line_schemas import check, type_of
from kombuse_plugins.claude_code.session_lines import Line, Unreadable, parse, read_lines

__all__ = ["EVERY", "Report"]

EVERY = 256
_ERRORS = 200
_ISSUES = 20
_TYPES = 100
_TYPE_LENGTH = 100
_TAIL = 256
_PAUSE = 0.0002  # in which the event loop gets the interpreter's lock


class Report:
    """How many lines there are, where they begin, and which are not as they should be.

    The first 200 errors are kept, of all types beyond the hundredth one count together.
    """

    def __init__(self) -> None:
        self.count = 0
        self.end = 0
        self.errors: list[dict[str, Any]] = []
        self._omitted = 0
        self._by_type: dict[str, list[int]] = {}
        self._marks = array("Q")
        self._tail = b""
        self._is_ended = True

    def read(self, file: BinaryIO, size: int, is_over: Callable[[], bool]) -> bool:
        """Read on up to `size`, until `is_over`; False when there is more."""
        file.seek(self.end)
        for line in read_lines(file, size):
            self._add(line)
            if self.count % EVERY == 0:
                sleep(_PAUSE)
                if is_over():
                    break
        else:
            self.end = size
        self._tail = _before(file, self.end)
        return self.end == size

    def goes_on(self, file: BinaryIO, size: int) -> bool:
        """Whether the file is what was read and more, so that only the rest has to be read."""
        return size > self.end and self._is_ended and self._tail == _before(file, self.end)

    def place(self, number: int) -> tuple[int, int]:
        """(number, byte) of a line from which the one of that number is soon reached."""
        mark = min(number // EVERY, len(self._marks) - 1)
        return (mark * EVERY, self._marks[mark]) if mark >= 0 else (0, 0)

    def summary(self) -> dict[str, Any]:
        types = {
            name: {"valid": valid, "invalid": bad} for name, (valid, bad) in self._by_type.items()
        }
        invalid = sum(bad for _, bad in self._by_type.values())
        return {
            "valid": self.count - invalid,
            "invalid": invalid,
            "byType": types,
            "errors": self.errors,
            "errorsOmitted": self._omitted,
        }

    def _add(self, line: Line) -> None:
        if self.count % EVERY == 0:
            self._marks.append(line.start)
        kind, issues = _judged(line)
        if kind not in self._by_type and len(self._by_type) >= _TYPES:
            kind = "other"
        counts = self._by_type.setdefault(kind, [0, 0])
        counts[bool(issues)] += 1
        if issues and len(self.errors) < _ERRORS:
            found = {"index": self.count, "type": kind, "issues": issues[:_ISSUES]}
            self.errors.append(found)
        elif issues:
            self._omitted += 1
        self.count += 1
        self.end = line.end
        self._is_ended = line.is_ended


def _judged(line: Line) -> tuple[str, list[dict[str, Any]]]:
    try:
        item = parse(line)
    except Unreadable as problem:
        return "unknown", [{"path": "", "message": str(problem), "code": "custom"}]
    return type_of(item)[:_TYPE_LENGTH], check(item)


def _before(file: BinaryIO, end: int) -> bytes:
    """The last bytes before `end`, by which a file that only grew is known again."""
    file.seek(max(0, end - _TAIL))
    return file.read(min(end, _TAIL))
