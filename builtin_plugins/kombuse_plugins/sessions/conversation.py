"""The backend of a live session, and the turns that it is given while it lives."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Protocol

from kombuse_plugins.sessions.opening import Opener
from kombuse_plugins.sessions.progress import Progress
from kombuse_plugins.sessions.turns import Begun, Turn
from kombuse_sdk.agents import AgentRun, BackendFailed, ResumeFailed, TurnEnd

__all__ = ["Conversation"]

log = logging.getLogger("kombuse.sessions")
_CLOSE_SECONDS = 10.0


class Record(Protocol):
    def __call__(
        self, event_type: str, payload: Any, event_id: str | None = None
    ) -> Awaitable[None]:
        """Write an event of the session."""
        ...


class Conversation:
    """`backend_type` is that of the last backend; whether one is open now, `is_open` tells."""

    def __init__(self, session_id: str, opener: Opener, record: Record) -> None:
        self.backend_type: str | None = None
        self._session_id = session_id
        self._opener = opener
        self._record = record
        self._run: AgentRun | None = None

    @property
    def is_open(self) -> bool:
        return self._run is not None

    @property
    def resume_id(self) -> str | None:
        return self._run.backend_session_id if self._run else None

    async def talk(self, turn: Turn, begun: Begun, progress: Progress) -> TurnEnd:
        """The turn itself, on the idle backend if there is one that still answers."""
        if self._run is not None and self.backend_type == begun.backend_type:
            try:
                return await self._converse(self._run, turn, progress)
            except BackendFailed as error:
                if progress.events:
                    raise
                log.info("%s starts its backend anew: %s", self._session_id, error)
            begun = replace(begun, resume_id=self.resume_id or begun.resume_id)
        await self.close()
        run = await self._open(turn, begun)
        try:
            return await self._converse(run, turn, progress)
        except ResumeFailed as error:
            if progress.events or begun.resume_id is None:
                raise
            await self.close()
            run = await self._open(turn, await self._without_resume(begun, error))
            return await self._converse(run, turn, progress)

    async def interrupt(self) -> None:
        if self._run is not None:
            await self._run.interrupt()

    async def close(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await run.close()
        except Exception as error:
            log.warning("the backend of %s was not closed: %s", self._session_id, error)

    async def _open(self, turn: Turn, begun: Begun) -> AgentRun:
        try:
            self._run = await self._opener.open(turn, begun)
        except ResumeFailed as error:
            if begun.resume_id is None:
                raise
            self._run = await self._opener.open(turn, await self._without_resume(begun, error))
        self.backend_type = begun.backend_type
        return self._run

    async def _without_resume(self, begun: Begun, error: ResumeFailed) -> Begun:
        data = {"backend_session_id": begun.resume_id, "message": str(error)}
        await self._record("raw", {"sourceType": "resume_failed", "data": data})
        return replace(begun, resume_id=None)

    async def _converse(self, run: AgentRun, turn: Turn, progress: Progress) -> TurnEnd:
        stream = run.turn(turn.message, turn.images)
        try:
            async for item in stream:
                progress.touch()
                if isinstance(item, TurnEnd):
                    return item
                progress.events += item.type != "raw"
                await self._record(item.type, item.payload, item.event_id)
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        raise BackendFailed("The backend ended in the middle of a turn", "process_exit")
