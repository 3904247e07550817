"""Agents as markdown files."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import make_agent, make_trigger

from kombuse_plugins.agents import export
from kombuse_plugins.agents.export import Document
from kombuse_sdk.errors import BadRequest, Forbidden
from kombuse_sdk.testing import Factory


def exported(client: TestClient, folder: Path, **body: Any) -> Any:
    answer = client.post("/api/agents/export", json={"directory": str(folder), **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_agent_is_written_with_its_triggers(
    client: TestClient, make: Factory, tmp_path: Path
) -> None:
    agent = make_agent(
        client,
        "Reviewer",
        description="yes",
        system_prompt="Line one.\n\nLine two: {{ x }}",
        permissions=[
            {"type": "resource", "resource": "ticket", "actions": ["read"], "scope": "project"}
        ],
        config={"type": "coder", "model": "1.5", "max_retries": 2, "note": "a\nb"},
    )
    make_trigger(
        client,
        agent,
        "mention.created",
        conditions={"mentioned_profile_id": agent["id"], "changes": ["x", agent["id"]]},
        allowed_invokers=[{"type": "user"}],
    )
    make_trigger(client, agent, "ticket.created", priority=5)

    done = exported(client, tmp_path / "new" / "out", agent_ids=[agent["id"], "nobody"])

    directory = str(tmp_path / "new" / "out")
    assert done == {"directory": directory, "count": 1, "files": ["reviewer.md"]}
    assert (
        (tmp_path / "new/out/reviewer.md").read_text(encoding="utf-8")
        == """\
---
name: Reviewer
slug: reviewer
description: "yes"
avatar: null
type: coder
model: "1.5"
backend_type: null
is_enabled: true
enabled_for_chat: false
permissions:
  - type: resource
    resource: ticket
    actions:
      - read
    scope: project
triggers:
  - slug: ticket-created
    event_type: ticket.created
    conditions: null
    project_id: null
    is_enabled: true
    priority: 5
  - slug: mention-created
    event_type: mention.created
    conditions:
      mentioned_profile_id: $SELF
      changes:
        - x
        - $SELF
    project_id: null
    is_enabled: true
    priority: 0
    allowed_invokers:
      - type: user
config:
  max_retries: 2
  note: |-
    a
    b
---

Line one.

Line two: {{ x }}
"""
    )


def test_all_agents_are_written_and_none_is_lost_by_its_slug(
    client: TestClient, make: Factory, tmp_path: Path
) -> None:
    local = make_agent(client, "Plain", project_id=make.project()["id"])
    other = make_agent(client, "Plain", project_id=make.project()["id"])
    make_agent(client, "Unique")

    done = exported(client, tmp_path)

    assert done["files"] == sorted(["plain.md", f"plain-{other['id']}.md", "unique.md"])
    assert done["count"] == 3
    assert sorted(path.name for path in tmp_path.glob("*.md")) == done["files"]
    assert local["slug"] == other["slug"]


def test_files_that_are_there_are_replaced_and_links_are_not_followed(
    client: TestClient, tmp_path: Path
) -> None:
    make_agent(client, "Plain")
    secret = tmp_path / "secret"
    secret.write_text("kept", encoding="utf-8")
    (tmp_path / "plain.md").symlink_to(secret)

    exported(client, tmp_path)
    exported(client, tmp_path)

    assert secret.read_text(encoding="utf-8") == "kept"
    assert (tmp_path / "plain.md").read_text(encoding="utf-8").startswith("---\nname: Plain\n")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "plain.md",
        "secret",
    ]


@pytest.mark.parametrize("directory", ["relative/path", "./x", "~nobody-of-this-name/x", "/a\0b"])
def test_only_absolute_directories_are_taken(client: TestClient, directory: str) -> None:
    answer = client.post("/api/agents/export", json={"directory": directory})

    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


def test_a_directory_is_required(client: TestClient) -> None:
    for body in ({}, {"directory": ""}, {"directory": 5}):
        answer = client.post("/api/agents/export", json=body)
        assert [issue["path"] for issue in answer.json()["error"]] == [["directory"]]


def test_a_directory_that_cannot_be_made_is_an_answer(client: TestClient, tmp_path: Path) -> None:
    make_agent(client)
    (tmp_path / "file").write_text("x", encoding="utf-8")

    for directory in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing/x")):
        answer = client.post("/api/agents/export", json={"directory": str(directory)})
        assert answer.status_code in (400, 403)
        assert answer.json()["error"].startswith("Cannot write to directory: ")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (PermissionError(13, "Permission denied"), Forbidden),
        (OSError(30, "Read-only file system"), Forbidden),
        (NotADirectoryError(20, "Not a directory"), BadRequest),
        (OSError(28, "No space left on device"), BadRequest),
    ],
)
def test_errors_of_the_file_system_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, raised: type[Exception]
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(export, "replace", fail)

    with pytest.raises(raised, match=f"Cannot write to directory: {error.strerror}"):
        export.write(tmp_path, [Document("a.md", "x")])


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", lambda *_: Path("/nothing/here").stat())

    with pytest.raises(BadRequest):
        export.write(tmp_path, [Document("a.md", "x")])

    assert list(tmp_path.iterdir()) == []
