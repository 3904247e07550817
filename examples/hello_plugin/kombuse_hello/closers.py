"""Counting closed tickets: the subscriber, the route and the tool over one small table."""

from typing import Any

from kombuse_sdk.events import StoredEvent
from kombuse_sdk.http import Read, Router
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.schemas import NonEmpty, Output
from kombuse_sdk.storage import ReadTx, WriteTx

router = Router()


class Closed(Output):
    profile_id: str
    closed: int


class CountInput(ToolInput):
    profile_id: NonEmpty


def count(tx: WriteTx, event: StoredEvent) -> None:
    if event.actor_id is not None:
        tx.execute(
            "INSERT INTO hello_closers VALUES (?, 1)"
            " ON CONFLICT (profile_id) DO UPDATE SET closed = closed + 1",
            (event.actor_id,),
        )


def closed_by(tx: ReadTx, profile_id: str) -> dict[str, Any]:
    sql = "SELECT closed FROM hello_closers WHERE profile_id = ?"
    return {"profile_id": profile_id, "closed": tx.value(sql, (profile_id,)) or 0}


@router.get("/x/hello/{profile_id}", response_model=Closed)
def get_closed(tx: Read, profile_id: str) -> Any:
    return closed_by(tx, profile_id)


def _count_closed(tx: ReadTx, caller: Caller, arguments: CountInput) -> dict[str, Any]:
    return closed_by(tx, arguments.profile_id)


TOOL = Tool(
    name="hello_count_closed_tickets",
    title="Count closed tickets",
    description="How many tickets a profile has closed.",
    input=CountInput,
    output=Closed,
    run=_count_closed,
)
