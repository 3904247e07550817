"""The agents that packages bring, with their profiles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import FakeSessions, make_agent, make_trigger
from tests.package_sections import Kit, agent_file, brought
from tests.plans import Planner

from kombuse_plugins.agents import queries
from kombuse_plugins.profiles.queries import of_package
from kombuse_sdk.agent_files import parse_agent_file
from kombuse_sdk.contracts import Agents, Profiles
from kombuse_sdk.errors import BadRequest, Unprocessable
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


@pytest.fixture
def project(make: Factory) -> Any:
    return make.project()


@pytest.fixture
def kit(kernel: Kernel, project: Any) -> Kit:
    return Kit(kernel, project["id"])


def files(**texts: str) -> dict[str, bytes]:
    """Agent files by slug, each with its front matter."""
    return {f"agents/{slug}.md": agent_file(text) for slug, text in texts.items()}


def agents(client: TestClient, project: Any) -> dict[str, Any]:
    found = client.get("/api/agents", params={"project_id": project["id"]}).json()
    return {agent["slug"]: agent for agent in found}


def profile(client: TestClient, agent: Any) -> Any:
    return client.get(f"/api/profiles/{agent['id']}").json()


def patch(client: TestClient, agent: Any, **values: Any) -> Any:
    return client.patch(f"/api/agents/{agent['id']}", json=values).raise_for_status().json()


def test_an_agent_is_what_its_file_says(client: TestClient, project: Any, kit: Kit) -> None:
    text = """\
description: Picks labels
avatar: search
model: m1
backend_type: mock
enabled_for_chat: true
permissions:
  - {type: tool, tool: search_tickets, scope: global}
