"""Agents over REST, with their profiles; and the contract that others use."""

import json
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import FakeSessions, make_agent
from tests.fakes import fake_plugin
from tests.plans import Planner

from kombuse_plugins.agents import queries
from kombuse_plugins.agents.schemas import AgentFilter
from kombuse_sdk.contracts import Agents
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.errors import NotFound
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

REQUIRED = {"name": "A", "description": "d", "system_prompt": "s"}
NOBODY = "00000000-0000-4000-8000-00000000dead"


class Quiet:
    """A backend of another plugin."""

    name = "quiet"


@pytest.fixture
def plugins_under_test(sessions: FakeSessions) -> list[object]:
    return [sessions.plugin(), fake_plugin("quiet", agent_backends=lambda: [Quiet()])]


def create(client: TestClient, **values: Any) -> Any:
    return client.post("/api/agents", json=REQUIRED | values)


def listed(client: TestClient, **query: Any) -> list[str]:
    answer = client.get("/api/agents", params=query)
    assert answer.status_code == 200, answer.text
    return [agent["slug"] for agent in answer.json()]


def profile(client: TestClient, agent: Any) -> Any:
    return client.get(f"/api/profiles/{agent['id']}").json()


def test_a_new_agent_has_defaults_and_a_profile(client: TestClient) -> None:
    made = create(client, name="Code Reviewer!", plugin_id="p").json()

    assert made == {
        "id": str(uuid.UUID(made["id"])),
        "slug": "code-reviewer",
        "system_prompt": "s",
        "permissions": [],
        "config": {},
        "is_enabled": True,
        "plugin_id": None,
        "project_id": None,
        "plugin_base": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    shown = profile(client, made)
    assert (shown["type"], shown["name"], shown["description"]) == ("agent", "Code Reviewer!", "d")
    assert shown["is_active"]


def test_one_agent_shows_its_preset(client: TestClient) -> None:
    made = make_agent(client, config={"type": "generic"})
    preset = {
        "type": "generic",
        "autoApprovedTools": ["Grep", "Glob", "Read"],
        "autoApprovedBashCommands": [],
    }

    expected = {**made, "resolved_preset": preset}
    assert client.get(f"/api/agents/{made['id']}").json() == expected
    assert client.get("/api/agents/by-slug/helper").json() == expected
    assert client.get("/api/agents").json() == [expected]


@pytest.mark.parametrize("path", [f"/api/agents/{NOBODY}", "/api/agents/by-slug/nobody"])
def test_an_unknown_agent_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.json()) == (404, {"error": "Agent not found"})


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", ""), ("DELETE", ""), ("POST", "/reset-to-plugin-defaults")]
)
def test_an_unknown_agent_cannot_be_changed(client: TestClient, method: str, path: str) -> None:
    body: Any = {} if method == "PATCH" else None

    answer = client.request(method, f"/api/agents/{NOBODY}{path}", json=body)

    assert (answer.status_code, answer.json()) == (404, {"error": f"Agent {NOBODY} not found"})


@pytest.mark.parametrize(
    "config",
    [
        {"type": {"any": ["thing"]}},
        {"type": "toString", "model": "m", "max_tokens": 1, "temperature": 0},
        {"temperature": 1, "timeout_ms": 5, "max_chain_depth": 100, "max_retries": 0},
        {"anthropic": {"thinking": True, "thinking_budget": 1024, "other": [1]}},
        {"anthropic": {"thinking": {"type": "enabled"}}, "openai": {"response_format": "json"}},
        {"openai": {"response_format": {"type": "json_schema"}}, "min_backend_version": "1.2.3-b"},
        {"clear_base_bash_commands": True, "auto_approved_bash_commands_override": ["make test"]},
        {"unknown": {"kept": [None, 1.5, "x"]}, "anthropic.thinking": "literal key"},
    ],
)
def test_a_configuration_is_kept_with_keys_that_nobody_knows(
    client: TestClient, config: Any
) -> None:
    made = make_agent(client, config=config)

    assert made["config"] == config
    assert client.get(f"/api/agents/{made['id']}").json()["config"] == config


