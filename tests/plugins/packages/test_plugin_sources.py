"""Sources are kept in the project's own file, with all else in it; tokens stay hidden."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.testing import Factory

HTTP = {"type": "http", "base_url": "https://plugins.example"}


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / ".kombuse" / "config.json"
    path.parent.mkdir(exist_ok=True)
    return path


def put(client: TestClient, project: Any, *sources: Any) -> Any:
    return client.put(
        "/api/plugin-sources", json={"project_id": project["id"], "sources": list(sources)}
    )


def get(client: TestClient, project: Any) -> Any:
    answer = client.get("/api/plugin-sources", params={"project_id": project["slug"]})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_defaults_are_the_two_folders_and_the_registry(
    client: TestClient, project: Any, folder: Path, kombuse_home: Path
) -> None:
    found = get(client, project)

    assert found["project_sources"] == []
    assert found["default_sources"] == [
        {
            "type": "filesystem",
            "path": str(folder / ".kombuse" / "plugins"),
            "label": "Project plugins",
        },
        {"type": "filesystem", "path": str(kombuse_home / "plugins"), "label": "Global plugins"},
        {"type": "http", "base_url": "https://kombuse.dev", "label": "Kombuse Registry"},
    ]


def test_the_registry_can_be_another_one_or_none(
    client: TestClient, project: Any, kombuse_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kombuse_home / "config.json").write_text('{"plugins": {"default_registry": false}}')
    without = get(client, project)["default_sources"]
    monkeypatch.setenv("KOMBUSE_REGISTRY_URL", "https://registry.example")
    other = get(client, project)["default_sources"]

    assert [source["type"] for source in without] == ["filesystem", "filesystem"]
    assert other[2]["base_url"] == "https://registry.example"


def test_other_keys_of_the_file_stay(client: TestClient, project: Any, file: Path) -> None:
    file.write_text('{\n    "mine": [1],\n    "plugins": {"resolution": "highest"}\n}\n')

    answer = put(client, project, HTTP)

    assert answer.status_code == 200
    assert answer.json()["project_sources"] == [HTTP]
    assert json.loads(file.read_text()) == {
        "mine": [1],
        "plugins": {"resolution": "highest", "sources": [HTTP]},
    }


@pytest.mark.parametrize("text", ["{broken", '{"a": 1, "a": 2}', "[1]", '{"plugins": 5}'])
def test_a_file_that_does_not_parse_is_refused_and_left_as_it_is(
    client: TestClient, project: Any, file: Path, text: str
) -> None:
    file.write_text(text)

    answer = put(client, project, HTTP)

    assert answer.status_code == 409
    assert file.read_text() == text
    assert get(client, project)["project_sources"] == []


def test_a_token_is_never_shown_and_stays_when_it_is_sent_back_hidden(
    client: TestClient, project: Any, file: Path
) -> None:
    first = put(client, project, HTTP | {"token": "secret"}, HTTP | {"token": "$NAME"})
    shown = first.json()["project_sources"]
    second = put(client, project, *shown, {"type": "filesystem", "path": "/opt/plugins"})

    assert [source["token"] for source in shown] == ["***", "$NAME"]
    assert second.status_code == 200
    stored = json.loads(file.read_text())["plugins"]["sources"]
    assert [source.get("token") for source in stored] == ["secret", "$NAME", None]
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in second.text


def test_a_hidden_token_of_a_source_that_is_not_known_is_refused(
    client: TestClient, project: Any
) -> None:
    assert put(client, project, HTTP | {"token": "***"}).status_code == 400


@pytest.mark.parametrize(
    "source",
    [
        {"type": "ftp", "path": "x"},
        {"type": "filesystem"},
        {"type": "filesystem", "path": ""},
        {"type": "github", "repo": "no-slash"},
        {"type": "github", "repo": "a/b/c"},
        {"type": "http", "base_url": "ftp://x"},
        {"type": "http", "base_url": "javascript:alert(1)"},
        {"type": "http", "base_url": "https://user:secret@x"},
        {"type": "http", "base_url": "https://x", "token": ""},
        5,
    ],
)
def test_a_source_that_is_none_is_an_issue(
    client: TestClient, project: Any, folder: Path, source: Any
) -> None:
    answer = put(client, project, source)

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"][:2] == ["sources", 0]
    assert not (folder / ".kombuse" / "config.json").exists()


def test_a_project_without_a_folder_keeps_its_file_in_the_home(
    client: TestClient, make: Factory, kombuse_home: Path
) -> None:
    project = make.project()

    assert put(client, project, HTTP).status_code == 200

    kept = kombuse_home / "projects" / project["id"] / ".kombuse" / "config.json"
    assert json.loads(kept.read_text())["plugins"]["sources"] == [HTTP]


def test_a_link_that_leads_out_of_the_project_is_not_written_through(
    client: TestClient, project: Any, file: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.json"
    file.symlink_to(outside)

    assert put(client, project, HTTP).status_code == 409
    assert not outside.exists()


def test_a_file_that_may_not_be_written_is_forbidden(
    client: TestClient, project: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("{}")
    monkeypatch.setattr("kombuse_sdk.config_files.os.access", lambda path, mode: False)

    answer = put(client, project, HTTP)

    assert answer.status_code == 403
    assert answer.json()["error"].startswith("Cannot write to project config: ")
    assert file.read_text() == "{}"


def test_an_unknown_project_is_not_found(client: TestClient) -> None:
    assert client.get("/api/plugin-sources?project_id=nobody").status_code == 404
    assert client.get("/api/plugin-sources").status_code == 400
