"""Agents as markdown files in packages: YAML front matter, then the prompt."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BeforeValidator, Field, StrictBool, ValidationError

from kombuse_sdk.agent_schemas import AgentConfig, Anybody, Permission, Person, System
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.failures import issues_of
from kombuse_sdk.front_matter import FrontMatterError, dump, load
from kombuse_sdk.schemas import Body, JsonObject, LooseInt, NonEmpty, Slug, Text

__all__ = [
    "DEFAULT_TYPE",
    "AgentFile",
    "OtherAgentInFile",
    "TriggerInFile",
    "parse_agent_file",
    "read_agent_files",
    "render_agent_file",
]

DEFAULT_TYPE = "kombuse"
_FILE = re.compile(r"---\n(.*?)\n---\n\n?(.*?)\n?", re.DOTALL)
_PATH = re.compile(r"agents/[^/]+\.md")
_OWN_KEYS = ("type", "model", "backend_type", "enabled_for_chat")
_ORDER = (
    *("name", "slug", "description", "avatar", "type", "model", "backend_type", "is_enabled"),
    *("enabled_for_chat", "permissions", "triggers", "config"),
)
_NullIsEmpty = BeforeValidator(lambda value: [] if value is None else value)


class OtherAgentInFile(Body):
    """Agents are named by their slugs, since their ids differ; `$SELF` is this one."""

    type: Literal["agent"]
    agent_id: NonEmpty | None = None
    agent_slug: Slug | None = None
    agent_type: NonEmpty | None = None


_Invoker = Annotated[Anybody | Person | System | OtherAgentInFile, Field(discriminator="type")]


class TriggerInFile(Body):
    """When the agent starts. Only `is_enabled: false` disables; `project_id` is never used."""

    event_type: NonEmpty
    slug: Slug | None = None
    project_id: Any = None
    conditions: JsonObject | None = None
    is_enabled: Any = True
    priority: Annotated[LooseInt, Field(ge=0)] | None = None
    allowed_invokers: list[_Invoker] | None = None


class AgentFile(Body):
    """One agent, checked as a request to create it would be.

    `config` is whole: it has the keys that the file keeps beside it. A file without a slug has its
    own name for one.
    """

    name: NonEmpty
    slug: Slug
    description: Text | None = None
    avatar: Text | None = None
    is_enabled: Annotated[bool, BeforeValidator(lambda value: value is not False)] = True
    permissions: Annotated[list[Permission], _NullIsEmpty] = Field(default=[])
    triggers: Annotated[list[TriggerInFile], _NullIsEmpty] = Field(default=[])
    config: AgentConfig
    system_prompt: NonEmpty

    def state(self) -> dict[str, Any]:
        """What an agent's `plugin_base` remembers, as JSON values."""
        given = self.model_dump(include={"permissions", "config"}, exclude_unset=True)
        return {
            "system_prompt": self.system_prompt,
            "permissions": given.get("permissions", []),
            "config": given["config"],
            "is_enabled": self.is_enabled,
        }


class _ConfigKeys(Body):
    """The keys of the configuration that stand beside `config`; those in it do not count."""

    type: NonEmpty | None = None
    model: Text | None = None
    backend_type: NonEmpty | None = None
    enabled_for_chat: StrictBool | None = None
    config: dict[str, Any] | None = None

    def whole(self) -> dict[str, Any]:
        rest = {key: value for key, value in (self.config or {}).items() if key not in _OWN_KEYS}
        chosen = {
            "type": self.type or DEFAULT_TYPE,
            "model": self.model,
            "backend_type": self.backend_type,
            "enabled_for_chat": self.enabled_for_chat or False,
        }
        return rest | {key: value for key, value in chosen.items() if value is not None}


def parse_agent_file(path: str, text: str) -> AgentFile:
    """The agent in `agents/<file>.md`; BadRequest names the path and what is wrong with it."""
    match = _FILE.fullmatch(text)
    if match is None:
        _refuse(path, "Invalid agent markdown: missing YAML frontmatter")
    try:
        matter = load(match[1], first_line=2)
    except FrontMatterError as error:
        _refuse(path, str(error))
    if not isinstance(matter, dict):
        _refuse(path, "the YAML frontmatter is no mapping")
    if matter.get("slug") is None:
        matter["slug"] = path.rpartition("/")[2].removesuffix(".md")
    try:
        whole = {"config": _ConfigKeys.model_validate(matter).whole(), "system_prompt": match[2]}
        return AgentFile.model_validate(matter | whole)
    except ValidationError as error:
        first = issues_of(error)[0]
        _refuse(path, f"{'.'.join(map(str, first['path']))}: {first['message']}")


def read_agent_files(files: Mapping[str, bytes]) -> dict[str, AgentFile]:
    """The agents of a package by their paths: `agents/*.md`, not deeper, in byte order.

    BadRequest for the first that is wrong, or has the slug of another.
    """
    agents: dict[str, AgentFile] = {}
    paths: dict[str, str] = {}
    for path in sorted(filter(_PATH.fullmatch, files), key=str.encode):
        try:
            agent = parse_agent_file(path, files[path].decode())
        except UnicodeDecodeError:
            _refuse(path, "it is no UTF-8 text")
        other = paths.setdefault(agent.slug, path)
        if other != path:
            _refuse(path, f"{other} has the slug {agent.slug} as well")
        agents[path] = agent
    return agents


def render_agent_file(front_matter: Mapping[str, Any], system_prompt: str) -> str:
    """The file of an agent, its keys in their order; keys that files do not have are left out."""
    ordered = {key: front_matter[key] for key in _ORDER if key in front_matter}
    return f"---\n{dump(ordered)}---\n\n{system_prompt}\n"


def _refuse(path: str, reason: str) -> NoReturn:
    raise BadRequest(f"Invalid agent file {path}: {reason}") from None
