"""Releases of a repository as a feed, against a server that answers like the API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.registry.stand_in_feed import Asked, Reply, StandIn, package_bytes, sha256

from kombuse_registry.documents import Documents
from kombuse_registry.errors import FeedError, IntegrityError
from kombuse_registry.feeds.github import GitHubFeed

RELEASES = "/repos/acme/hello/releases?per_page=100"
DATA = package_bytes()
MakeFeed = Callable[..., GitHubFeed]


@pytest.fixture
def make_feed(stand_in: StandIn) -> MakeFeed:
    def make(repository: str = "acme/hello", **options: Any) -> GitHubFeed:
        made: dict[str, Any] = {"documents": Documents(), "api_base": stand_in.url} | options
        return GitHubFeed(repository, **made)

    return make


def asset(stand_in: StandIn, name: str = "hello-1.0.0.tar.gz", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "size": len(DATA),
        "url": f"{stand_in.url}/api-assets/{name}",
        "browser_download_url": f"{stand_in.url}/assets/{name}",
    } | more


def release(tag: str, *assets: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "tag_name": tag,
        "name": f"Release {tag}",
        "body": "Notes",
        "draft": False,
        "prerelease": False,
        "published_at": "2026-01-02T03:04:05Z",
        "assets": list(assets),
    } | more


def test_the_package_is_named_like_the_repository_or_as_the_source_says(
    make_feed: MakeFeed, stand_in: StandIn
) -> None:
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0")])
    plain, named = make_feed(), make_feed(package_name="kit")

    assert (plain.id, plain.name) == ("github:acme/hello", "GitHub (acme/hello)")
    assert [found.name for found in (*plain.packages(), *named.packages())] == ["hello", "kit"]


def test_another_name_is_not_asked_for(make_feed: MakeFeed, stand_in: StandIn) -> None:
    assert make_feed().versions("other") == []
    assert stand_in.asked == []


def test_versions_are_published_releases_with_semantic_tags(
    make_feed: MakeFeed, stand_in: StandIn
) -> None:
    stand_in.answers[RELEASES] = Reply(
        json=[
            release("v1.0.0", asset(stand_in)),
            release("1.10.0"),
            release("v2.0.0", draft=True),
            release("v3.0.0", prerelease=True),
            release("nightly"),
            release("1.2"),
        ]
    )

    found = make_feed().versions("hello")

    assert [one.version for one in found] == ["1.10.0", "1.0.0"]
    assert (found[1].description, found[1].release_notes) == ("Release v1.0.0", "Notes")
    assert (found[1].size, found[1].published_at) == (len(DATA), "2026-01-02T03:04:05Z")


def test_all_pages_are_read_and_kept_for_the_download(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path
) -> None:
    following = f"{stand_in.url}/repositories/1/releases?page=2"
    link = f'<{stand_in.url}/first>; rel="first", <{following}>; rel="next"'
    stand_in.answers[RELEASES] = Reply(json=[release("v2.0.0")], headers={"Link": link})
    stand_in.answers["/repositories/1/releases?page=2"] = Reply(
        json=[release("v1.0.0", asset(stand_in))]
    )
    stand_in.answers["/assets/hello-1.0.0.tar.gz"] = Reply(body=DATA)
    feed = make_feed()

    found = feed.versions("hello")
    feed.download(found[1], tmp_path)

    assert [one.version for one in found] == ["2.0.0", "1.0.0"]
    assert len(stand_in.asked) == 3


def download(feed: GitHubFeed, folder: Path) -> bytes:
    return feed.download(feed.versions("hello")[0], folder).path.read_bytes()


def test_the_asset_named_after_package_and_version_is_preferred(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path
) -> None:
    others = [asset(stand_in, "sources.tar.gz"), asset(stand_in, "hello-1.0.0.zip")]
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0", *others, asset(stand_in))])
    stand_in.answers["/assets/hello-1.0.0.tar.gz"] = Reply(body=DATA)

    assert download(make_feed(), tmp_path) == DATA


def test_else_the_first_archive_is_taken(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path
) -> None:
    others = [asset(stand_in, "x.zip"), asset(stand_in, "pkg.tar.gz"), asset(stand_in, "z.tar.gz")]
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0", *others)])
    stand_in.answers["/assets/pkg.tar.gz"] = Reply(body=DATA)

    assert download(make_feed(), tmp_path) == DATA


def test_a_release_without_an_archive_is_listed_and_says_what_is_missing(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0")])

    with pytest.raises(FeedError, match="No download URL available for this release"):
        download(make_feed(), tmp_path)


def test_with_a_token_assets_come_through_the_api(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0", asset(stand_in))])
    stand_in.answers["/api-assets/hello-1.0.0.tar.gz"] = Reply(body=DATA)

    assert download(make_feed(token="secret"), tmp_path) == DATA

    listing, fetched = stand_in.asked
    assert listing.headers["Accept"] == "application/vnd.github+json"
    assert fetched.headers["Accept"] == "application/octet-stream"
    assert {asked.headers["Authorization"] for asked in stand_in.asked} == {"Bearer secret"}


def test_a_redirected_asset_is_followed(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0", asset(stand_in))])
    stand_in.answers["/assets/hello-1.0.0.tar.gz"] = Reply(
        status=302, headers={"Location": "/o?s=1"}
    )
    stand_in.answers["/o?s=1"] = Reply(body=DATA)

    assert download(make_feed(), tmp_path) == DATA


@pytest.mark.parametrize("text", [sha256(DATA), f"{sha256(DATA).upper()}  hello-1.0.0.tar.gz\n"])
def test_the_checksum_beside_the_asset_is_checked(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path, text: str
) -> None:
    assets = [asset(stand_in), asset(stand_in, "hello-1.0.0.tar.gz.sha256")]
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0", *assets)])
    stand_in.answers["/assets/hello-1.0.0.tar.gz"] = Reply(body=DATA)
    stand_in.answers["/assets/hello-1.0.0.tar.gz.sha256"] = Reply(body=text.encode())

    assert download(make_feed(), tmp_path) == DATA


@pytest.mark.parametrize("text", [sha256(b"other"), "", "nonsense"])
def test_another_checksum_beside_the_asset_refuses_it(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path, text: str
) -> None:
    assets = [asset(stand_in), asset(stand_in, "hello-1.0.0.tar.gz.sha256")]
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0", *assets)])
    stand_in.answers["/assets/hello-1.0.0.tar.gz"] = Reply(body=DATA)
    stand_in.answers["/assets/hello-1.0.0.tar.gz.sha256"] = Reply(body=text.encode())

    with pytest.raises(IntegrityError):
        download(make_feed(), tmp_path)


def test_the_digest_that_the_api_tells_is_checked(
    make_feed: MakeFeed, stand_in: StandIn, tmp_path: Path
) -> None:
    digest = f"sha256:{sha256(b'other')}"
    stand_in.answers[RELEASES] = Reply(json=[release("v1.0.0", asset(stand_in, digest=digest))])
    stand_in.answers["/assets/hello-1.0.0.tar.gz"] = Reply(body=DATA)
    feed = make_feed()

    assert feed.versions("hello")[0].checksum == sha256(b"other")
    with pytest.raises(IntegrityError):
        download(feed, tmp_path)


def test_errors_are_told_with_their_status(make_feed: MakeFeed) -> None:
    with pytest.raises(FeedError) as caught:
        make_feed().packages()

    assert str(caught.value) == 'Feed "github:acme/hello": GitHub API error: 404 Not Found'


def test_a_reached_rate_limit_says_until_when(make_feed: MakeFeed, stand_in: StandIn) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767323045"}
    stand_in.answers[RELEASES] = Reply(status=403, headers=headers)

    with pytest.raises(FeedError) as caught:
        make_feed().packages()

    assert caught.value.text == (
        "GitHub API error: 403 Forbidden (rate limit reached until 03:04:05 UTC)"
    )


def test_a_secondary_limit_is_waited_for(make_feed: MakeFeed, stand_in: StandIn) -> None:
    busy = Reply(status=429, headers={"Retry-After": "0"})
    stand_in.answers[RELEASES] = [busy, Reply(json=[release("v1.0.0")])]

    assert [found.version for found in make_feed().packages()] == ["1.0.0"]


@pytest.mark.parametrize("repository", ["acme", "../../x", "a/b/c", "a/..", "a b/c", "acme/", ""])
def test_what_is_no_repository_is_not_asked_for(
    make_feed: MakeFeed, stand_in: StandIn, repository: str
) -> None:
    with pytest.raises(FeedError, match="owner/name"):
        make_feed(repository, package_name="x").packages()

    assert stand_in.asked == []


def test_releases_of_another_shape_are_none(make_feed: MakeFeed, stand_in: StandIn) -> None:
    def answer(_: Asked) -> Reply:
        return Reply(json={"message": "hello"})

    stand_in.answers[RELEASES] = answer

    assert make_feed().packages() == []
