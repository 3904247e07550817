"""The files of a new package: small, complete, and with a test that passes."""

import json
import keyword
import sys
from typing import Any

__all__ = ["declarative", "with_python"]

_PLUGIN_JSON = ".kombuse-plugin/plugin.json"
_README = """# {name}

{about}

    pytest
    kombuse plugin check .
    kombuse plugin install . --project my-project{flag}

| what | where |
|---|---|
{rows}

When it is ready for others, `kombuse plugin build .` writes one file that can be installed, and
`kombuse plugin publish . --author me` sends it to a registry.
"""
_AGENT = """---
name: {title}
slug: {name}
description: Answers where its label is put
type: kombuse
is_enabled: true
enabled_for_chat: true
permissions:
  - type: resource
    resource: ticket
    actions: [read]
    scope: invocation
  - type: resource
    resource: comment
    actions: [read, create]
    scope: invocation
triggers:
  - slug: asked-for
    event_type: label.added
    conditions:
      label_name: {name}
---

You look at ticket #{{{{ ticket_number }}}}.

{{% include "guide.md" %}}

Write one comment: what is asked for, and what you would do first.
"""
_GUIDE = """What everybody here keeps to:

- short sentences, and the reason with each proposal
- questions where something is unclear, rather than guesses
"""
_PACKAGE_TEST = '''"""The package can be installed, and brings what its README says."""

from pathlib import Path

FOLDER = Path(__file__).parents[1]


def test_it_installs_without_a_warning(client, make):
    project = make.project()
    body = {"package_path": str(FOLDER), "project_id": project["id"]}

    answer = client.post("/api/plugins/install", json=body)

    assert answer.status_code == 201, answer.text
    result = answer.json()
    assert result["warnings"] == []
    assert (result["agents_created"], result["labels_created"]) == (1, 1)
    assert (result["triggers_created"], result["files_imported"]) == (1, 1)
'''
_HOOKS = '''"""{title}."""

from kombuse_sdk import PluginInfo, hookimpl


@hookimpl
def kombuse_plugin():
    return PluginInfo(name="{name}", title="{title}", requires=("tickets",))


@hookimpl
def kombuse_routes():
    from {module}.counting import router

    return router


@hookimpl
def kombuse_mcp_tools():
    from {module}.counting import TOOL

    return [TOOL]
'''
_WORK = '''"""How many tickets a project has, over REST and for agents."""

from kombuse_sdk.http import ProjectId, Read, Router
from kombuse_sdk.mcp import Tool, ToolInput
from kombuse_sdk.schemas import NonEmpty, Output

router = Router()


class Counted(Output):
    tickets: int


class CountInput(ToolInput):
    project_id: NonEmpty


def count(tx, project_id):
    sql = "SELECT count(*) FROM tickets WHERE project_id = ?"
    return {{"tickets": tx.value(sql, (project_id,))}}


@router.get("/x/{name}/{{project_id}}", response_model=Counted)
def get_count(tx: Read, project_id: ProjectId):
    return count(tx, project_id)


TOOL = Tool(
    name="{prefix}_count",
    title="Number of tickets",
    description="How many tickets a project has.",
    input=CountInput,
    output=Counted,
    run=lambda tx, caller, arguments: count(tx, arguments.project_id),
)
'''
_CODE_TEST = '''"""Tickets are counted."""

import pytest
import {module}


@pytest.fixture
def plugins_under_test():
    return [{module}]


def test_a_project_knows_how_many_tickets_it_has(client, make):
    project = make.project()
    make.ticket(project)

    assert client.get(f"/api/x/{name}/{{project['id']}}").json() == {{"tickets": 1}}


def test_agents_can_ask(call_tool, make):
    project = make.project()

    assert call_tool("{prefix}_count", project_id=project["id"]).data == {{"tickets": 0}}
'''
_PYTEST = "[pytest]\npythonpath = python\n"


def declarative(name: str, author: str | None) -> dict[str, str]:
    """An agent that a label starts, with a text that its prompt includes."""
    title = _title(name)
    label = {"name": name, "color": "#0969da", "description": f"{title} answers"}
    rows = (
        "| an agent | `agents/{name}.md`: its settings, triggers and prompt |\n"
        "| a text that prompts include | `files/guide.md` |\n"
        "| a label, which starts the agent | `.kombuse-plugin/plugin.json` |"
    )
    return _described(name, author, f"{title}: an agent that a label starts.", [label]) | {
        f"agents/{name}.md": _AGENT.format(name=name, title=title),
        "files/guide.md": _GUIDE,
        "tests/test_package.py": _PACKAGE_TEST,
        "README.md": _readme(name, "An agent that answers where its label is put.", rows),
    }


def with_python(name: str, author: str | None) -> dict[str, str]:
    """A route and a tool of an MCP server that count tickets."""
    words = {
        "name": name,
        "title": _title(name),
        "module": _module(name),
        "prefix": name.replace("-", "_"),
    }
    code = {"entry_point": words["module"], "capabilities": ["routes", "mcp_tools"]}
    rows = (
        "| a route | `GET /api/x/{name}/{{project_id}}` |\n"
        "| a tool for agents | `{prefix}_count` |\n"
        "| the code of both | `python/{module}/counting.py` |"
    ).format(**words)
    return _described(name, author, f"{words['title']}: counts tickets.", [], **code) | {
        f"python/{words['module']}/__init__.py": _HOOKS.format(**words),
        f"python/{words['module']}/counting.py": _WORK.format(**words),
        f"tests/test_{words['module']}.py": _CODE_TEST.format(**words),
        "pytest.ini": _PYTEST,
        "README.md": _readme(name, "Says how many tickets a project has.", rows, " --allow-code"),
    }


def _described(
    name: str, author: str | None, description: str, labels: list[Any], **code: Any
) -> dict[str, str]:
    about = {"name": name, "version": "0.1.0"} | ({"author": author} if author else {})
    about["description"] = description
    table = {"plugin_system_version": "kombuse-plugin-v1", "labels": labels}
    return {
        _PLUGIN_JSON: _json(about | code | {"kombuse": table}),
        "manifest.json": _json(about | {"type": "plugin"}),
    }


def _readme(name: str, about: str, rows: str, flag: str = "") -> str:
    return _README.format(name=name, about=about, rows=rows.replace("{name}", name), flag=flag)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _module(name: str) -> str:
    """A name for a module of Python that no other has."""
    module = name.replace("-", "_")
    is_taken = module in sys.stdlib_module_names or keyword.iskeyword(module)
    return f"plugin_{module}" if is_taken or not module.isidentifier() else module
