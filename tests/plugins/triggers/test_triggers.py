"""Triggers over REST, and the labels that they make smart."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import make_agent, make_trigger
from tests.plans import Planner

from kombuse_plugins.triggers import queries
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

RULE = 'mention.created triggers require explicit conditions (e.g. { mention_type: "profile" })'


def triggers_path(agent: Any) -> str:
    return f"/api/agents/{agent['id']}/triggers"


def test_a_new_trigger_has_a_slug_and_defaults(client: TestClient) -> None:
    agent = make_agent(client)

    made = make_trigger(client, agent, "ticket.created", plugin_id="p")

    assert made == {
        "id": made["id"],
        "slug": "ticket-created",
        "agent_id": agent["id"],
        "event_type": "ticket.created",
        "project_id": None,
        "conditions": None,
        "is_enabled": True,
        "priority": 0,
        "plugin_id": None,
        "allowed_invokers": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert client.get(f"/api/triggers/{made['id']}").json() == made


def test_a_derived_slug_that_is_taken_gets_a_number(client: TestClient) -> None:
    agent = make_agent(client)

    slugs = [make_trigger(client, agent, "label.added")["slug"] for _ in range(3)]

    assert slugs == ["label-added", "label-added-2", "label-added-3"]


def test_an_event_type_without_letters_still_has_a_slug(client: TestClient) -> None:
    agent = make_agent(client)

    assert make_trigger(client, agent, "*.*")["slug"] == "trigger"


def test_a_given_slug_that_is_taken_is_a_conflict_for_the_same_agent_only(
    client: TestClient,
) -> None:
    agent, other = make_agent(client), make_agent(client, "Other")
    make_trigger(client, agent, "x", slug="same")

    again = client.post(triggers_path(agent), json={"event_type": "y", "slug": "same"})

    assert again.status_code == 409
    assert make_trigger(client, other, "x", slug="same")["slug"] == "same"


@pytest.mark.parametrize("conditions", [None, {}])
def test_a_trigger_on_mentions_needs_conditions(client: TestClient, conditions: Any) -> None:
    agent = make_agent(client)
    body = {"event_type": "mention.created"}
    if conditions is not None:
        body["conditions"] = conditions

    made = client.post(triggers_path(agent), json=body)

    assert (made.status_code, made.json()) == (400, {"error": RULE})


def test_a_change_may_not_break_the_rule_of_mentions(client: TestClient) -> None:
    agent = make_agent(client)
    plain = make_trigger(client, agent, "ticket.created")
    mention = make_trigger(client, agent, "mention.created", conditions={"mention_type": "ticket"})

    answers = [
        client.patch(f"/api/triggers/{plain['id']}", json={"event_type": "mention.created"}),
        client.patch(f"/api/triggers/{mention['id']}", json={"conditions": None}),
        client.patch(f"/api/triggers/{mention['id']}", json={"conditions": {}}),
    ]

    assert [(a.status_code, a.json()) for a in answers] == [(400, {"error": RULE})] * 3
    assert client.get(f"/api/triggers/{mention['id']}").json() == mention


def test_triggers_come_by_priority_and_then_the_newest_first(client: TestClient) -> None:
    agent = make_agent(client)
    low, high, newer = (
        make_trigger(client, agent, "x", priority=priority)["id"] for priority in (0, "5", 0)
    )

    listed = client.get(triggers_path(agent)).json()

    assert [trigger["id"] for trigger in listed] == [high, newer, low]


def test_unknown_agents_projects_and_triggers_are_not_found(client: TestClient) -> None:
    agent = make_agent(client)
    body = {"event_type": "x", "project_id": "nowhere"}
    trigger = make_trigger(client, agent, "x")

    answers = [
        client.get("/api/agents/nobody/triggers"),
        client.post("/api/agents/nobody/triggers", json={"event_type": "x"}),
        client.post(triggers_path(agent), json=body),
        client.patch(f"/api/triggers/{trigger['id']}", json={"project_id": "nowhere"}),
        client.get("/api/triggers/999"),
        client.patch("/api/triggers/999", json={}),
        client.delete("/api/triggers/999"),
    ]

    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
        (404, "Agent not found"),
        (404, "Agent nobody not found"),
        (404, "Project not found"),
        (404, "Project not found"),
        (404, "Trigger not found"),
        (404, "Trigger 999 not found"),
        (404, "Trigger 999 not found"),
    ]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("text", ["abc", "2abc", "1.0"])
def test_an_id_that_is_no_number_is_refused(client: TestClient, method: str, text: str) -> None:
    body: Any = {} if method == "PATCH" else None

    answer = client.request(method, f"/api/triggers/{text}", json=body)

    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid trigger ID"})


def test_a_project_may_be_named_by_its_slug(client: TestClient, make: Factory) -> None:
    project = make.project()

    made = make_trigger(client, make_agent(client), "x", project_id=project["slug"])

    assert made["project_id"] == project["id"]


def test_a_change_replaces_what_it_names_and_keeps_the_rest(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    made = make_trigger(client, make_agent(client), "x", priority=3, conditions={"a": 1})
    path = f"/api/triggers/{made['id']}"
    changes = {
        "event_type": "y",
        "project_id": project["id"],
        "conditions": {"b": [1, None]},
        "allowed_invokers": [{"type": "agent", "agent_type": "coder"}],
    }

    changed = client.patch(path, json={**changes, "slug": "other"}).json()
    cleared = client.patch(
        path, json={"project_id": None, "conditions": None, "allowed_invokers": None}
    ).json()

    assert changed == {**made, **changes, "updated_at": changed["updated_at"]}
    assert cleared == {**made, "event_type": "y", "conditions": None} | {
        "updated_at": cleared["updated_at"]
    }


def test_a_change_to_the_same_values_changes_nothing(client: TestClient) -> None:
    made = make_trigger(client, make_agent(client), "x", conditions={"a": 1}, priority=2)

    same = {name: made[name] for name in ("event_type", "conditions", "priority", "is_enabled")}

    assert client.patch(f"/api/triggers/{made['id']}", json=same).json() == made
    assert client.patch(f"/api/triggers/{made['id']}", json={}).json() == made


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", ""),
        ("slug", "Bad Slug"),
        ("priority", -1),
        ("priority", 1.5),
        ("conditions", "status=open"),
        ("conditions", None),
        ("is_enabled", "yes"),
        ("allowed_invokers", [{"type": "robot"}]),
        ("allowed_invokers", [{"type": "agent", "agent_id": ""}]),
        ("allowed_invokers", {"type": "any"}),
    ],
)
def test_values_that_do_not_fit_are_refused_by_field(
    client: TestClient, field: str, value: Any
) -> None:
    body = {"event_type": "x", field: value}

    answer = client.post(triggers_path(make_agent(client)), json=body)

    assert answer.status_code == 400
    assert {issue["path"][0] for issue in answer.json()["error"]} == {field}


def test_numbers_beyond_all_range_are_refused_in_conditions(client: TestClient) -> None:
    answer = client.post(
        triggers_path(make_agent(client)),
        content='{"event_type": "x", "conditions": {"a": 1e999}}',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 400


def test_triggers_go_with_their_agent(client: TestClient) -> None:
    agent = make_agent(client)
    trigger = make_trigger(client, agent, "x")

    client.delete(f"/api/agents/{agent['id']}")

    assert client.get(f"/api/triggers/{trigger['id']}").status_code == 404


def test_a_label_lists_all_triggers_whose_condition_names_its_number(
    client: TestClient, make: Factory
) -> None:
    agent = make_agent(client)
    label = make.label(make.project())
    named = [
        make_trigger(
            client, agent, "label.added", conditions={"label_id": label["id"]}, is_enabled=enabled
        )["id"]
        for enabled in (True, False)
    ]
    for other in (str(label["id"]), [label["id"]], label["id"] + 1):
        make_trigger(client, agent, "label.added", conditions={"label_id": other})

    listed = client.get(f"/api/labels/{label['id']}/triggers").json()

    assert [trigger["id"] for trigger in listed] == named[::-1]
    assert client.get("/api/labels/999/triggers").status_code == 404
    assert client.get("/api/labels/x/triggers").json() == {"error": "Invalid label ID"}


def test_smart_labels_are_enabled_ones_of_the_project_that_start_an_enabled_agent(
    client: TestClient, make: Factory
) -> None:
    project, elsewhere = make.project(), make.project()
    labels = [make.label(project)["id"] for _ in range(6)]
    foreign = make.label(elsewhere)["id"]
    agent, off = make_agent(client), make_agent(client, "Off", is_enabled=False)

    def on(label_id: Any, of: Any = agent, **values: Any) -> None:
        make_trigger(client, of, "label.added", conditions={"label_id": label_id}, **values)

    on(labels[1])
    on(labels[0], project_id=project["id"])
    on(labels[0])
    on(labels[2], is_enabled=False)
    on(labels[3], of=off)
    on(labels[4], project_id=elsewhere["id"])
    on(labels[5])
    on(foreign)
    on(99999)
    on("text")
    client.patch(f"/api/labels/{labels[5]}", json={"is_enabled": False})

    smart = client.get(f"/api/projects/{project['slug']}/smart-label-ids").json()

    assert smart == {"label_ids": labels[:2]}
    assert client.get("/api/projects/nowhere/smart-label-ids").status_code == 404


def test_triggers_are_found_and_ordered_by_an_index(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.triggers_of_agent(planner, "a")
        queries.triggers_of_label(planner, 1)

    assert not [line for line in planner.plan if "TEMP B-TREE" in line or line.startswith("SCAN")]
