"""The triggers of agents that packages bring."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import make_agent, make_trigger
from tests.package_sections import Kit, agent_file, brought
from tests.plans import Planner

from kombuse_plugins.triggers import queries
from kombuse_sdk.packages import Installation
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


@pytest.fixture
def project(make: Factory) -> Any:
    return make.project()


@pytest.fixture
def kit(kernel: Kernel, project: Any) -> Kit:
    return Kit(kernel, project["id"])


def install(kit: Kit, *triggers: Any, labels: Any = ()) -> Installation:
    """A package with the agent `a` that has these triggers."""
    text = f"triggers: {json.dumps(triggers)}\n"
    return kit.install({"agents/a.md": agent_file(text)}, labels)


def triggers(client: TestClient, kit: Kit, slug: str = "a") -> dict[str, Any]:
    query = {"plugin_id": kit.plugin_id, "project_id": kit.project_id}
    agent = client.get(f"/api/agents/by-slug/{slug}", params=query).json()
    found = client.get(f"/api/agents/{agent['id']}/triggers").json()
    return {trigger["slug"]: trigger for trigger in found}


def patch(client: TestClient, trigger: Any, **values: Any) -> None:
    client.patch(f"/api/triggers/{trigger['id']}", json=values).raise_for_status()


def test_a_trigger_is_what_the_file_says(client: TestClient, kit: Kit) -> None:
    done = install(
        kit,
        {
            "slug": "on-bug",
            "event_type": "label.added",
            "conditions": {"label_name": "Bug", "by": "$SELF"},
            "priority": 10,
            "allowed_invokers": [{"type": "agent", "agent_id": "$SELF"}, {"type": "user"}],
        },
        {"event_type": "ticket.created", "is_enabled": False},
        labels=[{"name": "Bug"}],
    )

    found = triggers(client, kit)
    first, second = found["on-bug"], found["ticket-created"]
    agent_id = first["agent_id"]
    assert first["conditions"] == {
        "label_id": done.label_ids["Bug"],
        "label_slug": "bug",
        "by": agent_id,
    }
    assert first["allowed_invokers"] == [
        {"type": "agent", "agent_id": agent_id},
        {"type": "user"},
    ]
    assert (first["priority"], first["plugin_id"], first["project_id"]) == (
        *(10, "plugin-1", kit.project_id),
    )
    assert (second["is_enabled"], second["conditions"], second["priority"]) == (False, None, 0)
    assert brought(done, "triggers") == {"created": 2}
    assert done.warnings == []


def test_slugs_that_repeat_are_numbered_without_a_clash(client: TestClient, kit: Kit) -> None:
    one = {"event_type": "one"}

    done = install(kit, one, one, {"event_type": "x", "slug": "one-2"}, {"event_type": "日本"}, one)

    assert set(triggers(client, kit)) == {"one", "one-2", "one-3", "one-4", "trigger"}
    assert triggers(client, kit)["one-2"]["event_type"] == "x"
    assert brought(done, "triggers") == {"created": 5}
    again = install(kit, one, one)
    assert set(triggers(client, kit)) == {"one", "one-2"}
    assert brought(again, "triggers") == {"updated": 2, "removed": 3}


def test_what_cannot_be_resolved_is_warned_of(client: TestClient, make: Factory, kit: Kit) -> None:
    elsewhere = make.project()["id"]

    done = install(
        kit,
        {"event_type": "label.added", "conditions": {"label_name": "None such"}},
        {
            "event_type": "comment.added",
            "project_id": elsewhere,
            "allowed_invokers": [{"type": "agent", "agent_slug": "nobody"}],
        },
    )

    assert done.warnings == [
        'Trigger label-added of agent a refers to unknown label "None such"',
        'Trigger comment-added of agent a refers to unknown agent "nobody"',
        "The project_id of trigger comment-added of agent a was ignored",
    ]
    found = triggers(client, kit)
    assert found["label-added"]["conditions"] == {"label_name": "None such"}
    assert found["comment-added"]["project_id"] == kit.project_id


def test_a_label_that_comes_later_is_found(client: TestClient, kit: Kit) -> None:
    trigger = {"event_type": "label.added", "conditions": {"label_name": "Bug"}}
    install(kit, trigger)

    done = install(kit, trigger, labels=[{"name": "Bug"}])

    conditions = triggers(client, kit)["label-added"]["conditions"]
    assert conditions == {"label_id": done.label_ids["Bug"], "label_slug": "bug"}
    assert done.warnings == []


@pytest.mark.parametrize("is_enabled", [True, False])
def test_labels_are_found_when_renamed_or_disabled(
    client: TestClient, kit: Kit, is_enabled: bool
) -> None:
    trigger = {"event_type": "label.added", "conditions": {"label_name": "Bug"}}
    first = install(kit, trigger, labels=[{"name": "Bug"}])
    label_id = first.label_ids["Bug"]
    client.patch(f"/api/labels/{label_id}", json={"name": "Fault"}).raise_for_status()
    kit.switch(is_enabled)

    done = install(kit, trigger, labels=[{"name": "Bug"}])

    assert done.warnings == []
    assert triggers(client, kit)["label-added"]["conditions"]["label_id"] == label_id


def test_what_a_person_changed_survives_the_next_version(client: TestClient, kit: Kit) -> None:
    install(
        kit,
        {"event_type": "a", "priority": 1, "conditions": {"x": 1}},
        {"event_type": "b", "priority": 1, "conditions": {"x": 1}},
    )
    before = triggers(client, kit)
    patch(client, before["a"], priority=5, is_enabled=False, allowed_invokers=[{"type": "user"}])
    patch(client, before["b"], conditions={"x": 3})

    done = install(
        kit,
        {"event_type": "a", "priority": 2, "conditions": {"x": 2}},
        {"event_type": "b", "priority": 2, "conditions": {"x": 2}},
    )

    after = triggers(client, kit)
    assert (after["a"]["priority"], after["a"]["conditions"]) == (5, {"x": 2})
    assert (after["b"]["priority"], after["b"]["conditions"]) == (2, {"x": 3})
    assert after["a"]["is_enabled"] is False
    assert after["a"]["allowed_invokers"] == [{"type": "user"}]
    assert after["a"]["id"] == before["a"]["id"]
    assert brought(done, "triggers") == {"updated": 2}


def test_a_persons_own_triggers_stay(client: TestClient, kit: Kit) -> None:
    install(kit, {"event_type": "ticket.created"})
    agent = {"id": triggers(client, kit)["ticket-created"]["agent_id"]}
    own = make_trigger(client, agent, "ticket.created", priority=9)
    make_trigger(client, agent, "ticket.closed")

    done = install(kit)

    assert set(triggers(client, kit)) == {"ticket-created", "ticket-closed"}
    assert triggers(client, kit)["ticket-created"] == own
    assert brought(done, "triggers") == {"removed": 1}


def test_triggers_left_behind_are_taken_back(client: TestClient, kit: Kit) -> None:
    brings = {"event_type": "ticket.created", "priority": 1}
    install(kit, brings, {"event_type": "gone"})
    packaged = triggers(client, kit)["ticket-created"]
    agent = {"id": packaged["agent_id"]}
    own = make_trigger(client, agent, "ticket.created")

    kit.uninstall("orphan")
    found = client.get(f"/api/agents/{agent['id']}/triggers").json()
    assert {trigger["slug"] for trigger in found} == {"ticket-created", "ticket-created-2", "gone"}
    assert {trigger["plugin_id"] for trigger in found} == {None}

    kit.plugin_id = "plugin-2"
    done = install(kit, brings)

    found = client.get(f"/api/agents/{agent['id']}/triggers").json()
    assert {(trigger["id"], trigger["slug"], trigger["plugin_id"]) for trigger in found} == {
        (packaged["id"], "ticket-created", "plugin-2"),
        (own["id"], "ticket-created", None),
    }
    assert brought(done, "triggers") == {"updated": 1, "removed": 1}


def test_enabling_gives_back_the_individual_states(client: TestClient, kit: Kit) -> None:
    install(
        kit,
        *({"event_type": slug} for slug in ("on", "mine", "later")),
        {"event_type": "off", "is_enabled": False},
    )
    patch(client, triggers(client, kit)["mine"], is_enabled=False)
    own = make_trigger(client, {"id": triggers(client, kit)["on"]["agent_id"]}, "own")

    kit.switch(False)
    kit.switch(False)
    enabled = [slug for slug, one in triggers(client, kit).items() if one["is_enabled"]]
    assert enabled == [own["slug"]]
    patch(client, triggers(client, kit)["later"], is_enabled=False)
    kit.switch(True)

    enabled = [slug for slug, one in triggers(client, kit).items() if one["is_enabled"]]
    assert sorted(enabled) == ["on", "own"]


def test_new_triggers_of_a_disabled_package_start_disabled(client: TestClient, kit: Kit) -> None:
    install(kit, {"event_type": "a"})
    kit.switch(False)

    install(kit, {"event_type": "a"}, {"event_type": "b"}, {"event_type": "c", "is_enabled": False})

    assert not any(one["is_enabled"] for one in triggers(client, kit).values())
    kit.switch(True)
    enabled = [slug for slug, one in triggers(client, kit).items() if one["is_enabled"]]
    assert sorted(enabled) == ["a", "b"]


def test_triggers_left_by_a_disabled_package_have_their_states(
    client: TestClient, kit: Kit
) -> None:
    install(kit, {"event_type": "a"})
    agent_id = triggers(client, kit)["a"]["agent_id"]
    kit.switch(False)

    kit.uninstall("orphan")

    (trigger,) = client.get(f"/api/agents/{agent_id}/triggers").json()
    assert trigger["is_enabled"] is True
    assert client.get(f"/api/agents/{agent_id}").json()["is_enabled"] is False


def test_invokers_name_agents_of_the_package_before_others(
    client: TestClient, kernel: Kernel, project: Any, kit: Kit
) -> None:
    Kit(kernel, project["id"], "plugin-0", "first").install({"agents/b.md": agent_file()})
    other = make_agent(client, "Other")
    rules = [{"type": "agent", "agent_slug": slug} for slug in ("b", "other")]
    text = f"triggers: {json.dumps([{'event_type': 'x', 'allowed_invokers': rules}])}\n"

    kit.install({"agents/a.md": agent_file(text), "agents/b.md": agent_file()})

    query = {"plugin_id": kit.plugin_id}
    b = client.get("/api/agents/by-slug/b-2", params=query).json()
    assert triggers(client, kit)["x"]["allowed_invokers"] == [
        {"type": "agent", "agent_id": b["id"]},
        {"type": "agent", "agent_id": other["id"]},
    ]


def test_a_label_that_became_another_counts_as_unchanged(
    client: TestClient, make: Factory, project: Any, kit: Kit
) -> None:
    trigger = {"event_type": "label.added", "conditions": {"label_name": "Bug"}}
    install(kit, trigger, labels=[{"name": "Bug"}])
    own = make.label(project, name="bug")
    kit.uninstall("orphan")

    trigger["conditions"] = {"label_name": "Bug", "x": 1}
    install(kit, trigger, labels=[{"name": "Bug"}])

    conditions = triggers(client, kit)["label-added"]["conditions"]
    assert conditions == {"label_id": own["id"], "label_slug": "bug", "x": 1}


def test_statements_over_the_triggers_of_a_package_use_indexes(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        planner.all = lambda sql, params=(): planner._note(sql, params) or []
        queries.brought(planner, "kit", "plugin-1", ["a"])
        queries.of_plugin(planner, "plugin-1", ["a"])
        queries.slug_clashes(planner, "plugin-1")
        queries.triggers_of_agents(planner, ["a"])

    assert [
        line for line in planner.plan if line.startswith("SCAN") and "json_each" not in line
    ] == []
