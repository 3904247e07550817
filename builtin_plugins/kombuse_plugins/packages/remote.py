"""What feeds offer, and installing it. All of it waits for others: it runs in threads."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from kombuse_plugins.packages import cache, feeds, installation, queries
from kombuse_plugins.packages.installation import Choices, Origin
from kombuse_plugins.packages.places import Place, place_of
from kombuse_plugins.packages.remote_schemas import AvailableFilter, PullBody, RemoteInstall
from kombuse_plugins.packages.schemas import COUNTERS
from kombuse_registry import names, versions
from kombuse_registry.errors import InvalidPackage, VersionNotFound
from kombuse_registry.package import Package, read_package
from kombuse_registry.resolver import Resolution
from kombuse_sdk.errors import KombuseError, NotFound, Unprocessable
from kombuse_sdk.feeds import PackageVersion
from kombuse_sdk.storage import Row
from kombuse_sdk.types import Kernel

__all__ = ["available", "check_updates", "feed_answers", "install", "pull"]

_FAILED = "X-Kombuse-Feed-Errors"


async def available(kernel: Kernel, query: AvailableFilter) -> Response:
    """The feeds that failed are named in a header."""
    place = await kernel.db.read_async(lambda tx: place_of(tx, query.project_id))
    installed = await kernel.db.read_async(lambda tx: queries.of_project(tx, place.project_id))
    scoped = {item.feed.id: item for item in feeds.of_project(kernel, place)}
    listing = await asyncio.to_thread(feeds.resolver(kernel, place).packages)
    conflicts = listing.conflicts
    newest = _newest(listing.packages)
    found: dict[str, dict[str, Any]] = {}
    for package in listing.packages:
        if package.type == "plugin" and package.name not in found:
            entry = _entry(package, scoped[package.feed_id], newest[package.name], installed)
            others = [feed for feed in conflicts.get(package.name, ()) if feed != package.feed_id]
            found[package.name] = entry | {"also_in": others}
    shown = [
        found[name] for name in sorted(found) if query.installed in (None, found[name]["installed"])
    ]
    failed = [report.id for report in listing.reports if not report.ok]
    headers = {_FAILED: ", ".join(failed)} if failed else {}
    return Response(to_json(shown), media_type="application/json", headers=headers)


async def feed_answers(kernel: Kernel, project: str) -> list[dict[str, Any]]:
    place = await kernel.db.read_async(lambda tx: place_of(tx, project))
    listing = await asyncio.to_thread(feeds.resolver(kernel, place).packages)
    answers = [asdict(report) for report in listing.reports]
    return [{key: item for key, item in answer.items() if item is not None} for answer in answers]


async def install(kernel: Kernel, body: RemoteInstall) -> Any:
    place = await kernel.db.read_async(lambda tx: place_of(tx, body.project_id))
    choices = Choices.of(body)

    def work() -> dict[str, Any]:
        known = (item.feed.id for item in feeds.of_project(kernel, place))
        if body.feed_id and body.feed_id not in known:
            raise Unprocessable.reference("feed_id", "source")
        resolution = _resolve(
            kernel, place, body.name, body.version, body.channel, pin=body.feed_id
        )
        return _install(kernel, place, resolution, body.channel, choices)

    return installation.answer(await asyncio.to_thread(work), choices)


async def pull(kernel: Kernel, plugin_id: str, body: PullBody) -> dict[str, Any]:
    """The newest version of where the plugin came from; nothing newer changes nothing."""
    row, place = await _installed(kernel, plugin_id)
    choices = replace(Choices.of(body), overwrite=True, allow_downgrade=False)

    def work() -> dict[str, Any]:
        resolution = _of_installed(kernel, place, row)
        if not versions.is_newer(resolution.version.version, row["package_version"]):
            unchanged = {"plugin_id": plugin_id, "plugin_name": row["name"]}
            return unchanged | dict.fromkeys(COUNTERS, 0) | {"warnings": ["Already up to date"]}
        return _install(kernel, place, resolution, row["channel"], choices)

    return await asyncio.to_thread(work)


async def check_updates(kernel: Kernel, plugin_id: str) -> dict[str, Any]:
    """A feed that does not answer has no update."""
    row, place = await _installed(kernel, plugin_id)
    current = row["package_version"]
    found = {
        "plugin_id": plugin_id,
        "plugin_name": row["name"],
        "has_update": False,
        "current_version": current,
    }
    try:
        resolution = await asyncio.to_thread(_of_installed, kernel, place, row)
    except KombuseError:
        return found
    newest = resolution.version.version
    if not versions.is_newer(newest, current):
        return found
    return found | {
        "has_update": True,
        "latest_version": newest,
        "feed_id": resolution.version.feed_id,
    }


async def _installed(kernel: Kernel, plugin_id: str) -> tuple[Row, Place]:
    row = NotFound.unless(
        await kernel.db.read_async(lambda tx: queries.row(tx, plugin_id)), "Plugin"
    )
    return row, await kernel.db.read_async(lambda tx: place_of(tx, row["project_id"]))


def _resolve(
    kernel: Kernel,
    place: Place,
    name: str,
    wanted: str | None = None,
    channel: str | None = None,
    pin: str | None = None,
) -> Resolution:
    with kernel.db.read() as tx:
        known = queries.source_names(tx)
    return feeds.resolver(kernel, place).resolve(
        name,
        wanted or None,
        channel=channel,
        pin=pin,
        owners=cache.cache_of(kernel.config).feeds_of(name),
        known=known,
    )


def _of_installed(kernel: Kernel, place: Place, row: Row) -> Resolution:
    """By its name at the feed that it came from; else by the names that it may have at feeds."""
    plain = row["name"]
    full = f"{row['author']}/{plain}" if row["author"] else None
    error: KombuseError = VersionNotFound("latest", full or plain)
    for name in [row["source_name"]] if row["source_name"] else filter(None, (full, plain)):
        try:
            return _resolve(kernel, place, name, channel=row["channel"], pin=row["source_feed_id"])
        except VersionNotFound as missing:
            error = missing
    raise error


def _install(
    kernel: Kernel, place: Place, resolution: Resolution, channel: str | None, choices: Choices
) -> dict[str, Any]:
    version = resolution.version
    if version.type != "plugin":
        raise InvalidPackage(f'Package type "{version.type}" is not installable as a plugin')
    package = read_package(_fetched(kernel, resolution))
    if version.feed_id.startswith("http:"):
        _require_identity(version, package)
    origin = Origin(
        feed_id=version.feed_id,
        name=version.name,
        channel=channel or version.channel,
        version=version.version,
    )
    result = installation.install(kernel, place.project_id, package, choices, origin)
    return result | {"warnings": [*resolution.warnings, *result["warnings"]]}


def _fetched(kernel: Kernel, resolution: Resolution) -> Path:
    version = resolution.version
    if version.directory is not None:
        return version.directory
    return cache.cache_of(kernel.config).fetch(resolution.feed, version).archive


def _require_identity(version: PackageVersion, package: Package) -> None:
    """What a registry announced is what is in the archive."""
    author, name = names.split_name(version.name)
    manifest = package.manifest
    found = (manifest.name, manifest.version)
    if found != (name, version.version) or manifest.author not in (None, author):
        inside = f"{manifest.author or author}/{manifest.name} {manifest.version}"
        raise InvalidPackage(f"{version.name} {version.version} holds another package: {inside}")


def _entry(
    package: PackageVersion, scoped: feeds.ScopedFeed, newest: str, installed: list[Row]
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": package.name,
        "version": package.version,
        "source": scoped.source,
        "source_feed_id": package.feed_id,
        "scope": scoped.scope,
        "installed": False,
        "latest_version": newest,
    }
    if package.description is not None:
        entry["description"] = package.description
    if package.directory is not None:
        entry["directory"] = str(package.directory)
    for row in _matching(package.name, installed):
        entry["installed"] = True
        entry["installed_version"] = row["package_version"]
        entry["has_update"] = versions.is_newer(newest, row["package_version"])
    return entry


def _matching(name: str, installed: list[Row]) -> Iterator[Row]:
    """The installed plugin of this name, unless it is known to be another author's."""
    author, plain = names.split_name(name)
    for row in installed:
        if row["name"] == plain and (author is None or row["author"] in (None, author)):
            yield row


def _newest(packages: list[PackageVersion]) -> Mapping[str, str]:
    found: dict[str, list[str]] = {}
    for package in packages:
        found.setdefault(package.name, []).append(package.version)
    return {name: versions.newest(texts) or texts[0] for name, texts in found.items()}
