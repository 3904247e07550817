"""What agents of a type do without asking."""

import json
from typing import Any

import pytest

from kombuse_plugins.agents.presets import preset_json, resolve, resolved_type


@pytest.mark.parametrize(
    ("config", "kind", "tools", "commands", "mode"),
    [
        ({}, "kombuse", 30, 13, None),
        ({"type": "kombuse"}, "kombuse", 30, 13, None),
        ({"type": "coder"}, "coder", 27, 5, "plan"),
        ({"type": "generic"}, "generic", 3, 0, None),
        ({"type": "toString"}, "toString", 30, 13, None),
        ({"type": ["coder"]}, "kombuse", 30, 13, None),
        ({"type": None}, "kombuse", 30, 13, None),
    ],
)
def test_a_type_has_its_lists(
    config: Any, kind: str, tools: int, commands: int, mode: str | None
) -> None:
    preset = resolve(config)

    assert (preset.type, preset.permission_mode) == (kind, mode)
    assert len(preset.auto_approved_tools) == tools == len(set(preset.auto_approved_tools))
    assert len(preset.auto_approved_bash_commands) == commands
    assert resolved_type(config) == kind


def test_overrides_are_added_once_and_in_order() -> None:
    preset = resolve(
        {
            "type": "generic",
            "auto_approved_tools_override": ["Edit", "Grep", "Edit"],
            "auto_approved_bash_commands_override": ["make", "ls"],
        }
    )

    assert preset.auto_approved_tools == ("Grep", "Glob", "Read", "Edit")
    assert preset.auto_approved_bash_commands == ("make", "ls")


def test_the_commands_of_the_type_can_be_dropped() -> None:
    config = {
        "type": "coder",
        "clear_base_bash_commands": True,
        "auto_approved_bash_commands_override": ["make"],
    }

    assert resolve(config).auto_approved_bash_commands == ("make",)


def test_the_api_has_its_own_names_for_the_lists() -> None:
    shown = json.loads(preset_json('{"type":"generic"}'))

    assert shown == {
        "type": "generic",
        "autoApprovedTools": ["Grep", "Glob", "Read"],
        "autoApprovedBashCommands": [],
    }