@pytest.mark.parametrize(
    "config",
    [
        {"backend_type": "gpt"},
        {"backend_type": None},
        {"model": 5},
        {"max_tokens": 0},
        {"temperature": 1.1},
        {"temperature": True},
        {"anthropic": {"thinking": "yes"}},
        {"anthropic": True},
        {"openai": {"response_format": "xml"}},
        {"max_chain_depth": 101},
        {"max_chain_depth": 0},
        {"max_retries": -1},
        {"timeout_ms": 1.5},
        {"enabled_for_chat": 1},
        {"auto_approved_tools_override": "Read"},
        {"auto_approved_tools_override": [1]},
        {"min_backend_version": "latest"},
        {"max_concurrent": 0},
    ],
)
def test_configurations_that_do_not_fit_are_refused(client: TestClient, config: Any) -> None:
    answer = create(client, config=config)

    assert answer.status_code == 400
    (name,) = config
    assert {tuple(issue["path"][:2]) for issue in answer.json()["error"]} == {("config", name)}


@pytest.mark.parametrize("name", ["claude-code", "codex", "mock", "quiet"])
def test_an_agent_may_use_any_backend_that_is_offered(client: TestClient, name: str) -> None:
    assert make_agent(client, config={"backend_type": name})["config"] == {"backend_type": name}


def test_the_backends_to_choose_from_are_named(client: TestClient) -> None:
    agent = make_agent(client)
    bodies = {"/api/agents": REQUIRED, f"/api/agents/{agent['id']}": {}}
    known = ["claude-code", "codex", "mock", "quiet"]

    for path, body in bodies.items():
        answer = client.request(
            "PATCH" if body == {} else "POST", path, json=body | {"config": {"backend_type": "gpt"}}
        )

        assert answer.status_code == 400
        (issue,) = answer.json()["error"]
        assert issue["path"] == ["config", "backend_type"]
        assert (issue["code"], issue["values"]) == ("invalid_value", known)


def test_a_backend_whose_plugin_is_gone_does_not_hinder_other_changes(
    kernel: Kernel, client: TestClient
) -> None:
    agent = make_agent(client)
    config = '{"backend_type": "gone"}'
    with kernel.db.write() as tx:
        tx.execute("UPDATE agents SET config = ? WHERE id = ?", (config, agent["id"]))

    body = {"config": {"backend_type": "gone", "model": "m"}}
    answer = client.patch(f"/api/agents/{agent['id']}", json=body)

    assert answer.json()["config"] == body["config"]


def test_numbers_beyond_all_range_are_refused(client: TestClient) -> None:
    body = json.dumps(REQUIRED)[:-1] + ', "config": {"x": 1e999}}'

    answer = client.post("/api/agents", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "permission",
    [
        {"type": "resource", "resource": "ticket", "actions": ["*"], "scope": "global"},
        {
            "type": "resource",
            "resource": "ticket.*",
            "actions": ["read"],
            "scope": "project",
            "filter": {"status": "open"},
        },
        {
            "type": "resource",
            "resource": "comment",
            "actions": ["create"],
            "scope": "invocation",
            "filter": "mine",
        },
        {"type": "tool", "tool": "Bash", "scope": "project"},
    ],
)
def test_permissions_are_kept_as_they_are(client: TestClient, permission: Any) -> None:
    made = make_agent(client, permissions=[{**permission, "unknown": 1}])

    assert made["permissions"] == [permission]


@pytest.mark.parametrize(
    "permission",
    [
        {},
        {"type": "robot"},
        {"type": "tool", "tool": "", "scope": "global"},
        {"type": "tool", "tool": "Bash", "scope": "world"},
        {"type": "resource", "resource": "ticket", "actions": [], "scope": "global"},
        {"type": "resource", "resource": "ticket", "actions": ["write"], "scope": "global"},
        {"type": "resource", "actions": ["read"], "scope": "global"},
        {
            "type": "resource",
            "resource": "ticket",
            "actions": ["read"],
            "scope": "global",
            "filter": 5,
        },
    ],
)
def test_permissions_that_do_not_fit_are_refused(client: TestClient, permission: Any) -> None:
    answer = create(client, permissions=[permission])

    assert answer.status_code == 400
    assert {issue["path"][0] for issue in answer.json()["error"]} == {"permissions"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("id", "abc", "Must be a valid UUID"),
        ("slug", "Not Kebab", None),
        ("name", "", None),
        ("description", "", None),
        ("system_prompt", "", None),
        ("is_enabled", "true", None),
        ("project_id", None, None),
    ],
)
def test_fields_that_do_not_fit_are_refused(
    client: TestClient, field: str, value: Any, message: str | None
) -> None:
    answer = create(client, **{field: value})

    assert answer.status_code == 400
    (issue,) = answer.json()["error"]
    assert issue["path"] == [field]
    assert message is None or issue["message"] == message


