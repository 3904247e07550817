""" "Always allow": saved narrowly, in the right places, or not at all and with the reason."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.permissions.asking import SESSION, Asking, allow, bash, deny

from kombuse_plugins.permissions.programs import narrowest_prefix
from kombuse_plugins.permissions.rule_files import PermissionFiles, project_file
from kombuse_plugins.permissions.rules import Rules, approves_command
from kombuse_sdk.agents import Decision, PermissionRequest
from kombuse_sdk.contracts.permissions import PermissionOutcome
from kombuse_sdk.contracts.sessions import SessionRef

ALWAYS = allow(always_allow=True)


def answered(
    asking: Asking, request: PermissionRequest, session: SessionRef, **reply: Any
) -> PermissionOutcome:
    async def scenario() -> PermissionOutcome:
        asked = await asking.start(request, session)
        outcome = await asking.reply(allow(always_allow=True, **reply), request.request_id)
        assert (await asked).behavior == "allow"
        return outcome

    outcome: PermissionOutcome = asking.run(scenario)
    return outcome


@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        ("git push origin main", "git push"),
        ("cd sub && git push", "git push"),
        ("cd a && cd b; git push -f", "git push"),
        ("npm install left-pad", "npm install"),
        ("npm test", "npm test"),
        ("npm run build -- --prod", "npm run build"),
        ("bun run test", "bun run test"),
        ("cargo build --release", "cargo build"),
        ("uv run pytest -q", "uv run pytest"),
        ("ls -la src", "ls"),
        ("grep -rn x .", "grep"),
        ("make test", "make test"),
        ("make", "make"),
        ("pytest -q tests", "pytest"),
        ("ruff check .", "ruff check"),
        ("./scripts/test.sh", "./scripts/test.sh"),
        ("python -m pytest tests", "python -m pytest"),
        ("python scripts/x.py --all", "python scripts/x.py"),
        ("npx eslint .", "npx eslint"),
        ("docker build .", "docker build"),
    ],
)
def test_the_prefix_is_as_narrow_as_it_is_useful(command: str, prefix: str) -> None:
    assert narrowest_prefix(command) == prefix
    assert approves_command(command, [prefix])


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("cd x && git status; rm -rf y", "several commands"),
        ("git log | head", "several commands"),
        ("cd x", "several commands"),
        ("git status > out", "more than a plain command"),
        ("git status $(x)", "more than a plain command"),
        ("FOO=1 make", "more than a plain command"),
        ("", "several commands"),
        ("git -c a=b log", "in front"),
        ("git", "in front"),
        ("npm", "in front"),
        ("git config a b", "may run other programs"),
        ("git rebase main", "may run other programs"),
        ("git branch -D main", "looked at each time"),
        ("find . -delete", "looked at each time"),
        ("rm -rf x", "depends on its arguments"),
        ("curl http://x", "depends on its arguments"),
        ("sudo make", "runs other commands"),
        ("bash -c ls", "runs other commands"),
        ("env make", "runs other commands"),
        ("xargs rm", "runs other commands"),
        ("python -c 'x'", "may do anything"),
        ("python", "may do anything"),
        ("node -e x", "may do anything"),
        ("npx -y x", "may do anything"),
        ("uv run python x.py", "may run anything"),
        ("npm exec -- x", "may run anything"),
        ("docker run x", "may run anything"),
        ("docker exec x rm y", "may run anything"),
        ("'my tool'", "unusual characters"),
        ("make te*", "not plain"),
    ],
)
def test_what_would_allow_too_much_is_not_remembered(command: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        narrowest_prefix(command)


def test_a_command_is_remembered_by_the_agent_and_in_the_file_of_the_project(
    asking: Asking, client: TestClient, agent: Any, project: Any, folder: Path
) -> None:
    session = SessionRef(id=SESSION, agent_id=agent["id"], project_id=project["id"])

    outcome = answered(asking, bash("npm run build"), session)

    assert outcome == PermissionOutcome(behavior="allow", remembered="Bash(npm run build *)")
    config = client.get(f"/api/agents/{agent['id']}").json()["config"]
    assert config["auto_approved_bash_commands_override"] == ["git status", "npm run build"]
    assert project_file(str(folder)).read_text() == (
        '{\n  "permissions": {\n    "allow": [\n      "Bash(npm run build *)"\n    ]\n  }\n}\n'
    )
    assert asking.heard.messages[-1][1]["alwaysAllowed"] == "Bash(npm run build *)"
    assert asking.recorded.events[-1][2]["alwaysAllowed"] == "Bash(npm run build *)"
    assert asking.once(bash("npm run build --x", "r2"), session=session) is not None
    assert asking.once(bash("npm run other", "r3"), session=session) is None
    assert asking.rows()[0]["always_allow"] == "Bash(npm run build *)"


def test_a_tool_is_remembered_by_its_name(
    asking: Asking, client: TestClient, agent: Any, project: Any, folder: Path
) -> None:
    session = SessionRef(id=SESSION, agent_id=agent["id"], project_id=project["id"])
    request = PermissionRequest(request_id="r1", tool_name="WebFetch", input={"url": "http://x"})

    assert answered(asking, request, session).remembered == "WebFetch"

    config = client.get(f"/api/agents/{agent['id']}").json()["config"]
    assert config["auto_approved_tools_override"] == ["WebFetch"]
    other = SessionRef(id=SESSION, project_id=project["id"])
    again = PermissionRequest(request_id="r2", tool_name="WebFetch", input={"url": "http://y"})
    assert asking.once(again, session=other) is not None


def test_a_compound_command_is_allowed_once_and_the_person_is_told(
    asking: Asking, project: Any, folder: Path
) -> None:
    session = SessionRef(id=SESSION, project_id=project["id"])

    outcome = answered(asking, bash("cd x && git status; rm -rf y"), session)

    assert outcome.remembered is None
    assert outcome.note == (
        "allowed once, and not remembered: the command is made of several commands"
    )
    assert not project_file(str(folder)).exists()
    assert asking.rows()[0]["always_allow"] is None


def test_what_was_run_instead_is_what_is_remembered(asking: Asking, project: Any) -> None:
    session = SessionRef(id=SESSION, project_id=project["id"])

    outcome = answered(asking, bash("rm x"), session, updated_input={"command": "npm test"})

    assert outcome.remembered == "Bash(npm test *)"


@pytest.mark.parametrize("tool", ["AskUserQuestion", "ExitPlanMode"])
def test_questions_are_never_answered_for_good(asking: Asking, project: Any, tool: str) -> None:
    session = SessionRef(id=SESSION, project_id=project["id"])
    request = PermissionRequest(request_id="r1", tool_name=tool, input={})

    outcome = answered(asking, request, session)

    assert outcome.remembered is None
    assert outcome.note is not None and "each time" in outcome.note


def test_without_agent_and_folder_there_is_nowhere_to_remember_it(asking: Asking) -> None:
    outcome = answered(asking, bash("npm test"), SessionRef(id=SESSION))

    assert outcome.remembered is None
    assert outcome.note is not None and "neither an agent nor a project" in outcome.note
    assert asking.rows()[0]["always_allow"] is None


def test_an_agent_that_is_gone_does_not_keep_the_answer_from_counting(
    asking: Asking, client: TestClient, agent: Any
) -> None:
    client.delete(f"/api/agents/{agent['id']}")

    outcome = answered(asking, bash("npm test"), SessionRef(id=SESSION, agent_id=agent["id"]))

    assert outcome.remembered is None


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"permissions": []}', '{"permissions": {"allow": "x"}}', "\xff", '{"a":1,"a":2}'],
)
def test_a_file_that_cannot_be_understood_is_left_as_it_is(
    asking: Asking, client: TestClient, agent: Any, project: Any, folder: Path, content: str
) -> None:
    path = project_file(str(folder))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode("latin-1"))
    session = SessionRef(id=SESSION, agent_id=agent["id"], project_id=project["id"])

    outcome = answered(asking, bash("npm test"), session)

    assert path.read_bytes() == content.encode("latin-1")
    assert outcome.note is not None and outcome.note.startswith("not saved in the permission file")
    assert outcome.remembered == "Bash(npm test *)"
    config = client.get(f"/api/agents/{agent['id']}").json()["config"]
    assert config["auto_approved_bash_commands_override"] == ["git status", "npm test"]


def test_deny_remembers_nothing(asking: Asking, project: Any, folder: Path) -> None:
    session = SessionRef(id=SESSION, project_id=project["id"])
    reply = deny()

    asking.once(bash("npm test"), reply, session)

    assert not project_file(str(folder)).exists()


def test_a_new_entry_keeps_everything_else_of_the_file(folder: Path) -> None:
    path = project_file(str(folder))
    path.parent.mkdir()
    path.write_text('{\n\t"x": 1,\n\t"permissions": {"deny": ["Read"], "y": 2}\n}\n')
    path.chmod(0o640)

    assert PermissionFiles().allow(str(folder), "WebFetch")
    assert not PermissionFiles().allow(str(folder), "WebFetch")

    assert json.loads(path.read_text()) == {
        "x": 1,
        "permissions": {"deny": ["Read"], "y": 2, "allow": ["WebFetch"]},
    }
    assert '\n\t"x": 1' in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [item.name for item in path.parent.iterdir()] == ["permissions.json"]


def test_a_link_that_leads_out_of_the_project_is_not_written(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text("{}")
    project_file(str(folder)).parent.mkdir()
    project_file(str(folder)).symlink_to(outside)

    with pytest.raises(ValueError, match="leads out of"):
        PermissionFiles().allow(str(folder), "WebFetch")

    assert outside.read_text() == "{}"


def test_entries_written_at_the_same_time_are_all_kept(folder: Path) -> None:
    files = PermissionFiles()
    threads = [
        threading.Thread(target=files.allow, args=(str(folder), f"Tool{n}")) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert files.read(project_file(str(folder))).allow.tools == {f"Tool{n}" for n in range(20)}


@pytest.mark.parametrize(
    ("content", "tools", "commands"),
    [
        (b'{"permissions":{"allow":["A","Bash(git log *)"]}}', {"A"}, {"git log"}),
        (b'{"permissions":{"allow":["Bash(git log)","Bash(ls:*)"]}}', set(), {"git log", "ls"}),
        (b'{"permissions":{"allow":["Bash"]}}', {"Bash"}, set()),
        (b'{"permissions":{"allow":[1,null,["x"],"A"]}}', {"A"}, set()),
        (b'{"permissions":{"allow":"A"}}', set(), set()),
        (b'{"permissions":[]}', set(), set()),
        (b"[]", set(), set()),
        (b"{", set(), set()),
        (b"\xff\xfe", set(), set()),
        (b"", set(), set()),
        (b'\xef\xbb\xbf{"permissions":{"allow":["A"]}}', {"A"}, set()),
        (b'{"permissions":{"allow":["A"]}}' + b" " * 300_000, set(), set()),
        (b"[" * 100_000, set(), set()),
    ],
)
def test_files_are_read_for_what_can_be_understood(
    tmp_path: Path, content: bytes, tools: set[str], commands: set[str]
) -> None:
    path = tmp_path / "permissions.json"
    path.write_bytes(content)

    rules = PermissionFiles().read(path).allow

    assert rules == Rules(frozenset(tools), frozenset(commands))


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    files, path = PermissionFiles(), tmp_path / "permissions.json"

    def read(tool: str) -> frozenset[str]:
        path.write_text(json.dumps({"permissions": {"allow": [tool]}}))
        return files.read(path).allow.tools

    assert read("A") == {"A"}
    assert read("Bb") == {"Bb"}
    path.unlink()
    assert files.read(path).allow.tools == frozenset()


def test_a_folder_in_the_place_of_a_file_counts_as_none(tmp_path: Path) -> None:
    assert PermissionFiles().read(tmp_path).allow.tools == frozenset()


def test_an_agent_gets_its_answer_even_when_remembering_it_breaks(
    asking: Asking, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(PermissionFiles, "allow", breaks)

    async def scenario() -> Decision:
        asked = await asking.start(
            bash("npm test"), SessionRef(id=SESSION, project_id=project["id"])
        )
        with pytest.raises(RuntimeError, match="broken"):
            await asking.reply(ALWAYS)
        return await asked

    assert asking.run(scenario).behavior == "allow"
