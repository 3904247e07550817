"""The event log over REST."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.events import queries
from kombuse_plugins.events.schemas import EventFilter
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.events import Event
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def post(client: TestClient, **values: Any) -> Any:
    body = {"event_type": "test.done", "actor_type": "system", "payload": {}} | values
    answer = client.post("/api/events", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(client: TestClient, **query: Any) -> list[int]:
    answer = client.get("/api/events", params=query)
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.json()]


def at(kernel: Kernel, event_id: int, moment: str) -> None:
    with kernel.db.write() as tx:
        tx.execute("UPDATE events SET created_at = ? WHERE id = ?", (moment, event_id))


def test_a_posted_event_comes_back_with_its_actor_and_ticket_number(
    client: TestClient, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    payload = {"x": {"y": [1, 2.5, None, "日本"]}}

    made = post(
        client,
        actor_type="user",
        actor_id=LOCAL_USER,
        project_id=ticket["project_id"],
        ticket_id=ticket["id"],
        payload=payload,
    )

    assert made["ticket_number"] == ticket["ticket_number"]
    assert made["actor"]["id"] == LOCAL_USER
    assert json.loads(made["payload"]) == payload
    assert made["kombuse_session_id"] is None
    assert client.get("/api/events", params={"event_type": "test.done"}).json() == [made]


def test_a_bare_event_has_every_field(client: TestClient) -> None:
    made = post(client, kombuse_session_id="ignored")

    assert {key for key, value in made.items() if value is None} == {
        "project_id",
        "ticket_id",
        "ticket_number",
        "comment_id",
        "actor_id",
        "actor",
        "kombuse_session_id",
    }
    assert made["payload"] == "{}"


def test_the_project_of_an_event_may_be_given_as_a_slug(client: TestClient, make: Factory) -> None:
    project = make.project()

    assert post(client, project_id=project["slug"])["project_id"] == project["id"]


@pytest.mark.parametrize(
    ("field", "value", "resource"),
    [
        ("actor_id", "nobody", "profile"),
        ("actor_id", "", "profile"),
        ("project_id", "nowhere", "project"),
        ("project_id", "", "project"),
        ("ticket_id", 99, "ticket"),
        ("ticket_id", "99", "ticket"),
        ("comment_id", 99, "comment"),
    ],
)
def test_an_event_must_refer_to_what_exists(
    client: TestClient, field: str, value: Any, resource: str
) -> None:
    body = {"event_type": "x", "actor_type": "user", "payload": {}, field: value}

    answer = client.post("/api/events", json=body)

    assert answer.status_code == 422
    assert answer.json() == {"error": f"{field} does not reference an existing {resource}"}
    assert listed(client) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", ""),
        ("event_type", None),
        ("actor_type", "robot"),
        ("payload", "text"),
        ("payload", []),
        ("payload", None),
        ("ticket_id", 0),
        ("ticket_id", 1.5),
        ("ticket_id", None),
        ("comment_id", "x"),
        ("project_id", 1),
    ],
)
def test_odd_fields_are_issues(client: TestClient, field: str, value: Any) -> None:
    body = {"event_type": "x", "actor_type": "system", "payload": {}, field: value}

    answer = client.post("/api/events", json=body)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [[field]]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_json_readers_do_not_know_are_refused(client: TestClient, number: str) -> None:
    body = f'{{"event_type":"x","actor_type":"system","payload":{{"a":[{number}]}}}}'

    answer = client.post(
        "/api/events", content=body.encode(), headers={"content-type": "application/json"}
    )

    assert answer.status_code == 400
    assert listed(client) == []


def test_times_do_not_go_back_when_the_clock_does(kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        tx.execute(
            "INSERT INTO events (event_type, actor_type, payload, created_at)"
            " VALUES ('x', 'system', '{}', '2999-01-01T00:00:00.000Z')"
        )
    with kernel.db.write() as tx:
        event_id = tx.emit(Event(event_type="x", actor_type="system"))

    with kernel.db.read() as tx:
        at_last = tx.value("SELECT created_at FROM events WHERE id = ?", (event_id,))
        assert at_last == "2999-01-01T00:00:00.000Z"


def test_the_log_is_newest_first_and_pages(client: TestClient, kernel: Kernel) -> None:
    ids = [post(client)["id"] for _ in range(5)]
    for event_id in ids:
        at(kernel, event_id, "2026-01-01T00:00:00.000Z")

    expected = ids[::-1]
    assert listed(client) == expected
    assert listed(client, limit=2) == expected[:2]
    assert listed(client, limit=2, offset=3) == expected[3:]
    assert listed(client, offset=9) == []


def test_limits_above_one_hundred_are_clamped(client: TestClient, kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        for _ in range(120):
            tx.execute(
                "INSERT INTO events (event_type, actor_type, payload, created_at)"
                " VALUES ('x', 'system', '{}', ?)",
                (tx.now,),
            )

    assert len(listed(client)) == 50
    assert len(listed(client, limit=100000)) == 100


def test_filters_narrow_the_log_together(client: TestClient, make: Factory) -> None:
    project = make.project()
    ticket = make.ticket(project)
    ann = make.profile()["id"]
    base = post(client)["id"]
    by_ann = post(client, actor_type="user", actor_id=ann)["id"]
    in_project = post(client, project_id=project["id"], event_type="other")["id"]
    on_ticket = post(client, ticket_id=ticket["id"], actor_type="user", actor_id=ann)["id"]
    created = listed(client, event_type="ticket.created")

    assert listed(client, event_type="other") == [in_project]
    assert listed(client, actor_id=ann) == [on_ticket, by_ann]
    assert listed(client, actor_type="system") == [in_project, base]
    assert listed(client, ticket_id=ticket["id"]) == [on_ticket, *created]
    assert listed(client, project_id=project["id"]) == [in_project, *created]
    assert listed(client, project_id=project["slug"], actor_type="user") == created
    assert listed(client, project_id="nowhere") == []
    assert listed(client, event_type="never") == []
    assert listed(client, event_type="", actor_type="user", actor_id=ann, ticket_id=99) == []


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-03-01T12:00:00Z", True),
        ("2026-03-01T12:00:00.499Z", True),
        ("2026-03-01T12:00:00.500Z", False),
        ("2026-03-01T14:00:00+02:00", True),
        ("2026-03-01T14:00:01+02:00", False),
        ("2026-03-01T06:30:00.4-05:30", True),
        ("2001-01-01T00:00:00.000Z", True),
    ],
)
def test_since_compares_moments_and_not_texts(
    client: TestClient, kernel: Kernel, since: str, expected: bool
) -> None:
    event_id = post(client)["id"]
    at(kernel, event_id, "2026-03-01T12:00:00.500Z")

    assert listed(client, since=since) == ([event_id] if expected else [])


def test_an_offset_may_stand_unescaped_in_the_query(client: TestClient, kernel: Kernel) -> None:
    event_id = post(client)["id"]
    at(kernel, event_id, "2026-03-01T12:00:00.500Z")

    answer = client.get("/api/events?since=2026-03-01T14:00:00+02:00")

    assert [event["id"] for event in answer.json()] == [event_id]


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"since": "2026-03-01"},
        {"since": "2026-03-01T12:00:00"},
        {"since": "2026-13-01T12:00:00Z"},
        {"limit": "0"},
        {"limit": "1.5"},
        {"offset": "-1"},
        {"ticket_id": "x"},
        {"ticket_id": "0"},
        {"actor_type": "robot"},
        {"actor_type": ""},
    ],
)
def test_odd_filters_are_issues(client: TestClient, query: dict[str, str]) -> None:
    answer = client.get("/api/events", params=query)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [list(query)]


def test_a_deleted_ticket_leaves_its_events_without_number(
    client: TestClient, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    assert client.delete(f"{ticket_path(ticket)}").status_code == 204

    (event,) = client.get("/api/events", params={"event_type": "ticket.created"}).json()

    assert (event["ticket_id"], event["ticket_number"]) == (None, None)
    assert event["project_id"] == ticket["project_id"]


def test_the_events_of_a_ticket_are_not_paged(
    client: TestClient, make: Factory, kernel: Kernel
) -> None:
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)
    with kernel.db.write() as tx:
        for _ in range(120):
            tx.execute(
                "INSERT INTO events (event_type, actor_type, ticket_id, payload, created_at)"
                " VALUES ('x', 'system', ?, '{}', ?)",
                (ticket["id"], tx.now),
            )
    post(client, ticket_id=other["id"])

    events = client.get(f"{ticket_path(ticket)}/events").json()

    assert len(events) == 121
    assert [event["id"] for event in events] == sorted((e["id"] for e in events), reverse=True)
    assert events[-1]["event_type"] == "ticket.created"
    assert events[-1]["actor"]["id"] == LOCAL_USER


@pytest.mark.parametrize("what", ["events", "timeline"])
def test_what_happened_on_no_ticket_is_not_found(
    client: TestClient, make: Factory, what: str
) -> None:
    tickets = f"/api/projects/{make.project()['id']}/tickets/by-number"
    answers = [
        client.get(path)
        for path in (
            f"{tickets}/9/{what}",
            f"{tickets}/abc/{what}",
            f"{tickets}/0/{what}",
            f"/api/projects/nowhere/tickets/by-number/1/{what}",
        )
    ]

    assert [(a.status_code, a.json()["error"]) for a in answers] == [
        (404, "Ticket not found"),
        (400, "Invalid ticket number"),
        (400, "Invalid ticket number"),
        (404, "Project not found"),
    ]


FILTERS = {
    "": "e",
    "event_type": "events_type",
    "project_id": "events_project",
    "ticket_id": "events_ticket",
    "actor_id": "events_actor",
    "actor_type": "events_actor_type",
    "since": "e USING INTEGER PRIMARY KEY (rowid>?)",
    "project_id,event_type": "events_type",
    "project_id,actor_type": "events_project",
    "project_id,since": "events_project (project_id=? AND id>?)",
    "ticket_id,event_type": "events_ticket",
}
VALUES = {
    "event_type": "x",
    "project_id": "p",
    "ticket_id": "1",
    "actor_id": "a",
    "actor_type": "user",
    "since": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize("names", FILTERS)
def test_every_filter_reads_an_index_in_order(kernel: Kernel, names: str) -> None:
    query = EventFilter.model_validate({name: VALUES[name] for name in names.split(",") if name})
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.page(planner, query, query.project_id)

    assert f" {FILTERS[names]}" in planner.plan[0]
    assert not [step for step in planner.plan if "TEMP" in step]


def test_the_events_of_a_ticket_read_an_index_in_order(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.of_ticket(planner, 1)

    assert planner.plan[0] == "SEARCH e USING INDEX events_ticket (ticket_id=?)"
    assert not [step for step in planner.plan if "TEMP" in step]
