"""Transactions: isolation, rollback, the queue of writers, files."""

import sqlite3
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel

from kombuse_kernel.database import SqliteDatabase
from kombuse_sdk.events import Event
from kombuse_sdk.sqlite_file import FairLock, connect

SOMETHING = Event(event_type="note.made", actor_type="system", payload={"text": "ä\u2028"})


class Note(SQLModel, table=True):
    __tablename__ = "notes"
    metadata = MetaData()

    id: int | None = Field(default=None, primary_key=True)
    text: str | None


def notes(db: SqliteDatabase) -> list[str]:
    with db.read() as tx:
        return tx.values("SELECT text FROM notes ORDER BY id")


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO notes (text) VALUES ('x')",
        "DELETE FROM notes",
        "CREATE TABLE more (id)",
        "PRAGMA user_version = 7",
        "VACUUM",
    ],
)
def test_a_reader_cannot_write(db: SqliteDatabase, sql: str) -> None:
    with db.read() as tx, pytest.raises(sqlite3.OperationalError):
        tx.execute(sql)

    assert notes(db) == []


def test_a_reader_cannot_write_even_without_its_query_only_mode(db: SqliteDatabase) -> None:
    with db.read() as tx:
        tx.execute("PRAGMA query_only = OFF")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            tx.execute("DELETE FROM notes")


def test_a_write_commits_everything_or_rolls_everything_back(db: SqliteDatabase) -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('kept')")

    def failing() -> None:
        with db.write() as tx:
            tx.execute("INSERT INTO notes (text) VALUES ('lost')")
            tx.emit(SOMETHING)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        failing()

    assert notes(db) == ["kept"]
    with db.read() as tx:
        assert tx.value("SELECT count(*) FROM events") == 0


def test_a_write_goes_on_after_one_that_failed(db: SqliteDatabase) -> None:
    with pytest.raises(sqlite3.OperationalError), db.write() as tx:
        tx.execute("INSERT INTO nowhere VALUES (1)")

    with db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('next')")

    assert notes(db) == ["next"]


def test_what_is_to_run_after_the_commit_runs_after_it_and_only_then(db: SqliteDatabase) -> None:
    seen: list[list[str]] = []

    with db.write() as tx:
        tx.after_commit(lambda: seen.append(notes(db)))
        tx.execute("INSERT INTO notes (text) VALUES ('a')")
        assert seen == []
    assert seen == [["a"]]

    with pytest.raises(RuntimeError), db.write() as tx:
        tx.after_commit(lambda: seen.append(notes(db)))
        raise RuntimeError
    assert seen == [["a"]]


