"""Versions by Semantic Versioning 2.0 (https://semver.org), and ranges in the notation of npm.

The library semantic-version reads comparators: of those for Python it alone knows npm's notation.
Its import is costly, and its versions differ from npm's in what they tolerate, so that comparing
two versions needs nothing but this module.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semantic_version.base import Range  # type: ignore[import-untyped]

__all__ = [
    "Version",
    "is_newer",
    "is_range",
    "is_version",
    "meets_minimum",
    "newest",
    "parse",
    "satisfying",
    "sort_newest_first",
]

_LONGEST = 256
_LARGEST = 2**53 - 1
_NUMBER = r"0|[1-9]\d*"
_IDENTIFIER = rf"(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"=?v?({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
_OPERATOR = re.compile(r"(<=|>=|[<>=^]|~>?)\s*[v=]?\s*")

_Precedence = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Compares by precedence: a pre-release is before its release, build metadata is ignored."""

    precedence: _Precedence
    text: str = field(compare=False)

    @property
    def is_prerelease(self) -> bool:
        return not self.precedence[3]

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=16384)
def parse(text: str) -> Version | None:
    """None for what is no version. As with npm, blanks around it and a leading v or = are fine."""
    match = _VERSION.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if not match:
        return None
    major, minor, patch = map(int, match.groups()[:3])
    if max(major, minor, patch) > _LARGEST:
        return None
    prerelease = match[4]
    identifiers = tuple(map(_rank, prerelease.split("."))) if prerelease else ()
    precedence = (major, minor, patch, prerelease is None, identifiers)
    plain = f"{major}.{minor}.{patch}"
    return Version(
        precedence,
        plain + (f"-{prerelease}" if prerelease else "") + (f"+{match[5]}" if match[5] else ""),
    )


def is_version(text: str) -> bool:
    """Whether it is a version as it stands, with nothing that a reader would have to strip."""
    version = parse(text)
    return version is not None and version.text == text


def is_newer(a: str, b: str) -> bool:
    """Whether `a` is newer than `b`; never when one of them is no version."""
    first, second = parse(a), parse(b)
    return first is not None and second is not None and first > second


def meets_minimum(installed: str, minimum: str) -> bool:
    first, second = parse(installed), parse(minimum)
    return first is not None and second is not None and first >= second


def sort_newest_first(texts: Iterable[str]) -> list[str]:
    """The versions among the texts, as they were given; equal ones keep their order."""
    parsed = [(version, text) for text in texts if (version := parse(text))]
    parsed.sort(key=lambda pair: pair[0], reverse=True)
    return [text for _, text in parsed]


def newest(texts: Iterable[str]) -> str | None:
    """The newest release, or the newest pre-release if there is no release."""
    ordered = sort_newest_first(texts)
    releases = (text for text in ordered if not _parsed(text).is_prerelease)
    return next(releases, ordered[0] if ordered else None)


def is_range(text: str) -> bool:
    """Whether it selects versions; an exact version does so as well."""
    return _groups(text) is not None


def satisfying(text: str, texts: Iterable[str], prereleases: bool = False) -> list[str]:
    """The versions that are in the range, newest first; none if it is no range.

    A pre-release is in a range only if the range names one of the same release (`>=1.2.0-rc.1`
    takes 1.2.0-rc.2), or if `prereleases` asks for all between its bounds. The upper bound of
    `^1.2.0` never lets the pre-releases of 2.0.0 in.
    """
    groups = _groups(text) or ()
    return [
        found
        for found in sort_newest_first(texts)
        if any(group.has(_parsed(found), prereleases) for group in groups)
    ]


@dataclass(frozen=True, slots=True)
class _Group:
    """Comparators that must all hold, and the releases of which they name a pre-release."""

    comparators: tuple["Range", ...]
    named: frozenset[tuple[int, int, int]]

    def has(self, version: Version, prereleases: bool) -> bool:
        from semantic_version.base import Version as LibraryVersion

        if version.is_prerelease and not prereleases and version.precedence[:3] not in self.named:
            return False
        found = LibraryVersion(version.text)
        return all(comparator.match(found) for comparator in self.comparators)


@lru_cache(maxsize=256)
def _groups(text: str) -> tuple[_Group, ...] | None:
    """The alternatives of a range; None for what is none.

    npm allows blanks after an operator and a v before a version; the library does not.
    """
    if len(text) > _LONGEST:
        return None
    plain = _OPERATOR.sub(lambda match: match[1][0] if match[1] == "~>" else match[1], text)
    try:
        return tuple(_group(part.split()) for part in plain.split("||"))
    except (ValueError, AssertionError, TypeError):
        return None


def _group(blocks: list[str]) -> _Group:
    """ValueError and others for what npm would not take."""
    if blocks[1:2] == ["-"]:
        low, _, high = blocks
        blocks = [f">={low}", f"<={high.removeprefix('v')}"]
    comparators = [part for block in blocks or ["*"] for part in _comparators(block)]
    targets = [part.target for part in comparators if part.target.prerelease]
    named = frozenset((target.major, target.minor, target.patch) for target in targets)
    return _Group(tuple(comparators), named)


def _comparators(block: str) -> list["Range"]:
    """What one of `1.2.3`, `^1.2`, `<2`... stands for.

    The library reads it without its pre-release, with which it makes less of `~1.2.0-rc.1` than
    npm, and lets 1.2.0-rc.1 into `<1.2.0`.
    """
    from semantic_version.base import NpmSpec, Range, Version

    numbers, _, prerelease = block.partition("+")[0].partition("-")
    if not NpmSpec.Parser.NPM_SPEC_BLOCK.match(numbers):
        raise ValueError(block)
    parts = NpmSpec.Parser.parse_simple(numbers)
    targets = [part.target for part in parts]
    if prerelease:
        if not numbers.endswith(str(targets[0])):
            raise ValueError(block)
        targets[0] = Version(f"{targets[0]}-{prerelease}")
    return [
        Range(part.operator, target, prerelease_policy=Range.PRERELEASE_NATURAL)
        for part, target in zip(parts, targets, strict=True)
    ]


def _rank(identifier: str) -> tuple[bool, int, str]:
    """Numbers come before words and are compared as numbers."""
    if identifier.isdigit():
        return (False, int(identifier), "")
    return (True, 0, identifier)


def _parsed(text: str) -> Version:
    version = parse(text)
    assert version is not None
    return version
