"""Every SELECT over milestones."""

from typing import Annotated

from pydantic import Field

from kombuse_plugins.milestones.schemas import Milestone, MilestoneFilter, MilestoneWithStats
from kombuse_sdk import Filter
from kombuse_sdk.schemas import QueryInt
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx

__all__ = ["IN_MILESTONE", "is_in_project", "one", "page", "with_stats"]

_PLAIN = json_object(Milestone, "m")
_WITH_STATS = json_object(MilestoneWithStats, "m", total_count="m.open_count + m.closed_count")

IN_MILESTONE = Filter(
    param="milestone_id",
    type=Annotated[QueryInt, Field(gt=0)],
    sql="t.milestone_id = :milestone_id",
    description="Tickets of this milestone",
)


def one(tx: ReadTx, milestone_id: int) -> JsonText | None:
    return tx.json(f"SELECT {_PLAIN} FROM milestones m WHERE m.id = ?", (milestone_id,))


def with_stats(tx: ReadTx, milestone_id: int) -> JsonText | None:
    return tx.json(f"SELECT {_WITH_STATS} FROM milestones m WHERE m.id = ?", (milestone_id,))


def page(tx: ReadTx, project_id: str, query: MilestoneFilter) -> JsonText:
    where = Where()
    where.equal("m.project_id", project_id=project_id)
    where.equal("m.status", status=query.status)
    sql = f"""
        SELECT {_WITH_STATS} FROM milestones m {where.sql}
        ORDER BY m.due_date IS NULL, m.due_date, m.created_at DESC, m.id DESC
    """
    return tx.json_list(sql, where.params)


def is_in_project(tx: ReadTx, milestone_id: int, project_id: str) -> bool:
    sql = "SELECT 1 FROM milestones WHERE id = ? AND project_id = ?"
    return tx.value(sql, (milestone_id, project_id)) is not None
