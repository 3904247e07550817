"""Rules of installed plugins: what is known of them, switching them on and off, removing them."""

from collections.abc import Sequence
from typing import Any, Literal

from kombuse_plugins.packages import code, queries
from kombuse_plugins.packages.models import PluginRow
from kombuse_plugins.packages.schemas import PluginFilter, PluginUpdate
from kombuse_sdk.contracts import Projects
from kombuse_sdk.errors import NotFound
from kombuse_sdk.events import Event
from kombuse_sdk.packages import PackageSection
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx
from kombuse_sdk.types import Kernel

__all__ = ["emit", "get", "page", "require", "sections", "uninstall", "update"]


def sections(kernel: Kernel) -> Sequence[PackageSection[Any]]:
    """What plugins read out of packages, in the order in which it is installed."""
    found = [section for _, section in kernel.offers("kombuse_package_sections")]
    return sorted(found, key=lambda section: section.order)


def page(tx: ReadTx, query: PluginFilter) -> JsonText:
    """An unknown project has none."""
    if query.project_id is None:
        return queries.page(tx, None)
    return queries.page(tx, tx.services.get(Projects).resolve(tx, query.project_id) or "")


def require(tx: ReadTx, plugin_id: str) -> str:
    """The id, if there is such a plugin."""
    _row(tx, plugin_id)
    return plugin_id


def get(tx: ReadTx, plugin_id: str) -> JsonText:
    return NotFound.unless(queries.one(tx, plugin_id), "Plugin")


def update(tx: WriteTx, plugin_id: str, body: PluginUpdate) -> JsonText:
    """Switching to the state that it has changes nothing."""
    row = _row(tx, plugin_id)
    if body.changes() and body.is_enabled != bool(row["is_enabled"]):
        for section in sections(tx.kernel):
            section.set_enabled(tx, plugin_id, body.is_enabled)
        tx.update(PluginRow, plugin_id, is_enabled=body.is_enabled, updated_at=tx.now)
        code.stop_soon(tx, row)
        emit(tx, "plugin.enabled" if body.is_enabled else "plugin.disabled", row)
    return get(tx, plugin_id)


def uninstall(tx: WriteTx, plugin_id: str, mode: Literal["orphan", "delete"]) -> None:
    """The folder of the package, and what was unpacked of it, stays."""
    row = _row(tx, plugin_id)
    for section in reversed(sections(tx.kernel)):
        section.uninstall(tx, plugin_id, mode)
    tx.delete(PluginRow, plugin_id)
    code.stop_soon(tx, row)
    emit(tx, "plugin.uninstalled", row, mode=mode)


def emit(tx: WriteTx, event_type: str, row: Row, **payload: Any) -> None:
    known = {"plugin_id": row["id"], "plugin_name": row["name"]}
    tx.emit(
        Event(
            event_type=event_type,
            actor_type="system",
            project_id=row["project_id"],
            payload=known | payload,
        )
    )


def _row(tx: ReadTx, plugin_id: str) -> Row:
    return NotFound.unless(queries.row(tx, plugin_id), "Plugin")
