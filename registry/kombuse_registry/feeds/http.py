"""A registry that speaks the package protocol over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kombuse_registry import names, signing, versions
from kombuse_registry.documents import LIST_SECONDS, Documents
from kombuse_registry.errors import FeedError, IntegrityError, KeyChanged
from kombuse_registry.feeds.answers import failures_of, number, objects, text
from kombuse_registry.integrity import (
    check_hashes,
    check_signed,
    checksum_of,
    is_good_at,
    listed_keys,
)
from kombuse_registry.transport import Answer, Downloaded, Limits, Transport
from kombuse_registry.trust import TrustedKeys
from kombuse_sdk.feeds import Download, PackageVersion, Progress

__all__ = ["HttpFeed"]

_MOST_PAGES = 50


class HttpFeed:
    """Packages named `author/name`; other names are not asked for.

    Without `public_keys` the keys that a registry signs with are remembered in `trusted` when they
    are met first. `allow_unverified` takes packages for which the registry names no checksum.
    """

    def __init__(
        self,
        base_url: str,
        *,
        documents: Documents,
        trusted: TrustedKeys,
        token: str | None = None,
        public_keys: Sequence[str] = (),
        allow_unverified: bool = False,
        allow_insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.id = f"http:{self.base_url}"
        self.name = f"HTTP ({self.base_url})"
        self._documents = documents
        self._trusted = trusted
        self._token = token
        self._public_keys = tuple(public_keys)
        self._allow_unverified = allow_unverified
        self._allow_insecure = allow_insecure
        self._limits = limits

    @cached_property
    def _transport(self) -> Transport:
        """Made when it is needed: a source that may not be asked is a feed that fails."""
        return Transport(
            self.base_url,
            token=self._token,
            allow_insecure=self._allow_insecure,
            limits=self._limits,
        )

    def packages(self) -> list[PackageVersion]:
        found: dict[str, PackageVersion] = {}
        with failures_of(self.id):
            for document in self._pages():
                for entry in objects(document.get("packages")):
                    package = self._package(entry)
                    if package:
                        found.setdefault(package.name, package)
        return list(found.values())

    def versions(self, name: str) -> list[PackageVersion]:
        """Yanked versions included; channels as the registry tells them."""
        author, package = names.split_name(name)
        if author is None or not (names.is_author(author) and names.is_package(package)):
            return []
        path = f"/api/pkg/{quote(author, safe='')}/{quote(package, safe='')}/versions"
        with failures_of(self.id):
            document = self._document(f"{path}?include_yanked=true")
        found = [
            version
            for entry in objects((document or {}).get("versions"))
            if (version := self._version(name, entry))
        ]
        order = versions.sort_newest_first(version.version for version in found)
        return sorted(found, key=lambda version: order.index(version.version))

    def download(
        self, version: PackageVersion, folder: Path, progress: Progress | None = None
    ) -> Download:
        """Raises FeedError, or IntegrityError for bytes that are not the announced ones."""
        if not version.download_url:
            raise FeedError("download", "the registry names no address to download from")
        if not version.checksum and not self._allow_unverified:
            raise IntegrityError("the registry names no checksum")
        with failures_of("download"):
            found = self._transport.download(
                _address(version.download_url), folder / "package.tar.gz", progress
            )
            if isinstance(found, Answer):
                raise FeedError("download", _complaint(found))
        check_hashes(version, found)
        self._check_signatures(version, found)
        return Download(path=found.path, checksum=found.sha256)

    def _pages(self) -> Iterator[dict[str, Any]]:
        url: str | None = "/api/pkg"
        for _ in range(_MOST_PAGES):
            answer = self._answer(url, LIST_SECONDS) if url else None
            if answer is None:
                return
            document = answer.json()
            if isinstance(document, dict):
                yield document
            url = answer.next_url

    def _document(self, path: str, seconds: float = 0) -> dict[str, Any] | None:
        answer = self._answer(path, seconds)
        document = answer.json() if answer else None
        return document if isinstance(document, dict) else None

    def _answer(self, url: str, seconds: float) -> Answer | None:
        """None for what the registry does not have."""
        answer = self._documents.get(self._transport, url, seconds=seconds)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise FeedError(self.id, _complaint(answer))
        return answer

    def _package(self, entry: Mapping[str, Any]) -> PackageVersion | None:
        author, name = text(entry, "author") or "", text(entry, "name") or ""
        latest, kind = text(entry, "latest_version") or "", text(entry, "type")
        is_good = names.is_author(author) and names.is_package(name)
        if not is_good or kind is None or versions.parse(latest) is None:
            return None
        return PackageVersion(
            name=f"{author}/{name}",
            version=latest,
            type=kind,
            feed_id=self.id,
            description=text(entry, "description"),
            deprecated=_status(entry),
        )

    def _version(self, name: str, entry: Mapping[str, Any]) -> PackageVersion | None:
        version = text(entry, "version")
        if version is None or versions.parse(version) is None:
            return None
        manifest = entry.get("manifest")
        manifest = manifest if isinstance(manifest, dict) else {}
        hashes = entry.get("hashes")
        checksum = text(entry, "checksum") or text(hashes, "sha256")
        yanked = entry.get("yanked")
        return PackageVersion(
            name=name,
            version=version,
            type=text(manifest, "type") or text(entry, "type") or "plugin",
            feed_id=self.id,
            channel=text(entry, "channel") or "stable",
            description=text(manifest, "description"),
            download_url=text(entry, "download_url"),
            checksum=checksum_of(checksum) if checksum else None,
            integrity=text(entry, "integrity"),
            size=number(entry, "archive_size"),
            published_at=text(entry, "published_at"),
            release_notes=text(entry, "release_notes"),
            yanked=(yanked if isinstance(yanked, str) else "yanked") if yanked else None,
            deprecated=text(entry, "deprecated"),
            min_kombuse_version=text(entry, "min_kombuse_version"),
            signatures=tuple(map(_texts, objects(entry.get("signatures")))),
            manifest=manifest,
        )

    def _check_signatures(self, version: PackageVersion, downloaded: Downloaded) -> None:
        if self._public_keys:
            check_signed(version, downloaded.sha256, self._configured_keys())
            return
        trusted = self._trusted.of(self.id)
        if not trusted and not version.signatures:
            return
        if trusted and not any(used.get("keyid") in trusted for used in version.signatures):
            raise KeyChanged(self.id)
        with failures_of(self.id):
            document = self._document("/api/pkg/-/keys", LIST_SECONDS if trusted else 0) or {}
        listed = listed_keys(document.get("keys"))
        keys = {keyid: str(key["public_key"]) for keyid, key in listed.items()}
        good = {
            keyid: key
            for keyid, key in keys.items()
            if is_good_at(listed[keyid], version.published_at)
            and trusted.get(keyid, None if trusted else key) == key
        }
        check_signed(version, downloaded.sha256, good)
        if not trusted:
            self._trusted.trust(self.id, keys)

    def _configured_keys(self) -> dict[str, str]:
        try:
            return {signing.keyid(signing.public_key(key)): key for key in self._public_keys}
        except ValueError:
            raise FeedError(self.id, "a public key of the source is no ed25519 key") from None


def _texts(entry: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in entry.items() if isinstance(value, str)}


def _address(url: str) -> str:
    """What does not begin with a scheme is a path below the base URL, as the protocol says."""
    return url if url.startswith(("/", "http:", "https:")) or "://" in url else f"/{url}"


def _complaint(answer: Answer) -> str:
    if answer.status in (401, 403):
        return "Registry refused the token"
    return f"HTTP {answer.status}: {answer.reason}"


def _status(entry: Mapping[str, Any]) -> str | None:
    """What a person should know before choosing the package."""
    status = text(entry, "status")
    if status not in ("deprecated", "archived"):
        return None
    return text(entry, "status_reason") or status