config: {temperature: 0.2, model: never}
"""

    done = kit.install({"agents/triager.md": agent_file(text, "Sort.\n\nAll.", name="Triager")})

    agent = agents(client, project)["triager"]
    config = {
        "temperature": 0.2,
        "type": "kombuse",
        "model": "m1",
        "backend_type": "mock",
        "enabled_for_chat": True,
    }
    state = {
        "system_prompt": "Sort.\n\nAll.",
        "permissions": [{"type": "tool", "tool": "search_tickets", "scope": "global"}],
        "config": config,
        "is_enabled": True,
    }
    assert {name: agent[name] for name in state} == state == agent["plugin_base"]
    assert (agent["plugin_id"], agent["project_id"]) == ("plugin-1", project["id"])
    shown = profile(client, agent)
    assert (shown["name"], shown["slug"], shown["description"], shown["avatar_url"]) == (
        *("Triager", "triager", "Picks labels", "search"),
    )
    assert (shown["type"], shown["plugin_id"], shown["is_active"]) == ("agent", "plugin-1", True)
    assert done.counters == {"agents_created": 1}
    assert done.warnings == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"---\nname: [\n---\nx\n", "(line 3, column 1)"),
        (b"---\nname: \xff\n---\nx\n", "no UTF-8 text"),
        (agent_file("slug: No Slug\n"), "slug: Expected lower-case words joined by hyphens"),
        (agent_file("config: {temperature: 7}\n"), "config.temperature: "),
        (agent_file("permissions: [{type: tool}]\n"), "permissions.0"),
        (agent_file("backend_type: gpt\n"), 'config.backend_type: Expected one of "claude-code"'),
        (agent_file("triggers: [{slug: a}]\n"), "triggers.0.event_type: "),
        (
            agent_file("triggers: [{event_type: mention.created}]\n"),
            "triggers.0: mention.created triggers require explicit conditions",
        ),
        (agent_file("slug: other\n"), "agents/a.md has the slug other as well"),
    ],
)
def test_a_bad_file_refuses_the_package(
    client: TestClient, project: Any, kit: Kit, content: bytes, reason: str
) -> None:
    package = {"agents/a.md": agent_file("slug: other\n"), "agents/b.md": content}

    with pytest.raises(BadRequest) as raised:
        kit.install(package, labels=[{"name": "Left behind"}])

    assert raised.value.message.startswith("Invalid agent file agents/b.md: ")
    assert reason in raised.value.message
    assert agents(client, project) == {}
    assert client.get(f"/api/projects/{project['id']}/labels").json() == []


def test_only_markdown_directly_in_the_folder_is_read(
    client: TestClient, project: Any, kit: Kit
) -> None:
    kit.install(
        {
            "agents/README.txt": b"no agent",
            "agents/below/deeper.md": b"no agent",
            "other.md": b"no agent",
            **files(a=""),
        }
    )

    assert list(agents(client, project)) == ["a"]


def test_an_update_keeps_what_a_person_changed(client: TestClient, project: Any, kit: Kit) -> None:
    old = "config: {temperature: 0.2, max_chain_depth: 3}\n"
    kit.install({"agents/a.md": agent_file(f"description: one\navatar: x\n{old}", "Old.")})
    agent = agents(client, project)["a"]
    patch(client, agent, config={**agent["config"], "temperature": 0.9}, is_enabled=False)

    new = "model: m2\nconfig: {temperature: 0.2, max_chain_depth: 5}\n"
    done = kit.install({"agents/a.md": agent_file(new, "New.", name="Renamed")})

    updated = agents(client, project)["a"]
    assert updated["id"] == agent["id"]
    assert updated["system_prompt"] == "New."
    assert updated["is_enabled"] is False
    assert updated["config"] == {
        "temperature": 0.9,
        "max_chain_depth": 5,
        "type": "kombuse",
        "model": "m2",
        "enabled_for_chat": False,
    }
    assert updated["plugin_base"]["config"]["temperature"] == 0.2
    assert updated["plugin_base"]["is_enabled"] is True
    shown = profile(client, agent)
    assert (shown["name"], shown["description"], shown["avatar_url"]) == ("Renamed", "one", "x")
    assert brought(done, "agents") == {"updated": 1}

    reset = client.post(f"/api/agents/{agent['id']}/reset-to-plugin-defaults").json()
    assert (reset["config"]["temperature"], reset["is_enabled"]) == (0.2, True)


def test_installing_the_same_again_changes_nothing(
    client: TestClient, project: Any, kit: Kit
) -> None:
    package = files(a="triggers: [{event_type: ticket.created}]\n")
    kit.install(package)
    before = agents(client, project)["a"]

    kit.install(package)

    assert agents(client, project)["a"] == before


def test_an_agent_that_is_gone_from_the_package_goes(
    client: TestClient, project: Any, kit: Kit, sessions: FakeSessions
) -> None:
    kit.install(files(a="", b="triggers: [{event_type: ticket.created}]\n"))
    gone = agents(client, project)["b"]

    done = kit.install(files(a=""))

    assert list(agents(client, project)) == ["a"]
    assert profile(client, gone)["is_active"] is False
    assert sessions.stopped_agents == [gone["id"]]
    assert done.counters == {"agents_updated": 1, "agents_removed": 1, "triggers_removed": 1}

    kit.install(files(a="", b=""))
    assert agents(client, project)["b"]["id"] == gone["id"]
    assert profile(client, gone)["is_active"] is True


def test_a_persons_own_agent_is_taken_over_and_given_back(
    client: TestClient, project: Any, kit: Kit
) -> None:
    own = make_agent(
        client,
        "A",
        description="mine",
        system_prompt="Mine.",
        config={"type": "coder"},
        project_id=project["id"],
    )
    trigger = make_trigger(client, own, "ticket.created")
    client.patch(f"/api/agents/{own['id']}", json={"is_enabled": False}).raise_for_status()
    before = agents(client, project)["a"]
    person = profile(client, own)
    text = "avatar: x\ndescription: theirs\ntriggers: [{event_type: ticket.created}]\n"

    done = kit.install({"agents/a.md": agent_file(text, "Theirs.", name="Other")})

    taken = agents(client, project)["a"]
    assert (taken["id"], taken["plugin_id"], taken["is_enabled"]) == (own["id"], "plugin-1", True)
    assert taken["system_prompt"] == "Theirs."
    assert profile(client, own)["name"] == "Other"
    assert done.counters == {"agents_updated": 1, "triggers_created": 1}
    assert done.warnings == []
    kit.install({"agents/a.md": agent_file(text, "Theirs again.")})

    kit.uninstall("delete")

    ignored = {"updated_at": None}
    assert agents(client, project)["a"] | ignored == before | ignored
    assert profile(client, own) | ignored == person | ignored
    (left,) = client.get(f"/api/agents/{own['id']}/triggers").json()
    assert left == trigger


def test_a_taken_agent_that_the_new_version_lacks_is_given_back(
    client: TestClient, project: Any, kit: Kit
) -> None:
    make_agent(client, "A", system_prompt="Mine.", project_id=project["id"])
    kit.install(files(a="", b=""))

    done = kit.install(files(b=""))

    agent = agents(client, project)["a"]
    assert (agent["system_prompt"], agent["plugin_id"]) == ("Mine.", None)
    assert brought(done, "agents") == {"updated": 1, "orphaned": 1}


def test_an_agent_of_another_package_is_left_alone(
    client: TestClient, kernel: Kernel, project: Any, kit: Kit
) -> None:
    kit.install(files(a=""))
    first = agents(client, project)["a"]
    other = Kit(kernel, project["id"], "plugin-2", "other")

    done = other.install(files(a=""))

    assert agents(client, project)["a"] == first
    second = agents(client, project)["a-2"]
    assert second["plugin_id"] == "plugin-2"
    assert profile(client, second)["slug"] == "a-2"
    assert done.warnings == ["Agent a was installed as a-2, because another plugin owns a"]
    assert brought(done, "agents") == {"created": 1}
    again = other.install(files(a=""))
    assert brought(again, "agents") == {"updated": 1}
    assert again.warnings == []
    assert set(agents(client, project)) == {"a", "a-2"}

    other.uninstall("orphan")
    again = other.install(files(a=""))
    assert agents(client, project)["a-2"]["id"] == second["id"]
    assert brought(again, "agents") == {"updated": 1}


def test_global_agents_are_not_taken(client: TestClient, project: Any, kit: Kit) -> None:
    own = make_agent(client, "A")

    done = kit.install(files(a=""))

    assert brought(done, "agents") == {"created": 1}
    assert client.get(f"/api/agents/{own['id']}").json()["plugin_id"] is None


def test_orphans_keep_working_and_are_updated_by_the_next_installation(
    client: TestClient, kernel: Kernel, project: Any, kit: Kit
) -> None:
    kit.install(files(a="model: m1\n"))
    agent = agents(client, project)["a"]
    patch(client, agent, system_prompt="Mine.")

    kit.uninstall("orphan")

    orphan = agents(client, project)["a"]
    assert (orphan["plugin_id"], orphan["is_enabled"]) == (None, True)
    assert orphan["plugin_base"] == agent["plugin_base"]
    assert profile(client, agent)["plugin_id"] is None
    with kernel.db.read() as tx:
        provider = tx.services.get(Agents)
        found = provider.get(tx, agent["id"])
        assert found is not None
        assert (found.plugin_id, found.package_id) == (None, "plugin-1")
        assert provider.has_orphans(tx, "plugin-1")

    kit.plugin_id = "plugin-2"
    done = kit.install(files(a="model: m2\n"))

    updated = agents(client, project)["a"]
    assert (updated["id"], updated["plugin_id"]) == (agent["id"], "plugin-2")
    assert (updated["system_prompt"], updated["config"]["model"]) == ("Mine.", "m2")
    assert brought(done, "agents") == {"updated": 1}
    kit.uninstall("delete")
    assert agents(client, project) == {}


def test_the_same_profile_comes_back_after_a_deletion(
    client: TestClient, project: Any, kit: Kit, sessions: FakeSessions
) -> None:
    kit.install(files(a=""))
    first = agents(client, project)["a"]

    kit.uninstall("delete")
    assert profile(client, first)["is_active"] is False
    assert profile(client, first)["plugin_id"] is None
    assert sessions.stopped_agents == [first["id"]]
    kit.plugin_id = "plugin-2"
    done = kit.install(files(a=""))

    assert agents(client, project)["a"]["id"] == first["id"]
    assert profile(client, first)["is_active"] is True
    assert brought(done, "agents") == {"created": 1}


def test_a_profile_of_another_package_or_project_is_not_reused(
    client: TestClient, kernel: Kernel, make: Factory, project: Any, kit: Kit
) -> None:
    kit.install(files(a=""))
    first = agents(client, project)["a"]
    kit.uninstall("delete")
    elsewhere = make.project()

    Kit(kernel, elsewhere["id"], "plugin-2").install(files(a=""))
    Kit(kernel, project["id"], "plugin-3", "other").install(files(a=""))

    ids = {agents(client, one)["a"]["id"] for one in (elsewhere, project)}
    assert len(ids | {first["id"]}) == 3


@pytest.mark.parametrize("mode", ["orphan", "delete"])
def test_a_package_can_be_removed_from_every_project(
    client: TestClient, kernel: Kernel, make: Factory, project: Any, mode: str
) -> None:
    kits = [
        Kit(kernel, one["id"], f"plugin-{number}")
        for number, one in enumerate((project, make.project()))
    ]
    for kit in kits:
        kit.install(files(a=""))

    for kit in kits:
        kit.uninstall(mode)

    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM profiles WHERE plugin_id IS NOT NULL") == 0
        assert tx.value("SELECT count(*) FROM agents") == (2 if mode == "orphan" else 0)


def test_a_profile_is_found_by_its_package(kernel: Kernel, project: Any, kit: Kit) -> None:
    kit.install(files(a=""))

    with kernel.db.read() as tx:
        profiles = tx.services.get(Profiles)
        assert list(profiles.of_package(tx, project["id"], "kit")) == ["a"]
        assert profiles.of_package(tx, project["id"], "other") == {}
        assert profiles.of_package(tx, "elsewhere", "kit") == {}


@pytest.mark.parametrize("text", ["@Helper", "@a", "@[x](a)"])
def test_a_mention_means_the_agent_of_its_own_project(
    client: TestClient, kernel: Kernel, make: Factory, project: Any, text: str
) -> None:
    elsewhere = make.project()
    for number, one in enumerate((elsewhere, project)):
        Kit(kernel, one["id"], f"plugin-{number}").install(files(a=""))

    comment = make.comment(make.ticket(project), body=text)

    (mention,) = client.get(f"/api/comments/{comment['id']}/mentions").json()
    assert mention["mentioned_profile_id"] == agents(client, project)["a"]["id"]


def test_enabling_gives_back_the_individual_states(
    client: TestClient, project: Any, kit: Kit
) -> None:
    kit.install(files(on="", off="is_enabled: false\n", mine="", later=""))
    patch(client, agents(client, project)["mine"], is_enabled=False)

    kit.switch(False)
    kit.switch(False)
    assert not any(agent["is_enabled"] for agent in agents(client, project).values())
    patch(client, agents(client, project)["later"], is_enabled=False)
    kit.switch(True)

    states = {slug: agent["is_enabled"] for slug, agent in agents(client, project).items()}
    assert states == {"on": True, "off": False, "mine": False, "later": False}


def test_an_update_of_a_disabled_package_enables_nothing(
    client: TestClient, project: Any, kit: Kit
) -> None:
    kit.install(files(a="", b="is_enabled: false\n"))
    kit.switch(False)

    kit.install(files(a="", b="is_enabled: true\n", c="", d="is_enabled: false\n"))
    agent = agents(client, project)["a"]
    client.post(f"/api/agents/{agent['id']}/reset-to-plugin-defaults").raise_for_status()

    assert not any(agent["is_enabled"] for agent in agents(client, project).values())
    kit.switch(True)
    states = {slug: agent["is_enabled"] for slug, agent in agents(client, project).items()}
    assert states == {"a": True, "b": True, "c": True, "d": False}


def test_agents_are_exported_as_they_are_installed(
    client: TestClient, kernel: Kernel, make: Factory, project: Any
) -> None:
    label = make.label(project, name='Say "hi": x')
    local = make_agent(
        client,
        "Local",
        description="yes",
        system_prompt=f"label_id: {label['id']}",
        config={"type": "coder", "max_retries": 2},
        project_id=project["id"],
    )
    world = make_agent(client, "World")
    make_agent(client, "Elsewhere", project_id=make.project()["id"])
    make_trigger(
        client,
        local,
        "label.added",
        project_id=project["id"],
        conditions={
            "label_id": label["id"],
            "label_slug": label["slug"],
            "exclude_label_id": [label["id"]],
            "x": local["id"],
        },
        priority=7,
        allowed_invokers=[
            {"type": "agent", "agent_id": local["id"]},
            {"type": "agent", "agent_id": world["id"]},
            {"type": "user"},
        ],
    )

    export = Kit(kernel, project["id"]).export()

    assert list(export.files) == ["agents/local.md", "agents/world.md"]
    assert export.counters == {"labels": 1, "agents": 2}
    assert export.warnings == []
    text = export.files["agents/local.md"].decode()
    assert text.endswith(f"---\n\nlabel_id: {label['id']}\n")
    file = parse_agent_file("agents/local.md", text)
    assert (file.name, file.description) == ("Local", "yes")
    (trigger,) = file.triggers
    assert trigger.model_dump(exclude_none=True) == {
        "slug": "label-added",
        "event_type": "label.added",
        "conditions": {
            "label_name": 'Say "hi": x',
            "exclude_label_name": ['Say "hi": x'],
            "x": "$SELF",
        },
        "is_enabled": True,
        "priority": 7,
        "allowed_invokers": [
            {"type": "agent", "agent_id": "$SELF"},
            {"type": "agent", "agent_slug": "world"},
            {"type": "user"},
        ],
    }

    copy = make.project()
    done = Kit(kernel, copy["id"], "plugin-2").install(
        export.files, export.manifest["kombuse"]["labels"]
    )
    assert done.warnings == []
    assert done.counters == {"labels_created": 1, "agents_created": 2, "triggers_created": 1}
    twin = agents(client, copy)["local"]
    (made,) = client.get(f"/api/agents/{twin['id']}/triggers").json()
    label_id = done.label_ids['Say "hi": x']
    assert made["conditions"] == {
        "label_id": label_id,
        "label_slug": label["slug"],
        "exclude_label_id": [label_id],
        "x": twin["id"],
    }
    world_twin = client.get("/api/agents/by-slug/world", params={"plugin_id": "plugin-2"}).json()
    assert made["allowed_invokers"] == [
        {"type": "agent", "agent_id": twin["id"]},
        {"type": "agent", "agent_id": world_twin["id"]},
        {"type": "user"},
    ]
    assert made["project_id"] == copy["id"]


def test_chosen_agents_are_exported_wherever_they_are(
    client: TestClient, kernel: Kernel, make: Factory, project: Any
) -> None:
    elsewhere = make_agent(client, "Elsewhere", project_id=make.project()["id"])
    make_agent(client, "Here", project_id=project["id"])

    export = Kit(kernel, project["id"]).export(elsewhere["id"])

    assert list(export.files) == ["agents/elsewhere.md"]
    with pytest.raises(Unprocessable, match="agent_ids does not reference an existing agent"):
        Kit(kernel, project["id"]).export(elsewhere["id"], "nobody")


def test_agents_of_one_slug_are_exported_under_two(
    client: TestClient, kernel: Kernel, project: Any
) -> None:
    make_agent(client, "A", system_prompt="Global.")
    make_agent(client, "A", system_prompt="Local.", project_id=project["id"])

    export = Kit(kernel, project["id"]).export()

    prompts = {
        path: parse_agent_file(path, data.decode()).system_prompt
        for path, data in export.files.items()
    }
    assert prompts == {"agents/a.md": "Local.", "agents/a-2.md": "Global."}
    assert export.warnings == ["Agent a was exported as a-2"]


@pytest.mark.parametrize("slug", ["../../../../x", "A b", "", None])
def test_a_slug_that_is_no_file_name_is_exported_by_id(
    client: TestClient, kernel: Kernel, project: Any, slug: str | None
) -> None:
    agent = make_agent(client, "A", project_id=project["id"])
    with kernel.db.write() as tx:
        tx.execute("UPDATE agents SET slug = ?", (slug,))

    export = Kit(kernel, project["id"]).export()

    path = f"agents/{agent['id']}.md"
    assert list(export.files) == [path]
    assert parse_agent_file(path, export.files[path].decode()).slug == agent["id"]


def test_states_are_exported_as_they_are_without_the_disabled_package(
    client: TestClient, project: Any, kit: Kit
) -> None:
    kit.install(files(a="triggers: [{event_type: x}]\n", b="is_enabled: false\n"))
    kit.switch(False)

    export = kit.export()

    parsed = [parse_agent_file(path, data.decode()) for path, data in export.files.items()]
    assert [(file.slug, file.is_enabled) for file in parsed] == [("a", True), ("b", False)]
    assert parsed[0].triggers[0].is_enabled is True


def test_a_large_package_is_written_quickly(
    client: TestClient, kernel: Kernel, make: Factory, project: Any, kit: Kit
) -> None:
    names = [f"label {number}" for number in range(50)]
    text = """\
