"""A package in the making: what the database has of it, and the texts that describe it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kombuse_plugins.packages import digests, queries, service
from kombuse_plugins.packages.places import Place, place_of
from kombuse_plugins.packages.schemas import ExportBody
from kombuse_registry.archive import PLUGIN_JSON
from kombuse_registry.manifest import DEFAULT_VERSION, MANIFEST_JSON, PLUGIN_SYSTEM_VERSION
from kombuse_registry.paths import file_name_problem
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.json_files import object_in
from kombuse_sdk.packages import Export
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["AGENT", "Draft", "collect"]

_ABOUT = ("version", "author", "description")
# What a header of an archive has room for.
_LATEST = 8**11
AGENT = re.compile(r"agents/[^/]+\.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`earlier` has the times of exports before by what was exported then."""

    name: str
    place: Place
    export: Export
    exported_at: str
    earlier: dict[str, str] = field(default_factory=dict)

    def files(self, existing: Mapping[str, bytes]) -> tuple[dict[str, bytes], str]:
        """All files of the package, and the time of the export that they tell.

        Those of an `existing` package are taken along that the database does not know. Where
        nothing but the time would be new, it is the time of the earlier export.
        """
        made = self._files(existing, self.exported_at)
        earlier = {
            digests.of_content(existing): _exported_at(existing.get(PLUGIN_JSON))
        } | self.earlier
        before = earlier.get(digests.of_content(made))
        if not before:
            return made, self.exported_at
        return self._files(existing, before), before

    def _files(self, existing: Mapping[str, bytes], exported_at: str) -> dict[str, bytes]:
        kept = {path: data for path, data in existing.items() if not AGENT.fullmatch(path)}
        plugin, manifest = self._texts(exported_at)
        return {
            **kept,
            **self.export.files,
            PLUGIN_JSON: _merged(plugin, existing.get(PLUGIN_JSON)),
            MANIFEST_JSON: _merged(manifest, existing.get(MANIFEST_JSON)),
        }

    def _texts(self, exported_at: str) -> tuple[dict[str, Any], dict[str, Any]]:
        plugin = self.export.manifest
        labels = plugin["kombuse"]["labels"]
        agents = [path for path in self.export.files if AGENT.fullmatch(path)]
        about: dict[str, Any] = {
            key: plugin[key] for key in ("author", "description") if key in plugin
        }
        manifest: dict[str, Any] = {
            "name": plugin["name"],
            "version": plugin["version"],
            "type": "plugin",
            **about,
            "metadata": {
                "plugin_system_version": PLUGIN_SYSTEM_VERSION,
                "label_count": len(labels),
                "agent_count": len(agents),
            },
        }
        return plugin | {"kombuse": plugin["kombuse"] | {"exported_at": exported_at}}, manifest


def collect(tx: ReadTx, body: ExportBody, project_id: str) -> Draft:
    """Raises Unprocessable for agents that are none, BadRequest for what no file can be named."""
    installed = queries.by_name(tx, project_id, body.package_name)
    export = Export(
        project_id=project_id,
        plugin_id=installed["id"] if installed else None,
        agent_ids=tuple(body.agent_ids) or None,
        manifest={
            "name": body.package_name,
            **_about(body, installed),
            "kombuse": {
                "plugin_system_version": PLUGIN_SYSTEM_VERSION,
                "exported_at": tx.now,
                "labels": [],
            },
        },
    )
    for section in service.sections(tx.kernel):
        section.export(tx, export)
    for path in export.files:
        problem = file_name_problem(path)
        if problem is not None:
            raise BadRequest(f"{path!r} cannot be exported: it is {problem}")
    return Draft(
        name=body.package_name,
        place=place_of(tx, project_id),
        export=export,
        exported_at=tx.now,
        earlier=_installed(installed) if installed else {},
    )


def _about(body: ExportBody, installed: Row | None) -> dict[str, str]:
    """What the person said of the package, or else what the installed one says of itself."""
    known: dict[str, Any] = {"version": DEFAULT_VERSION}
    if installed is not None:
        known |= {key: installed[key] for key in _ABOUT}
    given = known | {key: value for key, value in body.changes().items() if key in _ABOUT}
    return {key: given[key] for key in _ABOUT if given.get(key) is not None}


def _installed(row: Row) -> dict[str, str]:
    return {row["content_sha256"]: _exported_at(row["manifest"])}


def _exported_at(plugin_json: str | bytes | None) -> str:
    """Empty when the package does not say, or not in a way that an archive can say it too."""
    table = object_in(plugin_json).get("kombuse")
    text = table.get("exported_at") if isinstance(table, dict) else None
    try:
        seconds = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else -1
    except (ValueError, OverflowError):
        return ""
    return text if isinstance(text, str) and 0 <= seconds < _LATEST else ""


def _merged(value: dict[str, Any], existing: bytes | None) -> bytes:
    """Keys that a person added, such as the entry point of code, stay."""
    ours = {*value, "author", "description", "checksum"}
    added = {key: item for key, item in object_in(existing).items() if key not in ours}
    return json.dumps(value | added, ensure_ascii=False, indent=2).encode()
