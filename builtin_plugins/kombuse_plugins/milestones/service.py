"""Rules of milestones; the provider of the Milestones contract."""

from kombuse_plugins.milestones import queries
from kombuse_plugins.milestones.models import MilestoneRow
from kombuse_plugins.milestones.schemas import MilestoneCreate, MilestoneUpdate
from kombuse_sdk.errors import NotFound
from kombuse_sdk.events import Event
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["belongs_to", "create", "delete", "get", "update"]


def get(tx: ReadTx, milestone_id: int) -> JsonText:
    return _found(queries.with_stats(tx, milestone_id))


def create(tx: WriteTx, project_id: str, body: MilestoneCreate) -> JsonText:
    values = body.model_dump() | {"project_id": project_id}
    milestone_id = tx.insert(MilestoneRow, **values, created_at=tx.now, updated_at=tx.now)
    _emit(tx, "created", milestone_id, project_id, body.title)
    return _found(queries.one(tx, milestone_id))


def update(tx: WriteTx, milestone_id: int, body: MilestoneUpdate) -> JsonText:
    """Values that are what they were change nothing: no timestamp, no event."""
    old = _row(tx, milestone_id)
    given = body.changes()
    changes = {name: value for name, value in given.items() if value != getattr(old, name)}
    if changes:
        tx.update(MilestoneRow, milestone_id, **changes, updated_at=tx.now)
        _emit(tx, "updated", milestone_id, old.project_id, changes.get("title", old.title))
    return _found(queries.one(tx, milestone_id))


def delete(tx: WriteTx, milestone_id: int) -> None:
    """Its tickets stay, without a milestone and otherwise untouched."""
    old = _row(tx, milestone_id)
    tx.delete(MilestoneRow, milestone_id)
    _emit(tx, "deleted", milestone_id, old.project_id, old.title)


def belongs_to(tx: ReadTx, milestone_id: int, project_id: str) -> bool:
    return queries.is_in_project(tx, milestone_id, project_id)


def _row(tx: ReadTx, milestone_id: int) -> MilestoneRow:
    return NotFound.unless(tx.get(MilestoneRow, milestone_id), "Milestone")


def _found(milestone: JsonText | None) -> JsonText:
    return NotFound.unless(milestone, "Milestone")


def _emit(tx: WriteTx, what: str, milestone_id: int, project_id: str, title: str) -> None:
    event = Event(
        event_type=f"milestone.{what}",
        actor_type="system",
        project_id=project_id,
        payload={"milestone_id": milestone_id, "title": title},
    )
    tx.emit(event)
