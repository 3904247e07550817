"""What a list tells of a session, read from its file: of a large one from both its ends."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from kombuse_plugins.claude_code.session_lines import Line, read_lines
from kombuse_sdk.schemas import timestamp

__all__ = ["Listed", "moment", "summarize"]

_HEAD = 192 * 1024
_TAIL = 64 * 1024
_MESSAGES = frozenset({"user", "assistant"})


class _Head(msgspec.Struct):
    """The fields of a line that a list needs; msgspec skips the others unread."""

    type: Any = None
    timestamp: Any = None
    cwd: Any = None
    gitBranch: Any = None  # noqa: N815


_decode = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A session in a list.

    `path` is the folder in which it works, None when nothing tells it; `is_estimate` says that the
    messages were not counted one by one.
    """

    session_id: str
    messages: int
    created: str
    modified: str
    branch: str | None
    path: str | None
    is_estimate: bool = False


def summarize(file: BinaryIO, status: os.stat_result, session_id: str) -> Listed:
    size = status.st_size
    is_sampled = size > _HEAD + _TAIL
    heads = _heads(read_lines(file, _HEAD if is_sampled else size))
    if is_sampled:
        file.seek(size - _TAIL)
        file.readline(_TAIL)
        heads += _heads(read_lines(file, size))
    changed = timestamp(datetime.fromtimestamp(status.st_mtime, UTC))
    moments = [found for head in heads if (found := moment(head.timestamp))]
    messages = sum(head.type in _MESSAGES for head in heads if isinstance(head.type, str))
    return Listed(
        session_id=session_id,
        messages=messages * size // (_HEAD + _TAIL) if is_sampled else messages,
        created=moments[0] if moments else changed,
        modified=moments[-1] if moments else changed,
        branch=_first(head.gitBranch for head in reversed(heads)),
        path=_first(head.cwd for head in heads if str(head.cwd).startswith("/")),
        is_estimate=is_sampled,
    )


def moment(value: Any) -> str | None:
    """A point in time in the form of the API, None for what is none."""
    try:
        return timestamp(datetime.fromisoformat(value))
    except (TypeError, ValueError, OverflowError):
        return None


def _heads(lines: Iterable[Line]) -> list[_Head]:
    found = []
    for line in lines:
        try:
            found.append(_decode(line.data))
        except (ValueError, RecursionError):
            continue  # one session is reported with its broken lines, a list is not
    return found


def _first(values: Iterable[Any]) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)
