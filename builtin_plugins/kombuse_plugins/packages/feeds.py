"""The feeds of a project, in the order in which they decide, and what they offer."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from kombuse_plugins.packages.places import Place
from kombuse_plugins.packages.sources import configured, defaults
from kombuse_registry.documents import Documents
from kombuse_registry.feeds import open_feed
from kombuse_registry.manifest import MANIFEST_JSON, PackageMetadata
from kombuse_registry.resolver import Mode, Resolver
from kombuse_registry.trust import TrustedKeys
from kombuse_sdk.errors import KombuseError
from kombuse_sdk.feeds import Download, Feed, PackageVersion, Progress
from kombuse_sdk.types import Kernel

__all__ = ["Scope", "ScopedFeed", "of_project", "resolver", "trusted_keys"]

Scope = Literal["project", "global", "bundled", "source", "default", "plugin"]
# Answers of registries are kept here for minutes, whichever request asked for them.
_documents = Documents()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedFeed:
    """`source` is the kind of feed as the API names it."""

    feed: Feed
    scope: Scope
    source: Literal["filesystem", "github", "http"]


class _Bundled:
    """The packages that plugins bring with them (`kombuse_package`)."""

    id = "bundled"
    name = "Bundled with plugins"

    def __init__(self, folders: list[Traversable]) -> None:
        self._folders = [Path(str(folder)) for folder in folders]

    def packages(self) -> list[PackageVersion]:
        return list(self._found())

    def versions(self, name: str) -> list[PackageVersion]:
        return [version for version in self._found() if version.name == name]

    def download(
        self, version: PackageVersion, folder: Path, progress: Progress | None = None
    ) -> Download:
        assert version.directory is not None
        return Download(path=version.directory, checksum=None)

    def _found(self) -> Iterator[PackageVersion]:
        for folder in self._folders:
            try:
                data = PackageMetadata.from_json((folder / MANIFEST_JSON).read_bytes())
            except (OSError, KombuseError):
                continue
            yield PackageVersion(
                name=data.name,
                version=data.version,
                feed_id=self.id,
                description=data.description,
                directory=folder,
                manifest=data.model_dump(exclude_none=True),
            )


def of_project(kernel: Kernel, place: Place) -> list[ScopedFeed]:
    """The folders, what plugins bring, the person's sources, feeds of plugins, the registry."""
    trusted = trusted_keys(kernel.config.home)
    opened = partial(open_feed, documents=_documents, trusted=trusted)
    default = list(defaults(place))
    project, everywhere, *registries = [opened(source) for source in default]
    bundled = _Bundled([folder for _, folder in kernel.offers("kombuse_package")])
    sources = [
        *configured(kernel.config.home / "config.json"),
        *configured(place.config_file),
    ]
    found = [
        ScopedFeed(feed=project, scope="project", source="filesystem"),
        ScopedFeed(feed=everywhere, scope="global", source="filesystem"),
        ScopedFeed(feed=bundled, scope="bundled", source="filesystem"),
        *(ScopedFeed(feed=opened(item), scope="source", source=item["type"]) for item in sources),
        *(
            ScopedFeed(feed=feed, scope="plugin", source="http")
            for _, feed in kernel.offers("kombuse_feeds")
        ),
        *(ScopedFeed(feed=feed, scope="default", source="http") for feed in registries),
    ]
    return list({item.feed.id: item for item in reversed(found)}.values())[::-1]


def trusted_keys(home: Path) -> TrustedKeys:
    """The keys that registries had when they were first met."""
    return TrustedKeys(home / "cache" / "packages" / "keys.json")


def resolver(kernel: Kernel, place: Place) -> Resolver:
    plugins = kernel.config.values.get("plugins")
    wanted = plugins.get("resolution") if isinstance(plugins, dict) else None
    mode: Mode = "highest" if wanted == "highest" else "first"
    return Resolver([item.feed for item in of_project(kernel, place)], mode=mode)
