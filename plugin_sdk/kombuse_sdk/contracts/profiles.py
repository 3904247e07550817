"""People and agents as actors."""

from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import Field

from kombuse_sdk.events import ActorType
from kombuse_sdk.schemas import Output
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

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
    def get(self, tx: ReadTx, profile_id: str) -> JsonText:
        """The profile as the API answers it; NotFound."""
        ...

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
        """By id, of each of these profiles that exists: id, type, name, slug, description,
        avatar_url and is_active (0 or 1)."""
        ...

    def find_by_name(self, tx: ReadTx, name: str) -> str | None:
        """The id of the active profile of exactly this name, if there is exactly one."""
        ...

    def find_by_slug(self, tx: ReadTx, slug: str) -> str | None:
        """The id of the active profile with this slug; one that no package brought comes first."""
        ...

    def save_agent(
        self,
        tx: WriteTx,
        profile_id: str,
        *,
        name: str,
        description: str | None,
        plugin_id: str | None = None,
    ) -> None:
        """Create the profile of an agent, or bring the one that is there up to date and active.

        Raises Conflict when it belongs to a person.
        """
        ...

    def deactivate(self, tx: WriteTx, profile_id: str) -> None:
        """What the profile wrote stays, and so does its name on it. NotFound when there is none."""
        ...
