"""Profiles over REST."""

from starlette.testclient import TestClient

from kombuse_sdk.testing import Factory


def test_a_second_profile_of_the_same_email_is_refused_in_any_case(
    client: TestClient, make: Factory
) -> None:
    make.profile(email="ann@example.com")

    answer = client.post(
        "/api/profiles", json={"type": "user", "name": "Ann", "email": "ANN@example.com"}
    )

    assert answer.status_code == 409
    assert answer.json() == {"error": "A profile with the email ANN@example.com exists already"}


def test_the_list_is_newest_first_and_pages(client: TestClient, make: Factory) -> None:
    made = [make.profile()["id"] for _ in range(3)]

    first = client.get("/api/profiles", params={"limit": 2}).json()
    second = client.get("/api/profiles", params={"limit": 2, "offset": 2}).json()

    assert [p["id"] for p in first + second][:3] == made[::-1]


def test_inactive_profiles_are_found_with_is_active_false(
    client: TestClient, make: Factory
) -> None:
    gone = make.profile()["id"]
    assert client.delete(f"/api/profiles/{gone}").status_code == 204

    answer = client.get("/api/profiles", params={"is_active": "false"})

    assert [p["id"] for p in answer.json()] == [gone]


def test_builtin_profiles_cannot_be_deleted(client: TestClient) -> None:
    assert client.delete("/api/profiles/user-1").status_code == 400
    assert client.get("/api/profiles/user-1").json()["is_active"] is True
