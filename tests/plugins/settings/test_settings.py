"""Profile settings over REST and as a contract."""

from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.settings import queries
from kombuse_sdk.contracts import Settings
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

SETTINGS = f"/api/profiles/{LOCAL_USER}/settings"


def put(client: TestClient, key: str, value: str, profile_id: str = LOCAL_USER) -> Any:
    body = {"profile_id": profile_id, "setting_key": key, "setting_value": value}
    answer = client.put("/api/profile-settings", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_unset_key_is_null_and_not_missing(client: TestClient) -> None:
    answer = client.get(f"{SETTINGS}/theme")

    assert answer.status_code == 200
    assert answer.json() is None


def test_a_second_put_changes_the_value_and_keeps_id_and_creation(client: TestClient) -> None:
    first = put(client, "theme", "dark")
    second = put(client, "theme", "")

    assert second["setting_value"] == ""
    assert {key: second[key] for key in ("id", "created_at")} == {
        key: first[key] for key in ("id", "created_at")
    }
    assert client.get(f"{SETTINGS}/theme").json() == second


def test_changing_a_value_uses_up_no_ids(client: TestClient) -> None:
    first = put(client, "a", "1")["id"]
    for value in "234":
        put(client, "a", value)

    assert put(client, "b", "1")["id"] == first + 1


def test_the_list_is_in_key_order_and_of_one_profile(client: TestClient, make: Factory) -> None:
    other = make.profile()["id"]
    for key in ("b", "a", "c"):
        put(client, key, "x")
    put(client, "d", "x", other)

    assert [s["setting_key"] for s in client.get(SETTINGS).json()] == ["a", "b", "c"]


def test_the_list_of_an_unknown_profile_is_empty(client: TestClient) -> None:
    assert client.get("/api/profiles/nobody/settings").json() == []


def test_an_unknown_profile_is_refused(client: TestClient) -> None:
    body = {"profile_id": "nobody", "setting_key": "k", "setting_value": "v"}

    answer = client.put("/api/profile-settings", json=body)

    assert answer.status_code == 422
    assert answer.json() == {"error": "profile_id does not reference an existing profile"}


@pytest.mark.parametrize(
    ("key", "value", "path", "code"),
    [
        ("", "v", "setting_key", "too_small"),
        ("k" * 101, "v", "setting_key", "too_big"),
        (None, "v", "setting_key", "invalid_type"),
        ("k", 1, "setting_value", "invalid_type"),
        ("k", None, "setting_value", "invalid_type"),
    ],
)
def test_odd_keys_and_values_are_issues(
    client: TestClient, key: Any, value: Any, path: str, code: str
) -> None:
    body = {"profile_id": LOCAL_USER, "setting_key": key, "setting_value": value}

    answer = client.put("/api/profile-settings", json=body)

    assert answer.status_code == 400
    assert [(i["path"], i["code"]) for i in answer.json()["error"]] == [([path], code)]


@pytest.mark.parametrize("key", ["k" * 100, "a/b", "a b?#%", "日本", "binaries.claude.p-1"])
def test_every_key_that_can_be_set_can_be_read_and_deleted(client: TestClient, key: str) -> None:
    put(client, key, "v")
    path = f"{SETTINGS}/{quote(key, safe='')}"

    assert client.get(path).json()["setting_key"] == key
    assert client.delete(path).status_code == 204
    assert client.get(path).json() is None


def test_deleting_an_unset_key_is_not_found(client: TestClient) -> None:
    answer = client.delete(f"{SETTINGS}/theme")

    assert answer.status_code == 404
    assert answer.json() == {"error": "Setting not found"}


def test_other_plugins_read_settings_of_the_local_user(client: TestClient, kernel: Kernel) -> None:
    put(client, "mcp.anonymous_write_access", "allowed")

    with kernel.db.read() as tx:
        settings = tx.services.get(Settings)
        assert settings.value(tx, "mcp.anonymous_write_access") == "allowed"
        assert settings.value(tx, "mcp.anonymous_write_access", "anonymous-agent") is None


def test_the_list_reads_the_index_in_key_order(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.all_of(planner, "p")

    assert planner.plan == [
        "SEARCH s USING INDEX sqlite_autoindex_profile_settings_1 (profile_id=?)"
    ]
