"""Releases of a GitHub repository, each of which has a package as an asset."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from kombuse_registry import versions
from kombuse_registry.documents import LIST_SECONDS, Documents
from kombuse_registry.errors import FeedError
from kombuse_registry.feeds.answers import failures_of, number, objects, text
from kombuse_registry.integrity import check_hashes, checksum_of
from kombuse_registry.transport import Answer, Limits, Transport
from kombuse_sdk.feeds import Download, PackageVersion, Progress

__all__ = ["GITHUB_API", "GitHubFeed"]

GITHUB_API = "https://api.github.com"
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,11}")
_MOST_PAGES = 10
_ACCEPT = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_BYTES = {"Accept": "application/octet-stream"}


class GitHubFeed:
    """One package, named `package_name` or like the repository; drafts and pre-releases are none.

    With a token, assets are fetched through the API, as those of private repositories must be.
    """

    def __init__(
        self,
        repository: str,
        *,
        documents: Documents,
        package_name: str | None = None,
        token: str | None = None,
        api_base: str = GITHUB_API,
        allow_insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.repository = repository
        self.id = f"github:{repository}"
        self.name = f"GitHub ({repository})"
        self._package = package_name or repository.rpartition("/")[2]
        self._documents = documents
        self._token = token
        self._api_base = api_base
        self._allow_insecure = allow_insecure
        self._limits = limits

    @cached_property
    def _transport(self) -> Transport:
        return Transport(
            self._api_base,
            token=self._token,
            allow_insecure=self._allow_insecure,
            limits=self._limits,
        )

    def packages(self) -> list[PackageVersion]:
        return self.versions(self._package)[:1]

    def versions(self, name: str) -> list[PackageVersion]:
        """Releases without an archive are listed too: their download says what is missing."""
        if name != self._package:
            return []
        found = {
            version: self._version(version, release)
            for version, release in self._releases().items()
        }
        return [found[version] for version in versions.sort_newest_first(found)]

    def download(
        self, version: PackageVersion, folder: Path, progress: Progress | None = None
    ) -> Download:
        """The checksum is that of the asset's digest, or of the asset `<archive>.sha256`."""
        release = self._releases().get(version.version, {})
        asset = self._archive(version.version, release)
        url = self._url(asset) if asset else None
        if asset is None or url is None:
            raise FeedError("download", "No download URL available for this release")
        with failures_of("download"):
            announced = self._announced(asset, release)
            found = self._transport.download(url, folder / "package.tar.gz", progress, _BYTES)
            if isinstance(found, Answer):
                raise FeedError("download", f"HTTP {found.status}: {found.reason}")
        for checksum in announced:
            check_hashes(PackageVersion(name=version.name, version="", checksum=checksum), found)
        return Download(path=found.path, checksum=found.sha256)

    def _releases(self) -> dict[str, dict[str, Any]]:
        """Published releases by their version, whose tag may begin with one v."""
        found: dict[str, dict[str, Any]] = {}
        with failures_of(self.id):
            for release in self._listed():
                version = str(release.get("tag_name", "")).removeprefix("v")
                is_draft = release.get("draft") or release.get("prerelease")
                if not is_draft and versions.parse(version):
                    found.setdefault(version, release)
        return found

    def _listed(self) -> Iterator[dict[str, Any]]:
        if not _REPOSITORY.fullmatch(self.repository):
            raise FeedError(self.id, "a repository is named owner/name")
        url: str | None = f"/repos/{self.repository}/releases?per_page=100"
        for _ in range(_MOST_PAGES):
            if url is None:
                return
            answer = self._documents.get(
                self._transport, url, seconds=LIST_SECONDS, headers=_ACCEPT
            )
            if answer.status != 200:
                raise FeedError(self.id, f"GitHub API error: {answer.line}{_limit(answer)}")
            yield from objects(answer.json())
            url = answer.next_url

    def _version(self, version: str, release: Mapping[str, Any]) -> PackageVersion:
        asset = self._archive(version, release) or {}
        digest = text(asset, "digest")
        return PackageVersion(
            name=self._package,
            version=version,
            feed_id=self.id,
            description=text(release, "name"),
            download_url=self._url(asset) if asset else None,
            checksum=checksum_of(digest) if digest else None,
            size=number(asset, "size"),
            published_at=text(release, "published_at"),
            release_notes=text(release, "body"),
        )

    def _archive(self, version: str, release: Mapping[str, Any]) -> dict[str, Any] | None:
        archives = {
            name: asset
            for asset in objects(release.get("assets"))
            if (name := str(asset.get("name"))).endswith(".tar.gz") and self._url(asset)
        }
        best = f"{self._package}-{version}.tar.gz"
        return archives.get(best) or next(iter(archives.values()), None)

    def _url(self, asset: Mapping[str, Any]) -> str | None:
        through_api, by_browser = text(asset, "url"), text(asset, "browser_download_url")
        return (through_api or by_browser) if self._token else (by_browser or through_api)

    def _announced(self, asset: Mapping[str, Any], release: Mapping[str, Any]) -> list[str]:
        found = [checksum_of(digest)] if (digest := text(asset, "digest")) else []
        wanted = f"{asset.get('name')}.sha256"
        for other in objects(release.get("assets")):
            url = self._url(other)
            if other.get("name") != wanted or url is None:
                continue
            answer = self._transport.get(url, _BYTES)
            if answer.status != 200:
                raise FeedError("download", f"HTTP {answer.status}: {answer.reason} ({wanted})")
            words = answer.body.decode("utf-8", "replace").split()
            found.append(checksum_of(words[0]) if words else wanted)
        return found


def _limit(answer: Answer) -> str:
    """When requests are allowed again, if it is their number that GitHub complains about."""
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") != "0" or not _SECONDS.fullmatch(reset):
        return ""
    return f" (rate limit reached until {datetime.fromtimestamp(int(reset), UTC):%H:%M:%S} UTC)"
