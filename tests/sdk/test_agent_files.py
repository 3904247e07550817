"""Agent files: what is read from them, what is refused, and that writing loses nothing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_sdk.agent_files import (
    AgentFile,
    parse_agent_file,
    read_agent_files,
    render_agent_file,
)
from kombuse_sdk.errors import BadRequest

SAMPLES = Path(__file__).parents[1] / "data" / "packages"


def sample(name: str) -> AgentFile:
    path = SAMPLES / name
    return parse_agent_file(f"agents/{path.name}", path.read_text(encoding="utf-8"))


def agent(front_matter: str, prompt: str = "Go.") -> AgentFile:
    return parse_agent_file("agents/x.md", f"---\n{front_matter}\n---\n\n{prompt}\n")


def refusal(text: str) -> str:
    with pytest.raises(BadRequest) as refused:
        parse_agent_file("agents/x.md", text)
    prefix = "Invalid agent file agents/x.md: "
    assert refused.value.message.startswith(prefix)
    return refused.value.message.removeprefix(prefix)


def test_the_first_sample_has_all_keys() -> None:
    triager = sample("02-triage-kit/agents/triager.md")

    assert (triager.name, triager.slug, triager.avatar) == ("Triager", "triager", "search")
    assert triager.state() == {
        "system_prompt": triager.system_prompt,
        "permissions": [
            {
                "type": "resource",
                "resource": "ticket",
                "actions": ["read", "update"],
                "scope": "project",
            },
            {"type": "tool", "tool": "search_tickets", "scope": "global"},
        ],
        "config": {
            "max_chain_depth": 3,
            "temperature": 0.2,
            "type": "kombuse",
            "enabled_for_chat": True,
        },
        "is_enabled": True,
    }
    assert triager.system_prompt.startswith("You sort tickets.")
    assert triager.system_prompt.endswith("Ticket: {{ ticket.title }}")
    first, second = triager.triggers
    assert (first.slug, first.event_type, first.priority) == ("on-needs-triage", "label.added", 10)
    assert second.conditions == {"mention_type": "profile", "mentioned_profile_id": "$SELF"}


def test_the_other_samples_have_their_names_and_defaults() -> None:
    scribe, bare = sample("02-triage-kit/agents/scribe.md"), sample("04-yaml-forms/agents/bare.md")

    assert scribe.slug == "scribe"
    assert scribe.state()["config"] == {
        "type": "generic",
        "model": "scribe-model-1",
        "backend_type": "mock",
        "enabled_for_chat": False,
    }
    assert [trigger.is_enabled for trigger in scribe.triggers] == [True, False]
    assert bare.state() == {
        "system_prompt": "No blank line after the fence.",
        "permissions": [],
        "config": {"type": "kombuse", "enabled_for_chat": False},
        "is_enabled": True,
    }


def test_the_forms_of_yaml_are_read_as_they_are_meant() -> None:
    block = sample("04-yaml-forms/agents/block-style.md")

    assert (block.name, block.description) == ("Block: Style", "A folded description\n")
    assert block.is_enabled, "yes is a word"
    assert block.triggers[0].conditions == {"label_name": 'Gr\u00f6\u00dfe: "XL"'}
    assert "\n---\n" in block.system_prompt


def test_only_markdown_files_at_the_top_are_agents() -> None:
    file = b"---\nname: X\n---\nGo.\n"
    names = ("agents/b.md", "agents/a.md", "agents/README.txt", "agents/deep/c.md", "x/agents/d.md")

    assert list(read_agent_files(dict.fromkeys(names, file))) == ["agents/a.md", "agents/b.md"]


def test_two_agents_of_one_slug_are_refused() -> None:
    files = {
        "agents/a.md": b"---\nname: A\nslug: b\n---\nGo.\n",
        "agents/b.md": b"---\nname: B\n---\nGo.\n",
    }

    with pytest.raises(BadRequest, match=r"^Invalid agent file agents/b\.md: agents/a\.md has"):
        read_agent_files(files)


def test_a_file_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"^Invalid agent file agents/a\.md: it is no UTF-8 text"):
        read_agent_files({"agents/a.md": b"---\nname: \xff\n---\nGo.\n"})


@pytest.mark.parametrize(
    "text",
    [
        *("", "Go.", "---\nname: X\n", "---\nname: X\n---", "---\r\nname: X\r\n---\r\nGo.\r\n"),
        *("\ufeff---\nname: X\n---\nGo.\n", " ---\nname: X\n---\nGo.", "---\n---\nGo.\n"),
        "--- \nname: X\n---\nGo.\n",
    ],
)
def test_a_file_needs_front_matter(text: str) -> None:
    assert refusal(text) == "Invalid agent markdown: missing YAML frontmatter"


@pytest.mark.parametrize("matter", ["", "# nothing", "null", "[a]", "word"])
def test_front_matter_is_a_mapping(matter: str) -> None:
    assert refusal(f"---\n{matter}\n---\nGo.\n") == "the YAML frontmatter is no mapping"


def test_the_front_matter_ends_at_the_first_fence() -> None:
    found = parse_agent_file("agents/x.md", "---\nname: X\n---\nGo.\n---\nname: Y\n---\n")

    assert found.system_prompt == "Go.\n---\nname: Y\n---"


@pytest.mark.parametrize(
    ("tail", "prompt"),
    [("Go.", "Go."), ("Go.\n", "Go."), ("\nGo.\n\n", "Go.\n"), ("\n\n Go.\r\n", "\n Go.\r")],
)
def test_one_line_feed_before_and_after_is_no_part_of_the_prompt(tail: str, prompt: str) -> None:
    assert parse_agent_file("agents/x.md", f"---\nname: X\n---\n{tail}").system_prompt == prompt


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("---\nname: X\nslug: [\n---\nGo.\n", "did not find expected node content (line 4, column"),
        ("---\nname: X\nname: Y\n---\nGo.\n", "the key 'name' is there twice (line 3, column 1)"),
        ("---\nslug: x\n---\nGo.\n", "name: Required"),
        ("---\nname: X\n---\n", "system_prompt: "),
        ("---\nname: X\n---\n\n\n", "system_prompt: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, reason: str) -> None:
    assert refusal(text).startswith(reason)


@pytest.mark.parametrize(
    ("matter", "place"),
    [
        ("name: 15.0", "name"),
        ("name: true", "name"),
        ('name: ""', "name"),
        ("name: X\nslug: ../../x", "slug"),
        ("name: X\nslug: 5", "slug"),
        ("name: X\nslug: A B", "slug"),
        ("name: X\ndescription: 1", "description"),
        ("name: X\navatar: false", "avatar"),
        ("name: X\ntype: 5", "type"),
        ("name: X\nmodel: 4", "model"),
        ("name: X\nbackend_type: 1", "backend_type"),
        ("name: X\nenabled_for_chat: yes", "enabled_for_chat"),
        ("name: X\nconfig: [1]", "config"),
        ("name: X\nconfig: {temperature: 7}", "config.temperature"),
        ("name: X\nconfig: {x: .nan}", "config"),
        ("name: X\npermissions: {}", "permissions"),
        ("name: X\npermissions: [{type: tool}]", "permissions.0.tool.tool"),
        ("name: X\npermissions: [{type: all}]", "permissions.0"),
        ("name: X\ntriggers: {}", "triggers"),
        ("name: X\ntriggers: [{}]", "triggers.0.event_type"),
        ("name: X\ntriggers: [{event_type: a, conditions: [1]}]", "triggers.0.conditions"),
        ("name: X\ntriggers: [{event_type: a, slug: A}]", "triggers.0.slug"),
        ("name: X\ntriggers: [{event_type: a, priority: -1}]", "triggers.0.priority"),
        (
            "name: X\ntriggers: [{event_type: a, allowed_invokers: [{type: x}]}]",
            "triggers.0.allowed_invokers.0",
        ),
    ],
)
def test_a_wrong_field_is_named(matter: str, place: str) -> None:
    assert refusal(f"---\n{matter}\n---\nGo.\n").startswith(f"{place}: ")


def test_null_and_absent_are_the_same() -> None:
    keys = ("slug", "description", "avatar", "type", "model", "backend_type", "enabled_for_chat")
    more = ("permissions", "triggers", "config")
    nulls = "\n".join(f"{key}: null" for key in (*keys, *more))

    assert agent(f"name: X\n{nulls}").state() == agent("name: X").state()


def test_the_keys_beside_the_configuration_win_over_those_in_it() -> None:
    found = agent(
        "name: X\ntype: coder\nmodel: null\nconfig:\n"
        "  {type: generic, model: a, backend_type: mock, enabled_for_chat: true, mine: [1]}"
    )

    assert found.state()["config"] == {"type": "coder", "enabled_for_chat": False, "mine": [1]}


@pytest.mark.parametrize("value", ["no", "off", "0", "null", "'false'", "true", "[]"])
def test_only_the_boolean_false_disables(value: str) -> None:
    assert agent(f"name: X\nis_enabled: {value}").is_enabled
    assert not agent("name: X\nis_enabled: False").is_enabled


def test_invokers_are_named_by_slug() -> None:
    found = agent(
        "name: X\ntriggers:\n  - event_type: a\n    allowed_invokers:\n"
        "      - {type: agent, agent_slug: other}\n      - {type: agent, agent_id: $SELF}\n"
        "      - {type: any}\n"
    )

    (trigger,) = found.triggers
    assert trigger.model_dump(exclude_unset=True)["allowed_invokers"] == [
        {"type": "agent", "agent_slug": "other"},
        {"type": "agent", "agent_id": "$SELF"},
        {"type": "any"},
    ]


def test_keys_are_written_in_their_order_and_no_others() -> None:
    matter = {"config": {}, "triggers": [], "name": "X", "secret": 1, "slug": None}

    assert render_agent_file(matter, "Go.") == (
        "---\nname: X\nslug: null\ntriggers: []\nconfig: {}\n---\n\nGo.\n"
    )


TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)


@given(
    name=TEXT.filter(bool),
    description=TEXT | st.none(),
    prompt=TEXT.filter(bool),
    config=st.dictionaries(TEXT, TEXT | st.integers(-9, 9) | st.none() | st.booleans(), max_size=3),
    enabled=st.booleans(),
)
def test_what_was_written_is_read_again(
    name: str, description: str | None, prompt: str, config: dict[str, Any], enabled: bool
) -> None:
    matter = {"name": name, "description": description, "is_enabled": enabled, "config": config}

    found = parse_agent_file("agents/x.md", render_agent_file(matter, prompt))

    assert (found.name, found.description) == (name, description)
    assert (found.system_prompt, found.is_enabled) == (prompt, enabled)
    assert found.state()["config"] == {"type": "kombuse", "enabled_for_chat": False} | config


@given(st.text(alphabet="ab: -[]{}\n\"'&*", max_size=80))
def test_any_front_matter_is_read_or_refused_as_a_bad_request(matter: str) -> None:
    try:
        found = parse_agent_file("agents/x.md", f"---\nname: N\n{matter}\n---\nGo.\n")
    except BadRequest as error:
        assert error.message.startswith("Invalid agent file agents/x.md: ")
    else:
        assert found.name.startswith("N")
