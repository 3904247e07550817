"""Agents as markdown files in a folder."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombuse_plugins.agents import queries
from kombuse_plugins.agents.presets import DEFAULT_TYPE
from kombuse_plugins.agents.schemas import Export
from kombuse_sdk.agent_files import render_agent_file
from kombuse_sdk.agent_schemas import SELF
from kombuse_sdk.config_files import is_denied
from kombuse_sdk.contracts import Profiles, Triggers
from kombuse_sdk.errors import BadRequest, Forbidden
from kombuse_sdk.storage import Database, ReadTx, Row
from kombuse_sdk.whole_files import replace

__all__ = ["Document", "agent_file", "collect", "run", "write"]

_OWN_KEYS = ("type", "model", "backend_type", "enabled_for_chat")
_OF_TRIGGER = ("slug", "event_type", "conditions", "project_id", "is_enabled", "priority")


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    text: str


async def run(db: Database, body: Export) -> dict[str, Any]:
    directory = _absolute(body.directory)
    documents = await db.read_async(lambda tx: collect(tx, body.agent_ids))
    await asyncio.to_thread(write, directory, documents)
    files = sorted(document.name for document in documents)
    return {"directory": body.directory, "count": len(files), "files": files}


def collect(tx: ReadTx, agent_ids: list[str]) -> list[Document]:
    """Unknown agents are passed over. Of two with one slug the later is named by its id too."""
    rows = queries.exported(tx, agent_ids)
    profiles = tx.services.get(Profiles).rows(tx, [row["id"] for row in rows])
    triggers = tx.services.find(Triggers)
    documents: dict[str, Document] = {}
    for row in rows:
        base = row["slug"] or row["id"]
        name = f"{base}.md" if f"{base}.md" not in documents else f"{base}-{row['id']}.md"
        found = triggers.of_agent(tx, row["id"]) if triggers else []
        starts = [_trigger(trigger, row["id"]) for trigger in found]
        documents[name] = Document(name, agent_file(row, profiles[row["id"]], starts))
    return list(documents.values())


def agent_file(row: Row, profile: Row, triggers: Sequence[Mapping[str, Any]]) -> str:
    """The file of an agent, with its triggers as the file is to have them."""
    config = json.loads(row["config"])
    rest = {key: value for key, value in config.items() if key not in _OWN_KEYS}
    matter = {
        "name": profile["name"],
        "slug": row["slug"],
        "description": profile["description"],
        "avatar": profile["avatar_url"],
        "type": config.get("type", DEFAULT_TYPE),
        "model": config.get("model"),
        "backend_type": config.get("backend_type"),
        "is_enabled": bool(row["is_enabled"]),
        "enabled_for_chat": config.get("enabled_for_chat", False),
        "permissions": json.loads(row["permissions"]),
        "triggers": triggers,
    }
    return render_agent_file(matter | ({"config": rest} if rest else {}), row["system_prompt"])


def write(directory: Path, documents: Iterable[Document]) -> None:
    """Each file at once, in place of the one that is there. Forbidden or BadRequest if it fails."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for document in documents:
            replace(directory / document.name, document.text.encode(), 0o644)
    except OSError as error:
        message = f"Cannot write to directory: {error.strerror or error}"
        raise (Forbidden if is_denied(error) else BadRequest)(message) from error


def _trigger(trigger: Mapping[str, Any], agent_id: str) -> dict[str, Any]:
    shown = {name: trigger[name] for name in _OF_TRIGGER}
    if shown["slug"] is None:
        del shown["slug"]
    if trigger["conditions"] is not None:
        shown["conditions"] = {
            key: _named(value, agent_id) for key, value in trigger["conditions"].items()
        }
    if trigger["allowed_invokers"] is not None:
        shown["allowed_invokers"] = trigger["allowed_invokers"]
    return shown


def _named(value: Any, agent_id: str) -> Any:
    """The agent's own id has another value where the file is read."""
    if isinstance(value, list):
        return [_named(item, agent_id) for item in value]
    return SELF if value == agent_id else value


def _absolute(directory: str) -> Path:
    try:
        path = Path(directory).expanduser()
    except RuntimeError:
        raise BadRequest("There is no such home directory") from None
    if not path.is_absolute() or "\0" in directory:
        raise BadRequest("Expected an absolute path")
    return path
