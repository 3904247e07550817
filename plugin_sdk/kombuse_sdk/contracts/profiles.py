"""People and agents as actors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict

from pydantic import Field

from kombuse_sdk.events import ActorType
from kombuse_sdk.schemas import Output
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "ANONYMOUS_AGENT",
    "EXTERNAL",
    "LOCAL_USER",
    "Author",
    "PackageOrigin",
    "Profile",
    "Profiles",
    "marked",
]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageOrigin:
    """The package that an agent comes from: the installed plugin, its name and its project."""

    plugin_id: str
    plugin_name: str
    project_id: str


class Author(TypedDict):
    """What texts are marked with where agents read them.

    `external` is who was imported from elsewhere. Neither those nor clients that do not say who
    they are can be trusted to mean well.
    """

    author_kind: Literal["user", "agent", "external"]
    author_trusted: bool


EXTERNAL: Author = {"author_kind": "external", "author_trusted": False}


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

    def authors(self, tx: ReadTx, profile_ids: Sequence[str]) -> "dict[str, Author]":
        """Who they are for agents that read what they wrote; one that is gone is external."""
        ...

    def name(self, tx: ReadTx, profile_id: str) -> str | None:
        """The name of a profile, active or not; None when there is none."""
        ...

    def rows(self, tx: ReadTx, profile_ids: Sequence[str]) -> dict[str, Row]:
        """By id, of each of these profiles that exists: id, type, name, slug, description,
        avatar_url and is_active (0 or 1)."""
        ...

    def find_by_name(self, tx: ReadTx, name: str, project_id: str | None = None) -> str | None:
        """The id of the active profile of exactly this name, if there is exactly one.

        With a project, profiles that packages brought to others do not count.
        """
        ...

    def find_by_slug(self, tx: ReadTx, slug: str, project_id: str | None = None) -> str | None:
        """The id of the active profile with this slug; one that no package brought comes first.

        With a project, profiles that packages brought to others do not count.
        """
        ...

    def save_agent(
        self,
        tx: WriteTx,
        profile_id: str,
        *,
        name: str,
        description: str | None,
        slug: str | None = None,
        avatar_url: str | None = None,
        origin: PackageOrigin | None = None,
    ) -> None:
        """Create the profile of an agent, or bring the one that is there up to date and active.

        What is None stays as it is; without an origin the profile belongs to no package.
        Raises Conflict when it belongs to a person.
        """
        ...

    def give_back(
        self,
        tx: WriteTx,
        profile_id: str,
        *,
        name: str,
        description: str | None,
        slug: str | None,
        avatar_url: str | None,
    ) -> None:
        """Make a profile what it was before its agent came to a package."""
        ...

    def of_package(self, tx: ReadTx, project_id: str, plugin_name: str) -> dict[str, str]:
        """By slug, the profiles whose last agent came from this package in this project."""
        ...

    def release(self, tx: WriteTx, plugin_id: str) -> None:
        """The package goes: its profiles belong to none, but it is known whose they were."""
        ...

    def deactivate(self, tx: WriteTx, profile_id: str) -> None:
        """What the profile wrote stays, and so does its name on it. NotFound when there is none."""
        ...


def marked(
    tx: ReadTx, texts: Iterable[dict[str, Any]], rows: Sequence[Row] | None = None
) -> list[dict[str, Any]]:
    """What agents are given to read, each with its `Author`.

    `rows` say `author_id` and `external_source` of each, where the texts do not. A text from
    elsewhere is external whoever brought it.
    """
    given = list(texts)
    sources: Sequence[Any] = given if rows is None else rows
    authors = tx.services.get(Profiles).authors(tx, [source["author_id"] for source in sources])
    return [
        text | (EXTERNAL if source["external_source"] else authors[source["author_id"]])
        for text, source in zip(given, sources, strict=True)
    ]
