"""Which version of a package to take, and from which feed."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from kombuse_registry import versions
from kombuse_registry.errors import FeedError, VersionNotFound
from kombuse_registry.lookalikes import near_misses
from kombuse_sdk.errors import Conflict, KombuseError
from kombuse_sdk.feeds import Feed, PackageVersion

__all__ = [
    "Downgrade",
    "FeedReport",
    "Listing",
    "Mode",
    "Resolution",
    "Resolver",
    "refuse_downgrade",
    "select",
]

log = logging.getLogger(__name__)

Mode = Literal["first", "highest"]
T = TypeVar("T")
STABLE = "stable"
NEXT = "next"
_SECONDS = 10.0


class Downgrade(Conflict):
    code = "DOWNGRADE"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """How one feed answered; `error` is a text for people, without secrets."""

    id: str
    name: str
    ok: bool
    error: str | None
    package_count: int
    took_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What all feeds together offer: `packages` in the order of the feeds, repeated names too."""

    packages: list[PackageVersion]
    reports: list[FeedReport]

    @property
    def conflicts(self) -> dict[str, list[str]]:
        """The feeds of every name that more than one of them has."""
        found: dict[str, list[str]] = {}
        for package in self.packages:
            found.setdefault(package.name, []).append(package.feed_id)
        return {name: feeds for name, feeds in found.items() if len(feeds) > 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The chosen version. `conflicts` are the other feeds that know the name."""

    feed: Feed
    version: PackageVersion
    conflicts: tuple[str, ...]
    warnings: tuple[str, ...]
    reports: tuple[FeedReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome(Generic[T]):
    feed: Feed
    value: T | None
    error: Exception | None
    took_ms: int

    def report(self, count: int) -> FeedReport:
        return FeedReport(
            id=self.feed.id,
            name=self.feed.name,
            ok=self.error is None,
            error=_text(self.error) if self.error else None,
            package_count=count,
            took_ms=self.took_ms,
        )


class Resolver:
    """Asks feeds at once, each for a limited time, and lets the first in order decide.

    The first feed that knows a name decides, also when it has no fitting version: a later feed
    cannot outbid it. `mode` "highest" takes the highest version of all feeds instead.
    """

    def __init__(
        self, feeds: Sequence[Feed], *, mode: Mode = "first", seconds: float = _SECONDS
    ) -> None:
        self._feeds = list(feeds)
        self._mode = mode
        self._seconds = seconds

    def packages(self) -> Listing:
        """Never fails: feeds that do are in the reports."""
        outcomes = _ask(self._feeds, lambda feed: feed.packages(), self._seconds)
        return Listing(
            packages=[package for outcome in outcomes for package in outcome.value or ()],
            reports=[outcome.report(len(outcome.value or ())) for outcome in outcomes],
        )

    def resolve(
        self,
        name: str,
        wanted: str | None = None,
        *,
        channel: str | None = None,
        pin: str | None = None,
        owners: Collection[str] = (),
        known: Iterable[str] = (),
    ) -> Resolution:
        """`wanted` is an exact version, a range, `@channel`, or empty for the latest.

        `pin` is the feed that an installed package came from: no other is asked while it is
        configured. `owners` are feeds that are known to have the name: when one fails, no later
        feed may take its place. `known` are names to which this one should not be confusingly near.
        Raises VersionNotFound, or the error of a feed that would have had to be asked.
        """
        pinned = [feed for feed in self._feeds if feed.id == pin]
        outcomes = _ask(pinned or self._feeds, lambda feed: feed.versions(name), self._seconds)
        failed = [outcome for outcome in outcomes if outcome.error]
        knowing = [outcome for outcome in outcomes if outcome.value]
        chosen = self._chosen(knowing, wanted, channel)
        for outcome in failed:
            is_needed = not knowing or outcome.feed.id in owners
            if outcome.error and is_needed and not self._is_before(chosen, outcome):
                raise _as_feed_error(outcome.feed, outcome.error)
        if chosen is None:
            raise VersionNotFound(wanted or "latest", name)
        feed, version = chosen
        conflicts = tuple(other.feed.id for other in knowing if other.feed is not feed)
        warnings = [
            *([f"{pin}, where it came from, is no source any more"] if pin and not pinned else ()),
            *_about(version),
            *_conflict(name, feed, conflicts),
            *(_silent(outcome.feed, name) for outcome in failed),
            *(f'"{name}" is nearly the name of "{other}"' for other in near_misses(name, known)),
        ]
        return Resolution(
            feed=feed,
            version=version,
            conflicts=conflicts,
            warnings=tuple(warnings),
            reports=tuple(outcome.report(len(outcome.value or ())) for outcome in outcomes),
        )

    def _chosen(
        self, knowing: list[_Outcome[list[PackageVersion]]], wanted: str | None, channel: str | None
    ) -> tuple[Feed, PackageVersion] | None:
        deciding = knowing if self._mode == "highest" else knowing[:1]
        best: tuple[Feed, PackageVersion] | None = None
        for outcome in deciding:
            found = select(outcome.value or [], wanted, channel)
            if found and (best is None or versions.is_newer(found.version, best[1].version)):
                best = outcome.feed, found
        return best

    def _is_before(
        self, chosen: tuple[Feed, PackageVersion] | None, outcome: _Outcome[list[PackageVersion]]
    ) -> bool:
        """Whether the chosen feed would have decided whatever the other had said."""
        if chosen is None or self._mode == "highest":
            return False
        return self._feeds.index(chosen[0]) < self._feeds.index(outcome.feed)


def select(
    found: Sequence[PackageVersion], wanted: str | None = None, channel: str | None = None
) -> PackageVersion | None:
    """The version that is asked for, among those of one feed.

    A yanked version must be named exactly. Ranges and "latest" keep to the channel, which is
    `stable` unless another is named; a pre-release is taken when a range or channel asks for it, or
    when there is no release at all.
    """
    by_text = {version.version: version for version in reversed(found)}
    text = (wanted or "").strip()
    exact = versions.parse(text)
    if exact:
        return by_text.get(text) or next(
            (one for one in found if str(versions.parse(one.version)) == str(exact)), None
        )
    usable = {text: version for text, version in by_text.items() if not version.yanked}
    if text.startswith("@") or not text:
        name = _latest(usable, text.removeprefix("@") or channel)
    else:
        is_stable = channel in (None, STABLE)
        offered = [
            one.version
            for one in usable.values()
            if one.channel == (channel or STABLE)
            or (channel is None and _is_prerelease(one.version))
        ]
        name = next(iter(versions.satisfying(text, offered, prereleases=not is_stable)), None)
    return usable[name] if name else None


def refuse_downgrade(name: str, installed: str, wanted: str) -> None:
    """Raises Downgrade (409): an older version may have faults that the installed one has not."""
    if versions.is_newer(installed, wanted):
        raise Downgrade(f"{name} {wanted} is older than the installed {installed}")


def _latest(usable: dict[str, PackageVersion], channel: str | None) -> str | None:
    def on(channel: str) -> list[str]:
        return [text for text, version in usable.items() if version.channel == channel]

    if channel not in (None, STABLE):
        return next(iter(versions.sort_newest_first(on(str(channel)))), None)
    found = versions.newest(on(STABLE))
    # Registries put a pre-release that names no channel on `next`.
    return found if found or channel else versions.newest(filter(_is_prerelease, on(NEXT)))


def _is_prerelease(text: str) -> bool:
    version = versions.parse(text)
    return version is not None and version.is_prerelease


def _ask(feeds: Sequence[Feed], question: Callable[[Feed], T], seconds: float) -> list[_Outcome[T]]:
    """Every feed in a thread of its own; one that takes too long is left behind."""
    answers: queue.SimpleQueue[tuple[int, _Outcome[T]]] = queue.SimpleQueue()
    started = time.monotonic()

    def took() -> int:
        return round((time.monotonic() - started) * 1000)

    def ask(index: int, feed: Feed) -> None:
        value: T | None = None
        error: Exception | None = None
        try:
            value = question(feed)
        except Exception as raised:
            error = raised
        answers.put((index, _Outcome(feed=feed, value=value, error=error, took_ms=took())))

    for index, feed in enumerate(feeds):
        threading.Thread(target=ask, args=(index, feed), name=feed.id, daemon=True).start()
    outcomes: dict[int, _Outcome[T]] = {}
    while len(outcomes) < len(feeds):
        try:
            index, outcome = answers.get(timeout=max(0.0, started + seconds - time.monotonic()))
        except queue.Empty:
            break
        outcomes[index] = outcome
    late = TimeoutError(f"no answer within {seconds:g} seconds")
    found = [
        outcomes.get(index) or _Outcome(feed=feed, value=None, error=late, took_ms=took())
        for index, feed in enumerate(feeds)
    ]
    for outcome in found:
        if outcome.error:
            log.warning("Feed %s failed: %s", outcome.feed.id, _text(outcome.error))
    return found


def _text(error: Exception) -> str:
    """Exceptions of unknown origin may hold anything, and are only named."""
    if isinstance(error, KombuseError | TimeoutError):
        return str(error)
    return type(error).__name__


def _as_feed_error(feed: Feed, error: Exception) -> KombuseError:
    return error if isinstance(error, KombuseError) else FeedError(feed.id, _text(error))


def _about(version: PackageVersion) -> list[str]:
    shown = f"{version.name} {version.version}"
    yanked = [f"{shown} was withdrawn: {version.yanked}"] if version.yanked else []
    return yanked + ([f"{shown} is deprecated: {version.deprecated}"] if version.deprecated else [])


def _conflict(name: str, feed: Feed, others: Sequence[str]) -> list[str]:
    if not others:
        return []
    return [f'"{name}" is also in {", ".join(others)}; the one of {feed.id} is taken']


def _silent(feed: Feed, name: str) -> str:
    return f'{feed.id} did not answer, and may have "{name}" too'
