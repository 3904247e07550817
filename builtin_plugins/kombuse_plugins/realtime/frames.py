"""Messages as text: made once, however many clients they go to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

__all__ = ["Frame", "event_frame", "message_frame"]


@dataclass(frozen=True, slots=True)
class Frame:
    """The text of one message, and how many bytes it takes."""

    text: str
    size: int


def message_frame(message: Mapping[str, Any]) -> Frame:
    """Numbers that JSON does not know become texts, and so do objects."""
    try:
        data = to_json(message, inf_nan_mode="strings", serialize_unknown=True)
    except PydanticSerializationError:  # halves of surrogate pairs, as broken output has them
        data = json.dumps(message, default=str).encode()
    return Frame(data.decode(), len(data))


def event_frame(topic: str, event: str) -> Frame:
    """`event` is JSON text."""
    text = f'{{"type":"event","topic":{json.dumps(topic)},"event":{event}}}'
    return Frame(text, len(text.encode()))
