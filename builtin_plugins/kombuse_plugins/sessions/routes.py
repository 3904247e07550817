"""/api/sessions"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.sessions import queries, service
from kombuse_plugins.sessions.provider import live_sessions
from kombuse_plugins.sessions.schemas import (
    Diagnostics,
    EventFilter,
    EventPage,
    MessageCreate,
    RecentFilter,
    Session,
    SessionCreate,
    SessionFilter,
    Stopped,
    UsageFilter,
    UsageRow,
)
from kombuse_plugins.sessions.service import Chat
from kombuse_sdk.http import App, Db, Read, Router, Write

router = Router()


@router.get("/sessions", response_model=list[Session])
def list_sessions(tx: Read, query: Annotated[SessionFilter, Query()]) -> Any:
    return queries.page(tx, query)


@router.post("/sessions", status_code=201, response_model=Session)
def create_session(tx: Write, body: SessionCreate | None = None) -> Any:
    return service.create(tx, body)


@router.get("/sessions/diagnostics", response_model=Diagnostics)
async def get_diagnostics(db: Db, query: Annotated[RecentFilter, Query()]) -> Any:
    return await db.read_async(lambda tx: queries.diagnostics(tx, query.recent_limit))


@router.get("/sessions/usage", response_model=list[UsageRow])
async def list_usage(db: Db, query: Annotated[UsageFilter, Query()]) -> Any:
    return await db.read_async(lambda tx: queries.usage(tx, query))


@router.get("/sessions/{session_id}", response_model=Session)
def get_session(tx: Read, session_id: str) -> Any:
    return service.get(tx, session_id)


@router.get("/sessions/{session_id}/events", response_model=EventPage)
async def list_session_events(
    db: Db, session_id: str, query: Annotated[EventFilter, Query()]
) -> Any:
    return await db.read_async(lambda tx: service.events(tx, session_id, query))


@router.post("/sessions/{session_id}/messages", status_code=202, response_model=Session)
async def send_message(kernel: App, db: Db, session_id: str, body: MessageCreate) -> Any:
    chat = Chat(message=body.message, session_id=session_id, must_exist=True)
    await live_sessions(kernel).send(chat)
    return await db.read_async(lambda tx: service.get(tx, session_id))


@router.post("/sessions/{session_id}/stop", response_model=Stopped)
async def stop_session(kernel: App, db: Db, session_id: str) -> Any:
    await db.read_async(lambda tx: service.get(tx, session_id))
    return {"stopped": live_sessions(kernel).stop(session_id)}


@router.delete("/sessions/{session_id}", status_code=204)
async def delete_session(kernel: App, session_id: str) -> None:
    await live_sessions(kernel).delete(session_id)
