"""Characters that nobody sees, shown: what people cannot see, agents are not to obey.

These are controls, the marks that change the direction of text, tags, and all that Unicode lists as
`Default_Ignorable_Code_Point` (zero-width spaces and joiners, fillers, variation selectors) but for
the selector of coloured emoji. Each becomes `\\u{202E}`, say.
"""

import re
from typing import Any

__all__ = ["visible", "visible_json", "visible_values"]

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    return _UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):X}}}", text)


def visible_json(text: str) -> str:
    """The same for the strings in a JSON text, in which JSON itself shows the ASCII controls."""
    if text.isascii():
        return text.replace("\x7f", r"\\u{7F}")
    return _UNSEEN.sub(lambda found: rf"\\u{{{ord(found[0]):X}}}", text)


def visible_values(value: Any) -> Any:
    """The same for the strings in a JSON value, the keys of objects too."""
    match value:
        case str():
            return visible(value)
        case dict():
            return {visible_values(key): visible_values(item) for key, item in value.items()}
        case list() | tuple():
            return [visible_values(item) for item in value]
        case _:
            return value
