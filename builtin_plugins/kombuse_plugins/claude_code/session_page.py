"""A page of a session file: its lines as they are, and the events that they stand for."""

from itertools import islice
from typing import Any, BinaryIO

import msgspec

from kombuse_plugins.claude_code.session_events import recorded_events
from kombuse_plugins.claude_code.session_lines import Line, Unreadable, parse, read_lines
from kombuse_plugins.claude_code.session_report import Report
from kombuse_sdk.sql import JsonText

__all__ = ["MAX_PAGE", "page"]

MAX_PAGE = 2 * 1024 * 1024
_SHOWN = 200
_encode = msgspec.json.encode


def page(file: BinaryIO, report: Report, session_id: str, offset: int, limit: int) -> JsonText:
    """At most `limit` lines from line `offset` on, fewer when they are large; at least one."""
    items: list[bytes] = []
    events: list[bytes] = []
    size = 0
    if offset < report.count:
        number, start = report.place(offset)
        file.seek(start)
        for line in islice(read_lines(file, report.end), offset - number, None):
            size += len(line.data)
            if len(items) == limit or (items and size > MAX_PAGE):
                break
            item, text = _read(line, offset + len(items))
            events += map(_encode, recorded_events(item, session_id, offset + len(items)))
            items.append(text)
    after = offset + len(items)
    rest = {
        "count": report.count,
        "offset": offset,
        "nextOffset": after if items and after < report.count else None,
        "validation": report.summary(),
    }
    parts = (b'{"items":[', b",".join(items), b'],"events":[', b",".join(events), b"],")
    return JsonText(b"".join(parts) + _encode(rest)[1:], is_volatile=True)


def _read(line: Line, number: int) -> tuple[Any, bytes]:
    """The value of a line, and its text for the answer."""
    try:
        return parse(line), line.data
    except Unreadable:
        shown = line.data[: _SHOWN * 4].decode("utf-8", "replace")[:_SHOWN]
        broken = {"_parseError": True, "_lineIndex": number, "_raw": shown}
        return broken, _encode(broken)
