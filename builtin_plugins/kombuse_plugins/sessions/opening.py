"""Opening a backend for a turn: where it works, what it is told, what it may be."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombuse_plugins.sessions import context, queries, resolution
from kombuse_plugins.sessions.prompts import Includes, TemplateFailed, has_tags
from kombuse_plugins.sessions.surroundings import Surroundings
from kombuse_plugins.sessions.turns import Begun, Turn
from kombuse_sdk.agents import (
    AgentBackend,
    AgentRun,
    Decision,
    PermissionRequest,
    RunOptions,
)
from kombuse_sdk.contracts import PackageFiles
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = ["CannotRun", "Opener"]

_PRIOR_CHARACTERS = 8000
Ask = Callable[[PermissionRequest], Awaitable[Decision]]
Record = Callable[[str, Any], Awaitable[None]]


class CannotRun(Exception):
    """The run is set up in a way that cannot work; another try would not go better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Where an agent works, and what goes into its prompt."""

    folder: Path
    instructions: str | None
    prior: str | None
    variables: dict[str, Any]


class Opener:
    """Opens backends for one session; `record` writes an event of it."""

    def __init__(self, surroundings: Surroundings, ask: Ask, record: Record) -> None:
        self._kernel = surroundings.kernel
        self._renderer = surroundings.renderer
        self._ask = ask
        self._record = record

    async def open(self, turn: Turn, begun: Begun) -> AgentRun:
        """Raises CannotRun, TemplateFailed, and what the backend raises."""
        backend = resolution.backend_of(self._kernel, begun.backend_type)
        if backend is None:
            raise CannotRun(
                f"The backend {begun.backend_type} is not available: no active plugin offers it"
            )
        await _require_version(backend, begun)
        return await backend.open(await self._options(turn, begun))

    async def _options(self, turn: Turn, begun: Begun) -> RunOptions:
        agent = begun.agent
        try:
            found = await self._kernel.db.read_async(lambda tx: _look_up(tx, turn, begun))
        except OSError as error:
            raise CannotRun(f"There is no folder to work in: {error}") from error
        prompt = None
        if agent is not None:
            name = f"system prompt of {begun.ref.agent_name or agent.id}"
            includes = _includes(self._kernel, agent.package_id)
            prompt = await self._renderer.render(
                name, agent.system_prompt, found.variables, includes
            )
        prompt = context.instructions(prompt, found.instructions, found.prior, begun.ref.id)
        if prompt:
            await self._record("raw", {"sourceType": "system_prompt", "data": {"content": prompt}})
        return RunOptions(
            session_id=begun.ref.id,
            cwd=found.folder,
            ask=self._ask,
            project_id=begun.ref.project_id,
            system_prompt=prompt,
            resume_id=begun.resume_id,
            model=begun.model,
            permission_mode=agent.preset.permission_mode if agent else None,
            thinking_tokens=resolution.thinking_tokens(begun.config),
            mcp_url=f"http://127.0.0.1:{self._kernel.config.port}/mcp",
            mcp_token=self._kernel.access.token_of(begun.ref.id),
            config=begun.config,
            spent_usd=begun.spent_usd,
        )


def _look_up(tx: ReadTx, turn: Turn, begun: Begun) -> _Found:
    folder = resolution.workspace(tx, begun.ref.project_id, begun.ref.id)
    variables: dict[str, Any] = {}
    if begun.agent and has_tags(begun.agent.system_prompt):
        variables = context.variables(
            tx,
            session_id=begun.ref.id,
            backend_type=begun.backend_type,
            project_id=begun.ref.project_id,
            ticket_id=begun.ref.ticket_id,
            comment_id=turn.comment_id,
            event=turn.event,
        )
    return _Found(
        folder=folder,
        instructions=resolution.project_instructions(folder),
        prior=None if begun.resume_id else _prior(tx, begun),
        variables=variables,
    )


async def _require_version(backend: AgentBackend, begun: Begun) -> None:
    minimum = resolution.text(begun.config.get("min_backend_version"))
    if minimum is None:
        return
    status = await backend.status(begun.ref.project_id)
    if resolution.older(status.version, minimum):
        raise CannotRun(
            f"Backend {backend.name} version {status.version} does not meet minimum {minimum}"
            " required by this agent. Please update your CLI."
        )


def _includes(kernel: Kernel, plugin_id: str | None) -> Includes:
    """Files of the package that brought the agent."""

    async def include(name: str) -> str | None:
        if plugin_id is None:
            raise TemplateFailed(f"{name} cannot be included: the agent belongs to no package")
        files = kernel.services.find(PackageFiles)
        if files is None:
            raise TemplateFailed(f"{name} cannot be included: no plugin gives files of packages")

        def read(tx: ReadTx) -> str | None:
            return files.text(tx, plugin_id, name)

        return await kernel.db.read_async(read)

    return include


def _prior(tx: ReadTx, begun: Begun) -> str | None:
    """What was said before, for a backend that starts without a memory of it."""
    said: Sequence[tuple[str, str]] = queries.messages(
        tx, begun.row_id, begun.seq, _PRIOR_CHARACTERS
    )
    if not said:
        return None
    names = {"user": "User", "assistant": "Assistant"}
    summary = "\n\n".join(f"**{names.get(role, role)}**: {content}" for role, content in said)
    return (
        "<prior-conversation>\n## Prior Conversation\n"
        "This conversation began earlier; the following was said in it.\n\n"
        f"{summary}\n</prior-conversation>"
    )
