"""What an agent wants, in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_plugins.permissions.description import describe


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("Bash", {"command": "git push origin main"}, "Push to a remote main"),
        ("Bash", {"command": "cd x && npm install left-pad"}, "Install packages left-pad"),
        ("Bash", {"command": "rm -rf /tmp/build"}, "Delete build"),
        ("Bash", {"command": "ls"}, "List"),
        ("Bash", {"command": "curl -s https://example.com/x"}, "Fetch example.com"),
        ("Bash", {"command": "frobnicate -x some/where"}, "frobnicate where"),
        ("Bash", {"command": "/usr/bin/make all"}, "Make all"),
        (
            "Bash",
            {"command": "git status && rm x"},
            "Show the state of the work tree (+1 more command)",
        ),
        ("Bash", {"command": "ls; ls; ls"}, "List (+2 more commands)"),
        ("Bash", {"command": "cat $(rm x)"}, "Run cat $(rm x)"),
        ("Bash", {"command": "for x in a b c d e; do rm $x; done"}, "Run for x in a b c d e; ..."),
        ("Bash", {"command": "cd x"}, "Change the folder"),
        ("Bash", {"command": ""}, "Run a command"),
        ("Bash", {"command": "$("}, "Run $("),
        ("Bash", {}, "Bash"),
        ("AskUserQuestion", {"questions": [{"question": "Which?"}]}, "Which?"),
        (
            "AskUserQuestion",
            {"questions": [{"question": "Which\none?"}, {"question": "b"}, {"question": "c"}]},
            "Which one? (+2 more)",
        ),
        ("AskUserQuestion", {"questions": [{"question": "x" * 200}]}, "x" * 117 + "..."),
        ("AskUserQuestion", {"questions": "x"}, "Ask a question"),
        ("ExitPlanMode", {"plan": "x"}, "Approve the plan"),
        ("ExitPlanMode", {"allowedPrompts": [1]}, "Approve the plan, with 1 requested tool"),
        ("ExitPlanMode", {"allowedPrompts": [1, 2]}, "Approve the plan, with 2 requested tools"),
        ("Edit", {"file_path": "/a/b/c.py"}, "Edit a file: b/c.py"),
        ("Edit", {"file_path": "c.py"}, "Edit a file: c.py"),
        ("Grep", {"pattern": "a b"}, 'Search in files: "a b"'),
        (
            "WebFetch",
            {"url": "https://user:secret@example.com:8080/x?y"},
            "Fetch a page: example.com",
        ),
        ("WebFetch", {"url": "http://[bad"}, "Fetch a page"),
        ("mcp__kombuse__add_comment", {"ticket_number": 7, "body": "x"}, "Add a comment: #7"),
        ("mcp__x__y", {"ticket_id": 7, "pattern": "p"}, 'mcp__x__y: #7, "p"'),
        ("mcp__x__y", {"ticket_number": True}, "mcp__x__y"),
        ("", {}, "Use a tool"),
    ],
)
def test_a_request_in_words(tool: str, arguments: dict[str, Any], text: str) -> None:
    assert describe(tool, arguments) == text


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()))
KEYS = ("command", "questions", "allowedPrompts", "ticket_number", "file_path", "pattern", "url")


@given(
    st.one_of(st.sampled_from(["Bash", "AskUserQuestion", "ExitPlanMode", "Edit"]), st.text()),
    st.dictionaries(st.sampled_from(KEYS), VALUES),
)
def test_every_description_is_one_short_line(tool: str, arguments: dict[str, Any]) -> None:
    text = describe(tool, arguments)

    assert 0 < len(text) <= 300
    assert text.isprintable()