def test_a_slug_is_taken_once_in_a_project_and_for_all_by_a_global_agent(
    client: TestClient, make: Factory
) -> None:
    one, other = make.project()["id"], make.project()["id"]

    assert create(client, slug="x", project_id=one).status_code == 201
    assert create(client, slug="x", project_id=one).json() == {
        "error": "Agent with slug 'x' already exists"
    }
    assert create(client, slug="x", project_id=other).status_code == 201
    assert create(client, slug="x").status_code == 409
    assert create(client, slug="y").status_code == 201
    assert create(client, slug="y", project_id=one).status_code == 201


def test_names_without_letters_are_numbered(client: TestClient) -> None:
    slugs = [create(client, name="助手").json()["slug"] for _ in range(3)]

    assert slugs == ["agent", "agent-2", "agent-3"]


def test_a_very_long_name_makes_a_slug_that_fits(client: TestClient) -> None:
    made = create(client, name="word " * 100).json()

    assert len(made["slug"]) <= 100
    assert client.get(f"/api/agents/by-slug/{made['slug']}").status_code == 200


def test_an_unknown_project_leaves_no_profile_behind(client: TestClient) -> None:
    answer = create(client, id=NOBODY, project_id="nowhere")

    assert (answer.status_code, answer.json()) == (404, {"error": "Project not found"})
    assert client.get(f"/api/profiles/{NOBODY}").status_code == 404


def test_an_id_serves_one_agent(client: TestClient) -> None:
    create(client, id=NOBODY)

    again = create(client, id=NOBODY, name="B")

    assert (again.status_code, again.json()) == (
        409,
        {"error": f"Agent {NOBODY} already exists"},
    )


def test_a_person_does_not_become_an_agent(client: TestClient, make: Factory) -> None:
    person = make.profile(id=NOBODY)

    answer = create(client, id=person["id"])

    assert answer.status_code == 409
    assert answer.json() == {"error": f"Profile {NOBODY} is not of type 'agent'"}


def test_a_profile_of_an_agent_is_taken_over_and_brought_up_to_date(client: TestClient) -> None:
    create(client, id=NOBODY, name="Old", description="old")
    client.delete(f"/api/agents/{NOBODY}")

    made = create(client, id=NOBODY, name="New", description="new").json()

    shown = profile(client, made)
    assert (shown["name"], shown["description"], shown["is_active"]) == ("New", "new", True)


def test_a_deleted_agent_leaves_an_inactive_profile_and_its_runs_are_stopped(
    client: TestClient, sessions: FakeSessions
) -> None:
    made = make_agent(client)

    assert client.delete(f"/api/agents/{made['id']}").status_code == 204

    assert client.get(f"/api/agents/{made['id']}").status_code == 404
    assert profile(client, made)["is_active"] is False
    assert sessions.stopped_agents == [made["id"]]


def test_a_change_replaces_permissions_and_configuration_as_a_whole(client: TestClient) -> None:
    made = make_agent(client, config={"model": "m", "type": "coder"})
    permission = {"type": "tool", "tool": "Bash", "scope": "global"}
    changes = {
        "system_prompt": "Be brief.",
        "permissions": [permission],
        "config": {"enabled_for_chat": True},
        "is_enabled": False,
    }

    ignored = {"name": "N", "slug": "n", "project_id": "p", "plugin_base": {}}
    changed = client.patch(f"/api/agents/{made['id']}", json=changes | ignored).json()

    assert changed == {**made, **changes, "updated_at": changed["updated_at"]}


