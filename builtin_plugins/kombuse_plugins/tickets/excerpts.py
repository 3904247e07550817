"""Excerpts of long texts, which would take FTS5 time by the square of the hits in them."""

import re
from collections.abc import Sequence

__all__ = ["LONG", "around", "first_hit"]

LONG = 20_000
_LENGTH = 400


def first_hit(text: str, words: Sequence[str]) -> re.Match[str] | None:
    """The first word of the text that begins like one searched for, or like a part of it.

    A part, because the index knows words by their stem: `running` finds `runs`.
    """
    for word in words:
        for size in range(len(word), max(len(word) // 2, min(len(word), 3)) - 1, -1):
            hit = re.search(rf"(?<!\w){re.escape(word[:size])}\w*", text, re.IGNORECASE)
            if hit is not None:
                return hit
    return None


def around(text: str, hit: re.Match[str] | None) -> str:
    """What stands around the hit, which is marked; the beginning of the text when there is none."""
    if hit is None:
        return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…"
    start = max(hit.start() - _LENGTH // 4, 0)
    end = hit.end() + _LENGTH
    before, after = text[start : hit.start()], text[hit.end() : end]
    word = hit[0] if len(hit[0]) <= _LENGTH else f"{hit[0][:_LENGTH]}…"
    return f"{'…' if start else ''}{before}«{word}»{after}{'…' if end < len(text) else ''}"
