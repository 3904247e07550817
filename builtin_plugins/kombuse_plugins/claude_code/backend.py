"""The backend `claude-code`, over the official `claude-agent-sdk`.

The SDK is an optional extra whose wheel is large; it is imported when the first run opens. The
program may be the one that its wheel brings, but that is the last place that is looked at.
"""

import asyncio
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kombuse_plugins.claude_code.command import command_line, environment, prompt_file
from kombuse_sdk.agents import (
    BackendFailed,
    BackendStatus,
    Model,
    ModelCatalogue,
    RunOptions,
)
from kombuse_sdk.binaries import (
    BackendOptions,
    Finder,
    Found,
    Program,
    backend_options,
    meets_minimum,
    version_of,
)
from kombuse_sdk.types import Kernel

if TYPE_CHECKING:
    from kombuse_plugins.claude_code.run import ClaudeRun

__all__ = ["MINIMUM", "ClaudeCodeBackend"]

MINIMUM = "1.0.40"
NODE_MINIMUM = "20.0.0"
_SDK = "claude_agent_sdk"
_NO_SDK = "Install the SDK into the server's Python: pip install 'kombuse[claude]'"
_NO_CLI = (
    "Install Claude Code (https://claude.com/claude-code), or set binaries.claude to the path of"
    " the claude program."
)
_TOO_OLD = f"Update Claude Code to {MINIMUM} or later: claude update"
_MODELS = (
    Model(id="claude-opus-4-6", name="Claude Opus 4.6"),
    Model(id="claude-sonnet-4-6", name="Claude Sonnet 4.6"),
    Model(id="claude-haiku-4-5-20251001", name="Claude Haiku 4.5"),
    Model(id="claude-sonnet-4-5-20250929", name="Claude Sonnet 4.5"),
    Model(id="claude-sonnet-4-20250514", name="Claude Sonnet 4"),
)


class ClaudeCodeBackend:
    """Of `config.json`, `backends.claude-code.env` are variables for the program, and
    `backends.claude-code.models` the models to choose from (`[{"id", "name"}]`, the first is the
    default).
    """

    name = "claude-code"

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        program = Program(name="claude", variable="CLAUDE_PATH", places=_bundled())
        self._finder = Finder(kernel, program)

    async def open(self, options: RunOptions) -> "ClaudeRun":
        if not _has_sdk():
            raise BackendFailed(_NO_SDK)
        found = await self._finder.find(options.project_id)
        if not found.is_available:
            raise BackendFailed(f"CLI path: {found.command} — not found. {_NO_CLI}")
        if not meets_minimum(found.version, MINIMUM):
            raise BackendFailed(f"Claude Code {found.version} is too old. {_TOO_OLD}")
        run_module = await asyncio.to_thread(_load)
        env = environment(found, options, self._options().env)
        prompt = await asyncio.to_thread(prompt_file, options)
        argv = command_line(found, options, prompt)
        run: ClaudeRun = run_module.ClaudeRun(options, argv, env, prompt)
        await run.start()
        return run

    async def status(self, project_id: str | None = None) -> BackendStatus:
        found, (node, _) = await asyncio.gather(self._finder.find(project_id), version_of("node"))
        is_new = found.is_available and meets_minimum(found.version, MINIMUM)
        return BackendStatus(
            available=found.is_available and _has_sdk(),
            version=found.version,
            path=found.path if found.is_available else None,
            meets_minimum=is_new,
            minimum_version=MINIMUM,
            node_version=node,
            meets_node_minimum=meets_minimum(node, NODE_MINIMUM),
            minimum_node_version=NODE_MINIMUM,
            hint=_hint(found, is_new),
        )

    async def models(self) -> ModelCatalogue:
        models = list(_models(self._options().values.get("models"))) or list(_MODELS)
        return ModelCatalogue(supports_selection=True, models=models, default_model_id=models[0].id)

    def _options(self) -> BackendOptions:
        return backend_options(self._kernel, self.name)


def _hint(found: Found, is_new: bool) -> str | None:
    hints = [
        None if found.is_available else _NO_CLI,
        None if is_new or not found.is_available else _TOO_OLD,
        None if _has_sdk() else _NO_SDK,
    ]
    return " ".join(hint for hint in hints if hint) or None


def _has_sdk() -> bool:
    return importlib.util.find_spec(_SDK) is not None


def _bundled() -> Sequence[str]:
    spec = importlib.util.find_spec(_SDK)
    folders = spec.submodule_search_locations if spec else None
    return [str(Path(folder, "_bundled", "claude")) for folder in folders or ()]


def _load() -> Any:
    from kombuse_plugins.claude_code import run

    return run


def _models(configured: Any) -> Sequence[Model]:
    items = configured if isinstance(configured, list) else []
    return [
        Model(id=item["id"], name=str(item.get("name") or item["id"]))
        for item in items
        if isinstance(item, Mapping) and isinstance(item.get("id"), str) and item["id"]
    ]
