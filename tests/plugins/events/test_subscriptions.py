"""Subscriptions over REST."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.events import queries
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def subscribe(client: TestClient, **values: Any) -> Any:
    body = {"subscriber_id": LOCAL_USER, "event_type": "test.done"} | values
    answer = client.post("/api/subscriptions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def post(client: TestClient, event_type: str = "test.done", **values: Any) -> int:
    body = {"event_type": event_type, "actor_type": "system", "payload": {}} | values
    answer = client.post("/api/events", json=body)
    assert answer.status_code == 201, answer.text
    event_id: int = answer.json()["id"]
    return event_id


def pending(client: TestClient, subscription: Any, **query: Any) -> list[int]:
    answer = client.get(f"/api/subscriptions/{subscription['id']}/events", params=query)
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.json()["events"]]


def acknowledge(client: TestClient, subscription: Any, event_id: Any) -> int | None:
    path = f"/api/subscriptions/{subscription['id']}"
    answer = client.post(f"{path}/acknowledge", json={"last_event_id": event_id})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    mark: int | None = client.get(f"{path}/events").json()["subscription"][
        "last_processed_event_id"
    ]
    return mark


def test_a_new_subscription_sees_the_whole_history_in_order(client: TestClient) -> None:
    ids = [post(client), post(client)]
    post(client, "other")
    subscription = subscribe(client)

    assert subscription["last_processed_event_id"] is None
    assert pending(client, subscription) == ids


def test_pending_events_carry_the_ticket_number_and_the_subscription(
    client: TestClient, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    subscription = subscribe(client, event_type="ticket.created")

    answer = client.get(f"/api/subscriptions/{subscription['id']}/events").json()

    assert answer["subscription"] == subscription
    (event,) = answer["events"]
    assert (event["ticket_id"], event["ticket_number"]) == (ticket["id"], ticket["ticket_number"])
    assert "actor" not in event


def test_only_events_after_the_mark_are_pending(client: TestClient) -> None:
    subscription = subscribe(client)
    first, second = post(client), post(client)

    assert acknowledge(client, subscription, first) == first
    assert pending(client, subscription) == [second]
    assert acknowledge(client, subscription, str(second)) == second
    assert pending(client, subscription) == []


def test_the_mark_never_moves_back(client: TestClient) -> None:
    subscription = subscribe(client)
    first, second = post(client), post(client)
    acknowledge(client, subscription, second)

    assert acknowledge(client, subscription, first) == second


def test_the_mark_stops_at_the_newest_event(client: TestClient) -> None:
    subscription = subscribe(client)
    newest = post(client)

    assert acknowledge(client, subscription, newest + 1000) == newest

    later = post(client)
    assert pending(client, subscription) == [later]


def test_acknowledging_without_any_event_leaves_no_mark(client: TestClient) -> None:
    assert acknowledge(client, subscribe(client), 5) is None


def test_a_limit_takes_the_oldest_pending_events(client: TestClient) -> None:
    subscription = subscribe(client)
    ids = [post(client) for _ in range(4)]

    assert pending(client, subscription, limit=2) == ids[:2]
    assert pending(client, subscription, limit=100000) == ids
    path = f"/api/subscriptions/{subscription['id']}/events"
    assert client.get(path, params={"limit": 0}).status_code == 400


def test_a_subscription_of_a_project_sees_that_project_alone(
    client: TestClient, make: Factory
) -> None:
    mine, other = make.project(), make.project()
    subscription = subscribe(client, project_id=mine["slug"])
    post(client)
    post(client, project_id=other["id"])
    wanted = post(client, project_id=mine["id"])

    assert subscription["project_id"] == mine["id"]
    assert pending(client, subscription) == [wanted]


def test_the_same_subscription_again_is_the_same(client: TestClient, make: Factory) -> None:
    project = make.project()
    everywhere = subscribe(client)
    in_project = subscribe(client, project_id=project["id"])

    assert subscribe(client)["id"] == everywhere["id"]
    assert subscribe(client, project_id=project["id"]) == in_project
    assert in_project["id"] != everywhere["id"]


def test_the_list_is_newest_first_and_of_one_subscriber(client: TestClient, make: Factory) -> None:
    ann = make.profile()["id"]
    made = [subscribe(client, event_type=name)["id"] for name in "abc"]
    subscribe(client, subscriber_id=ann)

    answer = client.get("/api/subscriptions", params={"subscriber_id": LOCAL_USER})

    assert [item["id"] for item in answer.json()] == made[::-1]
    assert client.get("/api/subscriptions", params={"subscriber_id": "nobody"}).json() == []


@pytest.mark.parametrize("query", [{}, {"subscriber_id": ""}])
def test_the_list_wants_a_subscriber(client: TestClient, query: dict[str, str]) -> None:
    answer = client.get("/api/subscriptions", params=query)

    assert answer.status_code == 400
    assert answer.json() == {"error": "subscriber_id query parameter is required"}


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"subscriber_id": "nobody"}, "subscriber_id does not reference an existing profile"),
        ({"project_id": "nowhere"}, "project_id does not reference an existing project"),
        ({"project_id": ""}, "project_id does not reference an existing project"),
    ],
)
def test_a_subscription_must_refer_to_what_exists(
    client: TestClient, values: dict[str, str], error: str
) -> None:
    body = {"subscriber_id": LOCAL_USER, "event_type": "x"} | values

    answer = client.post("/api/subscriptions", json=body)

    assert (answer.status_code, answer.json()) == (422, {"error": error})


def test_an_unknown_subscription_is_not_found(client: TestClient) -> None:
    path = "/api/subscriptions/99"
    answers = [
        client.get(f"{path}/events"),
        client.post(f"{path}/acknowledge", json={"last_event_id": 1}),
        client.delete(path),
    ]

    assert {(a.status_code, a.json()["error"]) for a in answers} == {
        (404, "Subscription not found")
    }
    assert client.delete("/api/subscriptions/abc").json() == {"error": "Invalid subscription ID"}


@pytest.mark.parametrize("value", [0, -1, 1.5, "x", None, True])
def test_an_odd_mark_is_an_issue_even_without_the_subscription(
    client: TestClient, value: Any
) -> None:
    answer = client.post("/api/subscriptions/99/acknowledge", json={"last_event_id": value})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["last_event_id"]


def test_a_deleted_subscription_is_gone(client: TestClient) -> None:
    subscription = subscribe(client)

    assert client.delete(f"/api/subscriptions/{subscription['id']}").status_code == 204
    assert client.get("/api/subscriptions", params={"subscriber_id": LOCAL_USER}).json() == []


def test_the_subscriptions_of_a_deleted_project_go_with_it(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    gone = subscribe(client, project_id=project["id"])
    stays = subscribe(client)
    make.ticket(project)

    assert client.delete(f"/api/projects/{project['id']}").status_code == 204

    answer = client.get("/api/subscriptions", params={"subscriber_id": LOCAL_USER})
    assert [item["id"] for item in answer.json()] == [stays["id"]]
    assert client.get(f"/api/subscriptions/{gone['id']}/events").status_code == 404


def test_a_deleted_ticket_does_not_hide_its_events_from_subscribers(
    client: TestClient, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    subscription = subscribe(client, event_type="ticket.created", project_id=ticket["project_id"])
    assert client.delete(ticket_path(ticket)).status_code == 204

    assert len(pending(client, subscription)) == 1


@pytest.mark.parametrize("project_id", [None, "p"])
def test_pending_events_are_found_from_the_mark_on(kernel: Kernel, project_id: str | None) -> None:
    row = {"event_type": "x", "project_id": project_id, "last_processed_event_id": 5}
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.pending(planner, row, None)

    assert planner.plan[0] == "SEARCH e USING INDEX events_type (event_type=? AND id>?)"
    assert not [step for step in planner.plan if "TEMP" in step]


def test_the_list_of_subscriptions_reads_an_index_in_order(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.subscriptions(planner, LOCAL_USER)

    assert planner.plan == [
        "SEARCH s USING INDEX event_subscriptions_list (subscriber_id=?)",
    ]
