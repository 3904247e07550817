"""What a run is started with: backend, model, folder, thinking, time limits."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kombuse_sdk.agents import AgentBackend
from kombuse_sdk.contracts import Projects, Settings
from kombuse_sdk.errors import NotFound
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = [
    "DEFAULT_BACKEND",
    "backend_names",
    "backend_of",
    "backend_type",
    "idle_seconds",
    "idle_turn_seconds",
    "max_concurrent",
    "model",
    "older",
    "project_instructions",
    "text",
    "thinking_tokens",
    "turn_seconds",
    "workspace",
]

DEFAULT_BACKEND = "claude-code"
_BUILT_IN = ("claude-code", "codex", "mock")
_IDLE_MINUTES = "chat.backend_idle_timeout_minutes"
_DEFAULT_IDLE_SECONDS = 30 * 60.0
_DEFAULT_IDLE_TURN_SECONDS = 300.0
_DEFAULT_THINKING = 32_000
_DEFAULT_CONCURRENCY = 8
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?")
_MAX_INSTRUCTIONS = 200_000


def backend_of(kernel: Kernel, name: str) -> AgentBackend | None:
    for _, backend in kernel.offers("kombuse_agent_backends"):
        if backend.name == name:
            found: AgentBackend = backend
            return found
    return None


def backend_names(kernel: Kernel) -> list[str]:
    offered = [backend.name for _, backend in kernel.offers("kombuse_agent_backends")]
    return list(dict.fromkeys((*_BUILT_IN, *offered)))


def backend_type(tx: ReadTx, *given: Any) -> str:
    """The first that is given, else the person's default."""
    for value in (*given, _setting(tx, "chat.default_backend_type")):
        if text(value):
            return str(value).strip()
    return DEFAULT_BACKEND


def model(tx: ReadTx, *given: Any) -> str | None:
    for value in (*given, _setting(tx, "chat.default_model")):
        if text(value):
            return str(value).strip()
    return None


def text(value: Any) -> str | None:
    """A text that is not blank."""
    return value.strip() if isinstance(value, str) and value.strip() else None


def idle_seconds(tx: ReadTx) -> float | None:
    """How long a backend waits for the next message; None is for ever."""
    value = _setting(tx, _IDLE_MINUTES)
    if value is not None:
        if not value.strip():
            return None
        if value.strip().isascii() and value.strip().isdigit() and int(value) >= 1:
            return int(value) * 60.0
    return _milliseconds("KOMBUSE_BACKEND_IDLE_TIMEOUT_MS") or _DEFAULT_IDLE_SECONDS


def idle_turn_seconds() -> float:
    """How long a turn may be silent."""
    return _milliseconds("KOMBUSE_IDLE_TURN_TIMEOUT_MS") or _DEFAULT_IDLE_TURN_SECONDS


def turn_seconds(config: Mapping[str, Any]) -> float | None:
    """How long a turn may take; None is for ever."""
    value = config.get("timeout_ms")
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value / 1000
    return None


def thinking_tokens(config: Mapping[str, Any]) -> int | None:
    """`anthropic.thinking` is a switch, or an object with a budget of its own."""
    settings = config.get("anthropic")
    if not isinstance(settings, Mapping):
        return None
    thinking = settings.get("thinking")
    budget = settings.get("thinking_budget")
    if isinstance(thinking, Mapping):
        budget = thinking.get("budget_tokens", budget)
        if thinking.get("type") == "disabled":
            return None
    if not thinking:
        return None
    is_budget = isinstance(budget, int) and not isinstance(budget, bool) and budget > 0
    return budget if is_budget else _DEFAULT_THINKING


def max_concurrent(kernel: Kernel) -> int:
    agents = kernel.config.values.get("agents")
    value = agents.get("max_concurrent") if isinstance(agents, dict) else None
    is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if is_number else _DEFAULT_CONCURRENCY  # type: ignore[return-value]


def workspace(tx: ReadTx, project_id: str | None, session_id: str) -> Path:
    """The project's folder, else an empty one that only this project (or session) has.

    Raises OSError when that cannot be made.
    """
    if project_id is not None:
        try:
            local = tx.services.get(Projects).local_path(tx, project_id)
        except NotFound:
            local = None
        if local and Path(local).is_dir():
            return Path(local)
    name = project_id or session_id
    if not _SAFE_NAME.fullmatch(name):
        name = hashlib.sha256(name.encode()).hexdigest()
    base = tx.kernel.config.home / "workspaces"
    for folder in (base, base / name):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink():
            raise NotADirectoryError(f"{folder} is a symbolic link: remove it")
    return base / name


def project_instructions(folder: Path) -> str | None:
    """What the project tells every agent: `AGENTS.md` in its folder, if it can be read."""
    try:
        with (folder / "AGENTS.md").open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_INSTRUCTIONS)
    except OSError:
        return None


def older(version: str | None, minimum: str) -> bool:
    """Whether a version is below the minimum; one that is not known is not."""
    have, want = (_VERSION.search(item or "") for item in (version, minimum))
    if have is None or want is None:
        return False
    return _order(have) < _order(want)


def _order(version: re.Match[str]) -> tuple[int, int, int, bool]:
    return int(version[1]), int(version[2]), int(version[3]), version[4] is None


def _setting(tx: ReadTx, key: str) -> str | None:
    settings = tx.services.find(Settings)
    return None if settings is None else settings.value(tx, key)


def _milliseconds(name: str) -> float | None:
    value = os.environ.get(name, "")
    return int(value) / 1000 if value.isascii() and value.isdigit() and int(value) > 0 else None
