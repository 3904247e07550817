"""Claiming tickets, for a while or until given up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

CLAIM_FIELDS = ("claimed_by_id", "claimed_at", "claim_expires_at")
LONG_AGO = "2020-01-01T00:00:00.000Z"


class Claims:
    """One ticket, and what is done to its claim."""

    def __init__(self, client: TestClient, kernel: Kernel, ticket: Any) -> None:
        self._client, self._kernel, self.ticket = client, kernel, ticket

    def claim(self, claimer: str, minutes: Any = None) -> Any:
        duration = {} if minutes is None else {"duration_minutes": minutes}
        return self._post("claim", {"claimer_id": claimer} | duration)

    def unclaim(self, **body: Any) -> Any:
        return self._post("unclaim", body)

    def extend(self, minutes: Any) -> Any:
        return self._post("claim/extend", {"additional_minutes": minutes})

    def patch(self, **body: Any) -> None:
        assert self._client.patch(ticket_path(self.ticket), json=body).status_code == 200

    def expire(self) -> None:
        with self._kernel.db.write() as tx:
            tx.execute("UPDATE tickets SET claim_expires_at = ?", (LONG_AGO,))

    @property
    def now(self) -> Any:
        return self._client.get(ticket_path(self.ticket)).json()

    def events(self) -> list[str]:
        with self._kernel.db.read() as tx:
            names: list[str] = tx.values("SELECT event_type FROM events ORDER BY id")
            return [name.removeprefix("ticket.") for name in names]

    def _post(self, what: str, body: Any) -> Any:
        return self._client.post(f"{ticket_path(self.ticket)}/{what}", json=body)


@pytest.fixture
def claims(client: TestClient, kernel: Kernel, make: Factory, project: Any) -> Claims:
    return Claims(client, kernel, make.ticket(project))


def minutes_between(earlier: str, later: str) -> int:
    """Whole ones: a claim ends with a whole second, at most one second late."""
    span = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return span // timedelta(minutes=1)


def test_a_claim_makes_the_claimer_the_assignee(claims: Claims, ann: str) -> None:
    ticket = claims.claim(ann, 10).json()

    assert (ticket["claimed_by_id"], ticket["assignee_id"]) == (ann, ann)
    assert minutes_between(ticket["claimed_at"], ticket["claim_expires_at"]) == 10
    assert ticket["updated_at"] == ticket["last_activity_at"] == ticket["claimed_at"]
    assert "author" not in ticket
    assert claims.events() == ["created", "claimed"]


def test_second_claim_is_refused_with_the_ticket(claims: Claims, ann: str, bob: str) -> None:
    claimed = claims.claim(ann).json()
    claims.patch(assignee_id=None)

    answer = claims.claim(bob)

    assert answer.status_code == 409
    assert answer.json()["error"] == f"Ticket already claimed by {ann}"
    assert answer.json()["ticket"]["claimed_at"] == claimed["claimed_at"]


def test_a_ticket_assigned_to_somebody_else_cannot_be_claimed(
    claims: Claims, ann: str, bob: str
) -> None:
    claims.patch(assignee_id=bob)

    answer = claims.claim(ann)

    assert answer.status_code == 409
    assert answer.json()["error"] == f"Ticket assigned to {bob}"


def test_the_holder_may_claim_again_and_without_a_duration_for_ever(
    claims: Claims, ann: str
) -> None:
    claims.claim(ann, 5)

    again = claims.claim(ann)

    assert again.status_code == 200
    assert again.json()["claim_expires_at"] is None
    assert claims.events() == ["created", "claimed", "claimed"]


def test_an_expired_claim_frees_the_ticket_that_it_had_assigned(
    claims: Claims, ann: str, bob: str
) -> None:
    claims.claim(ann, 1)
    claims.expire()

    ticket = claims.claim(bob).json()

    assert (ticket["claimed_by_id"], ticket["assignee_id"]) == (bob, bob)


def test_an_expired_claim_does_not_undo_an_assignment_to_a_third(
    claims: Claims, make: Factory, ann: str, bob: str
) -> None:
    third = make.profile()["id"]
    claims.claim(ann, 1)
    claims.patch(assignee_id=third)
    claims.expire()

    answer = claims.claim(bob)

    assert answer.json()["error"] == f"Ticket assigned to {third}"


def test_the_assignee_takes_over_an_expired_claim_but_not_a_running_one(
    claims: Claims, ann: str, bob: str
) -> None:
    claims.claim(ann, 1)
    claims.patch(assignee_id=bob)
    assert claims.claim(bob).json()["error"] == f"Ticket already claimed by {ann}"

    claims.expire()

    assert claims.claim(bob).status_code == 200


def test_of_twenty_that_claim_at_once_one_wins(claims: Claims, make: Factory) -> None:
    profiles = [make.profile()["id"] for _ in range(20)]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(claims.claim, profiles))

    winners = [p for p, a in zip(profiles, answers, strict=True) if a.status_code == 200]
    assert len(winners) == 1
    assert sorted(a.status_code for a in answers) == [200] + [409] * 19
    assert claims.now["claimed_by_id"] == winners[0]
    assert claims.events().count("claimed") == 1


@pytest.mark.parametrize("minutes", [0, -5, 525_601, 1e12, "long", 1.5, True, None])
def test_minutes_are_at_least_one_and_at_most_a_year(
    claims: Claims, ann: str, minutes: Any
) -> None:
    claims.claim(ann)

    if minutes is not None:
        assert claims.claim(ann, minutes).status_code == 400
    assert claims.extend(minutes).status_code == 400


def test_digits_in_a_string_are_minutes_too(claims: Claims, ann: str) -> None:
    ticket = claims.claim(ann, "525600").json()

    assert minutes_between(ticket["claimed_at"], ticket["claim_expires_at"]) == 525_600


def test_unclaiming_keeps_the_assignee(claims: Claims, ann: str) -> None:
    claims.claim(ann, 5)

    ticket = claims.unclaim(requester_id=ann).json()

    assert {ticket[name] for name in CLAIM_FIELDS} == {None}
    assert ticket["assignee_id"] == ann
    assert claims.events()[-1] == "unclaimed"


def test_only_the_holder_unclaims_unless_forced_or_unnamed(
    claims: Claims, ann: str, bob: str
) -> None:
    claims.claim(ann, 1)
    claims.expire()
    refused = claims.unclaim(requester_id=bob)

    forced = claims.unclaim(requester_id=bob, force=True)

    assert refused.status_code == 409
    assert refused.json()["error"] == "Only the current claimer can unclaim this ticket"
    assert refused.json()["ticket"]["claimed_by_id"] == ann
    assert forced.status_code == 200
    claims.claim(ann)
    assert claims.unclaim().status_code == 200


def test_an_unclaim_without_a_body_will_do(client: TestClient, claims: Claims, ann: str) -> None:
    claims.claim(ann)

    assert client.post(f"{ticket_path(claims.ticket)}/unclaim").status_code == 200


def test_an_unknown_requester_changes_nothing_even_by_force(claims: Claims, ann: str) -> None:
    claims.claim(ann)

    answer = claims.unclaim(requester_id="nobody", force=True)

    assert answer.status_code == 422
    assert answer.json() == {"error": "requester_id does not reference an existing profile"}
    assert claims.now["claimed_by_id"] == ann


def test_an_unknown_claimer_is_refused(claims: Claims) -> None:
    answer = claims.claim("nobody")

    assert answer.status_code == 422
    assert answer.json() == {"error": "claimer_id does not reference an existing profile"}


@pytest.mark.parametrize("force", ["false", 1, None])
def test_force_is_a_boolean(claims: Claims, ann: str, force: Any) -> None:
    claims.claim(ann)

    assert claims.unclaim(force=force).status_code == 400


def test_what_is_not_claimed_cannot_be_given_up_or_extended(claims: Claims) -> None:
    for answer in (claims.unclaim(), claims.extend(5)):
        assert answer.status_code == 409
        assert answer.json()["error"] == "Ticket is not claimed"
        assert answer.json()["ticket"]["id"] == claims.ticket["id"]


def test_an_extension_starts_at_the_expiry(claims: Claims, ann: str) -> None:
    before = claims.claim(ann, 10).json()

    after = claims.extend(60).json()

    assert minutes_between(before["claim_expires_at"], after["claim_expires_at"]) == 60
    assert claims.events() == ["created", "claimed"]


@pytest.mark.parametrize("is_expired", [True, False])
def test_an_extension_starts_now_without_an_expiry_ahead(
    claims: Claims, ann: str, is_expired: bool
) -> None:
    claims.claim(ann)
    if is_expired:
        claims.expire()

    ticket = claims.extend("60").json()

    assert minutes_between(ticket["updated_at"], ticket["claim_expires_at"]) == 60


def test_a_claim_cannot_be_extended_beyond_the_calendar(
    claims: Claims, kernel: Kernel, ann: str
) -> None:
    claims.claim(ann, 5)
    with kernel.db.write() as tx:
        tx.execute("UPDATE tickets SET claim_expires_at = '9999-12-31T00:00:00.000Z'")

    assert claims.extend(525_600).status_code == 400


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("claim", {"claimer_id": "user-1"}),
        ("unclaim", {}),
        ("claim/extend", {"additional_minutes": 1}),
    ],
)
def test_a_missing_ticket_is_named_alone(
    client: TestClient, project: Any, what: str, body: dict[str, Any]
) -> None:
    path = f"/api/projects/{project['id']}/tickets/by-number"

    missing = client.post(f"{path}/9/{what}", json=body)
    nonsense = client.post(f"{path}/x/{what}", json=body)

    assert (missing.status_code, missing.json()) == (404, {"error": "Ticket not found"})
    assert (nonsense.status_code, nonsense.json()) == (400, {"error": "Invalid ticket number"})


def test_a_closed_ticket_can_be_claimed_and_closing_keeps_the_claim(
    claims: Claims, ann: str
) -> None:
    claims.patch(status="closed")
    assert claims.claim(ann).json()["status"] == "closed"

    claims.patch(status="open")
    claims.patch(status="closed")

    assert claims.now["claimed_by_id"] == ann
