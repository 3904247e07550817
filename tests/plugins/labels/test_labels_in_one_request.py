"""Fields and labels of a ticket, changed by one request: all of it or nothing."""

from starlette.testclient import TestClient

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path


def test_a_change_may_bring_labels_along(client: TestClient, make: Factory) -> None:
    project = make.project()
    old, new = make.label(project), make.label(project)
    ticket = make.ticket(project, label_ids=[old["id"]])
    change = {
        "title": "other",
        "add_label_ids": [new["id"], str(new["id"])],
        "remove_label_ids": [old["id"]],
        "updated_by_id": LOCAL_USER,
    }

    changed = client.patch(ticket_path(ticket), json=change).json()

    assert changed["title"] == "other"
    labels = client.get(ticket_path(ticket)).json()["labels"]
    assert [label["id"] for label in labels] == [new["id"]]
    events = client.get("/api/events", params={"ticket_id": ticket["id"]}).json()
    told = [(event["event_type"], event["actor_id"]) for event in reversed(events)]
    assert told[1:] == [
        ("ticket.updated", LOCAL_USER),
        ("label.added", LOCAL_USER),
        ("label.removed", LOCAL_USER),
    ]


def test_a_label_of_another_project_undoes_the_whole_change(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    own, foreign = make.label(project), make.label(make.project())
    ticket = make.ticket(project)
    before = client.get(ticket_path(ticket)).json()
    change = {"title": "other", "add_label_ids": [own["id"], foreign["id"]]}

    refused = client.patch(ticket_path(ticket), json=change)

    assert refused.status_code == 400
    assert client.get(ticket_path(ticket)).json() == before
