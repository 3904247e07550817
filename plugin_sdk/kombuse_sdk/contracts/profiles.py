"""People and agents as actors."""

from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import Field

from kombuse_sdk.events import ActorType
from kombuse_sdk.schemas import Output
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["ANONYMOUS_AGENT", "LOCAL_USER", "Profile", "Profiles"]

LOCAL_USER = "user-1"
ANONYMOUS_AGENT = "anonymous-agent"


class Profile(Output):
    """A person or an agent."""

    id: str
    type: Literal["user", "agent"]
    name: str
    slug: str | None
    email: str | None
    description: str | None
    avatar_url: str | None = Field(description="A URL or the name of an icon")
    external_source: str | None
    external_id: str | None
    plugin_id: str | None
    is_active: bool
    created_at: str
    updated_at: str


class Profiles(Protocol):
    def require(self, tx: ReadTx, profile_id: str, field: str) -> ActorType:
        """The actor type of a profile (`user` or `agent`), active or not.

        Raises Unprocessable, naming the body's `field`, when there is none.
        """
        ...

    def actor_type(self, tx: ReadTx, profile_id: str | None) -> ActorType | None:
        """`user` or `agent`; None for None or an unknown profile."""
        ...

    def name(self, tx: ReadTx, profile_id: str) -> str | None:
        """The name of a profile, active or not; None when there is none."""
        ...

    def rows(self, tx: ReadTx, profile_ids: Sequence[str]) -> dict[str, Row]:
        """By id: id, type, name and description of each of these profiles that exists."""
        ...

    def find_by_name(self, tx: ReadTx, name: str) -> str | None:
        """The id of the active profile of exactly this name, if there is exactly one."""
        ...

    def find_by_slug(self, tx: ReadTx, slug: str) -> str | None:
        """The id of the active profile with this slug; one that no package brought comes first."""
        ...
