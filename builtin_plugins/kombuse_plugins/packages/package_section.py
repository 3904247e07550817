"""The part of packages below `files/`: texts that agents include, and presets."""

from typing import Literal

from kombuse_plugins.packages import package_files, queries
from kombuse_plugins.packages.models import PluginFileRow
from kombuse_sdk.contracts import Agents
from kombuse_sdk.packages import Export, Installation, PackageContent
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = ["FOLDER", "FileSection"]

FOLDER = "files/"
_KEPT = "{path} was edited and is kept, though the new version no longer has it"


class FileSection:
    name = "files"
    order = 20

    def read(self, content: PackageContent) -> dict[str, str]:
        """The texts by their path below `files/`. Whoever read the package checked them."""
        return {
            path.removeprefix(FOLDER): content.files[path].decode()
            for path in content.files
            if path.startswith(FOLDER)
        }

    def install(self, tx: WriteTx, installation: Installation, parsed: dict[str, str]) -> None:
        """What the person edited stays; the text of the package is kept beside it."""
        present = {row["path"]: row for row in queries.files_of(tx, installation.plugin_id)}
        for path, text in parsed.items():
            _install_one(tx, installation, path, text, present.get(path))
        for path in sorted(present.keys() - parsed.keys()):
            _remove_one(tx, installation, present[path])

    def set_enabled(self, tx: WriteTx, plugin_id: str, is_enabled: bool) -> None:
        """Files do nothing by themselves."""

    def uninstall(self, tx: WriteTx, plugin_id: str, mode: Literal["orphan", "delete"]) -> None:
        """They go with the plugin, but agents that stay can include them still."""
        agents = tx.services.find(Agents)
        if mode == "orphan" and agents is not None and agents.has_orphans(tx, plugin_id):
            tx.execute(
                """
                INSERT INTO orphaned_files (plugin_id, path, project_id, content)
                SELECT f.plugin_id, f.path, p.project_id, f.content
                FROM plugin_files f JOIN plugins p ON p.id = f.plugin_id WHERE p.id = ?
                """,
                (plugin_id,),
            )

    def export(self, tx: ReadTx, export: Export) -> None:
        """As they are now, with the person's edits."""
        for row in queries.files_of(tx, export.plugin_id) if export.plugin_id else ():
            export.files[FOLDER + row["path"]] = row["content"].encode()


def _install_one(
    tx: WriteTx, installation: Installation, path: str, text: str, row: Row | None
) -> None:
    new = package_files.digest(text)
    if row is not None and row["is_user_modified"] and row["content_hash"] != new:
        tx.update(PluginFileRow, row["id"], upstream_hash=new, upstream_content=text)
        installation.record("files", "preserved", path)
        return
    values = {
        "content": text,
        "content_hash": new,
        "upstream_hash": new,
        "upstream_content": None,
        "updated_at": tx.now,
    }
    if row is None:
        place = {"plugin_id": installation.plugin_id, "path": path, "created_at": tx.now}
        tx.insert(PluginFileRow, **place, **values)
    else:
        tx.update(PluginFileRow, row["id"], **values)
    installation.record("files", "imported", path)


def _remove_one(tx: WriteTx, installation: Installation, row: Row) -> None:
    """A text of the person's own stays; it is only told of once."""
    if not row["is_user_modified"]:
        tx.delete(PluginFileRow, row["id"])
        installation.record("files", "removed", row["path"])
    elif row["upstream_hash"] is not None:
        tx.update(PluginFileRow, row["id"], upstream_hash=None, upstream_content=None)
        installation.record("files", "preserved", row["path"])
        installation.warnings.append(_KEPT.format(path=FOLDER + row["path"]))
