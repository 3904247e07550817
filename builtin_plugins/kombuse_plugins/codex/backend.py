"""The backend `codex`: `codex app-server` over stdio."""

import asyncio
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from kombuse_plugins.codex import mcp_config
from kombuse_plugins.codex.connection import Connection, RequestFailed, Unsupported
from kombuse_plugins.codex.run import CodexRun, initialize
from kombuse_sdk.agents import (
    BackendFailed,
    BackendStatus,
    Model,
    ModelCatalogue,
    RunOptions,
)
from kombuse_sdk.binaries import Finder, Found, Program, backend_options, meets_minimum
from kombuse_sdk.mcp_clients import Bridge, Server, our_server, with_codex_server
from kombuse_sdk.process import ChildProcess, child_environment
from kombuse_sdk.types import Kernel

__all__ = ["MINIMUM", "CodexBackend", "command_line"]

MINIMUM = "0.100.0"
_NO_CLI = (
    "Install Codex (npm install -g @openai/codex), or set binaries.codex to the path of the codex"
    " program."
)
_TOO_OLD = f"Update Codex to {MINIMUM} or later: npm install -g @openai/codex@latest"
_PLACES = ("/Applications/Codex.app/Contents/Resources/codex",)
_KEPT_SECONDS = 300.0
_SERVER = "mcp_servers.kombuse"


class CodexBackend:
    """Of `config.json`, `backends.codex.env` are variables for the program."""

    name = "codex"

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        program = Program(name="codex", variable="CODEX_PATH", places=(*_PLACES, *_bundled()))
        self._finder = Finder(kernel, program)
        self._kept: tuple[float, str, ModelCatalogue] | None = None

    async def open(self, options: RunOptions) -> CodexRun:
        found = await self._finder.find(options.project_id)
        if not found.is_available:
            raise BackendFailed(f"CLI path: {found.command} — not found. {_NO_CLI}")
        if not meets_minimum(found.version, MINIMUM):
            raise BackendFailed(f"Codex {found.version} is too old. {_TOO_OLD}")
        overrides = await asyncio.to_thread(_overrides, options, our_server(self._kernel))
        child = await self._start(found, overrides, options.cwd, options.environment)
        run = CodexRun(options, child, has_server=f"{_SERVER}.enabled=true" in overrides)
        try:
            await run.start()
        except BaseException:
            await run.close()
            raise
        return run

    async def status(self, project_id: str | None = None) -> BackendStatus:
        found = await self._finder.find(project_id)
        is_new = found.is_available and meets_minimum(found.version, MINIMUM)
        hint = _TOO_OLD if not is_new else None
        return BackendStatus(
            available=found.is_available,
            version=found.version,
            path=found.path if found.is_available else None,
            meets_minimum=is_new,
            minimum_version=MINIMUM,
            hint=hint if found.is_available else _NO_CLI,
        )

    async def models(self) -> ModelCatalogue:
        """Asked of the program and kept for five minutes; none while it cannot be asked."""
        found = await self._finder.find()
        kept = self._kept
        if kept and kept[1] == found.command and monotonic() - kept[0] < _KEPT_SECONDS:
            return kept[2]
        try:
            catalogue = await self._asked_models(found)
        except (RequestFailed, BackendFailed):
            return ModelCatalogue(supports_selection=True)
        self._kept = (monotonic(), found.command, catalogue)
        return catalogue

    async def _asked_models(self, found: Found) -> ModelCatalogue:
        child = await self._start(found, [], None)
        connection = Connection(child, _refuse, _ignore, _ignore_end)
        try:
            await initialize(connection)
            answer = await connection.request("model/list", {"limit": 100})
        finally:
            await connection.close(0)
        return _catalogue(answer.get("data"))

    async def _start(
        self,
        found: Found,
        overrides: Sequence[str],
        cwd: Path | None,
        own: Mapping[str, str] | None = None,
    ) -> ChildProcess:
        configured = backend_options(self._kernel, self.name).env
        env = child_environment(found.command, {**configured, **(own or {})})
        try:
            return await ChildProcess.start(command_line(found, overrides), cwd=cwd, env=env)
        except OSError as error:
            raise BackendFailed(f"CLI path: {found.command} — {error.strerror}") from None


def command_line(found: Found, overrides: Sequence[str]) -> list[str]:
    """`overrides` are `key=value` of Codex's configuration, the value in TOML."""
    line = [found.command, "app-server", "--listen", "stdio://"]
    for override in overrides:
        line += ["-c", override]
    return line


def _overrides(options: RunOptions, bridge: Bridge) -> list[str]:
    """Our server for this run. One that the person has switched off stays off, and one that is
    started by a command keeps that: Codex refuses an entry with both."""
    project = options.cwd / ".codex" / "config.toml"
    entry = _entry(mcp_config.config_path()) | _entry(project)
    if entry.get("enabled") is False:
        return [f"{_SERVER}.enabled=false"]
    if options.mcp_url is None:
        return []
    if "command" in entry:
        server = with_codex_server(entry, bridge.for_codex)
        if not server:
            return []
    else:
        server = Server(options.mcp_url, options.mcp_token is not None).for_codex
    given = [
        f"{_SERVER}.{name}={json.dumps(value)}"
        for name, value in server.items()
        if value is not None
    ]
    return [*given, f"{_SERVER}.enabled=true"]


def _entry(path: Path) -> dict[str, Any]:
    try:
        return mcp_config.entry(path.read_bytes())
    except (OSError, ValueError):
        return {}


def _catalogue(data: Any) -> ModelCatalogue:
    items = [item for item in data if isinstance(item, Mapping)] if isinstance(data, list) else []
    shown = [item for item in items if item.get("id") and item.get("hidden") is not True]
    models = [
        Model(
            id=str(item["id"]),
            name=str(item.get("displayName") or item.get("model") or item["id"]),
            description=str(item["description"]) if item.get("description") else None,
        )
        for item in shown
    ]
    defaults = [str(item["id"]) for item in shown if item.get("isDefault") is True]
    first = [model.id for model in models]
    return ModelCatalogue(
        supports_selection=True,
        models=models,
        default_model_id=next(iter(defaults + first), None),
    )


def _bundled() -> Sequence[str]:
    spec = importlib.util.find_spec("codex_cli_bin")
    folders = spec.submodule_search_locations if spec else None
    return [str(Path(folder, "bin", "codex")) for folder in folders or ()]


async def _refuse(key: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    raise Unsupported(method)


async def _ignore(method: str, params: Mapping[str, Any]) -> None:
    pass


async def _ignore_end(text: str) -> None:
    pass
