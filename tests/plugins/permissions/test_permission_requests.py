"""What is approved by rule, and what waits for a person."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.permissions.asking import SESSION, Asking, allow, bash, deny

from kombuse_sdk.agents import Decision, PermissionRequest
from kombuse_sdk.contracts import Permissions
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def of(agent: Any, project: Any = None, **values: Any) -> SessionRef:
    project_id = project["id"] if project else None
    return SessionRef(id=SESSION, agent_id=agent["id"], project_id=project_id, **values)


def use(tool: str, request_id: str = "r1", **arguments: Any) -> PermissionRequest:
    return PermissionRequest(request_id=request_id, tool_name=tool, input=arguments)


def write_rules(path: Path, **lists: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"permissions": lists}), encoding="utf-8")


def test_what_a_rule_approves_is_recorded_and_not_asked(asking: Asking, agent: Any) -> None:
    asking.heard.messages.clear()

    decision = asking.once(bash("git status -s"), session=of(agent))

    assert decision == Decision(behavior="allow")
    assert asking.heard.messages == [
        (
            ("*", f"session:{SESSION}"),
            {
                "type": "agent.permission_resolved",
                "permissionKey": f"{SESSION}:r1",
                "sessionId": SESSION,
                "requestId": "r1",
            },
        )
    ]
    ((session_id, event_type, payload),) = asking.recorded.events
    assert (session_id, event_type) == (SESSION, "permission_request")
    assert payload == {
        "requestId": "r1",
        "toolName": "Bash",
        "toolUseId": None,
        "input": {"command": "git status -s"},
        "description": "Show the state of the work tree",
        "autoApproved": True,
    }
    assert [row["status"] for row in asking.rows()] == ["auto_approved"]


def test_a_request_waits_until_a_person_allows_it(
    asking: Asking, agent: Any, project: Any, make: Factory
) -> None:
    ticket = make.ticket(project)
    session = of(agent, project, ticket_id=ticket["id"], ticket_number=ticket["ticket_number"])

    async def scenario() -> Decision:
        asked = await asking.start(bash("git push"), session)
        assert asking.pending() == [
            {
                "permissionKey": f"{SESSION}:r1",
                "sessionId": SESSION,
                "requestId": "r1",
                "toolName": "Bash",
                "input": {"command": "git push"},
                "description": "Push to a remote",
                "ticketNumber": ticket["ticket_number"],
                "projectId": project["id"],
            }
        ]
        (topics, message) = asking.heard.messages[-1]
        assert topics == ("*", f"session:{SESSION}")
        assert message == {"type": "agent.permission_pending", **asking.pending()[0]}
        await asking.reply(allow())
        return await asked

    assert asking.run(scenario) == Decision(behavior="allow")
    assert asking.pending() == []
    assert asking.heard.types()[-2:] == ["agent.permission_pending", "agent.permission_resolved"]
    assert asking.recorded.events[-1] == (
        SESSION,
        "permission_response",
        {"requestId": "r1", "behavior": "allow"},
    )


def test_a_request_without_ticket_and_project_leaves_them_out(asking: Asking) -> None:
    async def scenario() -> None:
        asked = await asking.start(bash("rm x"), SessionRef(id=SESSION, project_id="gone"))
        (waiting,) = asking.pending()
        assert not {"ticketNumber", "projectId"} & set(waiting)
        await asking.withdraw(asked)

    asking.run(scenario)


def test_the_agent_is_told_why_it_is_denied(asking: Asking) -> None:
    decision = asking.once(bash("rm x"), deny("not that one"))

    assert decision == Decision(behavior="deny", message="not that one")
    assert asking.recorded.events[-1][2]["message"] == "not that one"


@pytest.mark.parametrize(("given", "wanted"), [(None, None), ({}, None), ({"a": 1}, {"a": 1})])
def test_an_empty_input_does_not_wipe_what_was_asked(
    asking: Asking, given: Any, wanted: Any
) -> None:
    decision = asking.once(bash("rm x"), allow(updated_input=given))

    assert decision == Decision(behavior="allow", updated_input=wanted)


@pytest.mark.parametrize(
    ("config", "request_", "is_approved"),
    [
        ({}, bash("git log | head"), True),
        ({}, bash("rm x"), False),
        ({}, use("Read", file_path="/x"), True),
        ({}, use("Write", file_path="/x"), False),
        ({}, use("mcp__kombuse__add_comment"), True),
        ({"type": "coder"}, bash("rm x"), True),
        ({"type": "coder"}, use("Edit", file_path="/x"), True),
        ({"type": "generic"}, bash("ls"), False),
        ({"type": "generic"}, use("Read", file_path="/x"), True),
        ({"auto_approved_tools_override": ["WebFetch"]}, use("WebFetch", url="http://x"), True),
        ({"auto_approved_bash_commands_override": ["npm test"]}, bash("npm test"), True),
        ({"clear_base_bash_commands": True}, bash("git status"), False),
    ],
)
def test_presets_and_overrides_approve(
    asking: Asking,
    client: TestClient,
    config: dict[str, Any],
    request_: PermissionRequest,
    is_approved: bool,
) -> None:
    body = {"name": "A", "description": "d", "system_prompt": "p", "config": config}
    made = client.post("/api/agents", json=body).json()

    assert (asking.once(request_, session=of(made)) is not None) is is_approved


def test_a_session_without_an_agent_has_the_default_preset(asking: Asking) -> None:
    assert asking.once(bash("git status")) is not None
    assert asking.once(use("Write", file_path="/x")) is None


@pytest.mark.parametrize("change", ["disabled", "deleted"])
def test_an_agent_that_is_gone_or_disabled_has_no_rights(
    asking: Asking, client: TestClient, agent: Any, change: str
) -> None:
    if change == "disabled":
        client.patch(f"/api/agents/{agent['id']}", json={"is_enabled": False})
    else:
        client.delete(f"/api/agents/{agent['id']}")

    assert asking.once(bash("git status"), session=of(agent)) is None


def test_a_tool_permission_approves_what_its_pattern_fits(
    asking: Asking, client: TestClient, agent: Any, folder: Path, project: Any
) -> None:
    permissions = [{"type": "tool", "tool": "mcp__github__*", "scope": "global"}]
    client.patch(f"/api/agents/{agent['id']}", json={"permissions": permissions})

    assert asking.once(use("mcp__github__star"), session=of(agent)) is not None
    assert asking.once(use("mcp__other__star"), session=of(agent)) is None
    write_rules(folder / ".kombuse" / "permissions.json", deny=["mcp__github__star"])
    assert asking.once(use("mcp__github__star"), session=of(agent, project)) is None


@pytest.mark.parametrize("tool", ["AskUserQuestion", "ExitPlanMode"])
def test_a_pattern_does_not_answer_questions_in_the_place_of_a_person(
    asking: Asking, client: TestClient, agent: Any, tool: str
) -> None:
    permissions = [{"type": "tool", "tool": "*", "scope": "global"}]
    client.patch(f"/api/agents/{agent['id']}", json={"permissions": permissions})

    assert asking.once(use("Anything"), session=of(agent)) is not None
    assert asking.once(use(tool), session=of(agent)) is None


def test_files_allow_and_deny(
    asking: Asking, agent: Any, project: Any, folder: Path, kombuse_home: Path
) -> None:
    write_rules(
        kombuse_home / "permissions.json", allow=["Bash(npm test *)", "WebFetch"], deny=["Read"]
    )
    write_rules(
        folder / ".kombuse" / "permissions.json",
        allow=["Bash(make)", 7],
        deny=["Bash(git status *)", "Bash(git)"],
    )
    session = of(agent, project)

    def is_approved(request: PermissionRequest) -> bool:
        return asking.once(request, session=session) is not None

    assert is_approved(bash("npm test"))
    assert is_approved(bash("make all"))
    assert is_approved(use("WebFetch", url="http://x"))
    assert not is_approved(use("Read", file_path="/x"))
    assert not is_approved(bash("git status"))
    assert asking.once(bash("make all"), session=of(agent)) is None


@pytest.mark.parametrize(
    "path",
    ["{folder}/.kombuse/permissions.json", ".kombuse/permissions.json", "{home}/config.json"],
)
def test_no_rule_approves_a_change_of_the_rules(
    asking: Asking, client: TestClient, project: Any, folder: Path, kombuse_home: Path, path: str
) -> None:
    body = {
        "name": "A",
        "description": "d",
        "system_prompt": "p",
        "config": {"type": "coder"},
        "permissions": [{"type": "tool", "tool": "*", "scope": "global"}],
    }
    coder = client.post("/api/agents", json=body).json()
    target = path.format(folder=folder, home=kombuse_home)

    assert asking.once(use("Write", file_path=target), session=of(coder, project)) is None
    assert asking.once(use("Write", file_path="src/x"), session=of(coder, project)) is not None


def test_requests_of_another_run_with_the_same_id_are_told_apart(asking: Asking) -> None:
    asking.once(bash("rm a", "0"), allow())

    async def scenario() -> None:
        asked = await asking.start(bash("rm b", "0"))
        assert [item["requestId"] for item in asking.pending()] == ["0~2"]
        await asking.reply(allow(), "0~2")
        assert (await asked).behavior == "allow"

    asking.run(scenario)
    assert [row["request_id"] for row in asking.rows()] == ["0", "0~2"]


def test_a_request_that_nobody_waits_for_is_withdrawn(asking: Asking) -> None:
    assert asking.once(bash("rm x")) is None

    assert [row["status"] for row in asking.rows()] == ["withdrawn"]
    assert asking.heard.types() == ["agent.permission_pending", "agent.permission_resolved"]
    assert asking.recorded.events[-1][2]["behavior"] == "deny"


def test_a_request_can_be_set_to_expire(asking: Asking, client: TestClient) -> None:
    key = "agent.permission_timeout_minutes"
    body = {"profile_id": "user-1", "setting_key": key, "setting_value": "1"}
    client.put("/api/profile-settings", json=body)
    slept: list[float | None] = []
    wait_for = asyncio.wait_for

    async def at_once(awaitable: Any, timeout: float | None) -> Any:
        slept.append(timeout)
        return await wait_for(awaitable, 0.01)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kombuse_plugins.permissions.service.asyncio.wait_for", at_once)
        decision = asyncio.run(_decided(asking))

    assert slept == [60.0]
    assert decision == Decision(behavior="deny", message="Nobody answered the request in time")
    assert [row["status"] for row in asking.rows()] == ["denied"]


async def _decided(asking: Asking) -> Decision:
    return await asking.permissions.ask(SessionRef(id=SESSION), bash("rm x"))


@pytest.mark.parametrize("text", ["", "0", "-5", "1.5", "x", "²", "9" * 5000])
def test_an_unusable_expiry_counts_as_none(asking: Asking, client: TestClient, text: str) -> None:
    key = "agent.permission_timeout_minutes"
    body = {"profile_id": "user-1", "setting_key": key, "setting_value": text}
    client.put("/api/profile-settings", json=body)

    assert asking.once(bash("rm x"), allow()) is not None


@pytest.mark.parametrize(
    "value", [float("nan"), "\ud800", 10**400, {"a": {"b": [1, None, True]}}, ["x"] * 9]
)
def test_any_input_can_be_asked_about(asking: Asking, value: Any) -> None:
    decision = asking.once(use("Tool", value=value), allow())

    assert decision == Decision(behavior="allow")
    json.loads(asking.rows()[0]["input"])


def test_a_huge_input_is_cut_and_still_bound_to_its_request(asking: Asking) -> None:
    first, second = "x" * 10_000_000, "x" * 9_999_999 + "y"

    asking.once(use("Write", "r1", content=first, file_path="/x"), deny())
    asking.once(use("Write", "r2", content=second, file_path="/x"), allow())

    one, two = asking.rows()
    assert one["argument_hash"] != two["argument_hash"]
    assert len(one["input"]) < 100_100
    assert json.loads(one["input"])["_truncated"] is True


def test_endless_nesting_is_cut(asking: Asking) -> None:
    value: Any = "x"
    for _ in range(300):
        value = [value]

    assert asking.once(use("Tool", value=value), allow()) == Decision(behavior="allow")


def test_inputs_never_reach_the_log_of_the_server(
    asking: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    asking.once(bash("curl -H 'Authorization: Bearer canary-123'"), deny("canary-123"))
    asking.once(bash("TOKEN=canary-123 x", "r2"))

    assert "canary-123" not in caplog.text
    assert "Bash" in caplog.text


def test_requests_left_over_by_a_crash_are_withdrawn_at_the_start(
    asking: Asking, kernel: Kernel
) -> None:
    from kombuse_plugins.permissions.service import withdraw_leftovers

    asking.once(bash("rm a"), allow())
    with kernel.db.write() as tx:
        tx.execute("UPDATE permission_requests SET status = 'pending', resolved_at = NULL")
    with kernel.db.write() as tx:
        withdraw_leftovers(tx)

    assert [(row["status"], row["resolved_at"] is None) for row in asking.rows()] == [
        ("withdrawn", False)
    ]


def test_a_request_without_live_messages_and_sessions_works(tmp_path: Path) -> None:
    from kombuse_kernel.app import kernel_for_tests

    home = tmp_path / "bare"
    home.mkdir()
    disabled = ["agents", "triggers", "sessions", "realtime", "sync", "tickets", "settings"]
    (home / "config.json").write_text(json.dumps({"disabled_plugins": disabled}))
    kernel = kernel_for_tests(home, [])
    kernel.start()
    try:

        async def scenario() -> Decision:
            permissions = kernel.services.get(Permissions)
            request = bash("ls")
            asked = asyncio.ensure_future(permissions.ask(SessionRef(id=SESSION), request))
            while True:
                with kernel.db.read() as tx:
                    if permissions.pending(tx):
                        break
                await asyncio.sleep(0.001)
            await asyncio.to_thread(permissions.answer, SESSION, "r1", allow())
            return await asked

        assert asyncio.run(scenario()) == Decision(behavior="allow")
    finally:
        kernel.stop()
