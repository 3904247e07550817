"""What feeds offer is listed, installed, updated and published, and failures are told apart."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.packages.conftest import SAMPLES, MakePackage
from tests.registry.stand_in_feed import Asked, Reply, StandIn, package_bytes, serving, sha256

from kombuse_sdk.testing import Factory

VERSIONS = "/api/pkg/acme/{}/versions?include_yanked=true"


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    """No request leaves the machine."""
    return {"plugins": {"default_registry": False}}


@pytest.fixture
def registry(client: TestClient, project: Any) -> Iterator[StandIn]:
    """A registry that is a source of the project."""
    with serving() as stand_in:
        sources = [{"type": "http", "base_url": stand_in.url}]
        body = {"project_id": project["id"], "sources": sources}
        assert client.put("/api/plugin-sources", json=body).status_code == 200
        yield stand_in


def offer(registry: StandIn, name: str, *archives: tuple[str, bytes], **extra: Any) -> None:
    """The registry has these versions of `acme/<name>`."""
    entries = []
    for version, data in archives:
        path = f"/dl/{name}-{version}.tar.gz"
        registry.answers[path] = Reply(body=data)
        entries.append(
            {
                "version": version,
                "channel": "stable",
                "type": "plugin",
                "checksum": sha256(data),
                "download_url": path,
            }
            | extra
        )
    registry.answers[VERSIONS.format(name)] = Reply(json={"versions": entries})
    newest = archives[-1][0]
    package = {"author": "acme", "name": name, "type": "plugin", "latest_version": newest}
    registry.answers["/api/pkg"] = Reply(json={"packages": [package]})


def remote(client: TestClient, project: Any, name: str = "acme/hello", **body: Any) -> Any:
    given = {"name": name, "project_id": project["id"]} | body
    return client.post("/api/plugins/install-remote", json=given)


def available(client: TestClient, project: Any, **query: Any) -> Any:
    answer = client.get("/api/plugins/available", params={"project_id": project["id"], **query})
    assert answer.status_code == 200, answer.text
    return {entry["name"]: entry for entry in answer.json()}


def test_a_package_of_a_registry_is_installed_by_its_name(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    offer(registry, "hello", ("1.0.0", package_bytes()), ("1.1.0", package_bytes(version="1.1.0")))

    answer = remote(client, project)

    assert answer.status_code == 201, answer.text
    plugin = client.get(f"/api/plugins/{answer.json()['plugin_id']}").json()
    assert (plugin["name"], plugin["version"]) == ("hello", "1.1.0")
    assert plugin["source_name"] == "acme/hello"
    assert plugin["source_feed_id"] == f"http:{registry.url}"


@pytest.mark.parametrize(
    ("wanted", "installed"),
    [("1.0.0", "1.0.0"), ("^1.0.0", "1.2.0"), ("~1.0", "1.0.0"), ("", "2.0.0"), (">=2", "2.0.0")],
)
def test_a_version_may_be_exact_or_a_range(
    client: TestClient, project: Any, registry: StandIn, wanted: str, installed: str
) -> None:
    texts = ("1.0.0", "1.2.0", "2.0.0")
    offer(registry, "hello", *((text, package_bytes(version=text)) for text in texts))

    assert remote(client, project, version=wanted).status_code == 201

    (plugin,) = client.get("/api/plugins", params={"project_id": project["id"]}).json()
    assert plugin["version"] == installed


def test_an_unknown_package_is_not_found(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    answer = remote(client, project, version="^9")

    assert answer.status_code == 404
    assert answer.json() == {"error": 'Version ^9 of "acme/hello" not found'}


def test_a_feed_that_fails_is_the_fault_of_the_feed(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    registry.answers[VERSIONS.format("hello")] = Reply(status=500)

    answer = remote(client, project)

    assert answer.status_code == 502
    assert f"http:{registry.url}" in answer.json()["error"]


def test_other_bytes_than_announced_change_nothing(
    client: TestClient, project: Any, registry: StandIn, rows: Any
) -> None:
    offer(registry, "hello", ("1.0.0", package_bytes()))
    registry.answers["/dl/hello-1.0.0.tar.gz"] = Reply(body=package_bytes(note="other"))
    before = rows()

    answer = remote(client, project)

    assert answer.status_code == 502
    assert answer.json()["error"].startswith("Integrity check failed: expected")
    assert rows() == before


@pytest.mark.parametrize(
    "data",
    [package_bytes(name="another"), package_bytes(version="9.9.9")],
    ids=["another name", "another version"],
)
def test_a_package_that_is_not_what_was_announced_is_refused(
    client: TestClient, project: Any, registry: StandIn, data: bytes
) -> None:
    offer(registry, "hello", ("1.0.0", data))

    answer = remote(client, project)

    assert answer.status_code == 400
    assert "holds another package" in answer.json()["error"]


def test_an_older_version_needs_to_be_wanted(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    texts = ("1.0.0", "2.0.0")
    offer(registry, "hello", *((text, package_bytes(version=text)) for text in texts))
    assert remote(client, project).status_code == 201

    refused = remote(client, project, version="1.0.0", overwrite=True)
    allowed = remote(client, project, version="1.0.0", overwrite=True, allow_downgrade=True)

    assert refused.status_code == 409
    assert allowed.status_code == 201


def test_a_dry_run_says_what_would_happen(
    client: TestClient, project: Any, registry: StandIn, rows: Any
) -> None:
    offer(registry, "hello", ("1.0.0", package_bytes(note="text")))
    before = rows()

    answer = remote(client, project, dry_run=True)

    assert answer.status_code == 200
    assert answer.json()["dry_run"] is True
    assert answer.json()["files_imported"] == 1
    assert rows() == before


def test_pulling_takes_the_newest_of_where_the_plugin_came_from(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    offer(registry, "hello", ("1.0.0", package_bytes()))
    plugin_id = remote(client, project).json()["plugin_id"]
    same = client.post(f"/api/plugins/{plugin_id}/pull")
    before = client.get(f"/api/plugins/{plugin_id}/check-updates").json()
    offer(registry, "hello", ("1.0.0", package_bytes()), ("1.1.0", package_bytes(version="1.1.0")))
    after = client.get(f"/api/plugins/{plugin_id}/check-updates").json()
    pulled = client.post(f"/api/plugins/{plugin_id}/pull")

    assert same.json()["warnings"] == ["Already up to date"]
    assert before == {
        "plugin_id": plugin_id,
        "plugin_name": "hello",
        "has_update": False,
        "current_version": "1.0.0",
    }
    assert after["has_update"] is True
    assert after["latest_version"] == "1.1.0"
    assert pulled.status_code == 200
    assert client.get(f"/api/plugins/{plugin_id}").json()["version"] == "1.1.0"


def test_a_feed_that_is_down_has_no_update(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    offer(registry, "hello", ("1.0.0", package_bytes()))
    plugin_id = remote(client, project).json()["plugin_id"]
    registry.answers.clear()
    registry.answers[VERSIONS.format("hello")] = Reply(status=503)

    answer = client.get(f"/api/plugins/{plugin_id}/check-updates")

    assert answer.json()["has_update"] is False
    assert client.post(f"/api/plugins/{plugin_id}/pull").status_code == 502


def test_what_is_available_names_the_feed_and_what_is_installed(
    client: TestClient, project: Any, registry: StandIn, folder: Path
) -> None:
    shutil.copytree(SAMPLES / "02-triage-kit", folder / ".kombuse" / "plugins" / "triage-kit")
    offer(registry, "hello", ("1.0.0", package_bytes()))
    remote(client, project)
    offer(registry, "hello", ("1.1.0", package_bytes(version="1.1.0")))

    found = available(client, project)

    assert list(found) == sorted(found)
    assert found["triage-kit"]["scope"] == "project"
    assert found["triage-kit"]["installed"] is False
    assert "installed_version" not in found["triage-kit"]
    assert found["acme/hello"]["source"] == "http"
    assert found["acme/hello"]["installed_version"] == "1.0.0"
    assert found["kombuse-dev"]["scope"] == "bundled"
    assert "acme/hello" not in available(client, project, installed="false")
    assert list(available(client, project, installed="true")) == ["acme/hello"]


def test_a_failing_feed_is_named_and_does_not_hide_the_others(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    registry.answers["/api/pkg"] = Reply(status=500)

    answer = client.get("/api/plugins/available", params={"project_id": project["slug"]})
    feeds = client.get("/api/plugins/feeds", params={"project_id": project["id"]}).json()

    assert answer.headers["x-kombuse-feed-errors"] == f"http:{registry.url}"
    assert "kombuse-dev" in [entry["name"] for entry in answer.json()]
    assert [feed["ok"] for feed in feeds] == [True, True, True, False]


def test_the_package_that_comes_with_the_product_is_installed_by_name(
    client: TestClient, make: Factory
) -> None:
    answer = remote(client, make.project(), "kombuse-dev")

    assert answer.status_code == 201, answer.text
    assert answer.json()["agents_created"] == 4


def publish(client: TestClient, project: Any, registry: StandIn, **body: Any) -> Any:
    given = {
        "package_name": "kit",
        "project_id": project["id"],
        "author": "acme",
        "registry_url": registry.url + "/",
        "token": "secret-token",
    }
    return client.post("/api/plugins/publish", json=given | body)


def taking(asked: Asked) -> Reply:
    """A registry that stores what it is sent."""
    published = {
        "author": "acme",
        "name": "kit",
        "version": "1.0.0",
        "channel": "stable",
        "checksum": sha256(asked.body),
        "download_url": "/dl/kit",
    }
    return Reply(status=201, json={"published": published})


def test_publishing_sends_the_archive_and_leaves_the_folder_alone(
    client: TestClient, project: Any, registry: StandIn, folder: Path
) -> None:
    registry.answers["/api/pkg/acme/kit"] = taking

    answer = publish(client, project, registry)

    assert answer.status_code == 201, answer.text
    assert answer.json()["download_url"] == "/dl/kit"
    (sent,) = registry.asked
    assert sent.headers["Authorization"] == "Bearer secret-token"
    assert sha256(sent.body) == answer.json()["checksum"]
    assert not (folder / ".kombuse" / "plugins" / "kit").exists()


def test_a_signed_upload_names_its_key(
    client: TestClient, project: Any, registry: StandIn, kombuse_home: Path
) -> None:
    registry.answers["/api/pkg/acme/kit"] = taking

    answer = publish(client, project, registry, sign=True)

    assert answer.json()["keyid"] in registry.asked[0].headers["X-Kombuse-Signature"]
    assert (kombuse_home / "publisher-key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("reply", "status", "text"),
    [
        (Reply(status=409, json={"error": "Version exists"}), 409, "Version exists"),
        (Reply(status=401, json={"error": "Invalid token"}), 401, "Invalid token"),
        (Reply(status=500, body=b"oops"), 502, "oops"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:9/"}), 502, "redirects"),
        (Reply(status=201, body=b"not json"), 502, "not JSON"),
    ],
)
def test_what_the_registry_says_is_passed_on(
    client: TestClient, project: Any, registry: StandIn, reply: Reply, status: int, text: str
) -> None:
    registry.answers["/api/pkg/acme/kit"] = reply

    answer = publish(client, project, registry)

    assert answer.status_code == status
    assert text in answer.json()["error"]


def test_a_registry_that_is_not_there_is_unreachable(
    client: TestClient, project: Any, registry: StandIn
) -> None:
    answer = publish(client, project, registry, registry_url="http://127.0.0.1:9")

    assert answer.status_code == 502
    assert answer.json()["error"].startswith("Registry unreachable: ")


def test_a_token_variable_is_looked_up(
    client: TestClient, project: Any, registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.answers["/api/pkg/acme/kit"] = taking
    monkeypatch.setenv("KIT_TOKEN", "from-the-environment")

    known = publish(client, project, registry, token="$KIT_TOKEN")
    unknown = publish(client, project, registry, token="$NO_SUCH_TOKEN")

    assert known.status_code == 201
    assert registry.asked[0].headers["Authorization"] == "Bearer from-the-environment"
    assert unknown.status_code == 400
    assert "NO_SUCH_TOKEN" in unknown.json()["error"]


def test_files_that_were_edited_here_are_told(
    client: TestClient, project: Any, registry: StandIn, make_package: MakePackage, install: Any
) -> None:
    registry.answers["/api/pkg/acme/kit"] = taking
    plugin_id = install(make_package("kit", {"files/a.md": "text"}))["plugin_id"]
    (file,) = client.get(f"/api/plugins/{plugin_id}/files").json()
    client.patch(f"/api/plugins/{plugin_id}/files/{file['id']}", json={"content": "mine"})

    answer = publish(client, project, registry)

    assert answer.json()["warnings"] == ["a.md was edited here"]


def test_a_body_that_is_wrong_names_its_fields(client: TestClient, project: Any) -> None:
    answer = client.post("/api/plugins/publish", json={"author": "No Good", "version": "1"})

    assert answer.status_code == 400
    assert {issue["path"][0] for issue in json.loads(answer.text)["error"]} == {
        *("package_name", "project_id", "author", "registry_url", "token", "version")
    }
