"""Where packages come from: folders, and what the configuration files of home and project name.

The global file is the person's alone; that of a project is edited here, with all else in it kept.
"""

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kombuse_plugins.packages.places import Place, place_of
from kombuse_plugins.packages.source_schemas import HIDDEN, Source, SourcesUpdate
from kombuse_sdk import config_files, json_files
from kombuse_sdk.errors import BadRequest, Conflict, Forbidden
from kombuse_sdk.types import Kernel

__all__ = ["DEFAULT_REGISTRY", "configured", "defaults", "shown", "update"]

log = logging.getLogger("kombuse.packages")
DEFAULT_REGISTRY = "https://kombuse.dev"
_SOURCE: TypeAdapter[Any] = TypeAdapter(Source)


async def shown(kernel: Kernel, project: str) -> dict[str, Any]:
    """As the API shows them: without tokens."""
    place = await kernel.db.read_async(lambda tx: place_of(tx, project))
    return await asyncio.to_thread(_listing, place)


async def update(kernel: Kernel, body: SourcesUpdate) -> dict[str, Any]:
    """Replace the list in the project's file. A file that does not parse is left as it is: 409."""
    place = await kernel.db.read_async(lambda tx: place_of(tx, body.project_id))

    def work() -> dict[str, Any]:
        _save(place, body)
        return _listing(place)

    return await asyncio.to_thread(work)


def _listing(place: Place) -> dict[str, Any]:
    return {
        "global_sources": [_shown(source) for source in configured(place.home / "config.json")],
        "project_sources": [_shown(source) for source in configured(place.config_file)],
        "default_sources": list(defaults(place)),
    }


def configured(file: Path) -> list[dict[str, Any]]:
    """The sources that a configuration file names; those that are none are logged and left out."""
    found = []
    for entry in _entries(file):
        try:
            found.append(_plain(_SOURCE.validate_python(entry)))
        except ValidationError as error:
            log.warning("a source in %s is left out: %s", file, error.errors()[0]["msg"])
    return found


def defaults(place: Place) -> Iterator[dict[str, Any]]:
    """The two folders, and the registry unless the person switched it off."""
    project, everywhere = place.plugins, place.home / "plugins"
    yield {"type": "filesystem", "path": str(project), "label": "Project plugins"}
    yield {"type": "filesystem", "path": str(everywhere), "label": "Global plugins"}
    registry = os.environ.get("KOMBUSE_REGISTRY_URL") or _settings(place.home / "config.json").get(
        "default_registry", DEFAULT_REGISTRY
    )
    if isinstance(registry, str) and registry:
        yield {"type": "http", "base_url": registry, "label": "Kombuse Registry"}


def _save(place: Place, body: SourcesUpdate) -> None:
    before = configured(place.config_file)
    wanted = [_with_token(_plain(source), before) for source in body.sources]

    def change(data: bytes | None) -> bytes:
        content = json_files.parse(data)
        plugins = content.setdefault("plugins", {})
        if not isinstance(plugins, dict):
            raise ValueError("its key plugins is no object, left as it is")
        plugins["sources"] = wanted
        return json_files.render(content, data)

    has_secret = any(_is_secret(source.get("token")) for source in wanted)
    inside = None if place.is_in_home else place.root
    try:
        config_files.edit(place.config_file, change, inside=inside, is_private=has_secret)
    except ValueError as error:
        raise Conflict(f"{place.config_file}: {error}") from error
    except OSError as error:
        message = f"Cannot write to project config: {config_files.reason(error)}"
        if config_files.is_denied(error):
            raise Forbidden(message) from error
        if isinstance(error, NotADirectoryError | FileExistsError):
            raise BadRequest(message) from error
        raise


def _entries(file: Path) -> list[Any]:
    entries = _settings(file).get("sources", [])
    return entries if isinstance(entries, list) else []


def _settings(file: Path) -> dict[str, Any]:
    """The key `plugins`; empty for a file that is not there or cannot be read."""
    try:
        plugins = json_files.object_in(file.read_bytes()).get("plugins")
    except OSError:
        return {}
    return plugins if isinstance(plugins, dict) else {}


def _plain(source: Any) -> dict[str, Any]:
    found: dict[str, Any] = source.model_dump(exclude_unset=True)
    return found


def _is_secret(token: str | None) -> bool:
    return token is not None and not token.startswith("$")


def _shown(source: Mapping[str, Any]) -> dict[str, Any]:
    return {**source, "token": HIDDEN} if _is_secret(source.get("token")) else dict(source)


def _with_token(source: dict[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    """The stored token of the same source where the hidden one was sent back."""
    if source.get("token") != HIDDEN:
        return source
    for stored in before:
        if all(stored.get(key) == source.get(key) for key in ("type", "repo", "base_url")):
            return source | {"token": stored.get("token", HIDDEN)}
    raise BadRequest(f"There is no stored token for {source.get('repo') or source['base_url']}")
