"""Wire shapes of profiles."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from kombuse_sdk.schemas import (
    Body,
    Id,
    Limit,
    NonEmpty,
    Offset,
    Query,
    QueryBool,
    Text,
    issue_error,
)

__all__ = ["ProfileCreate", "ProfileFilter", "ProfileUpdate"]

# The pattern of https://html.spec.whatwg.org/#valid-e-mail-address
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise issue_error("invalid_format", "Invalid email address")
    return value


Email = Annotated[Text, AfterValidator(_email)]
ProfileType = Literal["user", "agent"]


class ProfileCreate(Body):
    type: ProfileType
    name: NonEmpty
    id: Id = ""
    email: Email | None = None
    description: Text | None = None
    avatar_url: Text | None = None
    external_source: Text | None = None
    external_id: Text | None = None


class ProfileUpdate(Body):
    name: NonEmpty = ""
    email: Email | None = None
    description: Text | None = None
    avatar_url: Text | None = None
    is_active: bool = True


class ProfileFilter(Query):
    joined_kind: ClassVar[str] = "profile"

    type: ProfileType | None = None
    is_active: QueryBool | None = None
    search: str | None = None
    limit: Limit = 50
    offset: Offset = 0