def test_the_same_values_change_nothing(client: TestClient) -> None:
    made = make_agent(client, config={"a": 1, "b": True})
    path = f"/api/agents/{made['id']}"

    assert client.patch(path, json={}).json() == made
    assert client.patch(path, json={"config": made["config"], "is_enabled": True}).json() == made
    changed = client.patch(path, json={"config": {"a": True, "b": 1}}).json()
    assert changed["config"] == {"a": True, "b": 1}
    assert changed["config"]["a"] is True


def test_a_change_that_does_not_fit_changes_nothing(client: TestClient) -> None:
    made = make_agent(client)
    path = f"/api/agents/{made['id']}"

    wrong: tuple[Any, ...] = (
        {"system_prompt": ""},
        {"config": None},
        {"is_enabled": 1},
        {"permissions": {}},
    )
    for body in wrong:
        assert client.patch(path, json={"system_prompt": "x"} | body).status_code == 400

    assert client.get(path).json()["system_prompt"] == "Help."


def test_an_agent_of_a_package_goes_back_to_what_the_package_brought(
    kernel: Kernel, client: TestClient
) -> None:
    made = make_agent(client)
    path = f"/api/agents/{made['id']}"
    base = {
        "system_prompt": "Base.",
        "permissions": [{"type": "tool", "tool": "Read", "scope": "global"}],
        "config": {"type": "coder"},
        "is_enabled": False,
    }
    with kernel.db.write() as tx:
        sql = "UPDATE agents SET plugin_base = ?, plugin_id = 'kit' WHERE id = ?"
        tx.execute(sql, (json.dumps(base), made["id"]))

    reset = client.post(f"{path}/reset-to-plugin-defaults").json()

    assert {name: reset[name] for name in base} == base
    assert reset["plugin_base"] == base
    assert reset["resolved_preset"]["type"] == "coder"


def test_an_agent_of_its_own_has_nothing_to_go_back_to(client: TestClient) -> None:
    made = make_agent(client)

    answer = client.post(f"/api/agents/{made['id']}/reset-to-plugin-defaults")

    message = f"Agent {made['id']} has no plugin defaults to reset to"
    assert (answer.status_code, answer.json()) == (409, {"error": message})


def test_lists_are_filtered_and_the_newest_comes_first(client: TestClient, make: Factory) -> None:
    project = make.project()
    make_agent(client, "one", config={"enabled_for_chat": True})
    make_agent(client, "two", is_enabled=False, config={"enabled_for_chat": False})
    make_agent(client, "three", project_id=project["slug"])
    make_agent(client, "four", project_id=make.project()["id"])

    assert listed(client) == ["four", "three", "two", "one"]
    assert listed(client, is_enabled="true") == ["four", "three", "one"]
    assert listed(client, is_enabled="false") == ["two"]
    assert listed(client, is_enabled="0") == ["two"]
    assert listed(client, enabled_for_chat="1") == ["one"]
    assert listed(client, enabled_for_chat="false") == ["four", "three", "two"]
    assert listed(client, project_id=project["id"]) == ["three", "two", "one"]
    assert listed(client, project_id=project["slug"]) == ["three", "two", "one"]
    assert listed(client, project_id="nowhere") == ["two", "one"]
    assert listed(client, limit=1, offset=1) == ["three"]
    assert listed(client, limit=5000) == listed(client)
    assert client.get("/api/agents", params={"limit": 0}).status_code == 400


def test_a_slug_finds_the_global_agent_unless_a_project_is_named(
    kernel: Kernel, client: TestClient, make: Factory
) -> None:
    project, other = make.project(), make.project()
    local = make_agent(client, "same", project_id=project["id"])
    packaged = make_agent(client, "other")
    with kernel.db.write() as tx:
        sql = "UPDATE agents SET plugin_id = 'kit', slug = 'same' WHERE id = ?"
        tx.execute(sql, (packaged["id"],))

    def found(**query: Any) -> Any:
        return client.get("/api/agents/by-slug/same", params=query).json().get("id")

    assert found() == packaged["id"]
    assert found(project_id=project["slug"]) == local["id"]
    assert found(project_id=other["id"]) == packaged["id"]
    assert found(plugin_id="kit") == packaged["id"]
    assert found(plugin_id="none") is None
    with kernel.db.read() as reader:
        agents = reader.services.get(Agents)
        assert agents.find_by_slug(reader, "same", project["id"]) == local["id"]
        assert agents.find_by_slug(reader, "same", None) == packaged["id"]
        assert agents.find_by_slug(reader, "nobody", None) is None


