"""What the backends of all plugins tell of themselves: asked in parallel, states kept a minute."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping
from time import monotonic
from typing import Any, TypeVar

from kombuse_sdk.agents import AgentBackend, BackendStatus, ModelCatalogue
from kombuse_sdk.contracts import Projects, Settings
from kombuse_sdk.errors import Invalid, issue
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = ["States", "catalogues"]

T = TypeVar("T")
log = logging.getLogger("kombuse.backends")
_KEPT_SECONDS = 60.0
_PATIENCE_SECONDS = 60.0


class States:
    """The states of all backends. What is kept counts for the settings `binaries.*` it was for."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._kept: tuple[float, Mapping[str, str], list[dict[str, Any]]] | None = None

    async def all(self, project: str | None = None) -> list[dict[str, Any]]:
        """With a project's own binaries nothing is kept; an unknown project has none."""
        if project is not None:
            project_id = await self._kernel.db.read_async(lambda tx: _resolved(tx, project))
            return await self._ask(project_id)
        settings = await self._kernel.db.read_async(_binaries)
        kept = self._kept
        if kept and monotonic() - kept[0] < _KEPT_SECONDS and kept[1] == settings:
            return kept[2]
        return await self._refreshed(settings)

    async def refresh(self) -> list[dict[str, Any]]:
        self._kept = None
        return await self._refreshed(await self._kernel.db.read_async(_binaries))

    async def _refreshed(self, settings: Mapping[str, str]) -> list[dict[str, Any]]:
        states = await self._ask(None)
        self._kept = (monotonic(), settings, states)
        return states

    async def _ask(self, project_id: str | None) -> list[dict[str, Any]]:
        backends = _backends(self._kernel)
        found = await asyncio.gather(*(_state(backend, project_id) for backend in backends))
        return [_wire(backend.name, state) for backend, state in zip(backends, found, strict=True)]


async def catalogues(kernel: Kernel, backend_type: str | None) -> Any:
    """The catalogue of one backend, or a list of all. Raises Invalid for an unknown one."""
    backends = _backends(kernel)
    if backend_type is None:
        return list(await asyncio.gather(*(_catalogue(backend) for backend in backends)))
    for backend in backends:
        if backend.name == backend_type:
            return await _catalogue(backend)
    names = ", ".join(backend.name for backend in backends)
    raise Invalid(issue("invalid_value", ["backend_type"], f"Expected one of: {names}"))


def _backends(kernel: Kernel) -> list[AgentBackend]:
    offered: Iterable[AgentBackend] = (
        backend for _, backend in kernel.offers("kombuse_agent_backends")
    )
    return sorted(offered, key=lambda backend: backend.name)


def _resolved(tx: ReadTx, reference: str) -> str:
    projects = tx.services.find(Projects)
    return (projects.resolve(tx, reference) if projects else None) or reference


def _binaries(tx: ReadTx) -> Mapping[str, str]:
    settings = tx.services.find(Settings)
    return settings.starting_with(tx, "binaries.") if settings else {}


async def _state(backend: AgentBackend, project_id: str | None) -> BackendStatus:
    hint = "The backend does not tell its state; the server's log has more."
    unknown = BackendStatus(available=False, meets_minimum=False, hint=hint)
    return await _told(backend, backend.status(project_id), unknown)


async def _catalogue(backend: AgentBackend) -> dict[str, Any]:
    none = ModelCatalogue(supports_selection=False)
    found = await _told(backend, backend.models(), none)
    answer: dict[str, Any] = {
        "backend_type": backend.name,
        "supports_model_selection": found.supports_selection,
        "models": [
            {"id": model.id, "name": model.name}
            | ({"description": model.description} if model.description else {})
            for model in found.models
        ],
    }
    if found.default_model_id is not None:
        answer["default_model_id"] = found.default_model_id
    return answer


async def _told(backend: AgentBackend, asked: Awaitable[T], otherwise: T) -> T:
    """One backend that fails or hangs does not keep the others from answering."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await asked
    except Exception:
        log.exception("backend %s did not answer", backend.name)
        return otherwise


def _wire(name: str, state: BackendStatus) -> dict[str, Any]:
    return {
        "backendType": name,
        "available": state.available,
        "version": state.version,
        "path": state.path,
        "meetsMinimum": state.meets_minimum,
        "minimumVersion": state.minimum_version,
        "nodeVersion": state.node_version,
        "meetsNodeMinimum": state.meets_node_minimum,
        "minimumNodeVersion": state.minimum_node_version,
        "hint": state.hint,
    }
