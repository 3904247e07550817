"""Which permissions the tools for agents want, and why a call is refused.

A tool that changes things and is not listed here wants a permission of the type `tool` for its
name, or to be approved by the agent's preset.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kombuse_plugins.agents import permissions, presets, service
from kombuse_plugins.agents.permissions import Request, Run
from kombuse_sdk.contracts import Comments, Projects, Tickets
from kombuse_sdk.contracts.agents import Agent, Preset
from kombuse_sdk.contracts.tickets import TicketRef
from kombuse_sdk.mcp import ToolCall
from kombuse_sdk.storage import ReadTx

__all__ = ["refusal"]

Arguments = Mapping[str, Any]
_NO_GROWTH = "Can only grant permissions it holds"


def refusal(tx: ReadTx, agent: Agent, run: Run, call: ToolCall) -> str | None:
    """Why the agent may not make this call; None when it may, or what it names does not exist."""
    wants = _WANTS.get(call.tool)
    if wants is None:
        return _refusal_of_tool(agent, run, call.tool)
    for request in wants(tx, call.arguments):
        if not permissions.allows(agent.permissions, request, run):
            return f"No matching permission found for resource: {request.resource}"
    grows = _GROWS.get(call.tool)
    return grows(tx, agent, run, call.arguments) if grows else None


def _refusal_of_tool(agent: Agent, run: Run, tool: str) -> str | None:
    name = f"mcp__kombuse__{tool}"
    if name in agent.preset.auto_approved_tools:
        return None
    if permissions.allows_tool(agent.permissions, name, run.project_id):
        return None
    return f"No matching permission found for tool: {name}"


def _create_ticket(tx: ReadTx, arguments: Arguments) -> Iterator[Request]:
    project_id = _project(tx, arguments)
    yield Request(resource="ticket", action="create", project_id=project_id)


def _add_comment(tx: ReadTx, arguments: Arguments) -> Iterator[Request]:
    ticket = _ticket(tx, arguments)
    if ticket is not None:
        yield _on(ticket, "comment", "create")


def _update_comment(tx: ReadTx, arguments: Arguments) -> Iterator[Request]:
    """The tool itself sees to it that the comment is the caller's own."""
    comments, tickets = tx.services.find(Comments), tx.services.find(Tickets)
    ticket_id = comments.ticket_id(tx, arguments["comment_id"]) if comments else None
    ticket = tickets.by_id(tx, ticket_id) if tickets and ticket_id is not None else None
    if ticket is not None:
        yield _on(ticket, "comment", "update")


def _update_ticket(tx: ReadTx, arguments: Arguments) -> Iterator[Request]:
    ticket = _ticket(tx, arguments)
    if ticket is None:
        return
    if arguments.get("status") is not None:
        yield _on(ticket, "ticket.status", "update")
    if arguments.get("remove_label_ids"):
        yield _on(ticket, "ticket.labels", "delete")
    if arguments.get("add_label_ids"):
        yield _on(ticket, "ticket.labels", "update")
    fields = ("title", "body", "priority")
    if "assignee_id" in arguments or any(arguments.get(name) is not None for name in fields):
        yield _on(ticket, "ticket", "update")


def _create_agent(tx: ReadTx, arguments: Arguments) -> Iterator[Request]:
    yield Request(resource="agent", action="create", project_id=_project(tx, arguments))


def _update_agent(tx: ReadTx, arguments: Arguments) -> Iterator[Request]:
    target = service.get(tx, arguments["agent_id"])
    if target is not None:
        yield Request(resource="agent", action="update", project_id=target.project_id)


_WANTS: dict[str, Callable[[ReadTx, Arguments], Iterator[Request]]] = {
    "create_ticket": _create_ticket,
    "add_comment": _add_comment,
    "update_comment": _update_comment,
    "update_ticket": _update_ticket,
    "create_agent": _create_agent,
    "update_agent": _update_agent,
}


def _growth_by_creation(tx: ReadTx, agent: Agent, run: Run, arguments: Arguments) -> str | None:
    return _growth(agent, run, _project(tx, arguments), arguments)


def _growth_by_update(tx: ReadTx, agent: Agent, run: Run, arguments: Arguments) -> str | None:
    """Who writes the prompt of an agent acts through it: so it is about all that agent may do."""
    target = service.get(tx, arguments["agent_id"])
    if target is None:
        return None
    if target.id == agent.id:
        return "Agents cannot change themselves"
    now = {"permissions": target.permissions, "config": target.config}
    return _growth(agent, run, target.project_id, {**now, **arguments})


def _growth(agent: Agent, run: Run, project_id: str | None, result: Arguments) -> str | None:
    """Whether an agent of this project, with these permissions, may more than the caller."""
    is_own = project_id is not None and project_id == run.project_id
    granted = result.get("permissions") or ()
    config = result.get("config") or {}
    if not permissions.holds_all(agent.permissions, granted, in_own_project=is_own):
        return _NO_GROWTH
    if not _approves_all(agent.preset, presets.resolve(config)):
        return f"{_NO_GROWTH}: the agent would run more tools without asking than its creator"
    if config.get("trusts_imported_authors") and not agent.config.get("trusts_imported_authors"):
        return f"{_NO_GROWTH}: trusts_imported_authors is not among them"
    if agent.config.get("can_invoke_agents") is False and config.get("can_invoke_agents", True):
        return f"{_NO_GROWTH}: can_invoke_agents is false"
    return None


_GROWS = {"create_agent": _growth_by_creation, "update_agent": _growth_by_update}


def _approves_all(own: Preset, other: Preset) -> bool:
    tools, commands = set(own.auto_approved_tools), set(own.auto_approved_bash_commands)
    return tools.issuperset(other.auto_approved_tools) and (
        "Bash" in tools or commands.issuperset(other.auto_approved_bash_commands)
    )


def _on(ticket: TicketRef, resource: str, action: str) -> Request:
    return Request(
        resource=resource, action=action, project_id=ticket.project_id, ticket_id=ticket.id
    )


def _project(tx: ReadTx, arguments: Arguments) -> str | None:
    given = arguments.get("project_id")
    return tx.services.get(Projects).resolve(tx, given) if given else None


def _ticket(tx: ReadTx, arguments: Arguments) -> TicketRef | None:
    project_id, tickets = _project(tx, arguments), tx.services.find(Tickets)
    if project_id is None or tickets is None:
        return None
    return tickets.find(tx, project_id, arguments["ticket_number"])