def test_agents_of_a_project_go_with_it(client: TestClient, make: Factory) -> None:
    project = make.project()
    make_agent(client, project_id=project["id"])

    client.delete(f"/api/projects/{project['id']}")

    assert listed(client) == []


def test_profiles_can_be_asked_for_their_agents(client: TestClient, make: Factory) -> None:
    here, elsewhere = make.project(), make.project()
    make_agent(client, "everywhere")
    make_agent(client, "here", project_id=here["id"])
    make_agent(client, "elsewhere", project_id=elsewhere["id"])

    def names(**query: Any) -> set[str]:
        return {p["name"] for p in client.get("/api/profiles", params=query).json()}

    assert names(has_agent="true") == {"everywhere", "here", "elsewhere"}
    assert names(has_agent="true", project_id=here["id"]) == {"everywhere", "here"}
    assert names(has_agent="true", project_id=here["slug"]) == {"everywhere", "here"}
    assert names(has_agent="true", project_id="nowhere") == {"everywhere"}
    without = {"Default User", "Anonymous Agent"}
    assert names(has_agent="false") == names(has_agent="0", project_id=here["id"]) == without


def test_what_is_always_approved_is_added_once(kernel: Kernel, client: TestClient) -> None:
    made = make_agent(client, config={"auto_approved_tools_override": ["Edit"]})
    with kernel.db.write() as tx:
        agents = tx.services.get(Agents)
        for kind, value in [
            ("tool", "Edit"),
            ("tool", "Write"),
            ("bash", "make"),
            ("bash", "make"),
        ]:
            agents.approve_always(tx, made["id"], kind, value)
        with pytest.raises(NotFound):
            agents.approve_always(tx, NOBODY, "tool", "Edit")

    with kernel.db.read() as reader:
        agent = reader.services.get(Agents).get(reader, made["id"])

    assert agent is not None
    assert agent.config == {
        "auto_approved_tools_override": ["Edit", "Write"],
        "auto_approved_bash_commands_override": ["make"],
    }
    assert agent.preset.auto_approved_tools[-2:] == ("Edit", "Write")


def test_plugins_learn_which_agents_work_in_a_project(
    kernel: Kernel, client: TestClient, make: Factory
) -> None:
    project = make.project()
    make_agent(client, "Off", is_enabled=False)
    make_agent(client, "Elsewhere", project_id=make.project()["id"])
    gone = make_agent(client, "Gone")
    client.delete(f"/api/profiles/{gone['id']}")
    local = make_agent(client, "Local", project_id=project["id"])
    make_agent(client, "Everywhere")

    with kernel.db.read() as tx:
        listing = tx.services.get(Agents).listing(tx, project["id"])

    assert [agent["name"] for agent in listing] == ["Everywhere", "Local"]
    assert listing[1] == {
        "id": local["id"],
        "name": "Local",
        "description": "about Local",
        "slug": "local",
    }


def test_plugins_learn_the_types_of_agents(kernel: Kernel, client: TestClient) -> None:
    coder = make_agent(client, "C", config={"type": "coder"})["id"]
    plain = make_agent(client, "P")["id"]
    odd = make_agent(client, "O", config={"type": 5})["id"]

    with kernel.db.read() as tx:
        agents = tx.services.get(Agents)
        assert agents.types(tx, [coder, plain, odd, "nobody"]) == {
            coder: "coder",
            plain: None,
            odd: None,
        }
        assert agents.of_types(tx, ["coder", "5"]) == [coder]
        assert agents.get(tx, "nobody") is None
        assert agents.may_invoke_agents(tx, LOCAL_USER)
        assert agents.may_invoke_agents(tx, ANONYMOUS_AGENT)


@pytest.mark.parametrize("query", [{}, {"project_id": "p"}, {"is_enabled": "true"}])
def test_the_list_is_ordered_by_an_index(kernel: Kernel, query: Any) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.page(planner, AgentFilter(**query), "p")

    assert not [line for line in planner.plan if "TEMP B-TREE" in line]
