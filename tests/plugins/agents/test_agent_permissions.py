"""What permissions allow, and whether some allow no more than others."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_plugins.agents.permissions import Request, Run, allows, allows_tool, covers, holds_all

PATTERNS = st.text("ab.*?", max_size=7)
NAMES = st.text("ab.", max_size=7)
ACTIONS = ("read", "create", "update", "delete")


def resource(
    name: str = "ticket", *actions: str, scope: str = "global", **more: Any
) -> dict[str, Any]:
    return {
        "type": "resource",
        "resource": name,
        "actions": list(actions or ("*",)),
        "scope": scope,
        **more,
    }


def tool(name: str, scope: str = "global") -> dict[str, Any]:
    return {"type": "tool", "tool": name, "scope": scope}


def fits(pattern: str, name: str) -> bool:
    """The definition: a regular expression."""
    parts = [{"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern]
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


@given(PATTERNS, NAMES)
def test_stars_are_any_run_and_question_marks_one_character(pattern: str, name: str) -> None:
    assert covers(pattern, name) is fits(pattern, name)


@given(PATTERNS, PATTERNS, NAMES)
def test_a_pattern_that_covers_another_fits_whatever_that_one_fits(
    wide: str, narrow: str, name: str
) -> None:
    assert covers(narrow, narrow)
    assert not (covers(wide, narrow) and fits(narrow, name)) or fits(wide, name)


def test_hostile_patterns_are_matched_in_no_time() -> None:
    assert not covers("*a" * 100, "a" * 99 + "b" * 101)


@pytest.mark.parametrize(
    ("permission", "wanted", "expected"),
    [
        (resource("ticket", "update"), ("ticket", "update"), True),
        (resource("ticket", "update"), ("ticket", "create"), False),
        (resource("ticket", "*"), ("ticket", "delete"), True),
        (resource("ticket"), ("ticket.status", "update"), False),
        (resource("ticket*"), ("ticket.status", "update"), True),
        (resource("ticket.*"), ("ticket", "update"), False),
        (resource("*"), ("agent", "create"), True),
        (resource("Ticket"), ("ticket", "update"), False),
        (tool("*"), ("ticket", "update"), False),
    ],
)
def test_a_permission_covers_resources_and_actions(
    permission: Any, wanted: tuple[str, str], expected: bool
) -> None:
    request = Request(resource=wanted[0], action=wanted[1])

    assert allows([permission], request, Run()) is expected
    assert allows([resource("other"), permission], request, Run()) is expected


@pytest.mark.parametrize("scope", ["invocation", "project", "global"])
@pytest.mark.parametrize(
    ("project_id", "ticket_id", "narrowest"),
    [
        ("p", 1, "invocation"),
        ("p", 2, "project"),
        ("p", None, "project"),
        ("q", 3, "global"),
        (None, None, "global"),
    ],
)
def test_a_scope_reaches_so_far(
    scope: str, project_id: str | None, ticket_id: int | None, narrowest: str
) -> None:
    order = ["invocation", "project", "global"]
    request = Request(
        resource="comment", action="create", project_id=project_id, ticket_id=ticket_id
    )

    found = allows([resource("*", scope=scope)], request, Run(project_id="p", ticket_id=1))

    assert found is (order.index(scope) >= order.index(narrowest))


@pytest.mark.parametrize("scope", ["invocation", "project"])
def test_a_run_of_nowhere_has_neither_project_nor_ticket(scope: str) -> None:
    request = Request(resource="ticket", action="create")

    assert not allows([resource("*", scope=scope)], request, Run())


def test_tool_permissions_hold_where_the_run_is() -> None:
    permissions = [tool("Bash", "invocation"), tool("mcp__*", "project"), resource("Edit")]

    assert allows_tool(permissions, "Bash", None)
    assert not allows_tool(permissions, "bash", None)
    assert allows_tool(permissions, "mcp__x__y", "p")
    assert not allows_tool(permissions, "mcp__x__y", None)
    assert not allows_tool(permissions, "Edit", "p")


@pytest.mark.parametrize(
    ("held", "granted", "expected"),
    [
        ([], [], True),
        ([], [tool("Read")], False),
        ([resource("ticket*", "read")], [resource("ticket.*", "read")], True),
        ([resource("ticket.*", "read")], [resource("ticket*", "read")], False),
        ([resource("?")], [resource("*")], False),
        ([resource("a", "read", "update")], [resource("a", "update")], True),
        ([resource("a", "read"), resource("a", "update")], [resource("a", "read", "update")], True),
        ([resource("a", *ACTIONS)], [resource("a", "*")], False),
        ([resource("a", "*")], [resource("a", "*", "read")], True),
        ([resource("a", scope="project")], [resource("a", scope="global")], False),
        ([resource("a", scope="project")], [resource("a", scope="invocation")], True),
        ([resource("a", filter="mine")], [resource("a")], False),
        ([resource("a", filter="mine")], [resource("a", filter="mine")], True),
        ([resource("a")], [resource("a", filter="mine")], True),
        ([tool("mcp__*")], [tool("mcp__kombuse__*")], True),
        ([tool("Bash")], [resource("Bash")], False),
    ],
)
def test_only_what_is_held_can_be_granted(held: Any, granted: Any, expected: bool) -> None:
    assert holds_all(held, granted, in_own_project=True) is expected


@pytest.mark.parametrize("scope", ["invocation", "project"])
def test_permissions_of_one_project_are_not_granted_to_another(scope: str) -> None:
    narrow, everywhere = [resource("a", scope=scope)], [resource("a")]

    assert not holds_all(narrow, narrow, in_own_project=False)
    assert holds_all(everywhere, narrow, in_own_project=False)


PERMISSIONS = st.lists(
    st.builds(
        lambda name, actions, scope: resource(name, *actions, scope=scope),
        st.text("a.*?", min_size=1, max_size=3),
        st.lists(st.sampled_from([*ACTIONS, "*"]), min_size=1, max_size=2),
        st.sampled_from(["invocation", "project", "global"]),
    ),
    max_size=3,
)
REQUESTS = st.builds(
    lambda name, action, project, ticket: Request(
        resource=name, action=action, project_id=project, ticket_id=ticket
    ),
    st.text("a.", min_size=1, max_size=3),
    st.sampled_from(ACTIONS),
    st.sampled_from(["p", "q", None]),
    st.sampled_from([1, 2, None]),
)


@given(PERMISSIONS, PERMISSIONS, REQUESTS)
def test_whoever_is_granted_what_is_held_may_do_no_more(
    held: Any, granted: Any, request_: Request
) -> None:
    run = Run(project_id="p", ticket_id=1)

    is_growth = allows(granted, request_, run) and not allows(held, request_, run)

    assert not (is_growth and holds_all(held, granted, in_own_project=True))
