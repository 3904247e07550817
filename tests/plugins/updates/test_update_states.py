"""The states of an updater."""

import threading
from collections.abc import Callable

import pytest

from kombuse_plugins.updates.states import Cycle
from kombuse_sdk.errors import BadGateway, Conflict
from kombuse_sdk.updates import UpdateInfo, UpdateStatus

NEW = UpdateInfo(version="2.0.0")


@pytest.fixture
def seen() -> list[UpdateStatus]:
    return []


@pytest.fixture
def cycle(seen: list[UpdateStatus]) -> Cycle:
    made = Cycle(lambda: "1.0.0")
    made.subscribe(seen.append)
    return made


def states(seen: list[UpdateStatus]) -> list[str]:
    return [status.state for status in seen]


def fail(error: BaseException) -> Callable[..., None]:
    def failing(*_: object) -> None:
        raise error

    return failing


def test_at_first_nothing_is_known(cycle: Cycle) -> None:
    assert cycle.status() == UpdateStatus(state="idle", current_version="1.0.0")


def test_nothing_newer_leads_back_to_idle(cycle: Cycle, seen: list[UpdateStatus]) -> None:
    assert cycle.check(lambda: None) is None

    assert states(seen) == ["checking", "idle"]


def test_an_update_is_found_downloaded_verified_and_ready(
    cycle: Cycle, seen: list[UpdateStatus]
) -> None:
    def perform(info: UpdateInfo) -> None:
        assert info is NEW
        cycle.downloaded(50, 200)
        cycle.downloaded(60, None)
        cycle.verifying()

    assert cycle.check(lambda: NEW) is NEW
    cycle.install(perform)

    assert states(seen) == [
        *("checking", "available", "downloading", "downloading", "downloading"),
        *("verifying", "ready"),
    ]
    assert [status.progress for status in seen] == [0, 0, 0, 25, -1, 100, 100]
    assert [status.bytes_downloaded for status in seen[3:6]] == [50, 60, 60]
    assert cycle.status().info is NEW


def test_a_later_check_that_finds_nothing_forgets_the_update(cycle: Cycle) -> None:
    cycle.check(lambda: NEW)

    assert cycle.check(lambda: None) is None

    assert (cycle.status().state, cycle.status().info) == ("idle", None)


def test_a_failed_check_is_the_state_error_and_the_next_one_starts_anew(
    cycle: Cycle, seen: list[UpdateStatus]
) -> None:
    with pytest.raises(BadGateway, match="no network"):
        cycle.check(fail(BadGateway("no network")))
    assert cycle.status().error == "no network"

    cycle.check(lambda: None)

    assert states(seen) == ["checking", "error", "checking", "idle"]
    assert cycle.status().error is None


def test_an_error_without_a_text_is_unknown(cycle: Cycle) -> None:
    with pytest.raises(RuntimeError):
        cycle.check(fail(RuntimeError()))

    assert cycle.status().error == "Unknown error"


@pytest.mark.parametrize("found", [None, BadGateway("gone")])
def test_what_was_not_found_cannot_be_installed(cycle: Cycle, found: BadGateway | None) -> None:
    if found is not None:
        with pytest.raises(BadGateway):
            cycle.check(fail(found))

    with pytest.raises(Conflict, match="No update available"):
        cycle.install(lambda info: None)


def test_a_failed_installation_must_be_checked_anew(cycle: Cycle) -> None:
    cycle.check(lambda: NEW)
    with pytest.raises(BadGateway, match="broke off"):
        cycle.install(fail(BadGateway("broke off")))

    assert (cycle.status().state, cycle.status().error) == ("error", "broke off")
    with pytest.raises(Conflict, match="No update available"):
        cycle.install(lambda info: None)


def test_what_is_ready_stays_so_when_nothing_newer_is_found(cycle: Cycle) -> None:
    cycle.check(lambda: NEW)
    cycle.install(lambda info: None)

    assert cycle.check(lambda: None) is None

    assert (cycle.status().state, cycle.status().info) == ("ready", NEW)
    with pytest.raises(Conflict, match="No update available"):
        cycle.install(lambda info: None)


def test_something_newer_than_what_is_ready_is_available(cycle: Cycle) -> None:
    newer = UpdateInfo(version="3.0.0")
    cycle.check(lambda: NEW)
    cycle.install(lambda info: None)

    assert cycle.check(lambda: newer) is newer

    assert (cycle.status().state, cycle.status().info) == ("available", newer)


@pytest.mark.parametrize("step", ["downloading", "verifying"])
def test_while_one_is_installed_checks_ask_nobody_and_others_are_refused(
    cycle: Cycle, step: str
) -> None:
    asked: list[str] = []
    cycle.check(lambda: NEW)

    def perform(info: UpdateInfo) -> None:
        if step == "verifying":
            cycle.verifying()
        assert cycle.check(fail(AssertionError("asked"))) is NEW
        with pytest.raises(Conflict, match="Update already in progress"):
            cycle.install(lambda info: None)
        with pytest.raises(Conflict, match="Update already in progress"):
            cycle.rollback(lambda: "0")
        asked.append(cycle.status().state)

    cycle.install(perform)

    assert asked == [step]


def test_checks_at_once_share_an_answer(cycle: Cycle) -> None:
    asked: list[int] = []
    found: list[UpdateInfo | None] = []
    first_asks, may_answer = threading.Event(), threading.Event()

    def find() -> UpdateInfo | None:
        asked.append(1)
        first_asks.set()
        may_answer.wait(10)
        return NEW

    arrived = threading.Barrier(8)

    def check() -> None:
        arrived.wait(10)
        found.append(cycle.check(find))

    first = threading.Thread(target=lambda: found.append(cycle.check(find)))
    others = [threading.Thread(target=check) for _ in range(7)]
    first.start()
    first_asks.wait(10)
    for thread in others:
        thread.start()
    arrived.wait(10)
    may_answer.set()
    for thread in (first, *others):
        thread.join(10)

    assert len(asked) < 8
    assert found == [NEW] * 8


def test_one_of_many_installations_at_once_is_done(cycle: Cycle) -> None:
    cycle.check(lambda: NEW)
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def install() -> None:
        barrier.wait(10)
        try:
            cycle.install(lambda info: None)
            outcomes.append("done")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=install) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(outcomes) == ["done"] + ["refused"] * 7


def test_going_back_leads_to_idle(cycle: Cycle) -> None:
    cycle.check(lambda: NEW)
    cycle.install(lambda info: None)

    assert cycle.rollback(lambda: "0.9.0") == "0.9.0"

    assert (cycle.status().state, cycle.status().info) == ("idle", None)
