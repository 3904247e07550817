"""The kinds of feeds, and how a configured source becomes one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kombuse_sdk.feeds import Feed

if TYPE_CHECKING:
    from kombuse_registry.documents import Documents
    from kombuse_registry.trust import TrustedKeys

__all__ = ["open_feed"]


def open_feed(source: Mapping[str, Any], *, documents: "Documents", trusted: "TrustedKeys") -> Feed:
    """The feed of a source as it is configured, which is checked when the feed is asked.

    Keys beside `type`: `path`; `repo`, `package_name`, `token`, `api_base`, `allow_insecure`;
    `base_url`, `token`, `public_keys`, `allow_unverified`, `allow_insecure`.
    """
    if source["type"] == "filesystem":
        from kombuse_registry.feeds.filesystem import FilesystemFeed

        return FilesystemFeed(Path(source["path"]).expanduser())
    if source["type"] == "github":
        from kombuse_registry.feeds.github import GITHUB_API, GitHubFeed

        return GitHubFeed(
            source["repo"],
            documents=documents,
            package_name=source.get("package_name"),
            token=source.get("token"),
            api_base=source.get("api_base") or GITHUB_API,
            allow_insecure=bool(source.get("allow_insecure")),
        )
    if source["type"] == "http":
        from kombuse_registry.feeds.http import HttpFeed

        return HttpFeed(
            source["base_url"],
            documents=documents,
            trusted=trusted,
            token=source.get("token"),
            public_keys=source.get("public_keys") or (),
            allow_unverified=bool(source.get("allow_unverified")),
            allow_insecure=bool(source.get("allow_insecure")),
        )
    raise ValueError(f"no feed of type {source['type']!r}")