triggers:
  - event_type: label.added
    conditions: {{label_name: label {0}}}
  - event_type: ticket.created
"""
    package = {f"agents/agent-{number}.md": agent_file(text.format(number)) for number in range(50)}
    labels: list[Mapping[str, Any]] = [{"name": name} for name in names]
    counts = [kit.install(package, labels).counters for _ in range(2)]

    assert counts == [
        {"labels_created": 50, "agents_created": 50, "triggers_created": 100},
        {"labels_merged": 50, "agents_updated": 50, "triggers_updated": 100},
    ]
    assert kit.seconds < 0.3


def test_the_preset_of_a_package_is_shown_and_used(
    client: TestClient, kernel: Kernel, project: Any
) -> None:
    path = Path(__file__).parents[2] / "data/packages/02-triage-kit"
    body = {"package_path": str(path), "project_id": project["id"]}
    client.post("/api/plugins/install", json=body).raise_for_status()

    for is_installed in (True, False):
        found = agents(client, project)
        triager = client.get(f"/api/agents/{found['triager']['id']}").json()
        assert found["triager"]["resolved_preset"] == triager["resolved_preset"]
        assert triager["resolved_preset"]["autoApprovedTools"] == ["Read", "Grep"]
        assert triager["resolved_preset"]["autoApprovedBashCommands"] == ["git status"]
        assert "Glob" in found["scribe"]["resolved_preset"]["autoApprovedTools"]
        with kernel.db.read() as tx:
            agent = tx.services.get(Agents).get(tx, triager["id"])
            assert agent is not None
            assert agent.preset.auto_approved_tools == ("Read", "Grep")
        if is_installed:
            client.delete(f"/api/plugins/{triager['plugin_id']}").raise_for_status()


def test_statements_over_the_agents_of_packages_use_indexes(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        planner.all = lambda sql, params=(): planner._note(sql, params) or []
        planner.value = planner.all
        queries.of_project(planner, "p")
        queries.of_plugin(planner, "plugin-1")
        queries.has_orphans(planner, "plugin-1")
        queries.ids_with_agent(planner, ["a"])
        of_package(planner, "p", "kit")

    assert len(planner.plan) >= 5
    assert {line for line in planner.plan if line.startswith("SCAN")} <= {
        "SCAN json_each VIRTUAL TABLE INDEX 1:"
    }
