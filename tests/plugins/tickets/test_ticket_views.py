"""Who has seen a ticket, and for whom it is unread."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts import Tickets
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

Unread = Callable[[str], int]


@pytest.fixture
def ticket(make: Factory, project: Any) -> Any:
    return make.ticket(project)


@pytest.fixture
def unread(client: TestClient, ticket: Any) -> Unread:
    """has_unread of the ticket for a viewer."""

    def read(viewer: str) -> int:
        query = {"project_id": ticket["project_id"], "viewer_id": viewer}
        (found,) = client.get("/api/tickets", params=query).json()
        value: int = found["has_unread"]
        return value

    return read


@pytest.fixture
def later(kernel: Kernel) -> Callable[[], None]:
    """Lets all views so far be older than what follows."""

    def age() -> None:
        with kernel.db.write() as tx:
            tx.execute("UPDATE ticket_views SET last_viewed_at = '2020-01-01T00:00:00.000Z'")

    return age


def view(client: TestClient, ticket: Any, profile_id: str) -> Any:
    return client.post(f"{ticket_path(ticket)}/view", json={"profile_id": profile_id})


def test_a_new_ticket_is_unread_for_all_but_its_author(unread: Unread, ann: str) -> None:
    assert [unread(LOCAL_USER), unread(ann), unread("unknown")] == [0, 1, 1]


def test_there_is_no_unread_mark_without_a_viewer(client: TestClient, ticket: Any) -> None:
    (listed,) = client.get("/api/tickets", params={"viewer_id": ""}).json()
    read = client.get(ticket_path(ticket), params={"viewer_id": LOCAL_USER}).json()

    assert "has_unread" not in listed and "has_unread" not in read


def test_viewing_again_keeps_the_id(
    client: TestClient, ticket: Any, unread: Unread, ann: str
) -> None:
    first = view(client, ticket, ann).json()
    second = view(client, ticket, ann).json()

    assert set(first) == {"id", "ticket_id", "profile_id", "last_viewed_at"}
    assert first["id"] == second["id"] and first["ticket_id"] == ticket["id"]
    assert first["last_viewed_at"] <= second["last_viewed_at"]
    assert unread(ann) == 0


def test_an_update_is_unread_for_all_but_who_made_it(
    client: TestClient, ticket: Any, unread: Unread, ann: str, later: Callable[[], None]
) -> None:
    view(client, ticket, ann)
    later()

    client.patch(ticket_path(ticket), json={"title": "new", "updated_by_id": ann})

    assert [unread(ann), unread(LOCAL_USER)] == [0, 1]


def test_a_claim_is_read_for_the_claimer(
    client: TestClient, ticket: Any, unread: Unread, ann: str, later: Callable[[], None]
) -> None:
    later()

    client.post(f"{ticket_path(ticket)}/claim", json={"claimer_id": ann})

    assert [unread(ann), unread(LOCAL_USER)] == [0, 1]


def test_other_plugins_touch_and_mark(
    kernel: Kernel, ticket: Any, unread: Unread, ann: str, later: Callable[[], None]
) -> None:
    later()
    with kernel.db.write() as tx:
        tickets = tx.services.get(Tickets)
        tickets.touch(tx, ticket["id"])
        tickets.mark_viewed(tx, ticket["id"], ann)

    assert [unread(ann), unread(LOCAL_USER)] == [0, 1]


@pytest.mark.parametrize(
    ("number", "body", "status", "error"),
    [
        ("1", {"profile_id": "x"}, 422, "profile_id does not reference an existing profile"),
        ("9", {"profile_id": "x"}, 404, "Ticket #9 not found in project {project}"),
        ("x", {"profile_id": "x"}, 400, "Invalid ticket number"),
        ("1", {"profile_id": ""}, 400, None),
        ("1", {}, 400, None),
    ],
)
def test_a_view_that_cannot_be(
    client: TestClient, ticket: Any, number: str, body: Any, status: int, error: str | None
) -> None:
    project = ticket["project_id"]

    answer = client.post(f"/api/projects/{project}/tickets/by-number/{number}/view", json=body)

    assert answer.status_code == status
    assert error is None or answer.json() == {"error": error.format(project=project)}


def test_the_contract_finds_tickets(kernel: Kernel, ticket: Any) -> None:
    with kernel.db.read() as tx:
        tickets = tx.services.get(Tickets)
        found = tickets.find(tx, ticket["project_id"], 1)

        assert (
            found == tickets.by_id(tx, ticket["id"]) == tickets.require(tx, ticket["project_id"], 1)
        )
        assert tickets.find(tx, ticket["project_id"], 2) is None
        assert tickets.by_id(tx, 99) is None
        assert tx.value(f"SELECT {tickets.number_sql('1')}, {tickets.number_sql('99')}") == 1
