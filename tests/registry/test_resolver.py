"""Which version is taken, and from which of several feeds."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kombuse_registry.errors import FeedError, VersionNotFound
from kombuse_registry.lookalikes import near_misses
from kombuse_registry.resolver import Downgrade, Resolver, refuse_downgrade, select
from kombuse_sdk.feeds import Download, PackageVersion, Progress


class ListFeed:
    """A feed with these versions, by name."""

    def __init__(self, feed_id: str, **offered: list[PackageVersion]) -> None:
        self.id = feed_id
        self.name = feed_id.title()
        self.offered = offered
        self.asked = 0

    def packages(self) -> list[PackageVersion]:
        return [found[0] for found in self.offered.values()]

    def versions(self, name: str) -> list[PackageVersion]:
        self.asked += 1
        return self.offered.get(name, [])

    def download(
        self, version: PackageVersion, folder: Path, progress: Progress | None = None
    ) -> Download:
        raise NotImplementedError


class FailingFeed(ListFeed):
    error: Exception = FeedError("failing", "HTTP 500: Internal Server Error")

    def packages(self) -> list[PackageVersion]:
        raise self.error

    def versions(self, name: str) -> list[PackageVersion]:
        raise self.error


class HangingFeed(ListFeed):
    """Answers when it is released, if ever."""

    def __init__(self, feed_id: str) -> None:
        super().__init__(feed_id)
        self.released = threading.Event()

    def packages(self) -> list[PackageVersion]:
        self.released.wait(30)
        return []

    def versions(self, name: str) -> list[PackageVersion]:
        return self.packages()


def one(version: str, feed: str = "", **more: Any) -> PackageVersion:
    return PackageVersion(name="kit", version=version, feed_id=feed, **more)


def many(*versions: str, feed: str = "") -> list[PackageVersion]:
    return [one(version, feed) for version in versions]


def chosen(offered: list[PackageVersion], *wanted: str | None) -> str | None:
    found = select(offered, *wanted)
    return found.version if found else None


@pytest.mark.parametrize("wanted", [None, "", " "])
def test_the_latest_is_the_highest_release(wanted: str | None) -> None:
    assert chosen(many("2.0.0-rc.1", "1.10.0", "1.9.0"), wanted) == "1.10.0"


def test_a_pre_release_is_the_latest_only_when_there_is_no_release() -> None:
    assert chosen(many("2.0.0-rc.2", "2.0.0-rc.1")) == "2.0.0-rc.2"
    assert chosen([one("2.0.0-rc.2", channel="next")]) == "2.0.0-rc.2"
    assert chosen([one("2.0.0-rc.2", channel="next"), one("0.1.0")]) == "0.1.0"


def test_the_latest_keeps_to_its_channel() -> None:
    offered = [one("11.0.0", channel="beta"), one("10.0.0"), one("9.0.0-rc.1", channel="beta")]

    assert chosen(offered) == "10.0.0"
    assert chosen(offered, "@beta") == "11.0.0"
    assert chosen(offered, None, "beta") == "11.0.0"
    assert chosen(offered, "@stable") == "10.0.0"
    assert chosen(offered, "@nightly") is None
    assert chosen([one("2.0.0-rc.1", channel="next")], "@stable") is None


def test_a_channel_other_than_stable_gives_its_highest_pre_release() -> None:
    offered = [one("2.0.0-rc.1", channel="next"), one("1.0.0", channel="next")]

    assert chosen(offered, "@next") == "2.0.0-rc.1"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("^1.0.0", "1.10.0"),
        ("~1.2.0", "1.2.9"),
        ("1.x", "1.10.0"),
        (">=1.0.0 <1.3", "1.2.9"),
        ("1.0.0 - 1.5.0", "1.2.9"),
        ("<1.0.0 || ^2", "2.0.0"),
        (">=2.1.0-rc.0", "2.1.0-rc.1"),
        ("^3", None),
        ("nonsense", None),
    ],
)
def test_ranges_are_those_of_npm(wanted: str, expected: str | None) -> None:
    offered = many("2.1.0-rc.1", "2.0.0", "1.10.0", "1.2.9", "1.2.0", "0.9.0")

    assert chosen(offered, wanted) == expected


def test_a_range_keeps_to_its_channel() -> None:
    offered = [one("1.9.0", channel="beta"), one("1.9.0-b.1", channel="beta"), one("1.2.0")]

    assert chosen(offered, "^1.0.0") == "1.2.0"
    assert chosen(offered, "^1.0.0", "beta") == "1.9.0"
    assert chosen(offered[1:], "^1.0.0", "beta") == "1.9.0-b.1"


def test_an_exact_version_is_taken_whatever_its_channel() -> None:
    offered = [one("2.0.0-rc.1", channel="next"), one("1.0.0+build.1")]

    assert chosen(offered, "2.0.0-rc.1") == "2.0.0-rc.1"
    assert chosen(offered, "v2.0.0-rc.1") == "2.0.0-rc.1"
    assert chosen(offered, "1.0.0+build.1") == "1.0.0+build.1"
    assert chosen(offered, "1.0.0") is None
    assert chosen(offered, "3.0.0") is None


def test_a_yanked_version_must_be_named_exactly() -> None:
    offered = [one("1.1.0", yanked="broken"), one("1.0.0")]

    assert chosen(offered) == chosen(offered, "^1.0.0") == chosen(offered, "@stable") == "1.0.0"
    assert chosen(offered, "1.1.0") == "1.1.0"


def test_yanked_and_deprecated_are_told() -> None:
    feed = ListFeed("a", kit=[one("1.0.0", yanked="broken", deprecated="use other")])

    found = Resolver([feed]).resolve("kit", "1.0.0")

    assert found.warnings == (
        "kit 1.0.0 was withdrawn: broken",
        "kit 1.0.0 is deprecated: use other",
    )


def test_the_first_feed_that_knows_the_name_decides() -> None:
    empty, mine = ListFeed("empty"), ListFeed("mine", kit=many("1.0.0"))
    public = ListFeed("public", kit=many("99.0.0"))

    found = Resolver([empty, mine, public]).resolve("kit")

    assert (found.feed, found.version.version) == (mine, "1.0.0")
    assert found.conflicts == ("public",)
    assert found.warnings == ('"kit" is also in public; the one of mine is taken',)


def test_a_later_feed_does_not_help_out_with_a_version() -> None:
    mine, public = ListFeed("mine", kit=many("1.0.0")), ListFeed("public", kit=many("2.0.0"))

    with pytest.raises(VersionNotFound, match=r'Version 2\.0\.0 of "kit" not found'):
        Resolver([mine, public]).resolve("kit", "2.0.0")


def test_the_highest_of_all_is_taken_when_that_is_configured() -> None:
    feeds = [
        ListFeed(name, kit=many(version))
        for name, version in (("a", "1.0.0"), ("b", "2.0.0"), ("c", "2.0.0"))
    ]

    found = Resolver(feeds, mode="highest").resolve("kit")

    assert (found.feed.id, found.version.version) == ("b", "2.0.0")


def test_a_pinned_feed_is_the_only_one_that_is_asked() -> None:
    first, pinned = ListFeed("first", kit=many("9.0.0")), ListFeed("pinned", kit=many("1.0.0"))

    found = Resolver([first, pinned], mode="highest").resolve("kit", pin="pinned")

    assert (found.feed, first.asked) == (pinned, 0)
    assert found.warnings == ()


def test_a_pinned_feed_that_does_not_have_it_is_not_replaced() -> None:
    feeds = [ListFeed("first", kit=many("9.0.0")), ListFeed("pinned")]

    with pytest.raises(VersionNotFound):
        Resolver(feeds).resolve("kit", pin="pinned")


def test_a_pin_whose_source_is_gone_is_told() -> None:
    found = Resolver([ListFeed("first", kit=many("9.0.0"))]).resolve("kit", pin="gone")

    assert found.warnings == ("gone, where it came from, is no source any more",)


def test_what_nobody_has_is_not_found() -> None:
    with pytest.raises(VersionNotFound, match='Version latest of "kit" not found') as caught:
        Resolver([ListFeed("a"), ListFeed("b")]).resolve("kit")

    assert caught.value.status == 404


def test_without_feeds_nothing_is_found() -> None:
    assert Resolver([]).packages().packages == []
    with pytest.raises(VersionNotFound):
        Resolver([]).resolve("kit")


def test_when_nobody_has_it_and_one_failed_that_is_the_answer() -> None:
    with pytest.raises(FeedError, match="HTTP 500"):
        Resolver([ListFeed("a"), FailingFeed("failing")]).resolve("kit")


def test_a_failing_feed_does_not_block_and_is_told() -> None:
    working = ListFeed("working", kit=many("1.0.0"))

    found = Resolver([FailingFeed("failing"), working]).resolve("kit")

    assert found.feed is working
    assert found.warnings == ('failing did not answer, and may have "kit" too',)
    assert [(report.id, report.ok) for report in found.reports] == [
        ("failing", False),
        ("working", True),
    ]


def test_a_feed_that_is_known_to_have_it_is_not_replaced_while_it_fails() -> None:
    public = ListFeed("public", kit=many("99.0.0"))

    with pytest.raises(FeedError, match="HTTP 500"):
        Resolver([FailingFeed("failing"), public]).resolve("kit", owners={"failing"})


def test_a_later_feed_that_fails_changes_nothing() -> None:
    mine = ListFeed("mine", kit=many("1.0.0"))

    found = Resolver([mine, FailingFeed("failing")]).resolve("kit", owners={"failing"})

    assert found.feed is mine


def test_lists_are_collected_with_how_each_feed_did() -> None:
    hanging = HangingFeed("hanging")
    feeds = [
        ListFeed("a", kit=many("1.0.0", feed="a"), tool=[replace(one("2.0.0", "a"), name="tool")]),
        FailingFeed("failing"),
        hanging,
        ListFeed("b", kit=many("3.0.0", feed="b")),
    ]
    try:
        listing = Resolver(feeds, seconds=0.2).packages()
    finally:
        hanging.released.set()

    assert [package.feed_id for package in listing.packages] == ["a", "a", "b"]
    assert listing.conflicts == {"kit": ["a", "b"]}
    assert [(report.id, report.ok, report.package_count) for report in listing.reports] == [
        ("a", True, 2),
        ("failing", False, 0),
        ("hanging", False, 0),
        ("b", True, 1),
    ]
    assert listing.reports[1].error == 'Feed "failing": HTTP 500: Internal Server Error'
    assert listing.reports[2].error == "no answer within 0.2 seconds"
    assert listing.reports[2].took_ms >= 200


def test_feeds_are_asked_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=10)

    class MeetingFeed(ListFeed):
        def packages(self) -> list[PackageVersion]:
            barrier.wait()
            return []

    listing = Resolver([MeetingFeed(name) for name in "abc"]).packages()

    assert [report.ok for report in listing.reports] == [True] * 3


def test_an_error_of_unknown_origin_is_only_named() -> None:
    class LeakingFeed(FailingFeed):
        error = RuntimeError("token=secret")

    (report,) = Resolver([LeakingFeed("leaking")]).packages().reports
    assert report.error == "RuntimeError"

    with pytest.raises(FeedError, match='Feed "leaking": RuntimeError'):
        Resolver([LeakingFeed("leaking")]).resolve("kit")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("acme/hel1o", "acme/hello"),
        ("acme/helo", "acme/hello"),
        ("acme/hlelo", "acme/hello"),
        ("acme/hellos", "acme/hello"),
        ("acme/triage-kits", "acme/triage-kit"),
        ("acme/triagekit", "acme/triage-kit"),
        ("acrne/hello", "acme/hello"),
        ("triaqe-kit", "triage-kit"),
    ],
)
def test_a_name_that_is_nearly_a_known_one_is_told(name: str, known: str) -> None:
    assert near_misses(name, [known, "acme/other"]) == [known]
    assert near_misses(known, [name]) == [name]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("acme/hello", "acme/hello"),
        ("acme/hello", "hello"),
        ("acme/hello", "other/hello"),
        ("acme/cat", "acme/car"),
        ("acme/release-notes", "acme/release-plan"),
        ("a", ""),
    ],
)
def test_other_names_are_not_confused(name: str, known: str) -> None:
    assert near_misses(name, [known]) == []


def test_a_near_miss_is_among_the_warnings() -> None:
    feed = ListFeed("a", kitt=many("1.0.0"))

    found = Resolver([feed]).resolve("kitt", known=["kit", "tool"])

    assert found.warnings == ('"kitt" is nearly the name of "kit"',)


def test_an_older_version_than_the_installed_is_refused() -> None:
    with pytest.raises(Downgrade, match=r"kit 1\.9\.0 is older than the installed 1\.10\.0"):
        refuse_downgrade("kit", "1.10.0", "1.9.0")


@pytest.mark.parametrize("wanted", ["1.10.0", "1.10.0+build", "2.0.0-rc.1", "no version"])
def test_the_same_or_a_newer_version_is_no_downgrade(wanted: str) -> None:
    refuse_downgrade("kit", "1.10.0", wanted)
