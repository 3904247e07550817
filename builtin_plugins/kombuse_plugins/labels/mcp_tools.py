"""Labels for agents."""

from typing import Any

from kombuse_plugins.labels import queries
from kombuse_plugins.labels.schemas import LabelFilter
from kombuse_sdk.contracts import Projects
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.schemas import NonEmpty
from kombuse_sdk.storage import ReadTx

__all__ = ["TOOLS"]


class ListLabels(ToolInput):
    project_id: NonEmpty


def list_labels(tx: ReadTx, caller: Caller, arguments: ListLabels) -> dict[str, Any]:
    project_id = tx.services.get(Projects).resolve(tx, arguments.project_id)
    if project_id is None:
        return {"labels": []}
    return {"labels": queries.page(tx, project_id, LabelFilter()).load()}


TOOLS = (
    Tool(
        name="list_labels",
        title="List labels",
        description="List a project's enabled labels by name. Their ids go into update_ticket.",
        input=ListLabels,
        output=dict[str, Any],
        run=list_labels,
        order=90,
    ),
)
