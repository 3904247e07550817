"""The dispatcher: every subscriber gets each event exactly once, in order, whatever fails."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from kombuse_kernel.database import SqliteDatabase
from kombuse_kernel.events import Dispatcher
from kombuse_sdk.events import Event, StoredEvent
from kombuse_sdk.storage import WriteTx
from kombuse_sdk.types import Subscriber


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kombuse_kernel.events._PAUSES", (0, 0))


def emit(db: SqliteDatabase, *types: str) -> list[int]:
    with db.write() as tx:
        return [tx.emit(Event(event_type=kind, actor_type="system")) for kind in types]


def dispatcher(db: SqliteDatabase, *subscribers: Subscriber) -> Dispatcher:
    made = Dispatcher(db, subscribers)
    made.register()
    return made


def follower(name: str, handle: Callable[[WriteTx, StoredEvent], None]) -> Subscriber:
    return Subscriber(name=name, handle=handle)


def noting(name: str = "notes", event_types: Iterable[str] = ()) -> Subscriber:
    """Writes what it sees, in the transaction of its position."""

    def handle(tx: WriteTx, event: StoredEvent) -> None:
        tx.execute("INSERT INTO notes (text) VALUES (?)", (f"{name}:{event.id}",))

    return Subscriber(name=name, handle=handle, event_types=frozenset(event_types))


def notes(db: SqliteDatabase) -> list[str]:
    with db.read() as tx:
        return tx.values("SELECT text FROM notes ORDER BY id")


def position(db: SqliteDatabase, name: str) -> int:
    with db.read() as tx:
        found: int = tx.value(
            "SELECT last_event_id FROM event_cursors WHERE subscriber = ?", (name,)
        )
        return found


def failures(db: SqliteDatabase) -> list[tuple[str, int, str]]:
    with db.read() as tx:
        rows = tx.all("SELECT subscriber, event_id, error FROM event_failures ORDER BY id")
    return [tuple(row) for row in rows]


def test_each_event_arrives_once_and_in_order(db: SqliteDatabase) -> None:
    following = dispatcher(db, noting())
    ids = emit(db, *["a"] * 250)

    assert following.drain() == 250
    assert following.drain() == 0

    assert notes(db) == [f"notes:{event_id}" for event_id in ids]
    assert position(db, "notes") == ids[-1]


def test_the_whole_event_is_handed_over(db: SqliteDatabase) -> None:
    seen: list[StoredEvent] = []
    following = dispatcher(db, follower("all", lambda tx, event: seen.append(event)))
    with db.write() as tx:
        event_id = tx.emit(
            Event(
                event_type="x",
                actor_type="agent",
                actor_id="ann",
                project_id="p",
                ticket_id=1,
                comment_id=2,
                kombuse_session_id="s",
                payload={"a": [1, None, "ä"]},
            )
        )
        emitted = tx.events[0]

    following.drain()

    assert seen == [emitted]
    assert seen[0].id == event_id
    assert seen[0].payload == {"a": [1, None, "ä"]}


def test_only_the_wanted_types_are_delivered_but_all_are_passed(db: SqliteDatabase) -> None:
    following = dispatcher(db, noting(event_types=["b"]))
    ids = emit(db, *["a"] * 120, "b", "a")

    assert following.drain() == 1

    assert notes(db) == [f"notes:{ids[120]}"]
    assert position(db, "notes") == ids[120]
    assert following.drain() == 0


def test_events_that_are_of_no_concern_cost_no_transaction(db: SqliteDatabase) -> None:
    odd = replace(noting(), concerns=lambda tx, event: event.id % 2 == 1)
    following = dispatcher(db, odd)
    ids = emit(db, *["a"] * 250)
    commits = db.commits

    assert following.drain() == 125

    assert notes(db) == [f"notes:{event_id}" for event_id in ids if event_id % 2 == 1]
    assert db.commits == commits + 125


def test_a_thousand_unwanted_events_are_noted_as_passed(db: SqliteDatabase) -> None:
    following = dispatcher(db, noting(event_types=["b"]))
    ids = emit(db, *["a"] * 1000)

    following.drain()

    assert position(db, "notes") == ids[-1]


def test_a_new_subscriber_starts_now_or_at_the_beginning(db: SqliteDatabase) -> None:
    old = emit(db, "a", "a")
    now = noting("now")
    beginning = Subscriber(name="beginning", handle=noting("beginning").handle, start="beginning")
    following = dispatcher(db, now, beginning)
    new = emit(db, "a")

    following.drain()

    assert sorted(notes(db)) == sorted(
        [f"beginning:{event_id}" for event_id in old + new] + [f"now:{new[0]}"]
    )


def test_a_known_subscriber_goes_on_where_it_stopped(db: SqliteDatabase) -> None:
    dispatcher(db, noting()).drain()
    missed = emit(db, "a", "a")

    dispatcher(db, noting()).drain()

    assert notes(db) == [f"notes:{event_id}" for event_id in missed]


def test_what_a_failing_subscriber_wrote_is_undone_and_it_is_tried_again(
    db: SqliteDatabase,
) -> None:
    attempts: list[int] = []

    def handle(tx: WriteTx, event: StoredEvent) -> None:
        tx.execute("INSERT INTO notes (text) VALUES ('written')")
        attempts.append(event.id)
        if len(attempts) < 3:
            raise RuntimeError("not yet")

    following = dispatcher(db, follower("slow starter", handle))
    (event_id,) = emit(db, "a")

    assert following.drain() == 1

    assert attempts == [event_id] * 3
    assert notes(db) == ["written"]
    assert failures(db) == []


def test_a_delivery_that_keeps_failing_is_parked_and_the_next_events_follow(
    db: SqliteDatabase,
) -> None:
    def handle(tx: WriteTx, event: StoredEvent) -> None:
        tx.execute("INSERT INTO notes (text) VALUES (?)", (f"bad:{event.id}",))
        if event.event_type == "poison":
            raise RuntimeError("I choke")

    following = dispatcher(db, follower("bad", handle), noting("good"))
    ids = emit(db, "a", "poison", "a")

    following.drain()

    assert failures(db) == [("bad", ids[1], "RuntimeError: I choke")]
    assert sorted(notes(db)) == sorted(
        [f"bad:{ids[0]}", f"bad:{ids[2]}"] + [f"good:{event_id}" for event_id in ids]
    )
    assert position(db, "bad") == position(db, "good") == ids[2]


def test_an_event_that_a_subscriber_emits_is_delivered_too(db: SqliteDatabase) -> None:
    def answer(tx: WriteTx, event: StoredEvent) -> None:
        if event.event_type == "question":
            tx.emit(Event(event_type="answer", actor_type="system"))

    following = dispatcher(db, follower("oracle", answer), noting(event_types=["answer"]))
    emit(db, "question")

    following.drain()

    assert len(notes(db)) == 1


def test_two_dispatchers_of_one_subscriber_do_everything_once(db: SqliteDatabase) -> None:
    both = [dispatcher(db, noting()) for _ in range(2)]
    ids = emit(db, *["a"] * 60)

    threads = [threading.Thread(target=following.drain) for following in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert notes(db) == [f"notes:{event_id}" for event_id in ids]


def test_a_running_dispatcher_follows_by_itself(db: SqliteDatabase) -> None:
    arrived = threading.Event()
    following = Dispatcher(db, [follower("notes", lambda tx, event: arrived.set())])
    following.start()

    emit(db, "a")

    assert arrived.wait(5)
    following.stop()


def test_a_dispatcher_that_is_stopping_leaves_the_rest_for_the_next_start(
    db: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kombuse_kernel.events._PAUSES", (60, 60))
    failed = threading.Event()

    def handle(tx: WriteTx, event: StoredEvent) -> None:
        failed.set()
        raise RuntimeError

    following = Dispatcher(db, [follower("notes", handle)])
    following.start()
    ids = emit(db, "a", "b")
    assert failed.wait(5)

    following.stop()

    assert failures(db) == []
    assert dispatcher(db, noting()).drain() == 2
    assert notes(db) == [f"notes:{event_id}" for event_id in ids]


def test_without_subscribers_nothing_is_written(db: SqliteDatabase) -> None:
    following = Dispatcher(db, [])
    following.start()
    before = db.commits

    assert following.drain() == 0

    following.stop()
    assert db.commits == before
