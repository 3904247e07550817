"""Presets that packages bring: `files/presets/<type>.json` is for their agents of that type."""

from kombuse_registry.errors import InvalidPackage
from kombuse_registry.presets import parse_preset, preset_type
from kombuse_sdk.contracts.agents import Preset

__all__ = ["check", "parse", "path_of"]


def path_of(agent_type: str) -> str:
    return f"presets/{agent_type}.json"


def check(path: str, text: str) -> None:
    """BadRequest for a file in the place of a preset that is none."""
    if preset_type(path) is not None:
        parse_preset(path, text)


def parse(agent_type: str, text: str) -> Preset | None:
    """None for a text that is no preset."""
    try:
        file = parse_preset(path_of(agent_type), text)
    except InvalidPackage:
        return None
    return Preset(
        type=agent_type,
        auto_approved_tools=tuple(file.tools),
        auto_approved_bash_commands=tuple(file.bash_commands),
        permission_mode=file.permission_mode,
    )
