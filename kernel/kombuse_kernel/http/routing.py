"""Finding the route of a path: a tree over segments, independent of how many routes there are.

Starlette tries one regular expression after the other: with eighty routes that alone took 0.3 ms
of a request. Paths are case-sensitive, slashes are not folded, `%2F` stays inside its segment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

__all__ = ["Match", "RouteTree"]

T = TypeVar("T")


@dataclass(slots=True)
class Match(Generic[T]):
    """The targets at a path by method, and the decoded path parameters in their order."""

    targets: dict[str, T]
    values: list[str]


@dataclass(slots=True)
class _Node(Generic[T]):
    literal: dict[str, "_Node[T]"] = field(default_factory=dict)
    parameter: "_Node[T] | None" = None
    targets: dict[str, T] = field(default_factory=dict)


class RouteTree(Generic[T]):
    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, path: str, methods: Iterable[str], target: T) -> None:
        """`{name}` is one segment; literal segments win over parameters."""
        node = self._root
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        for method in methods:
            if method in node.targets:
                raise ValueError(f"{method} {path} is taken already")
            node.targets[method] = target

    def find(self, raw_path: str) -> Match[T] | None:
        """The node of an undecoded path; UnicodeDecodeError for escapes that are not UTF-8."""
        values: list[str] = []
        node = _walk(self._root, raw_path.split("/")[1:], 0, values)
        return Match(node.targets, values) if node else None


def _walk(node: _Node[T], segments: list[str], at: int, values: list[str]) -> _Node[T] | None:
    if at == len(segments):
        return node if node.targets else None
    segment = segments[at]
    child = node.literal.get(segment)
    if child is not None:
        found = _walk(child, segments, at + 1, values)
        if found is not None:
            return found
    if node.parameter is not None:
        values.append(unquote(segment, errors="strict") if "%" in segment else segment)
        found = _walk(node.parameter, segments, at + 1, values)
        if found is not None:
            return found
        values.pop()
    return None