def test_a_failure_after_the_commit_harms_neither_the_write_nor_the_next_action(
    db: SqliteDatabase,
) -> None:
    done: list[str] = []

    with db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('a')")
        tx.after_commit(lambda: done.append("first"))
        tx.after_commit(lambda: done.append(str(1 // 0)))
        tx.after_commit(lambda: done.append("last"))

    assert done == ["first", "last"]
    assert notes(db) == ["a"]


def test_an_action_after_the_commit_may_write(db: SqliteDatabase) -> None:
    def again() -> None:
        with db.write() as tx:
            tx.execute("INSERT INTO notes (text) VALUES ('second')")

    with db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('first')")
        tx.after_commit(again)

    assert notes(db) == ["first", "second"]


def test_eight_threads_of_fifty_writes_lose_none(db: SqliteDatabase) -> None:
    def work(writer: int) -> None:
        for number in range(50):
            with db.write() as tx:
                seen = tx.value("SELECT count(*) FROM notes")
                tx.execute("INSERT INTO notes (text) VALUES (?)", (f"{writer}.{number}",))
                assert tx.value("SELECT count(*) FROM notes") == seen + 1
                tx.emit(SOMETHING)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    written = notes(db)
    assert len(written) == len(set(written)) == 400
    for writer in range(8):
        mine = [text for text in written if text.startswith(f"{writer}.")]
        assert mine == [f"{writer}.{number}" for number in range(50)]
    with db.read() as tx:
        assert tx.values("SELECT id FROM events ORDER BY id") == list(range(1, 401))


def test_two_readers_each_keep_their_snapshot_while_a_writer_goes_on(db: SqliteDatabase) -> None:
    def write(text: str) -> None:
        with db.write() as tx:
            tx.execute("INSERT INTO notes (text) VALUES (?)", (text,))

    other: list[list[str]] = []
    write("one")
    with db.read() as first:
        assert first.values("SELECT text FROM notes") == ["one"]
        write("two")
        in_thread(lambda: other.append(notes(db)))
        assert other == [["one", "two"]]
        assert first.values("SELECT text FROM notes") == ["one"]

    assert notes(db) == ["one", "two"]


def test_a_reader_inside_a_reader_has_a_snapshot_of_its_own(db: SqliteDatabase) -> None:
    with db.read() as outer:
        assert outer.values("SELECT text FROM notes") == []
        with db.write() as tx:
            tx.execute("INSERT INTO notes (text) VALUES ('new')")
        assert notes(db) == ["new"]
        assert outer.values("SELECT text FROM notes") == []


def test_readers_of_many_threads_share_their_connections(db: SqliteDatabase) -> None:
    for _ in range(20):
        in_thread(lambda: notes(db))

    assert len(db._file._readers) == 1


def test_a_reader_does_not_see_what_is_not_committed(db: SqliteDatabase) -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('a')")
        assert notes(db) == []


def test_events_are_stored_with_the_time_of_their_transaction_and_told_to_reactions(
    db: SqliteDatabase,
) -> None:
    told: list[tuple[str, int, str]] = []
    db.reactions = [lambda tx, event: told.append((tx.now, event.id, event.event_type))]

    with db.write() as tx:
        first = tx.emit(SOMETHING)
        second = tx.emit(SOMETHING)
        now = tx.now

    assert told == [(now, first, "note.made"), (now, second, "note.made")]
    with db.read() as tx:
        assert tx.values("SELECT created_at FROM events") == [now, now]
        assert tx.values("SELECT payload FROM events") == ['{"text":"ä\u2028"}'] * 2


def test_a_reaction_that_raises_refuses_the_whole_change(db: SqliteDatabase) -> None:
    def refuse(tx: object, event: object) -> None:
        raise PermissionError("no")

    db.reactions = [refuse]

    with pytest.raises(PermissionError), db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('a')")
        tx.emit(SOMETHING)

    assert notes(db) == []


def test_the_dispatcher_is_woken_only_by_events(db: SqliteDatabase) -> None:
    woken: list[str] = []
    db.on_events = lambda events: woken.append("woken")

    with db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('a')")
    assert woken == []
    with db.write() as tx:
        tx.emit(SOMETHING)
    assert woken == ["woken"]


def test_only_a_write_that_changed_something_counts_as_a_commit(db: SqliteDatabase) -> None:
    before = db.commits

    with db.write() as tx:
        tx.execute("UPDATE notes SET text = 'x' WHERE id = 7")
    assert db.commits == before
    with db.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('a')")
    assert db.commits == before + 1


def test_rows_are_written_and_read_by_their_table_class(db: SqliteDatabase) -> None:
    with db.write() as tx:
        key = tx.insert(Note, text="a")
        assert tx.update(Note, key, text="b") == 1
        assert tx.update(Note, key) == 0
        assert tx.update(Note, 99, text="b") == 0
        found = tx.get(Note, key)
        assert found == Note(id=key, text="b")
        assert tx.delete(Note, key) == 1
        assert tx.delete(Note, key) == 0
        assert tx.get(Note, key) is None
        assert tx.insert(Note, id=40, text="c") == 40


@pytest.mark.parametrize("name", ["nope", "text = 'x' --"])
def test_a_column_that_the_table_class_has_not_is_refused(db: SqliteDatabase, name: str) -> None:
    with db.write() as tx:
        key = tx.insert(Note, text="a")
        with pytest.raises(ValueError, match="Note has no column"):
            tx.insert(Note, **{name: "x"})
        with pytest.raises(ValueError, match="Note has no column"):
            tx.update(Note, key, **{name: "x"})


def test_json_is_made_inside_the_database(db: SqliteDatabase) -> None:
    with db.write() as tx:
        tx.insert(Note, text='quote " and ä')
        tx.insert(Note, text=None)

    with db.read() as tx:
        listed = tx.json_list("SELECT json_object('text', text) FROM notes ORDER BY id")
        assert listed.load() == [{"text": 'quote " and ä'}, {"text": None}]
        assert tx.json("SELECT json_object('a', 1)").data == b'{"a":1}'  # type: ignore[union-attr]
        assert tx.json("SELECT json_object('a', 1) FROM notes WHERE id = 9") is None
        assert tx.json_list("SELECT '1' FROM notes WHERE id = 9").data == b"[]"


def test_foreign_keys_are_enforced(db: SqliteDatabase) -> None:
    db.writer.execute("CREATE TABLE child (note INTEGER REFERENCES notes (id))")

    with pytest.raises(sqlite3.IntegrityError), db.write() as tx:
        tx.execute("INSERT INTO child VALUES (99)")


@pytest.mark.parametrize("waiters", [1, 5, 20])
def test_the_lock_is_handed_on_in_the_order_of_asking(waiters: int) -> None:
    lock = FairLock()
    order: list[int] = []

    def wait(number: int) -> None:
        with lock:
            order.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(waiters)]
    with lock:
        for number, thread in enumerate(threads):
            thread.start()
            while len(lock._waiting) <= number:
                threading.Event().wait(0.0005)
    for thread in threads:
        thread.join()

    assert order == list(range(waiters))
    with lock:
        assert not lock._waiting


def test_the_lock_is_free_again_after_an_exception() -> None:
    lock = FairLock()

    with pytest.raises(RuntimeError), lock:
        raise RuntimeError
    with lock:
        pass


def test_closing_folds_the_log_into_the_one_file(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "own" / "data.db", None)  # type: ignore[arg-type]
    db.writer.execute("CREATE TABLE notes (text)")
    db.close()

    assert [p.name for p in (tmp_path / "own").iterdir()] == ["data.db"]
    assert stat.S_IMODE((tmp_path / "own" / "data.db").stat().st_mode) == 0o600
    connection = connect(tmp_path / "own" / "data.db", read_only=True)
    assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] == 0
    connection.close()


@pytest.mark.parametrize("name", ["with space.db", "what?.db", "50%25.db", "emoji 🍵#1.db"])
def test_odd_characters_in_the_path_name_the_same_file(tmp_path: Path, name: str) -> None:
    db = SqliteDatabase(tmp_path / name, None)  # type: ignore[arg-type]
    db.writer.execute("CREATE TABLE notes (text)")
    with db.read() as tx:
        assert tx.value("SELECT count(*) FROM notes") == 0
    db.close()

    assert [p.name for p in tmp_path.iterdir()] == [name]
