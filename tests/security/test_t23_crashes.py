"""T23: a server killed in the middle of writing loses nothing that it acknowledged."""

import json
import random
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.installed import install

from kombuse_sdk.processes import ServerProcess, command, environment, running_server

KILLS = 15
WRITERS = 4
_WITNESS = """
from kombuse_sdk import Subscriber

def note(tx, event):
    tx.execute("INSERT INTO witness (event_id) VALUES (?)", (event.id,))

@hookimpl
def kombuse_subscribers():
    return [Subscriber(name="witness", handle=note, start="beginning")]
"""
_TABLE = {"0001_witness": "CREATE TABLE witness (event_id INTEGER NOT NULL);"}


@dataclass
class Acknowledged:
    """What the server said was done; `attempted` titles may have been written or not."""

    tickets: dict[int, set[str]] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    deleted_comments: set[int] = field(default_factory=set)
    labels: dict[int, str] = field(default_factory=dict)
    claimed: dict[int, str] = field(default_factory=dict)


class Writer:
    """Writes of all kinds, one after the other, until the server is gone."""

    def __init__(self, name: str, project: str, done: Acknowledged) -> None:
        self.name = name
        self.project = project
        self.done = done
        self.count = 0
        self.random = random.Random(name)
        self.mine: list[Any] = []

    def run(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            try:
                while True:
                    self.step(client)
            except httpx.TransportError:
                return

    def step(self, client: httpx.Client) -> None:
        self.count += 1
        text = f"{self.name} writes word{self.count}"
        actions: list[Callable[[httpx.Client, str], None]] = [self.create]
        if self.mine:
            actions += [self.comment, self.rename, self.claim, self.label, self.uncomment]
        self.random.choice(actions)(client, text)

    def create(self, client: httpx.Client, text: str) -> None:
        body = {"project_id": self.project, "author_id": "user-1", "title": text, "body": text}
        ticket = self.ask(client, "POST", "/api/tickets", body)
        self.done.tickets[ticket["id"]] = {text}
        self.mine.append(ticket)

    def comment(self, client: httpx.Client, text: str) -> None:
        body = {"author_id": "user-1", "body": f"{text} @[Default User](user-1)"}
        made = self.ask(client, "POST", f"{self.path()}/comments", body)
        self.done.comments[made["id"]] = body["body"]

    def uncomment(self, client: httpx.Client, text: str) -> None:
        body = {"author_id": "user-1", "body": text}
        made = self.ask(client, "POST", f"{self.path()}/comments", body)
        self.ask(client, "DELETE", f"/api/comments/{made['id']}")
        self.done.deleted_comments.add(made["id"])

    def rename(self, client: httpx.Client, text: str) -> None:
        ticket = self.random.choice(self.mine)
        titles = self.done.tickets[ticket["id"]]
        titles.add(text)
        self.ask(client, "PATCH", self.path(ticket), {"title": text})
        self.done.tickets[ticket["id"]] = {text}

    def claim(self, client: httpx.Client, text: str) -> None:
        ticket = self.random.choice(self.mine)
        self.ask(client, "POST", f"{self.path(ticket)}/claim", {"claimer_id": "user-1"})
        self.done.claimed[ticket["id"]] = "user-1"

    def label(self, client: httpx.Client, text: str) -> None:
        made = self.ask(client, "POST", f"/api/projects/{self.project}/labels", {"name": text})
        self.done.labels[made["id"]] = text

    def path(self, ticket: Any = None) -> str:
        number = (ticket or self.random.choice(self.mine))["ticket_number"]
        return f"/api/projects/{self.project}/tickets/by-number/{number}"

    def ask(self, client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
        answer = client.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def kill_while_writing(server: ServerProcess, writers: list[Writer], seconds: float) -> None:
    errors: list[BaseException] = []

    def run(writer: Writer) -> None:
        try:
            writer.run(server.url)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)  # the moment of the kill is what is tried out
    server.kill()
    for thread in threads:
        thread.join()
    assert errors == []


@dataclass(frozen=True)
class Aftermath:
    home: Path
    env: Mapping[str, str]
    project: str
    done: Acknowledged


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """A home whose server was killed many times and then ended in good order."""
    folder = tmp_path_factory.mktemp("crashes")
    home = folder / "home"
    env = install(folder / "installed", "witness", _WITNESS, _TABLE)
    done = Acknowledged()
    with running_server(home, env=env) as server:
        body = {"name": "Crashes", "owner_id": "user-1"}
        project = server.http.post("/api/projects", json=body).json()["id"]
        writers = [Writer(f"writer{number}", project, done) for number in range(WRITERS)]
        kill_while_writing(server, writers, 0.3)
    for _ in range(KILLS - 1):
        with running_server(home, env=env) as server:
            kill_while_writing(server, writers, random.uniform(0.005, 0.4))
    with running_server(home, env=env) as server:
        wait_for_witness(home)
        assert server.stop() == 0
    return Aftermath(home, env, project, done)


def wait_for_witness(home: Path) -> None:
    sql = """
        SELECT last_event_id >= (SELECT max(id) FROM events) FROM event_cursors
        WHERE subscriber = 'witness'
    """
    with opened(home) as database:
        deadline = time.monotonic() + 30
        while not database.execute(sql).fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def opened(home: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(home / "data.db", isolation_level=None)) as database:
        yield database


def test_the_database_is_whole(aftermath: Aftermath) -> None:
    with opened(aftermath.home) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        for name, sql in database.execute("SELECT name, sql FROM sqlite_master").fetchall():
            if "using fts5" in (sql or "").lower():
                check = f"INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)"
                database.execute(check)


def test_the_check_of_the_command_line_agrees(aftermath: Aftermath) -> None:
    ended = subprocess.run(
        command("db", "check"),
        env=environment(aftermath.home, aftermath.env),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_enough_was_written_to_mean_something(aftermath: Aftermath) -> None:
    done = aftermath.done

    assert len(done.tickets) > 2 * KILLS
    assert len(done.comments) > 2 * KILLS
    assert done.claimed
    assert done.labels
    assert done.deleted_comments


def test_every_acknowledged_ticket_is_there_as_it_was_left(aftermath: Aftermath) -> None:
    with opened(aftermath.home) as database:
        rows = database.execute("SELECT id, title, claimed_by_id FROM tickets").fetchall()
    found = {row[0]: row for row in rows}

    for ticket_id, titles in aftermath.done.tickets.items():
        assert found[ticket_id][1] in titles
    for ticket_id, claimer in aftermath.done.claimed.items():
        assert found[ticket_id][2] == claimer


def test_every_acknowledged_comment_and_label_is_there(aftermath: Aftermath) -> None:
    with opened(aftermath.home) as database:
        comments = dict(database.execute("SELECT id, body FROM comments").fetchall())
        labels = dict(database.execute("SELECT id, name FROM labels").fetchall())

    assert {key: comments.get(key) for key in aftermath.done.comments} == aftermath.done.comments
    assert {key: labels.get(key) for key in aftermath.done.labels} == aftermath.done.labels
    assert not aftermath.done.deleted_comments & set(comments)


def test_no_ticket_is_half_there_and_no_number_is_missing_or_given_twice(
    aftermath: Aftermath,
) -> None:
    with opened(aftermath.home) as database:
        numbers = [
            number for (number,) in database.execute("SELECT ticket_number FROM tickets ORDER BY 1")
        ]
        counted = database.execute("SELECT sum(n) FROM ticket_counts").fetchone()[0]

    assert numbers == list(range(1, len(numbers) + 1))
    assert counted == len(numbers)


def test_every_change_has_its_event_and_every_event_its_change(aftermath: Aftermath) -> None:
    with opened(aftermath.home) as database:
        tickets = {key for (key,) in database.execute("SELECT id FROM tickets")}
        comments = {key for (key,) in database.execute("SELECT id FROM comments")}
        rows = database.execute(
            "SELECT event_type, ticket_id, comment_id, payload FROM events ORDER BY id"
        ).fetchall()
    created = Counter(row[1] for row in rows if row[0] == "ticket.created")
    added = [row for row in rows if row[0] == "comment.added"]

    assert created == Counter(tickets)
    live = Counter(row[2] for row in added if row[2] is not None)
    assert {key for key in live if key in comments} == comments
    assert set(live.values()) == {1}
    assert all(json.loads(row[3]) is not None for row in rows)
    claims = {row[1] for row in rows if row[0] == "ticket.claimed"}
    assert set(aftermath.done.claimed) <= claims


def test_the_durable_subscriber_saw_each_event_exactly_once_and_in_order(
    aftermath: Aftermath,
) -> None:
    with opened(aftermath.home) as database:
        seen = [key for (key,) in database.execute("SELECT event_id FROM witness ORDER BY rowid")]
        events = [key for (key,) in database.execute("SELECT id FROM events ORDER BY id")]
        failures = database.execute("SELECT * FROM event_failures").fetchall()

    assert seen == events
    assert failures == []
