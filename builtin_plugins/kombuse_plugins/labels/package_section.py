"""The labels of packages: taken over by slug or name, never from another package, never deleted."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import TypeAdapter

from kombuse_plugins.labels import queries
from kombuse_plugins.labels.models import LabelRow
from kombuse_plugins.labels.schemas import PackagedLabel
from kombuse_sdk.contracts import PackagedTriggers
from kombuse_sdk.packages import Export, Installation, PackageContent
from kombuse_sdk.schemas import slugify
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = ["LabelSection"]

_LABELS = TypeAdapter(list[PackagedLabel])


class LabelSection:
    name = "labels"
    order = 10

    def read(self, content: PackageContent) -> list[PackagedLabel]:
        return _LABELS.validate_python(content.manifest["kombuse"]["labels"])

    def install(
        self, tx: WriteTx, installation: Installation, parsed: Sequence[PackagedLabel]
    ) -> None:
        known = _Known(queries.of_project(tx, installation.project_id), installation.plugin_id)
        installation.label_ids.update(known.ids_by_name())
        for label in parsed:
            installation.label_ids[label.name] = _install(tx, installation, known, label)
        gone = known.unused()
        for row in gone:
            installation.record("labels", "orphaned", row["name"])
        _release(tx, [row["id"] for row in gone])

    def set_enabled(self, tx: WriteTx, plugin_id: str, is_enabled: bool) -> None:
        """A label that a person disabled stays so."""
        sql = """
            UPDATE labels SET is_enabled = :on, disabled_by_plugin = NOT :on
            WHERE plugin_id = :plugin AND iif(:on, disabled_by_plugin, is_enabled)
        """
        tx.execute(sql, {"plugin": plugin_id, "on": is_enabled})

    def uninstall(self, tx: WriteTx, plugin_id: str, mode: Literal["orphan", "delete"]) -> None:
        """In both modes they stay on the tickets."""
        _release(tx, queries.ids_of_plugin(tx, plugin_id))

    def export(self, tx: ReadTx, export: Export) -> None:
        labels = [
            {"name": row["name"], "color": row["color"], "description": row["description"]}
            for row in queries.of_project(tx, export.project_id)
            if row["is_enabled"]
        ]
        export.manifest.setdefault("kombuse", {})["labels"] = labels
        export.counters["labels"] += len(labels)


class _Known:
    """The labels of a project while a package is installed. `used` are those that it names."""

    def __init__(self, rows: Iterable[Row], plugin_id: str) -> None:
        owners = (plugin_id, None)
        self._plugin_id = plugin_id
        self._own_by_slug: dict[str, dict[str, Any]] = {}
        self._by_name: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._by_slug: defaultdict[str | None, list[dict[str, Any]]] = defaultdict(list)
        self.used: set[int] = set()
        for row in sorted(
            map(dict, rows), key=lambda row: (row["plugin_id"] not in owners, -row["is_enabled"])
        ):
            self._by_name[row["name"]].append(row)
            self._by_slug[row["slug"]].append(row)
            if row["plugin_id"] == plugin_id:
                self._own_by_slug[row["slug"]] = row

    def ids_by_name(self) -> dict[str, int]:
        return {name: rows[0]["id"] for name, rows in self._by_name.items()}

    def unused(self) -> list[dict[str, Any]]:
        """The package's labels that it no longer names."""
        return [row for row in self._own_by_slug.values() if row["id"] not in self.used]

    def find(self, name: str, slug: str) -> dict[str, Any] | None:
        """By slug among the package's own; else by name, else by slug, those of others last."""
        if slug in self._own_by_slug:
            return self._own_by_slug[slug]
        candidates = (*self._by_name[name], *self._by_slug[slug])
        return next((row for row in candidates if row["id"] not in self.used), None)

    def take(self, row: dict[str, Any], values: Mapping[str, Any]) -> None:
        """The row is the package's now."""
        if self._own_by_slug.get(row.get("slug", "")) is row:
            del self._own_by_slug[row["slug"]]
        row.update(values)
        self._own_by_slug[row["slug"]] = row
        self.used.add(row["id"])


def _install(tx: WriteTx, installation: Installation, known: _Known, label: PackagedLabel) -> int:
    slug = slugify(label.name) or f"label-{hashlib.sha256(label.name.encode()).hexdigest()[:8]}"
    found = known.find(label.name, slug)
    if found is None:
        return _create(tx, installation, known, label, slug)
    installation.record("labels", "merged", found["name"])
    if found["plugin_id"] not in (None, installation.plugin_id):
        installation.warnings.append(
            f'Label "{found["name"]}" belongs to another plugin and is shared with it'
        )
    else:
        values = {"plugin_id": installation.plugin_id, "slug": slug} | label.look()
        changes = {name: value for name, value in values.items() if value != found[name]}
        tx.update(LabelRow, found["id"], **changes)
        known.take(found, values)
    label_id: int = found["id"]
    return label_id


def _create(
    tx: WriteTx, installation: Installation, known: _Known, label: PackagedLabel, slug: str
) -> int:
    values = {"plugin_id": installation.plugin_id, "name": label.name, "slug": slug} | label.look()
    label_id: int = tx.insert(
        LabelRow,
        project_id=installation.project_id,
        is_enabled=installation.is_enabled,
        disabled_by_plugin=not installation.is_enabled,
        created_at=tx.now,
        **values,
    )
    known.take({"id": label_id, "color": None, "description": None}, values)
    installation.record("labels", "created", label.name)
    return label_id


def _release(tx: WriteTx, label_ids: Sequence[int]) -> None:
    """Leave labels to the project; one whose slug the project has already becomes that label."""
    for clash in queries.slug_clashes(tx, label_ids):
        _move(tx, clash["id"], clash["other_id"])
    sql = """
        UPDATE labels SET
            plugin_id = NULL, is_enabled = is_enabled OR disabled_by_plugin, disabled_by_plugin = 0
        WHERE id IN (SELECT value FROM json_each(?))
    """
    tx.execute(sql, (json.dumps(label_ids),))


def _move(tx: WriteTx, label_id: int, other_id: int) -> None:
    sql = """
        INSERT OR IGNORE INTO ticket_labels (ticket_id, label_id, added_by_id, created_at)
        SELECT ticket_id, ?, added_by_id, created_at FROM ticket_labels WHERE label_id = ?
    """
    tx.execute(sql, (other_id, label_id))
    triggers = tx.services.find(PackagedTriggers)
    if triggers is not None:
        triggers.replace_label(tx, label_id, other_id)
    tx.delete(LabelRow, label_id)
