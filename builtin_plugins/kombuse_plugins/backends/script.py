"""What the mock agent does: a JSON list of steps, in its configuration or in a message.

In a message the list follows the word `mock:`. That works inside JSON text as well, as in the title
of a ticket that is part of an event's payload. The steps, each an object with one of these keys:

    {"message": "text"}                    says something
    {"thinking": "text"}                   thinks
    {"tool_use": "Read", "input": {...}}   uses a tool without asking; "result" is what it gives
    {"permission_request": "Bash", "input": {...}}   asks first; "result" if it is allowed
    {"mcp": "add_comment", "input": {...}} asks, then calls the tool of this server
    {"events": 20000}                      says so many numbered things
    {"delay": 0.5}                         waits for seconds
    {"hang": true}                         waits until it is interrupted or closed
    {"usage": {"input_tokens": 10}}        what the turn has cost
    {"error": "text"}                      ends the turn without success
    {"crash": "text"}                      breaks down in mid-turn
"""

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["KINDS", "Step", "steps_for"]

Step = Mapping[str, Any]
KINDS = (
    "message",
    "thinking",
    "tool_use",
    "permission_request",
    "mcp",
    "events",
    "delay",
    "hang",
    "usage",
    "error",
    "crash",
)
_START = re.compile(r"mock:\s*(?=\[)")
_ESCAPED = re.compile(r'mock:\s*(\[(?:[^"\\]|\\.)*)')


def steps_for(message: str, config: Mapping[str, Any]) -> list[Step]:
    """The steps of a turn; without any, the mock says what it was told and is done."""
    mock = config.get("mock")
    steps = _in_message(message)
    if steps is None and isinstance(mock, Mapping):
        steps = mock.get("steps")
    if not isinstance(steps, list):
        return [{"message": f'Processing: "{message}"'}]
    return [step for step in steps if isinstance(step, Mapping)]


def _in_message(message: str) -> Any:
    found = _START.search(message)
    if found is None:
        return None
    try:
        return json.JSONDecoder().raw_decode(message, found.end())[0]
    except ValueError:
        return _unescaped(message)


def _unescaped(message: str) -> Any:
    """The list inside a JSON string, whose quotes are escaped once more."""
    found = _ESCAPED.search(message)
    try:
        text = json.loads(f'"{found[1]}"') if found else ""
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        return None
