"""Files of installed plugins, which people may edit; the provider of the PackageFiles contract."""

import hashlib
from typing import Any

from kombuse_plugins.packages import presets, queries
from kombuse_plugins.packages.models import PluginFileRow
from kombuse_plugins.packages.schemas import FileFilter, FileUpdate
from kombuse_sdk.contracts import Agents
from kombuse_sdk.contracts.agents import Preset
from kombuse_sdk.errors import BadRequest, Conflict, NotFound, TooLarge
from kombuse_sdk.http import integer_path
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "digest",
    "get",
    "page",
    "preset",
    "release",
    "reset",
    "text",
    "update",
]

text = queries.text


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def page(tx: ReadTx, plugin_id: str, query: FileFilter) -> JsonText:
    return queries.files(tx, plugin_id, query)


def get(tx: ReadTx, plugin_id: str, file_id: str) -> JsonText:
    return NotFound.unless(queries.file(tx, plugin_id, _number(file_id)), "File")


def update(tx: WriteTx, plugin_id: str, file_id: str, body: FileUpdate) -> JsonText:
    """What the package brought is kept beside a text that differs from it."""
    from kombuse_registry.package import MAX_TEXT

    row = _row(tx, plugin_id, file_id)
    if len(body.content.encode()) > MAX_TEXT:
        raise TooLarge("The content of a file may have at most 1 MiB")
    presets.check(row["path"], body.content)
    return _save(tx, row, body.content)


def reset(tx: WriteTx, plugin_id: str, file_id: str) -> JsonText:
    """Back to what the installed version brought."""
    row = _row(tx, plugin_id, file_id)
    if row["upstream_hash"] is None:
        raise Conflict("The installed version of the plugin has no such file")
    return _save(tx, row, _upstream(row))


def preset(tx: ReadTx, plugin_id: str, agent_type: str) -> Preset | None:
    found = text(tx, plugin_id, presets.path_of(agent_type))
    return None if found is None else presets.parse(agent_type, found)


def release(tx: WriteTx, plugin_id: str) -> None:
    agents = tx.services.find(Agents)
    if agents is not None and not agents.has_orphans(tx, plugin_id):
        tx.execute("DELETE FROM orphaned_files WHERE plugin_id = ?", (plugin_id,))


def _save(tx: WriteTx, row: Row, content: str) -> JsonText:
    new = digest(content)
    differs = row["upstream_hash"] not in (None, new)
    tx.update(
        PluginFileRow,
        row["id"],
        content=content,
        content_hash=new,
        upstream_content=_upstream(row) if differs else None,
        updated_at=tx.now,
    )
    return get(tx, row["plugin_id"], str(row["id"]))


def _upstream(row: Row) -> Any:
    """The text of the package is only kept where it is not the current one."""
    return row["content"] if row["upstream_content"] is None else row["upstream_content"]


def _row(tx: ReadTx, plugin_id: str, file_id: str) -> Row:
    return NotFound.unless(queries.file_row(tx, plugin_id, _number(file_id)), "File")


def _number(file_id: str) -> int:
    try:
        return integer_path(file_id, "")
    except BadRequest:
        raise NotFound("File not found") from None
