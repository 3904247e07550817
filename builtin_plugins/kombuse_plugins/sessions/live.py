"""One live session: its backend, the turns that wait, and how each of them ends.

Whatever goes wrong in a turn ends that turn, with its reason in the record, and nothing else.
"""

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import Any

from kombuse_plugins.sessions import payloads, queries, resolution, states
from kombuse_plugins.sessions.asking import Asking
from kombuse_plugins.sessions.conversation import Conversation
from kombuse_plugins.sessions.finish import Outcome, finish
from kombuse_plugins.sessions.opening import CannotRun, Opener
from kombuse_plugins.sessions.progress import Progress
from kombuse_plugins.sessions.prompts import TemplateFailed
from kombuse_plugins.sessions.recorder import Channel
from kombuse_plugins.sessions.secrets import redacted
from kombuse_plugins.sessions.states import Ending
from kombuse_plugins.sessions.surroundings import Surroundings
from kombuse_plugins.sessions.turns import Begun, Busy, Turn, begin
from kombuse_sdk.agents import BackendFailed, Decision, PermissionRequest, TurnEnd
from kombuse_sdk.errors import KombuseError
from kombuse_sdk.storage import WriteTx

__all__ = ["LiveSession"]

log = logging.getLogger("kombuse.sessions")
MAX_WAITING = 20
_INTERRUPT_SECONDS = 3.0
_IDLE_POLL_SECONDS = 10.0
_BUSY_SECONDS = 0.05


