"""Agents: who they are and what they may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["Agent", "Agents", "Preset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What an agent's type approves without asking, with the overrides of its config applied."""

    type: str
    auto_approved_tools: tuple[str, ...]
    auto_approved_bash_commands: tuple[str, ...]
    permission_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """`package_id` is the plugin whose files its prompt may include: its own, or one that is gone
    and left the agent behind."""

    id: str
    name: str
    slug: str | None
    system_prompt: str
    config: Mapping[str, Any]
    permissions: tuple[Mapping[str, Any], ...]
    is_enabled: bool
    project_id: str | None
    plugin_id: str | None
    package_id: str | None
    preset: Preset


class Agents(Protocol):
    def get(self, tx: ReadTx, agent_id: str) -> Agent | None: ...

    def types(self, tx: ReadTx, agent_ids: Sequence[str]) -> dict[str, str | None]:
        """The `type` of the configuration of each of these agents that exists."""
        ...

    def of_types(self, tx: ReadTx, types: Sequence[str]) -> list[str]:
        """The ids of the agents whose configuration has one of these types."""
        ...

    def may_invoke_agents(self, tx: ReadTx, profile_id: str) -> bool:
        """False for an agent whose configuration forbids that its mentions start others."""
        ...

    def default_preset(self) -> Preset:
        """What is approved without asking in a session that has no agent."""
        ...

    def allows_tool(self, agent: Agent, tool: str, project_id: str | None) -> bool:
        """Whether a permission of the type `tool` covers a tool of a run in this project."""
        ...

    def find_by_slug(self, tx: ReadTx, slug: str, project_id: str | None) -> str | None:
        """The id of the agent of this slug: of the project first, then a global one."""
        ...

    def approve_always(self, tx: WriteTx, agent_id: str, kind: str, value: str) -> None:
        """Add to the agent's own approved `tool`s or `bash` prefixes, atomically.

        NotFound when there is no such agent.
        """
        ...

    def has_orphans(self, tx: ReadTx, plugin_id: str) -> bool:
        """Whether agents are left of a plugin that is gone."""
        ...

    def listing(self, tx: ReadTx, project_id: str | None) -> list[dict[str, Any]]:
        """{id, name, description, slug} of the enabled agents of a project and global ones."""
        ...
