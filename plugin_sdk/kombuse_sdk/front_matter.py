"""The YAML at the top of agent files: YAML 1.2's core types, read strictly and written plainly.

Other than PyYAML's own: `yes`, `on`, dates and `12:30` are strings, `012` is twelve and `0o12` ten.
Keys are strings, none twice. There are no tags but those of the core types.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = ["MAX_ALIASES", "MAX_NESTING", "MAX_VALUES", "FrontMatterError", "dump", "load"]

MAX_ALIASES = 100
MAX_NESTING = 20
_TOO_DEEP = f"nested deeper than {MAX_NESTING} levels"
_DEPTH_OF_PARSER = "exceeded maximum nesting depth"  # of libyaml, which looks ahead
MAX_VALUES = 100_000
"""Values of a document when each alias counts as all that it stands for."""

# Of the parser; which attributes one has depends on its class.
_Event = Any
_LARGEST = 2**53 - 1
_TAG = "tag:yaml.org,2002:"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULL = re.compile(r"(?:~|null|Null|NULL)?")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(
    r"[-+]?(?:0b[01_]*[01]|0o[0-7_]*[0-7]|0x[0-9a-fA-F_]*[0-9a-fA-F]|[0-9](?:[0-9_]*[0-9])?)"
)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?<!_)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
# Booleans of YAML 1.1 that PyYAML, which quotes the others, does not know.
_SHORT_WORDS = frozenset("yYnN")


class FrontMatterError(ValueError):
    """YAML that cannot be read; `line` and `column` count from 1."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(f"{reason} (line {line}, column {column})")
        self.reason = reason
        self.line = line
        self.column = column


def load(text: str, first_line: int = 1) -> Any:
    """The one document in a text, None if it is empty; FrontMatterError for anything else.

    `first_line` is the line of the file that the text begins with.
    """
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        before = text[: unprintable.start()]
        line, column = before.count("\n"), len(before) - before.rfind("\n")
        raise FrontMatterError("a character that YAML does not allow", line + first_line, column)
    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return _Reader(events).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        reason = error.problem or error.context or "not valid YAML"
        if reason == _DEPTH_OF_PARSER:
            reason = _TOO_DEEP
        raise FrontMatterError(reason, line + first_line, column + 1) from None


def dump(value: Mapping[str, Any]) -> str:
    """Block style YAML: lists indented, lines never folded, quotes only where they are needed.

    What YAML 1.1 or 1.2 would take for something else than a string is quoted.
    """
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
        indent=2,
    )
    return text


@dataclass(frozen=True, slots=True)
class _Found:
    """A value, how many values it is made of, and how deep they are nested."""

    value: Any
    count: int = 1
    depth: int = 0


class _Reader:
    """Builds values from the parser's events, and no value that is larger than the limits."""

    def __init__(self, events: Iterator[_Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Found | None] = {}
        self._aliases = 0

    def document(self) -> Any:
        next(self._events)
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            return None
        found = self._value(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _error("expected a single document", after)
        return found.value

    def _value(self, event: _Event, level: int) -> _Found:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, level)
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            found = _Found(_scalar(event))
        elif level >= MAX_NESTING:
            raise _error(_TOO_DEEP, event)
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self._sequence(event, level)
        else:
            found = self._mapping(event, level)
        if anchor is not None:
            self._anchors[anchor] = found
        return found

    def _alias(self, event: _Event, level: int) -> _Found:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _error(f"more than {MAX_ALIASES} aliases", event)
        found = self._anchors.get(event.anchor)
        if found is None:
            is_inside = event.anchor in self._anchors
            what = "an alias of what it is in" if is_inside else "an alias of nothing"
            raise _error(f"{what}: {event.anchor}", event)
        if level + found.depth > MAX_NESTING:
            raise _error(_TOO_DEEP, event)
        return found

    def _sequence(self, start: _Event, level: int) -> _Found:
        _check_tag(start, "seq")
        items: list[Any] = []
        count, depth = 1, 1
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            item = self._value(event, level + 1)
            items.append(item.value)
            count = _total(count + item.count, event)
            depth = max(depth, item.depth + 1)
        return _Found(items, count, depth)

    def _mapping(self, start: _Event, level: int) -> _Found:
        _check_tag(start, "map")
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        count, depth = 1, 1
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, level + 1)
            item = self._value(at := next(self._events), level + 1)
            count = _total(count + item.count, at)
            depth = max(depth, item.depth + 1)
            if key is None:
                for mapping in _merge(item.value, at):
                    merged = mapping | merged
            elif key in own:
                raise _error(f"the key {key!a} is there twice", event)
            else:
                own[key] = item.value
        return _Found(merged | own, count, depth)

    def _key(self, event: _Event, level: int) -> str | None:
        """The text of a key; None for the merge key."""
        if isinstance(event, yaml.ScalarEvent):
            if event.value == "<<" and event.implicit[0]:
                return None
            self._value(event, level)
            return str(event.value)
        key = self._value(event, level).value if isinstance(event, yaml.AliasEvent) else None
        if not isinstance(key, str):
            raise _error("a key that is no string", event)
        return key


def _scalar(event: _Event) -> Any:
    text: str = event.value
    tag = event.tag
    if tag is None and event.implicit[0]:
        return _plain(text, event)
    if tag in (None, "!", f"{_TAG}str"):
        return text
    for name, pattern in (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT)):
        if tag == _TAG + name and pattern.fullmatch(text):
            value = _plain(text, event)
            return float(value) if name == "float" else value
    raise _error(f"the tag {tag} is not known, or does not fit its value", event)


def _plain(text: str, event: _Event) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return _integer(text, event)
    if _FLOAT.fullmatch(text):
        return float(re.sub(r"_|\.(?=[in])", "", text.lower()))
    return text


def _integer(text: str, event: _Event) -> int:
    plain = text.replace("_", "")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(plain.lstrip("+-")[:2], 10)
    value = int(plain, base) if len(plain) <= 100 else _LARGEST + 1
    if abs(value) > _LARGEST:
        raise _error("a number out of range; if it is text, put it in quotes", event)
    return value


def _merge(value: Any, event: _Event) -> list[dict[str, Any]]:
    mappings = value if isinstance(value, list) else [value]
    if not all(isinstance(mapping, dict) for mapping in mappings):
        raise _error("expected a mapping, or a list of some, to merge", event)
    return mappings


def _total(count: int, event: _Event) -> int:
    if count > MAX_VALUES:
        raise _error(f"more than {MAX_VALUES} values", event)
    return count


def _check_tag(event: _Event, name: str) -> None:
    if event.tag not in (None, "!", _TAG + name):
        raise _error(f"the tag {event.tag} is not known, or does not fit its value", event)


def _error(reason: str, event: _Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=reason, problem_mark=event.start_mark)


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def choose_scalar_style(self) -> str:
        style: str = super().choose_scalar_style()
        return '"' if style == "'" else style


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if _is_block(value) else '"' if _is_more_than_text(value) else None
    return dumper.represent_scalar(f"{_TAG}str", value, style=style)


def _is_block(value: str) -> bool:
    """Whether a text of several lines can be written as it is, line by line."""
    return "\n" in value and value[0] not in " \n" and not re.search(r"[\r\x85\u2028\u2029]", value)


def _is_more_than_text(value: str) -> bool:
    return value in _SHORT_WORDS or any(
        pattern.fullmatch(value) for pattern in (_NULL, _BOOL, _INT, _FLOAT)
    )


_Dumper.add_representer(str, _text)