class LiveSession:
    """Lives on the runner's loop; `main` is its one task."""

    def __init__(self, surroundings: Surroundings, session_id: str) -> None:
        self.session_id = session_id
        self.agent_id: str | None = None
        self.is_busy = False
        self._with = surroundings
        self._waiting: deque[Turn] = deque()
        self._arrival = asyncio.Event()
        self.channel = Channel(session_id)
        self._begun: Begun | None = None
        self._turn_end: asyncio.Future[Ending] | None = None
        self._stop: Ending | None = None
        self._progress = Progress()
        self._asking = Asking(surroundings.kernel, self._record)
        opener = Opener(surroundings, self._ask, self._record)
        self._conversation = Conversation(session_id, opener, self._record)

    @property
    def backend_type(self) -> str | None:
        return self._conversation.backend_type

    @property
    def is_alive(self) -> bool:
        """Whether there is something to stop: a turn, one that waits, or an idle backend."""
        return self.is_busy or self._conversation.is_open or bool(self._waiting)

    @property
    def counts(self) -> bool:
        """Whether it takes one of the places of runs; an idle backend does not."""
        return self.is_busy or bool(self._waiting)

    def submit(self, turn: Turn) -> None:
        if len(self._waiting) >= MAX_WAITING and not turn.is_triggered:
            self._with.announce.error(turn.sender, "Too many messages wait for this session")
            return
        # One that has begun goes first: its session says `running`.
        self._waiting.appendleft(turn) if turn.begun else self._waiting.append(turn)
        self._arrival.set()

    def stop(self, ending: Ending) -> None:
        """End the turn and what waits; an idle backend is closed and its session `stopped`."""
        if ending.source == "shutdown_cleanup":
            self._waiting.clear()
        for turn in [turn for turn in self._waiting if not turn.begun]:
            self._waiting.remove(turn)
            self._with.announce.error(turn.sender, "The session was stopped before this message")
        self._stop = ending
        if self._turn_end is not None and not self._turn_end.done():
            self._turn_end.set_result(ending)
        self._arrival.set()

    async def main(self) -> None:
        try:
            while True:
                if not self._waiting and not await self._idle():
                    await self._conversation.close()
                    if not self._waiting:
                        return
                turn = self._waiting.popleft()
                try:
                    await self._take(turn)
                except Exception:
                    log.exception("a turn of %s broke", self.session_id)
                    await self._conversation.close()
                    await self._break(turn)
                if turn.is_triggered and not self._waiting:
                    await self._conversation.close()
                self.is_busy = False
                self._with.freed()
        finally:
            await self._conversation.close()

    async def _idle(self) -> bool:
        """Wait for the next message; False when the session is over."""
        since = time.monotonic()
        while not self._waiting:
            if not self._conversation.is_open:
                return False
            if self._stop is not None:
                await self._stopped(self._stop)
                return False
            seconds = await self._with.kernel.db.read_async(resolution.idle_seconds)
            left = None if seconds is None else since + seconds - time.monotonic()
            if left is not None and left <= 0:
                await self._stopped(states.IDLE_TIMEOUT)
                return False
            wait = _IDLE_POLL_SECONDS if left is None else min(left, _IDLE_POLL_SECONDS)
            self._arrival.clear()
            if self._waiting or self._stop is not None:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._arrival.wait()
        return True

    async def _stopped(self, ending: Ending) -> None:
        """The idle backend goes; its session, which was completed, is stopped."""
        begun, self._stop = self._begun, None
        if begun is None or ending.source == "shutdown_cleanup":
            return
        ending = replace(ending, event="stop")
        resume_id = self._conversation.resume_id
        await self._conversation.close()

        def work(tx: WriteTx) -> bool:
            row = queries.row(tx, self.session_id)
            if row is None or row["status"] != "completed":
                return False
            states.end(tx, begun.row_id, ending)
            return True

        if await self._with.kernel.db.write_async(work):
            self._with.announce.ended(begun, ending, resume_id, self.channel.sender)
            self._with.announce.ticket_status(begun.ref.ticket_id)

    async def _take(self, turn: Turn) -> None:
        self.is_busy = True
        self._stop = None
        self._turn_end = asyncio.get_running_loop().create_future()
        self._progress = Progress()
        begun = turn.begun or await self._begin(turn)
        if begun is None:
            return
        self._begun = begun
        self.agent_id = begun.ref.agent_id
        self.channel.sender = turn.sender
        self.channel.failure = None
        announce = self._with.announce
        announce.started(turn, begun)
        announce.ticket_status(begun.ref.ticket_id)
        announce.event(self.channel, begun.seq, begun.user_entry)
        ending, end = await self._supervised(turn, begun)
        resume_id = self._conversation.resume_id
        if ending.event != "complete" or end is None or not end.is_alive:
            await self._conversation.close()
        ending = await self._finish(begun, ending, end, resume_id)
        self._asking.end_turn(self.session_id)
        self.is_busy = False  # before anybody hears of the end and asks
        announce.ended(begun, ending, resume_id, turn.sender)
        announce.ticket_status(begun.ref.ticket_id)

    async def _break(self, turn: Turn) -> None:
        """The last resort: whatever happened, the session does not stay `running`."""
        begun = turn.begun or self._begun
        if begun is not None and begun.ref.id == turn.session_id:
            await self._finish(begun, states.failed("Internal error"), None, None)

    async def _begin(self, turn: Turn) -> Begun | None:
        """None when the turn could not begin; its sender knows why."""
        for _ in range(200):
            try:
                return await self._with.kernel.db.write_async(lambda tx: begin(tx, turn))
            except Busy:
                if self._waiting and self._waiting[0].begun:
                    self._waiting.append(turn)
                    return None
                await asyncio.sleep(_BUSY_SECONDS)
            except KombuseError as error:
                self._with.announce.error(turn.sender, error.message)
                return None
            except Exception:
                log.exception("a turn of %s cannot begin", self.session_id)
                self._with.announce.error(turn.sender, "Failed to start agent: see the log")
                return None
        self._with.announce.error(turn.sender, "The session is busy")
        return None

    async def _supervised(self, turn: Turn, begun: Begun) -> tuple[Ending, TurnEnd | None]:
        """Run the turn until it ends, is stopped, takes too long or falls silent."""
        assert self._turn_end is not None
        self._with.kernel.access.begin(self.session_id)
        work = asyncio.create_task(self._conversation.talk(turn, begun, self._progress))
        limit = resolution.turn_seconds(begun.config)
        deadline = None if limit is None else time.monotonic() + limit
        silence = resolution.idle_turn_seconds()
        try:
            while True:
                now = time.monotonic()
                if self._asking.is_open:
                    self._progress.touched = now
                wait = self._progress.touched + silence - now
                if deadline is not None:
                    wait = min(wait, deadline - now)
                wait = max(0.0, min(wait, silence if not self._asking.is_open else 1.0))
                done, _ = await asyncio.wait(
                    (work, self._turn_end), timeout=wait, return_when=asyncio.FIRST_COMPLETED
                )
                if work in done:
                    return self._result(turn, work)
                if self._turn_end in done:
                    ending = self._turn_end.result()
                    break
                now = time.monotonic()
                if deadline is not None and now >= deadline:
                    error = f"The turn timed out: it took longer than {limit:g} s"
                    ending = states.failed(error, "backend_timeout")
                    break
                if not self._asking.is_open and now >= self._progress.touched + silence:
                    ending = states.idle_turn_timeout()
                    break
            await self._interrupt(work, gently=ending.source == "runtime")
            return ending, None
        except BaseException:
            work.cancel()
            raise
        finally:
            self._with.kernel.access.end(self.session_id)
            self._asking.withdraw()

    async def _interrupt(self, work: "asyncio.Task[TurnEnd]", *, gently: bool) -> None:
        self._asking.withdraw()
        if gently and self._conversation.is_open:
            try:
                async with asyncio.timeout(_INTERRUPT_SECONDS):
                    await self._conversation.interrupt()
                await asyncio.wait((work,), timeout=_INTERRUPT_SECONDS)
            except Exception as error:
                log.info("%s was not interrupted: %s", self.session_id, error)
        work.cancel()
        await asyncio.wait((work,), timeout=_INTERRUPT_SECONDS if gently else 0.5)
        if work.done() and not work.cancelled():
            work.exception()

    def _result(self, turn: Turn, work: "asyncio.Task[TurnEnd]") -> tuple[Ending, TurnEnd | None]:
        try:
            end = work.result()
        except (CannotRun, TemplateFailed) as error:
            self._with.announce.error(turn.sender, f"Failed to start agent: {error}")
            return states.failed(str(error), retry=False), None
        except BackendFailed as error:
            text = redacted(str(error))
            if not self._conversation.is_open:
                self._with.announce.error(turn.sender, f"Failed to start agent: {text}")
            return states.failed(text, error.cause), None
        except asyncio.CancelledError:
            return states.failed("The backend gave up the turn", "turn_interrupted"), None
        except Exception as error:
            log.exception("a turn of %s failed", self.session_id)
            return states.failed(redacted(f"{type(error).__name__}: {error}")), None
        if end.success:
            return states.completed(), end
        text = redacted(end.error or "The agent reported a failure")
        return states.failed(text, end.reason), end

    async def _ask(self, request: PermissionRequest) -> Decision:
        """Ask on behalf of the backend, whose silence is none while a person thinks."""
        if self._begun is None:
            return Decision(behavior="deny", message="No turn is under way")
        try:
            return await self._asking.ask(self._begun.ref, request)
        finally:
            self._progress.touch()

    async def _record(self, event_type: str, payload: Any, event_id: str | None = None) -> None:
        backend = self._begun.backend_type if self._begun else None
        item = payloads.entry(event_type, payload, backend=backend, event_id=event_id)
        if item is not None:
            self._progress.note(item)
            await self._with.recorder.put(self.channel, item)

    async def _finish(
        self, begun: Begun, ending: Ending, end: TurnEnd | None, resume_id: str | None
    ) -> Ending:
        """Everything is written, then the end in one transaction; what it came to."""
        if ending.event == "fail":
            await self._record("error", {"message": ending.error or ending.reason})
        await self._with.recorder.flush()
        if self.channel.failure is not None and ending.event == "complete":
            ending = states.failed(f"The record is incomplete: {self.channel.failure}")
        progress = self._progress
        outcome = Outcome(
            ending=ending,
            resume_id=resume_id,
            usage=end.usage if end else None,
            last_text=progress.last_text,
            has_commented=bool(progress.comment_calls),
            plan=progress.plan,
            metadata=progress.metadata,
        )
        try:
            await self._with.kernel.db.write_async(lambda tx: finish(tx, begun, outcome))
        except Exception as error:
            log.exception("the end of a turn of %s was not recorded", self.session_id)
            ending = states.failed(f"The end of the turn was not recorded: {error}", retry=False)
            bare = Outcome(ending=ending, resume_id=resume_id)
            try:
                await self._with.kernel.db.write_async(lambda tx: finish(tx, begun, bare))
            except Exception:
                log.exception("the session %s is left for the next cleanup", self.session_id)
        return ending
