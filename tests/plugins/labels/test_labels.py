"""Labels of a project over REST."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.labels import queries
from kombuse_plugins.labels.schemas import LabelFilter
from kombuse_sdk.contracts import Labels, Tickets
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.mcp import Caller, Tool
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def labels_path(project: Any) -> str:
    return f"/api/projects/{project['id']}/labels"


def listed(client: TestClient, project: Any, **query: Any) -> list[str]:
    answer = client.get(labels_path(project), params=query)
    assert answer.status_code == 200, answer.text
    return [label["name"] for label in answer.json()]


def usage(client: TestClient, project: Any, **query: Any) -> dict[str, int]:
    answer = client.get(labels_path(project), params={"sort": "usage"} | query).json()
    return {label["name"]: label["usage_count"] for label in answer}


def labelled(make: Factory, project: Any, *labels: Any, **values: Any) -> Any:
    return make.ticket(project, label_ids=[label["id"] for label in labels], **values)


def test_a_new_label_has_a_slug_and_defaults(client: TestClient, make: Factory) -> None:
    project = make.project()
    body = {"name": "Needs Review!", "slug": "x", "is_enabled": False, "plugin_id": "p"}

    made = client.post(labels_path(project), json=body)

    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "project_id": project["id"],
        "name": "Needs Review!",
        "slug": "needs-review",
        "color": "#808080",
        "description": None,
        "plugin_id": None,
        "is_enabled": True,
        "created_at": made.json()["created_at"],
    }
    assert client.get(f"/api/labels/{made.json()['id']}").json() == made.json()


def test_names_without_letters_have_no_slug_and_may_repeat(
    client: TestClient, make: Factory
) -> None:
    project = make.project()

    slugs = [make.label(project, name=name)["slug"] for name in ("日本語", "バグ", "バグ")]

    assert slugs == [None, None, None]
    assert len(listed(client, project)) == 3


def test_a_slug_is_taken_in_its_project_only(client: TestClient, make: Factory) -> None:
    project = make.project()
    make.label(project, name="Bug")
    make.label(make.project(), name="bug")

    answer = client.post(labels_path(project), json={"name": "BUG?"})

    assert answer.status_code == 409
    assert answer.json() == {"error": "The project has a label with the slug bug already"}
    assert listed(client, project) == ["Bug"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a", "color": "red"}, "color"),
        ({"name": "a", "color": "#12345"}, "color"),
        ({"name": "a", "color": "#123456\n"}, "color"),
        ({"name": "a", "description": None}, "description"),
    ],
)
def test_bad_fields_are_refused(
    client: TestClient, make: Factory, body: dict[str, Any], field: str
) -> None:
    answer = client.post(labels_path(make.project()), json=body)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [[field]]


def test_labels_of_an_unknown_project_are_not_found(client: TestClient) -> None:
    for answer in (
        client.get("/api/projects/nope/labels"),
        client.post("/api/projects/nope/labels", json={"name": "a"}),
    ):
        assert answer.status_code == 404
        assert answer.json() == {"error": "Project not found"}


def test_an_update_changes_what_it_names_and_never_the_slug(
    client: TestClient, make: Factory
) -> None:
    label = make.label(make.project(), name="Bug", description="d")
    path = f"/api/labels/{label['id']}"

    changed = client.patch(path, json={"name": "Defect", "color": "#ABCDEF", "is_enabled": False})

    expected = label | {"name": "Defect", "color": "#ABCDEF", "is_enabled": False}
    assert changed.json() == expected
    assert client.patch(path, json={}).json() == expected


@pytest.mark.parametrize(
    "body",
    [
        {"is_enabled": "true"},
        {"is_enabled": 1},
        {"is_enabled": None},
        {"name": ""},
        {"name": None},
        {"description": None},
        {"color": "#fff"},
    ],
)
def test_a_bad_update_is_refused(client: TestClient, make: Factory, body: dict[str, Any]) -> None:
    label = make.label(make.project())

    assert client.patch(f"/api/labels/{label['id']}", json=body).status_code == 400
    assert client.get(f"/api/labels/{label['id']}").json() == label


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_no_label_is_answered_as_such(client: TestClient, method: str) -> None:
    body: dict[str, str] | None = {} if method == "PATCH" else None

    bad = client.request(method, "/api/labels/1x", json=body)
    unknown = client.request(method, "/api/labels/99", json=body)

    assert (bad.status_code, bad.json()) == (400, {"error": "Invalid label ID"})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Label not found"})


def test_names_are_ordered_upper_case_first(client: TestClient, make: Factory) -> None:
    project = make.project()
    for name in ("beta", "Zeta", "alpha"):
        make.label(project, name=name)

    assert listed(client, project) == ["Zeta", "alpha", "beta"]
    assert listed(client, project, sort="name") == ["Zeta", "alpha", "beta"]


def test_is_enabled_means_what_it_says_and_absent_means_true(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    make.label(project, name="on")
    off = make.label(project, name="off")
    client.patch(f"/api/labels/{off['id']}", json={"is_enabled": False})

    assert listed(client, project) == ["on"]
    assert listed(client, project, is_enabled="") == ["on"]
    assert listed(client, project, is_enabled="1") == ["on"]
    assert listed(client, project, is_enabled="false") == ["off"]
    assert client.get(labels_path(project), params={"is_enabled": "maybe"}).status_code == 400


def test_search_looks_into_names_and_descriptions_literally(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    make.label(project, name="50% done")
    make.label(project, name="snake_case", description="About PYTHON")
    make.label(project, name="other")

    assert listed(client, project, search="python") == ["snake_case"]
    assert listed(client, project, search="%") == ["50% done"]
    assert listed(client, project, search="_") == ["snake_case"]
    assert listed(client, project, search="\\") == []
    assert len(listed(client, project, search="")) == 3


@pytest.mark.parametrize("query", [{"sort": "age"}, {"sort": ""}, {"usage_scope": "closed"}])
def test_unknown_orders_and_scopes_are_refused(
    client: TestClient, make: Factory, query: dict[str, str]
) -> None:
    assert client.get(labels_path(make.project()), params=query).status_code == 400


def test_usage_orders_by_tickets_then_name(client: TestClient, make: Factory) -> None:
    project = make.project()
    z, a, b = (make.label(project, name=name) for name in ("z", "a", "b"))
    labelled(make, project, z)
    labelled(make, project, z, a, status="closed")
    labelled(make, project, b, status="in_progress")

    assert list(usage(client, project).items()) == [("z", 2), ("a", 1), ("b", 1)]
    open_only = usage(client, project, usage_scope="open")
    assert list(open_only.items()) == [("z", 1), ("a", 0), ("b", 0)]


def test_counts_are_there_only_when_they_are_asked_for(client: TestClient, make: Factory) -> None:
    project = make.project()
    make.label(project)

    for query in ({}, {"sort": "name"}, {"usage_scope": "open"}):
        (label,) = client.get(labels_path(project), params=query).json()
        assert "usage_count" not in label


def test_counts_follow_all_that_happens_to_tickets(client: TestClient, make: Factory) -> None:
    project = make.project()
    label = make.label(project, name="l")
    one, two = labelled(make, project, label), labelled(make, project, label)
    seen = []

    def note() -> None:
        total = usage(client, project)["l"]
        seen.append((total, usage(client, project, usage_scope="open")["l"]))

    note()
    for status in ("in_progress", "closed", "open"):
        client.patch(ticket_path(one), json={"status": status})
        note()
    client.delete(f"{ticket_path(one)}/labels/{label['id']}")
    note()
    client.post(f"{ticket_path(one)}/labels/{label['id']}")
    note()
    client.delete(ticket_path(two))
    note()
    client.patch(ticket_path(one), json={"status": "blocked"})
    client.delete(ticket_path(one))
    note()

    assert seen == [(2, 2), (2, 1), (2, 1), (2, 2), (1, 1), (2, 2), (1, 1), (0, 0)]


def test_a_deleted_label_leaves_its_tickets_without_an_event(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    label = make.label(project)
    ticket = labelled(make, project, label)

    assert client.delete(f"/api/labels/{label['id']}").status_code == 204

    assert client.get(ticket_path(ticket)).json()["labels"] == []
    events = client.get(f"{ticket_path(ticket)}/events").json()
    assert [event["event_type"] for event in events] == ["ticket.created"]


def test_a_project_takes_its_labels_along(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project = make.project()
    label = make.label(project)
    labelled(make, project, label)

    assert client.delete(f"/api/projects/{project['id']}").status_code == 204

    assert client.get(f"/api/labels/{label['id']}").status_code == 404
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM ticket_labels") == 0


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (LabelFilter(), "labels_name"),
        (LabelFilter(sort="usage"), "labels_usage"),
        (LabelFilter(sort="usage", usage_scope="open"), "labels_open_usage"),
    ],
)
def test_every_order_is_read_from_its_index(kernel: Kernel, query: LabelFilter, index: str) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.page(planner, "p", query)

    assert planner.plan == [f"SEARCH l USING INDEX {index} (project_id=?)"]


def test_initial_labels_of_another_project_are_refused_as_a_whole(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project = make.project()
    own, foreign = make.label(project), make.label(make.project())
    ticket = make.ticket(project)

    with pytest.raises(BadRequest, match="labels are invalid"), kernel.db.write() as tx:
        ref = tx.services.get(Tickets).require(tx, project["id"], ticket["ticket_number"])
        ids = [own["id"], own["id"], foreign["id"]]
        tx.services.get(Labels).attach_initial(tx, ref, ids, "user-1")

    assert client.get(f"{ticket_path(ticket)}/labels").json() == []


def test_agents_list_the_enabled_labels_of_a_project(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project = make.project()
    on, off = make.label(project), make.label(project)
    client.patch(f"/api/labels/{off['id']}", json={"is_enabled": False})
    (tool,) = (t for _, t in kernel.offers("kombuse_mcp_tools") if t.name == "list_labels")

    def run(project_id: str) -> Any:
        caller = Caller(profile_id="anonymous-agent", actor_type="agent", is_anonymous=True)
        with kernel.db.read() as tx:
            return tool.run(tx, caller, tool.input.model_validate({"project_id": project_id}))

    assert isinstance(tool, Tool)
    assert run(project["id"]) == run(project["slug"]) == {"labels": [on]}
    assert run("nope") == {"labels": []}
