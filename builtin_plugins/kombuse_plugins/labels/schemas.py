"""Wire shapes of labels."""

from typing import Annotated, Literal

from pydantic import Field

from kombuse_sdk.contracts.labels import Label
from kombuse_sdk.schemas import ABSENT, Body, NonEmpty, Output, Query, QueryBool, Text

__all__ = [
    "Attached",
    "LabelAdd",
    "LabelCreate",
    "LabelFilter",
    "LabelRemove",
    "LabelUpdate",
    "ListedLabel",
    "PackagedLabel",
]


Color = Annotated[str, Field(strict=True, pattern="^#[0-9a-fA-F]{6}$")]
Flag = Annotated[bool, Field(strict=True)]


class ListedLabel(Label):
    usage_count: int = Field(ABSENT, description="Tickets that carry it; only with sort=usage")


class LabelCreate(Body):
    name: NonEmpty
    color: Color = "#808080"
    description: Text = ABSENT


class LabelUpdate(Body):
    name: NonEmpty = ABSENT
    color: Color = ABSENT
    description: Text = ABSENT
    is_enabled: Flag = ABSENT


class PackagedLabel(Body):
    """A label in plugin.json. What is absent or null stays as it is in a label that is there."""

    name: NonEmpty
    color: Color | None = None
    description: Text | None = None

    def look(self) -> dict[str, str]:
        """The columns that the package decides."""
        given = {"color": self.color, "description": self.description}
        return {name: value for name, value in given.items() if value is not None}


class LabelFilter(Query):
    search: str | None = None
    sort: Literal["name", "usage"] = "name"
    usage_scope: Literal["open"] | None = Field(
        default=None, description="With sort=usage: count only tickets whose status is open"
    )
    is_enabled: QueryBool = Field(default=True, description="false: only the disabled ones")


class LabelAdd(Body):
    added_by_id: NonEmpty = ABSENT


class LabelRemove(Body):
    removed_by_id: NonEmpty = ABSENT


class Attached(Output):
    success: Literal[True]
