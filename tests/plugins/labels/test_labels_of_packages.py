"""The labels that packages bring."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import make_agent, make_trigger
from tests.package_sections import Kit, brought

from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

RED, BLUE = "#ff0000", "#0000ff"


@pytest.fixture
def project(make: Factory) -> Any:
    return make.project()


@pytest.fixture
def kit(kernel: Kernel, project: Any) -> Kit:
    return Kit(kernel, project["id"], sections=("labels",))


def labels(client: TestClient, project: Any, **query: Any) -> dict[str, Any]:
    found = client.get(f"/api/projects/{project['id']}/labels", params=query).json()
    return {label["name"]: label for label in found}


def names_on(client: TestClient, ticket: Any) -> list[str]:
    return [label["name"] for label in client.get(f"{ticket_path(ticket)}/labels").json()]


def test_labels_are_created_once(client: TestClient, project: Any, kit: Kit) -> None:
    first = kit.install(labels=[{"name": "Needs Triage", "color": RED, "description": "who?"}])
    second = kit.install(labels=[{"name": "Needs Triage", "color": BLUE, "description": None}])

    (label,) = labels(client, project).values()
    assert (label["slug"], label["color"], label["description"]) == ("needs-triage", BLUE, "who?")
    assert (label["plugin_id"], label["is_enabled"]) == ("plugin-1", True)
    assert (brought(first, "labels"), brought(second, "labels")) == ({"created": 1}, {"merged": 1})
    assert first.label_ids == second.label_ids == {"Needs Triage": label["id"]}
    assert first.warnings == second.warnings == []


def test_a_label_that_was_renamed_is_found_by_its_slug(
    client: TestClient, project: Any, kit: Kit
) -> None:
    label_id = kit.install(labels=[{"name": "Bug"}]).label_ids["Bug"]
    client.patch(f"/api/labels/{label_id}", json={"name": "Fault"}).raise_for_status()

    again = kit.install(labels=[{"name": "Bug"}])

    assert list(labels(client, project)) == ["Fault"]
    assert again.label_ids == {"Fault": label_id, "Bug": label_id}


@pytest.mark.parametrize("name", ["Bug", "bug!"])
def test_a_label_of_the_project_is_taken_by_name_or_slug(
    client: TestClient, make: Factory, project: Any, kit: Kit, name: str
) -> None:
    own = make.label(project, name="Bug", color=RED)
    client.patch(f"/api/labels/{own['id']}", json={"is_enabled": False}).raise_for_status()

    done = kit.install(labels=[{"name": name, "color": BLUE}])

    assert done.label_ids[name] == own["id"]
    assert brought(done, "labels") == {"merged": 1}
    (label,) = labels(client, project, is_enabled=False).values()
    assert (label["name"], label["color"], label["plugin_id"]) == ("Bug", BLUE, "plugin-1")


def test_a_label_of_another_package_is_shared(
    client: TestClient, kernel: Kernel, project: Any, kit: Kit
) -> None:
    kit.install(labels=[{"name": "Bug", "color": RED}])
    other = Kit(kernel, project["id"], "plugin-2", "other", sections=("labels",))

    done = other.install(labels=[{"name": "Bug", "color": BLUE}])

    (label,) = labels(client, project).values()
    assert (label["plugin_id"], label["color"]) == ("plugin-1", RED)
    assert done.label_ids == {"Bug": label["id"]}
    assert brought(done, "labels") == {"merged": 1}
    assert done.warnings == ['Label "Bug" belongs to another plugin and is shared with it']


def test_names_without_letters_have_slugs_of_their_own(
    client: TestClient, project: Any, kit: Kit
) -> None:
    done = kit.install(labels=[{"name": "日本"}, {"name": "中文"}])

    slugs = {label["slug"] for label in labels(client, project).values()}
    assert len(slugs) == 2
    assert all(slug.startswith("label-") and len(slug) == 14 for slug in slugs)
    assert brought(kit.install(labels=[{"name": "日本"}, {"name": "中文"}]), "labels") == {
        "merged": 2
    }
    assert len(set(done.label_ids.values())) == 2


def test_the_second_of_two_names_with_one_slug_is_merged(
    client: TestClient, project: Any, kit: Kit
) -> None:
    done = kit.install(labels=[{"name": "Bug", "color": RED}, {"name": "bug", "color": BLUE}])

    (label,) = labels(client, project).values()
    assert (label["name"], label["color"]) == ("Bug", BLUE)
    assert done.label_ids == {"Bug": label["id"], "bug": label["id"]}
    assert brought(done, "labels") == {"created": 1, "merged": 1}


def test_a_name_that_a_renamed_label_has_now_is_another_label(
    client: TestClient, project: Any, kit: Kit
) -> None:
    first = kit.install(labels=[{"name": "A"}]).label_ids["A"]
    client.patch(f"/api/labels/{first}", json={"name": "B"}).raise_for_status()

    done = kit.install(labels=[{"name": "A"}, {"name": "B"}])

    assert done.label_ids["A"] == first
    assert done.label_ids["B"] != first


def test_what_the_new_version_lacks_stays_on_its_tickets(
    client: TestClient, make: Factory, project: Any, kit: Kit
) -> None:
    old = kit.install(labels=[{"name": "Old"}, {"name": "New"}]).label_ids["Old"]
    ticket = make.ticket(project, label_ids=[old])
    kit.switch(False)

    done = kit.install(labels=[{"name": "New"}])

    assert brought(done, "labels") == {"merged": 1, "orphaned": 1}
    assert names_on(client, ticket) == ["Old"]
    label = labels(client, project)["Old"]
    assert (label["plugin_id"], label["is_enabled"]) == (None, True)


def test_disabling_and_enabling_keeps_what_a_person_disabled(
    client: TestClient, project: Any, kit: Kit
) -> None:
    ids = kit.install(labels=[{"name": "a"}, {"name": "b"}, {"name": "c"}]).label_ids
    client.patch(f"/api/labels/{ids['a']}", json={"is_enabled": False}).raise_for_status()

    kit.switch(False)
    kit.switch(False)
    assert labels(client, project) == {}
    client.patch(f"/api/labels/{ids['c']}", json={"is_enabled": False}).raise_for_status()
    kit.switch(True)

    assert list(labels(client, project)) == ["b"]


def test_new_labels_of_a_disabled_package_start_disabled(
    client: TestClient, project: Any, kit: Kit
) -> None:
    kit.install(labels=[{"name": "a"}])
    kit.switch(False)

    done = kit.install(labels=[{"name": "a"}, {"name": "b"}])

    assert labels(client, project) == {}
    assert set(done.label_ids) == {"a", "b"}
    kit.switch(True)
    assert list(labels(client, project)) == ["a", "b"]


@pytest.mark.parametrize("mode", ["orphan", "delete"])
def test_labels_stay_when_the_package_goes(
    client: TestClient, make: Factory, project: Any, kit: Kit, mode: str
) -> None:
    label_id = kit.install(labels=[{"name": "Bug"}]).label_ids["Bug"]
    ticket = make.ticket(project, label_ids=[label_id])

    kit.uninstall(mode)

    assert names_on(client, ticket) == ["Bug"]
    assert labels(client, project)["Bug"]["plugin_id"] is None
    assert brought(kit.install(labels=[{"name": "Bug"}]), "labels") == {"merged": 1}


def test_a_label_whose_slug_is_taken_becomes_that_label(
    client: TestClient, make: Factory, project: Any, kit: Kit
) -> None:
    packaged = kit.install(labels=[{"name": "Needs Triage"}]).label_ids["Needs Triage"]
    own = make.label(project, name="needs triage")
    both = make.ticket(project, label_ids=[packaged, own["id"]])
    one = make.ticket(project, label_ids=[packaged])
    agent = make_agent(client, project_id=project["id"])
    trigger = make_trigger(client, agent, "label.added", conditions={"label_id": packaged})

    kit.uninstall()

    assert [names_on(client, ticket) for ticket in (both, one)] == [["needs triage"]] * 2
    (label,) = client.get(f"/api/projects/{project['id']}/labels?sort=usage").json()
    assert (label["id"], label["usage_count"]) == (own["id"], 2)
    found = client.get(f"/api/triggers/{trigger['id']}").json()
    assert found["conditions"] == {"label_id": own["id"]}


def test_the_enabled_labels_of_a_project_are_exported(
    client: TestClient, make: Factory, project: Any, kit: Kit
) -> None:
    make.label(project, name="b", color=RED, description='with "quotes"')
    make.label(project, name="C")
    off = make.label(project, name="off")
    client.patch(f"/api/labels/{off['id']}", json={"is_enabled": False}).raise_for_status()

    export = kit.export()

    assert export.manifest["kombuse"]["labels"] == [
        {"name": "C", "color": "#808080", "description": None},
        {"name": "b", "color": RED, "description": 'with "quotes"'},
    ]
    assert export.counters == {"labels": 2}
