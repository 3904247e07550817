"""Projects over REST: reading, writing, slugs, references."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory

UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def test_a_project_has_every_field_and_a_generated_uuid(client: TestClient) -> None:
    answer = client.post("/api/projects", json={"name": "My App (v2.0)", "owner_id": LOCAL_USER})

    made = answer.json()
    assert answer.status_code == 201
    assert made == {
        "id": str(uuid.UUID(made["id"], version=4)),
        "name": "My App (v2.0)",
        "slug": "my-app-v2-0",
        "description": None,
        "owner_id": LOCAL_USER,
        "local_path": None,
        "repo_source": None,
        "repo_owner": None,
        "repo_name": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }


def test_all_given_fields_are_stored(client: TestClient, make: Factory) -> None:
    given = {
        "id": "chosen",
        "slug": "chosen-slug",
        "description": "",
        "repo_source": "gitlab",
        "repo_owner": "o",
        "repo_name": "n",
    }
    made = make.project(**given)

    assert made.items() >= given.items()
    assert client.get("/api/projects/chosen").json() == made
    assert client.get("/api/projects/chosen-slug").json() == made


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"owner_id": "user-1"}, "name", "invalid_type"),
        ({"name": "", "owner_id": "user-1"}, "name", "too_small"),
        ({"name": 5, "owner_id": "user-1"}, "name", "invalid_type"),
        ({"name": "x"}, "owner_id", "invalid_type"),
        ({"name": "x", "owner_id": ""}, "owner_id", "too_small"),
        ({"name": "x", "owner_id": "user-1", "id": "a/b"}, "id", "invalid_format"),
        ({"name": "x", "owner_id": "user-1", "id": "a" * 101}, "id", "invalid_format"),
        ({"name": "x", "owner_id": "user-1", "slug": "Not A Slug"}, "slug", "invalid_format"),
        ({"name": "x", "owner_id": "user-1", "slug": ""}, "slug", "invalid_format"),
        ({"name": "x", "owner_id": "user-1", "slug": "a" * 101}, "slug", "too_big"),
        ({"name": "x", "owner_id": "user-1", "slug": UUID}, "slug", "invalid_format"),
        ({"name": "x", "owner_id": "user-1", "slug": None}, "slug", "invalid_type"),
        ({"name": "x", "owner_id": "user-1", "description": None}, "description", "invalid_type"),
        ({"name": "x", "owner_id": "user-1", "repo_source": "svn"}, "repo_source", "invalid_value"),
        ({"name": "x", "owner_id": "user-1", "repo_owner": 1}, "repo_owner", "invalid_type"),
    ],
)
def test_bad_fields_of_a_new_project_are_named(
    client: TestClient, body: dict[str, Any], field: str, code: str
) -> None:
    answer = client.post("/api/projects", json=body)

    assert answer.status_code == 400
    assert [(i["path"], i["code"]) for i in answer.json()["error"]] == [([field], code)]


def test_an_unknown_owner_is_unprocessable(client: TestClient) -> None:
    answer = client.post("/api/projects", json={"name": "x", "owner_id": "nobody"})

    assert answer.status_code == 422
    assert answer.json() == {"error": "owner_id does not reference an existing profile"}
    assert client.get("/api/projects").json() == []


def test_an_empty_id_counts_as_absent(make: Factory) -> None:
    assert uuid.UUID(make.project(id="")["id"]).version == 4


def test_projects_of_one_name_get_numbered_slugs(make: Factory) -> None:
    slugs = [make.project(name="Maple")["slug"] for _ in range(3)]

    assert slugs == ["maple", "maple-2", "maple-3"]


def test_a_freed_number_is_used_again_and_a_longer_name_does_not_count(
    client: TestClient, make: Factory
) -> None:
    for name in ("Maple", "Maple", "Maple", "Maple tree", "Maplewood"):
        make.project(name=name)
    client.delete("/api/projects/maple-2")

    assert make.project(name="maple")["slug"] == "maple-2"


def test_a_name_without_letters_gets_a_valid_slug(client: TestClient, make: Factory) -> None:
    assert [make.project(name=name)["slug"] for name in ("日本語", "!!!")] == [
        "project",
        "project-2",
    ]
    assert len(client.get("/api/projects").json()) == 2


def test_the_slug_of_a_name_that_is_a_uuid_is_no_uuid(client: TestClient, make: Factory) -> None:
    made = make.project(name=UUID.upper())

    assert made["slug"] == f"project-{UUID}"
    assert client.get(f"/api/projects/{UUID}").status_code == 404


def test_the_slug_of_a_long_name_can_be_addressed(client: TestClient, make: Factory) -> None:
    for _ in range(2):
        slug = make.project(name="very long name " * 50)["slug"]
        assert len(slug) <= 100
        assert client.get(f"/api/projects/{slug}").status_code == 200


def test_concurrent_creates_of_one_name_get_distinct_slugs(client: TestClient) -> None:
    def create(_: int) -> Any:
        body = {"name": "Same", "owner_id": LOCAL_USER}
        return client.post("/api/projects", json=body).json()["slug"]

    with ThreadPoolExecutor(8) as pool:
        slugs = list(pool.map(create, range(24)))

    assert sorted(slugs) == sorted(["same", *(f"same-{n}" for n in range(2, 25))])


def test_a_taken_slug_is_a_conflict(client: TestClient, make: Factory) -> None:
    make.project(slug="taken")
    other = make.project()

    body = {"name": "x", "owner_id": LOCAL_USER, "slug": "taken"}
    created = client.post("/api/projects", json=body)
    renamed = client.patch(f"/api/projects/{other['id']}", json={"slug": "taken"})

    for answer in (created, renamed):
        assert answer.status_code == 409
        assert answer.json() == {"error": "A project with the slug taken exists already"}
    assert client.get(f"/api/projects/{other['id']}").json() == other


@pytest.mark.parametrize("again", [UUID, UUID.upper()])
def test_a_taken_id_is_a_conflict_in_any_case(
    client: TestClient, make: Factory, again: str
) -> None:
    make.project(id=UUID)

    answer = client.post("/api/projects", json={"name": "x", "owner_id": LOCAL_USER, "id": again})

    assert answer.status_code == 409


def test_an_id_and_a_slug_never_mean_two_projects(client: TestClient, make: Factory) -> None:
    make.project(id="one", slug="first")

    as_slug = {"name": "x", "owner_id": LOCAL_USER, "slug": "one"}
    assert client.post("/api/projects", json=as_slug).status_code == 409
    as_id = {"name": "x", "owner_id": LOCAL_USER, "id": "first"}
    assert client.post("/api/projects", json=as_id).status_code == 409
    assert make.project(name="One")["slug"] == "one-2"


def test_an_id_may_equal_its_own_slug(make: Factory) -> None:
    made = make.project(id="alpha", name="Alpha")

    assert (made["id"], made["slug"]) == ("alpha", "alpha")


def test_a_uuid_is_found_in_any_case(client: TestClient, make: Factory) -> None:
    lower, upper = make.project(), make.project(id=UUID.upper())

    assert client.get(f"/api/projects/{lower['id'].upper()}").json() == lower
    assert client.get(f"/api/projects/{UUID}").json() == upper


@pytest.mark.parametrize("reference", ["nothing", UUID, "", "%20", "MAPLE", "a%2Fb", "x" * 300])
def test_an_unknown_project_is_not_found(client: TestClient, make: Factory, reference: str) -> None:
    make.project(name="Maple")
    address = f"/api/projects/{reference}"

    for answer in (
        client.get(address),
        client.patch(address, json={"name": "x"}),
        client.delete(address),
        client.post(f"{address}/init"),
    ):
        assert answer.status_code == 404
        assert answer.json() == {"error": "Project not found"}


def test_head_answers_like_get_without_a_body(client: TestClient, make: Factory) -> None:
    slug = make.project()["slug"]

    for address, status in ((slug, 200), ("nothing", 404)):
        answer = client.head(f"/api/projects/{address}")
        assert (answer.status_code, answer.content) == (status, b"")
    assert client.head("/api/projects").status_code == 200


def test_an_update_keeps_the_slug_and_ignores_owner_and_id(
    client: TestClient, make: Factory
) -> None:
    old, other = make.project(), make.profile()
    body = {"name": "New name", "owner_id": other["id"], "id": "else", "created_at": "x"}

    new = client.patch(f"/api/projects/{old['slug']}", json=body).json()

    assert new == old | {"name": "New name", "updated_at": new["updated_at"]}
    assert new["updated_at"] > old["updated_at"]


def test_an_update_clears_optional_fields(client: TestClient, make: Factory) -> None:
    given = {"description": "d", "repo_source": "github", "repo_owner": "o", "repo_name": "n"}
    made = make.project(**given)

    nulls = dict.fromkeys((*given, "local_path"))
    answer = client.patch(f"/api/projects/{made['id']}", json=nulls)

    assert answer.status_code == 200
    assert answer.json().items() >= nulls.items()


@pytest.mark.parametrize("field", ["name", "slug"])
def test_name_and_slug_cannot_be_cleared(client: TestClient, make: Factory, field: str) -> None:
    made = make.project()

    answer = client.patch(f"/api/projects/{made['id']}", json={field: None})

    assert [i["path"] for i in answer.json()["error"]] == [[field]]


def test_a_bad_update_of_an_unknown_project_is_a_bad_request(client: TestClient) -> None:
    assert client.patch("/api/projects/nothing", json={"name": ""}).status_code == 400


def test_an_update_with_equal_values_changes_nothing(client: TestClient, make: Factory) -> None:
    made = make.project(description="d")
    address = f"/api/projects/{made['id']}"

    for body in ({}, {k: made[k] for k in ("name", "slug", "description", "repo_owner")}):
        assert client.patch(address, json=body).json() == made


def test_the_old_slug_is_free_after_a_rename(client: TestClient, make: Factory) -> None:
    made = make.project(name="Birch")
    client.patch("/api/projects/birch", json={"slug": "renamed"})

    assert client.get("/api/projects/birch").status_code == 404
    assert client.get("/api/projects/renamed").json()["id"] == made["id"]
    assert make.project(name="Birch")["slug"] == "birch"


def test_a_deleted_project_is_gone(client: TestClient, make: Factory) -> None:
    made = make.project()

    assert client.delete(f"/api/projects/{made['slug']}").status_code == 204
    assert client.get(f"/api/projects/{made['id']}").status_code == 404
    assert client.delete(f"/api/projects/{made['id']}").status_code == 404


@pytest.mark.parametrize("text", ["NUL \0 in it", "\ud83d\ude00", "line\nbreak", "'; DROP TABLE x"])
def test_odd_text_comes_back_as_it_was(client: TestClient, make: Factory, text: str) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    made = make.project(name=text, description=text)

    assert client.get(f"/api/projects/{made['id']}").json()["description"] == text
