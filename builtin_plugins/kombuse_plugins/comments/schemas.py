"""Wire shapes of comments and mentions."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WrapValidator

from kombuse_sdk.schemas import (
    ABSENT,
    Body,
    Limit,
    LooseInt,
    NonEmpty,
    Offset,
    Output,
    Query,
    QueryInt,
    Text,
)

__all__ = [
    "TOP_LEVEL",
    "CommentCreate",
    "CommentFilter",
    "CommentUpdate",
    "Mention",
]

# What `parent_id=null` of a query becomes; no comment has this id.
TOP_LEVEL = 0


def _parent(value: Any, validate: Callable[[Any], int]) -> int:
    return TOP_LEVEL if value == "null" else validate(value)


Parent = Annotated[Annotated[QueryInt, Field(gt=0)], WrapValidator(_parent)]


class Mention(Output):
    """A profile or a ticket that a comment refers to."""

    id: int
    comment_id: int
    mention_type: Literal["profile", "ticket"]
    mentioned_profile_id: str | None
    mentioned_ticket_id: int | None
    mention_text: str
    created_at: str


class CommentCreate(Body):
    author_id: NonEmpty
    body: NonEmpty
    parent_id: Annotated[LooseInt, Field(gt=0)] = ABSENT
    kombuse_session_id: Text = ABSENT
    external_source: Text = ABSENT
    external_id: Text = ABSENT


class CommentUpdate(Body):
    body: NonEmpty = ABSENT


class CommentFilter(Query):
    joined_kind: ClassVar[str] = "comment"

    author_id: str | None = None
    parent_id: Parent | None = Field(
        default=None, description="Replies to this comment; `null`: comments that are no replies"
    )
    limit: Limit = 50
    offset: Offset = 0
