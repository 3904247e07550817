"""Mentions in the text of a comment: a pure parser, linear in the length of the text.

`@[label](target)` and `@name` mention a profile, `#12` a ticket of the same project. Mentions start
agents, so what merely looks like one must not count: fenced code blocks, code spans, URLs,
character references and what has a word character before its `@` (e-mail addresses) are left out.
Code is recognised as CommonMark does, but by a scanner of its own: a Markdown parser gives no
positions, takes `@[...](...)` for a link, and needs seconds for a megabyte.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

__all__ = ["MOST", "Mentions", "parse"]

# Each mention costs a lookup, a row and an event that carries the whole text.
MOST = 100

# Quotes and lists may hold blocks of code, so their marks may come before a fence.
_ITEM = r"(?:[-*+]|[0-9]{1,9}+[.)])[ \t]"
_BLOCKS = re.compile(
    rf"^(?P<before>(?:[ \t>]++|{_ITEM})*+)(?P<fence>`{{3,}}+(?=[^`\n]*+$)|~{{3,}}+).*$"
    r"|(?P<run>`++)"
    rf"|^(?:(?:[ \t\r>]*+\n)++|[ \t>]*+(?:#{{1,6}}+[ \t]|{_ITEM}))",
    re.MULTILINE,
)
_FENCE_END = re.compile(r"^[ \t>]*+(?P<fence>`{3,}+|~{3,}+)[ \t\r]*+$", re.MULTILINE)
_QUOTED_FENCE_END = re.compile(rf"^(?![ \t]*+>)|{_FENCE_END.pattern}", re.MULTILINE)

_NOT_PROSE = re.compile(
    r"(?:(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}+://|(?<![\w.])[Ww]{3}\.)"
    r"""(?:[^\s<>"`()\[\]]++|\([^\s<>"`()]*+\))*+"""
    r"|&#[0-9]{1,7}+;"
)
# The literal comes first, before the look behind it: the engine then skips to it.
_NAME = re.compile(r"@(?<![A-Za-z0-9_]@)([A-Za-z0-9_-]++)")
_NUMBER = re.compile(r"#(?<![A-Za-z0-9_.]#)0*+([1-9][0-9]{0,14}+)(?![A-Za-z0-9_])")
_WORD = re.compile(r"[A-Za-z0-9_]")

T = TypeVar("T")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """What a text mentions, each once and in text order, at most `MOST` of a kind.

    `targets` are what bracket mentions point to, `names` those of plain mentions, `numbers` those
    of tickets; whether any of it exists is another question.
    """

    targets: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


def parse(text: str) -> Mentions:
    if "@" not in text and "#" not in text:
        return Mentions()
    prose = _without(text, _code(text))
    if "://" in prose or "&#" in prose or "www." in prose.lower():
        prose = _NOT_PROSE.sub(" ", prose)
    brackets = list(_brackets(prose))
    plain = _without(prose, (span for span, _ in brackets))
    return Mentions(
        targets=_first(target for _, target in brackets),
        names=_first(_NAME.findall(plain)),
        numbers=_first(map(int, _NUMBER.findall(prose))),
    )


def _first(found: Iterable[T]) -> tuple[T, ...]:
    return tuple(islice(dict.fromkeys(found), MOST))


def _without(text: str, spans: Iterable[Span]) -> str:
    """The text with a space in place of each span."""
    parts = []
    at = 0
    for start, end in spans:
        parts.append(text[at:start])
        at = end
    return " ".join([*parts, text[at:]])


def _code(text: str) -> Iterator[Span]:
    """Fenced blocks and code spans. A span does not reach beyond its paragraph or list item."""
    if "`" not in text and "~~~" not in text:
        return
    runs: list[Span] = []
    blocks = _BLOCKS.finditer(text)
    while found := next(blocks, None):
        if found.lastgroup == "run":
            runs.append(found.span())
            continue
        yield from _code_spans(text, runs)
        runs.clear()
        if found.lastgroup == "fence":
            end = _fence_end(text, found)
            yield found.start(), end
            blocks = _BLOCKS.finditer(text, end)
    yield from _code_spans(text, runs)


def _fence_end(text: str, opening: re.Match[str]) -> int:
    """Where the block ends: at a fence as long as its own, with its quote, or with the text."""
    pattern = _QUOTED_FENCE_END if ">" in opening["before"] else _FENCE_END
    for found in pattern.finditer(text, opening.end() + 1):
        if found["fence"] is None:
            return found.start()
        if found["fence"].startswith(opening["fence"]):
            return found.end()
    return len(text)


def _code_spans(text: str, runs: list[Span]) -> Iterator[Span]:
    """From a run of backticks to the next one of the same length; `runs` are of one paragraph."""
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for index, (start, end) in enumerate(runs):
        by_length[end - start].append(index)
    index = 0
    while index < len(runs):
        start, end = runs[index]
        start += _is_escaped(text, start)
        same = by_length.get(end - start, [])
        place = bisect_right(same, index)
        if place < len(same):
            index = same[place]
            yield start, runs[index][1]
        index += 1


def _is_escaped(text: str, at: int) -> bool:
    start = at
    while start and text[start - 1] == "\\":
        start -= 1
    return (at - start) % 2 == 1


def _brackets(text: str) -> Iterator[tuple[Span, str]]:
    """`@[label](target)`: the label ends at the first `]`, the target at the first `)`.

    Both ends are remembered, so that no part of the text is searched twice.
    """
    at = 0
    label_end = target_end = -1
    while (start := text.find("@[", at)) >= 0:
        at = start + 2
        if label_end < at:
            label_end = text.find("]", at)
        if label_end < 0:
            return
        target = label_end + 2
        is_open = label_end > at and text.startswith("(", label_end + 1)
        if not is_open or _WORD.match(text, max(start - 1, 0)):
            continue
        if target_end < target:
            target_end = text.find(")", target)
        if target_end < 0:
            return
        if target_end > target:
            at = target_end + 1
            yield (start, at), text[target:target_end]
