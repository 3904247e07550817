"""What the registry answers about packages, made as JSON inside SQLite."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.paging import Page, page_request, read_page

__all__ = [
    "download_stats",
    "file_page",
    "index_lines",
    "package_json",
    "package_page",
    "tags",
    "tags_json",
    "version_page",
    "version_row",
    "version_text",
]

_WORD = re.compile(r"\w+")
_MOST_WORDS = 8


def _object(required: Mapping[str, str], optional: Mapping[str, str]) -> str:
    """JSON of columns; of the optional ones those that are not null.

    The last of the required ones is no object, for whatever closes the text is cut off.
    """
    fixed = ", ".join(f"'{name}', {sql}" for name, sql in required.items())
    rest = "".join(
        f""" || iif({sql} IS NULL, '', ',"{name}":' || json_quote({sql}))"""
        for name, sql in optional.items()
    )
    return f"(rtrim(json_object({fixed}), '}}'){rest} || '}}')"


_TAGS = """
(SELECT json_group_object(d.tag, v.version) FROM dist_tags d JOIN versions v ON v.id = d.version_id
 WHERE d.package_id = p.id)
"""
_PACKAGE_FIELDS = {
    "id": "CAST(p.id AS TEXT)",
    "author": "p.author",
    "name": "p.name",
    "type": "p.type",
    "keywords": "json(p.keywords)",
    "status": "p.status",
    "created_at": "p.created_at",
    "updated_at": "p.updated_at",
    "latest_version": "p.latest_version",
    "dist_tags": f"json({_TAGS})",
    "downloads": "p.downloads",
}
_OPTIONAL_FIELDS = {"description": "p.description", "status_reason": "p.status_reason"}
_PACKAGE = _object(_PACKAGE_FIELDS, _OPTIONAL_FIELDS)
_WHOLE_PACKAGE = _object(
    {
        **_PACKAGE_FIELDS,
        "require_signature": "json(iif(p.require_signature, 'true', 'false'))",
        "owners": """(SELECT json_group_array(name) FROM
            (SELECT a.name FROM owners o JOIN accounts a ON a.id = o.account_id
             WHERE o.package_id = p.id ORDER BY a.name))""",
        "versions": """(SELECT json_group_array(version) FROM
            (SELECT version FROM versions
             WHERE package_id = p.id AND removed_at IS NULL ORDER BY sort_key DESC, id DESC))""",
    },
    {
        **_OPTIONAL_FIELDS,
        "homepage": "p.homepage",
        "repository": "p.repository",
        "license": "p.license",
    },
)
_LISTED = f"""
SELECT {_PACKAGE} FROM json_each(?) listed CROSS JOIN packages p ON p.id = listed.value
ORDER BY listed.key
"""
_FOUND = "SELECT rowid FROM packages_text WHERE packages_text MATCH :words"
_ADDRESS = "'/api/pkg/' || p.author || '/' || p.name || '/versions/' || v.version || '/download'"
_VERSION = _object(
    {
        "version": "v.version",
        "channel": "v.channel",
        "type": "p.type",
        "archive_size": "v.size",
        "checksum": "v.sha256",
        "integrity": "v.integrity",
        "hashes": "json_object('sha256', v.sha256, 'sha512', v.sha512)",
        "manifest": "json(v.manifest)",
        "published_at": "v.published_at",
        "published_by": "v.published_by",
        "download_url": _ADDRESS,
        "yanked": "json(iif(v.yanked_reason IS NULL, 'false', json_quote(v.yanked_reason)))",
        "prerelease": "json(iif(v.is_prerelease, 'true', 'false'))",
        "signatures": "json(v.signatures)",
        "downloads": "v.downloads",
    },
    {
        "yanked_at": "v.yanked_at",
        "deprecated": "v.deprecated",
        "min_kombuse_version": "v.min_kombuse_version",
        "release_notes": "v.release_notes",
    },
)
_OF_PACKAGE = "versions v JOIN packages p ON p.id = v.package_id"
_SORTS: dict[str, tuple[str, type, bool]] = {
    "name": ("p.name", str, False),
    "updated": ("p.updated_at", str, True),
    "downloads": ("p.downloads", int, True),
}


def package_page(tx: Tx, path: str, query: Mapping[str, str]) -> tuple[Page, int]:
    """A page of what may be shown, and how many there are. Raises Refused 400."""
    sort = query.get("sort") or "name"
    if sort not in _SORTS:
        raise Refused(400, "INVALID_SORT", f"sort must be one of {', '.join(_SORTS)}")
    column, kind, descending = _SORTS[sort]
    asked = page_request(path, query, (kind, int))
    conditions = ["p.status <> 'quarantined'"]
    params: dict[str, Any] = {}
    for name in ("type", "author"):
        if query.get(name):
            conditions.append(f"p.{name} = :{name}")
            params[name] = query[name]
    total = f"SELECT count(*) FROM packages p WHERE {' AND '.join(conditions)}"
    if query.get("q", "").strip():
        is_plain = not params
        params["words"] = _words(query["q"])
        # The plus keeps to the index that has the order: sorting what a common word finds is slow.
        conditions.append(f"+p.id IN ({_FOUND})")
        total = (
            f"SELECT count(*) FROM ({_FOUND})" if is_plain else f"{total} AND p.id IN ({_FOUND})"
        )
    page = read_page(
        tx,
        asked,
        "p.id",
        "packages p",
        conditions,
        (column, "p.id"),
        params,
        descending=descending,
    )
    items = tx.values(_LISTED, (json.dumps(page.items),))
    return replace(page, items=items), tx.value(total, params)


def package_json(tx: Tx, package_id: int) -> str:
    return str(tx.value(f"SELECT {_WHOLE_PACKAGE} FROM packages p WHERE p.id = ?", (package_id,)))


def version_page(tx: Tx, package_id: int, path: str, query: Mapping[str, str]) -> Page:
    """The newest first; yanked ones only when they are asked for."""
    asked = page_request(path, query, (str, int))
    conditions = ["v.package_id = :package", "v.removed_at IS NULL"]
    params: dict[str, Any] = {"package": package_id}
    if query.get("include_yanked", "").lower() not in ("true", "1"):
        conditions.append("v.yanked_reason IS NULL")
    if query.get("channel"):
        conditions.append("v.channel = :channel")
        params |= {"channel": query["channel"]}
    order = ("v.sort_key", "v.id")
    return read_page(tx, asked, _VERSION, _OF_PACKAGE, conditions, order, params, descending=True)


def version_row(tx: Tx, package_id: int, version: str) -> Any:
    """A version by its number, or by the channel that points to it as `@channel`; None if none."""
    if version.startswith("@"):
        sql = """
        SELECT v.* FROM dist_tags d JOIN versions v ON v.id = d.version_id
        WHERE d.package_id = ? AND d.tag = ?
        """
        return tx.one(sql, (package_id, version[1:]))
    sql = "SELECT * FROM versions WHERE package_id = ? AND version = ?"
    return tx.one(sql, (package_id, version))


def version_text(tx: Tx, version_id: int) -> str:
    return str(tx.value(f"SELECT {_VERSION} FROM {_OF_PACKAGE} WHERE v.id = ?", (version_id,)))


def file_page(tx: Tx, version_id: int, path: str, query: Mapping[str, str]) -> Page:
    item = "json_object('path', f.path, 'size', f.size, 'sha256', f.sha256)"
    asked = page_request(path, query, (str,))
    params = {"version": version_id}
    conditions = ["f.version_id = :version"]
    return read_page(tx, asked, item, "version_files f", conditions, ("f.path",), params)


def tags(tx: Tx, package_id: int) -> dict[str, str]:
    sql = """
    SELECT d.tag, v.version FROM dist_tags d JOIN versions v ON v.id = d.version_id
    WHERE d.package_id = ? ORDER BY d.tag
    """
    return {row["tag"]: row["version"] for row in tx.all(sql, (package_id,))}


def tags_json(tx: Tx, package_id: int) -> str:
    return str(tx.value(f"SELECT {_TAGS} FROM packages p WHERE p.id = ?", (package_id,)))


def index_lines(tx: Tx, package_id: int) -> str:
    """One line of JSON for each version, the oldest first: new lines are added at the end."""
    sql = """
    SELECT json_object('v', v.version, 'cks', v.sha256, 'ch', v.channel,
        'yanked', json(iif(v.yanked_reason IS NULL, 'false', json_quote(v.yanked_reason))),
        'min', v.min_kombuse_version, 'sz', v.size, 't', v.published_at)
    FROM versions v WHERE v.package_id = ? AND v.removed_at IS NULL ORDER BY v.id
    """
    return "".join(f"{line}\n" for line in tx.values(sql, (package_id,)))


def download_stats(tx: Tx, package_id: int, since: str) -> dict[str, Any]:
    """`since` is the first day, as `2026-01-31`."""
    source = """
    FROM downloads_daily d JOIN versions v ON v.id = d.version_id
    WHERE v.package_id = ? AND d.day >= ?
    """
    given = (package_id, since)
    by_version = f"SELECT v.version, sum(d.downloads) {source} GROUP BY v.id ORDER BY v.sort_key"
    by_day = f"SELECT d.day, sum(d.downloads) {source} GROUP BY d.day ORDER BY d.day"
    days = tx.all(by_day, given)
    return {
        "total": sum(number for _, number in days),
        "by_version": dict(map(tuple, tx.all(by_version, given))),
        "by_day": [{"date": day, "downloads": number} for day, number in days],
    }


def _words(text: str) -> str:
    """Every word of a search, as the beginning of one in the package."""
    found = _WORD.findall(text[:200])[:_MOST_WORDS]
    return " ".join(f'"{word}"*' for word in found) or '""'
