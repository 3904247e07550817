"""Every SELECT over installed plugins and their files."""

from kombuse_plugins.packages.schemas import FileFilter, ListedFile, Plugin, PluginFile
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "by_name",
    "checksums",
    "edited_files",
    "file",
    "file_row",
    "files",
    "files_of",
    "of_project",
    "one",
    "orphaned_plugins",
    "page",
    "row",
    "source_names",
    "text",
    "with_code",
]

# A merge patch drops the keys whose value is null.
_MANIFEST = """json_patch('{}', json_object(
    'name', p.name, 'version', p.version, 'author', p.author,
    'description', p.manifest ->> '$.description', 'channel', p.channel,
    'entry_point', p.manifest ->> '$.entry_point',
    'capabilities', json(p.manifest -> '$.capabilities'),
    'kombuse', json_object(
        'plugin_system_version', p.manifest ->> '$.kombuse.plugin_system_version',
        'exported_at', p.manifest ->> '$.kombuse.exported_at',
        'labels', json(p.manifest -> '$.kombuse.labels')
    )
))"""
_PLUGIN = json_object(Plugin, "p", manifest=_MANIFEST)
_FILE = json_object(PluginFile, "f")
_FILE_META = "json_remove(" + json_object(ListedFile, "f", content="NULL") + ", '$.content')"
_TEXTS = """
    SELECT content FROM plugin_files WHERE plugin_id = :plugin_id AND path = :path
    UNION ALL
    SELECT content FROM orphaned_files WHERE plugin_id = :plugin_id AND path = :path
"""


def page(tx: ReadTx, project_id: str | None) -> JsonText:
    where = Where()
    where.equal("p.project_id", project_id=project_id)
    sql = f"SELECT {_PLUGIN} FROM plugins p {where.sql} ORDER BY p.installed_at DESC, p.id DESC"
    return tx.json_list(sql, where.params)


def one(tx: ReadTx, plugin_id: str) -> JsonText | None:
    return tx.json(f"SELECT {_PLUGIN} FROM plugins p WHERE p.id = ?", (plugin_id,))


def row(tx: ReadTx, plugin_id: str) -> Row | None:
    return tx.one("SELECT * FROM plugins WHERE id = ?", (plugin_id,))


def by_name(tx: ReadTx, project_id: str, name: str) -> Row | None:
    sql = "SELECT * FROM plugins WHERE project_id = ? AND name = ?"
    return tx.one(sql, (project_id, name))


def checksums(tx: ReadTx) -> set[str]:
    """The archives that plugins were installed from."""
    return set(tx.values("SELECT checksum FROM plugins WHERE checksum IS NOT NULL"))


def files(tx: ReadTx, plugin_id: str, query: FileFilter) -> JsonText:
    item = _FILE_META if query.fields == "meta" else _FILE
    sql = f"SELECT {item} FROM plugin_files f WHERE f.plugin_id = ? ORDER BY f.path"
    return tx.json_list(sql, (plugin_id,))


def file(tx: ReadTx, plugin_id: str, file_id: int) -> JsonText | None:
    sql = f"SELECT {_FILE} FROM plugin_files f WHERE f.id = ? AND f.plugin_id = ?"
    return tx.json(sql, (file_id, plugin_id))


def file_row(tx: ReadTx, plugin_id: str, file_id: int) -> Row | None:
    sql = "SELECT * FROM plugin_files WHERE id = ? AND plugin_id = ?"
    return tx.one(sql, (file_id, plugin_id))


def files_of(tx: ReadTx, plugin_id: str) -> list[Row]:
    return tx.all("SELECT * FROM plugin_files WHERE plugin_id = ? ORDER BY path", (plugin_id,))


def text(tx: ReadTx, plugin_id: str, path: str) -> str | None:
    found: str | None = tx.value(_TEXTS, {"plugin_id": plugin_id, "path": path})
    return found


def orphaned_plugins(tx: ReadTx, project_id: str) -> list[str]:
    """Plugins that are gone, but of which files are kept."""
    sql = "SELECT DISTINCT plugin_id FROM orphaned_files WHERE project_id = ?"
    return tx.values(sql, (project_id,))


def with_code(tx: ReadTx, name: str | None = None, code_sha256: str | None = None) -> list[Row]:
    """The plugins with Python that was allowed, or those of them with one name and code."""
    where = Where(conditions=["p.code_sha256 IS NOT NULL"])
    where.equal("p.name", name=name)
    where.equal("p.code_sha256", code_sha256=code_sha256)
    return tx.all(f"SELECT p.* FROM plugins p {where.sql}", where.params)


def of_project(tx: ReadTx, project_id: str) -> list[Row]:
    return tx.all("SELECT * FROM plugins WHERE project_id = ? ORDER BY name", (project_id,))


def source_names(tx: ReadTx) -> list[str]:
    """The names that installed plugins have at the feeds that they came from."""
    return tx.values("SELECT DISTINCT source_name FROM plugins WHERE source_name IS NOT NULL")


def edited_files(tx: ReadTx, project_id: str, name: str) -> list[str]:
    """The paths of a plugin's files that a person changed."""
    sql = """
        SELECT f.path FROM plugins p JOIN plugin_files f ON f.plugin_id = p.id
        WHERE p.project_id = ? AND p.name = ? AND f.is_user_modified ORDER BY f.path
    """
    return tx.values(sql, (project_id, name))
