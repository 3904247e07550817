"""Presets in packages: what agents of a type may do without asking."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from kombuse_registry.errors import InvalidPackage
from kombuse_sdk.failures import issues_of
from kombuse_sdk.schemas import NonEmpty

__all__ = ["PresetFile", "parse_preset", "preset_type"]

_PATH = re.compile(r"presets/([^/]+)\.json")


class PresetFile(BaseModel):
    """A package cannot ask to skip all questions: the mode for that is not among these."""

    tools: list[NonEmpty] = Field(alias="autoApprovedTools")
    bash_commands: list[NonEmpty] = Field(alias="autoApprovedBashCommands")
    permission_mode: Annotated[
        Literal["default", "plan", "acceptEdits"] | None, Field(alias="permissionMode")
    ] = None


def preset_type(path: str) -> str | None:
    """The type of agents of a preset, by its path below `files/`; None for other files."""
    match = _PATH.fullmatch(path)
    return match[1] if match else None


def parse_preset(path: str, text: str | bytes) -> PresetFile:
    """InvalidPackage, naming the file and what is wrong with it."""
    try:
        return PresetFile.model_validate_json(text)
    except ValidationError as error:
        issues = issues_of(error)
        where = ".".join(map(str, issues[0]["path"]))
        reason = f"{where}: {issues[0]['message']}" if where else issues[0]["message"]
        raise InvalidPackage(f"Invalid preset files/{path}: {reason}", issues) from None
