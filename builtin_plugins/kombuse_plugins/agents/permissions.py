"""What the permissions of an agent allow: pure rules over their JSON form.

A resource permission covers actions on resources, a tool permission the use of tools. Names may
hold `*` (any run of characters) and `?` (one character). A scope says where it holds: `global`
everywhere, `project` in the project of the run, `invocation` on the run's ticket, its comments and
its labels, and nowhere else. The first permission that fits allows; without one it is denied.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Request", "Run", "allows", "allows_tool", "covers", "holds_all"]

Permission = Mapping[str, Any]
_RANKS = {"invocation": 0, "project": 1, "global": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where an agent works."""

    project_id: str | None = None
    ticket_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An action on a resource, and the project and the ticket that it belongs to."""

    resource: str
    action: str
    project_id: str | None = None
    ticket_id: int | None = None


def allows(permissions: Iterable[Permission], request: Request, run: Run) -> bool:
    return any(
        permission["type"] == "resource"
        and covers(permission["resource"], request.resource)
        and not {"*", request.action}.isdisjoint(permission["actions"])
        and _is_in_scope(permission["scope"], request, run)
        for permission in permissions
    )


def allows_tool(permissions: Iterable[Permission], tool: str, project_id: str | None) -> bool:
    """Tools work where the run works, so any scope will do; that of a project wants one."""
    return any(
        permission["type"] == "tool"
        and covers(permission["tool"], tool)
        and (permission["scope"] != "project" or project_id is not None)
        for permission in permissions
    )


def covers(pattern: str, other: str) -> bool:
    """Whether the pattern fits the whole name, or whatever the pattern `other` would fit."""
    positions = _with_stars(pattern, {0})
    for token in other:
        positions = _with_stars(
            pattern, {next_ for at in positions for next_ in _steps(pattern, at, token)}
        )
    return len(pattern) in positions


def holds_all(
    held: Sequence[Permission], granted: Iterable[Permission], *, in_own_project: bool
) -> bool:
    """Whether everything that `granted` allows is allowed by `held` as well.

    Scopes are relative to where a run is: permissions that hold in a project or less are the same
    for another agent only if that works in the same project (`in_own_project`).
    """
    return all(
        any(_includes(own, part, in_own_project) for own in held)
        for permission in granted
        for part in _parts(permission)
    )


def _is_in_scope(scope: str, request: Request, run: Run) -> bool:
    if scope == "global":
        return True
    if scope == "project":
        return request.project_id is not None and request.project_id == run.project_id
    return request.ticket_id is not None and request.ticket_id == run.ticket_id


def _parts(permission: Permission) -> list[Permission]:
    """The permission for one action at a time: several may be held by different permissions."""
    if permission["type"] != "resource":
        return [permission]
    return [{**permission, "actions": [action]} for action in permission["actions"]]


def _includes(own: Permission, part: Permission, in_own_project: bool) -> bool:
    if own["type"] != part["type"] or _RANKS[own["scope"]] < _RANKS[part["scope"]]:
        return False
    if own["scope"] != "global" and not in_own_project:
        return False
    if own["type"] == "tool":
        return covers(own["tool"], part["tool"])
    return (
        covers(own["resource"], part["resource"])
        and not {"*", *part["actions"]}.isdisjoint(own["actions"])
        and own.get("filter") in (None, part.get("filter"))
    )


def _steps(pattern: str, at: int, token: str) -> set[int]:
    """Where `pattern` may be after a character, or a wildcard, of the other pattern."""
    if at == len(pattern):
        return set()
    if pattern[at] == "*":
        return {at}
    fits = token != "*" and pattern[at] in ("?", token)
    return {at + 1} if fits else set()


def _with_stars(pattern: str, positions: set[int]) -> set[int]:
    """A star may stand for nothing."""
    found = set(positions)
    for at in positions:
        while at < len(pattern) and pattern[at] == "*":
            at += 1
            found.add(at)
    return found
