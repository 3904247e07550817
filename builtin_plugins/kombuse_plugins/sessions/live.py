"""One live session: its backend, the turns that wait, and how each of them ends.

Whatever goes wrong in a turn ends that turn, with its reason in the record, and nothing else.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from kombuse_plugins.sessions import context, payloads, queries, resolution, states
from kombuse_plugins.sessions.finish import Outcome, finish
from kombuse_plugins.sessions.prompts import Renderer, TemplateFailed, has_tags
from kombuse_plugins.sessions.recorder import Channel, Recorder
from kombuse_plugins.sessions.replies import plan_text
from kombuse_plugins.sessions.secrets import redacted
from kombuse_plugins.sessions.states import Ending
from kombuse_plugins.sessions.turns import Begun, Busy, Turn, begin
from kombuse_sdk.agents import (
    AgentBackend,
    AgentRun,
    BackendFailed,
    Decision,
    PermissionRequest,
    ResumeFailed,
    RunOptions,
    TurnEnd,
)
from kombuse_sdk.contracts import PackageFiles, Permissions
from kombuse_sdk.errors import KombuseError
from kombuse_sdk.storage import ReadTx, WriteTx
from kombuse_sdk.types import Kernel

__all__ = ["LiveSession", "Surroundings"]

log = logging.getLogger("kombuse.sessions")
MAX_WAITING = 20
_ADD_COMMENT = "mcp__kombuse__add_comment"
_INTERRUPT_SECONDS = 3.0
_CLOSE_SECONDS = 10.0
_IDLE_POLL_SECONDS = 10.0
_BUSY_SECONDS = 0.05
_PRIOR_CHARACTERS = 8000
_NO_PERMISSIONS = (
    "Tool use needs an approval, and the plugin that asks for one (permissions) is not active"
)


class CannotRun(Exception):
    """The run is set up in a way that cannot work; another try would not go better."""


class Announcements(Protocol):
    """What clients are told."""

    def started(self, turn: Turn, begun: Begun) -> None: ...
    def ended(
        self, begun: Begun, ending: Ending, resume_id: str | None, to: str | None
    ) -> None: ...
    def ticket_status(self, ticket_id: int | None) -> None: ...
    def error(self, sender: str | None, message: str) -> None: ...
    def event(self, channel: Channel, seq: int, item: payloads.Entry) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every live session works with; `freed` is called when it no longer takes a place."""

    kernel: Kernel
    recorder: Recorder
    renderer: Renderer
    announce: Announcements
    freed: Callable[[], None]


@dataclass(slots=True)
class _Progress:
    """What a turn has done so far."""

    events: int = 0
    touched: float = field(default_factory=time.monotonic)
    last_text: str | None = None
    comment_calls: set[str] = field(default_factory=set)
    plan_calls: set[str] = field(default_factory=set)
    plan: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class LiveSession:
    """Lives on the runner's loop; `main` is its one task."""

    def __init__(self, surroundings: Surroundings, session_id: str) -> None:
        self.session_id = session_id
        self.backend_type: str | None = None
        self.agent_id: str | None = None
        self.is_busy = False
        self._with = surroundings
        self._waiting: deque[Turn] = deque()
        self._arrival = asyncio.Event()
        self.channel = Channel(session_id)
        self._run: AgentRun | None = None
        self._begun: Begun | None = None
        self._turn_end: asyncio.Future[Ending] | None = None
        self._stop: Ending | None = None
        self._asks: set[asyncio.Task[Decision]] = set()
        self._progress = _Progress()

    @property
    def is_alive(self) -> bool:
        """Whether there is something to stop: a turn, one that waits, or an idle backend."""
        return self.is_busy or self._run is not None or bool(self._waiting)

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
                    await self._close_run()
                    if not self._waiting:
                        return
                turn = self._waiting.popleft()
                try:
                    await self._take(turn)
                except Exception:
                    log.exception("a turn of %s broke", self.session_id)
                    await self._close_run()
                    await self._break(turn)
                if turn.is_triggered and not self._waiting:
                    await self._close_run()
                self.is_busy = False
                self._with.freed()
        finally:
            await self._close_run()

    async def _idle(self) -> bool:
        """Wait for the next message; False when the session is over."""
        since = time.monotonic()
        while not self._waiting:
            if self._run is None:
                return False
            if self._stop is not None:
                await self._stopped(self._stop)
                return False
            seconds = await self._read(resolution.idle_seconds)
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
        resume_id = self._run.backend_session_id if self._run else None
        await self._close_run()

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
        self._progress = _Progress()
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
        resume_id = self._run.backend_session_id if self._run else None
        if ending.event != "complete" or end is None or not end.is_alive:
            await self._close_run()
        ending = await self._finish(begun, ending, end, resume_id)
        permissions = self._with.kernel.services.find(Permissions)
        if permissions is not None:
            permissions.end_turn(self.session_id)
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
        work = asyncio.create_task(self._work(turn, begun))
        limit = resolution.turn_seconds(begun.config)
        deadline = None if limit is None else time.monotonic() + limit
        silence = resolution.idle_turn_seconds()
        try:
            while True:
                now = time.monotonic()
                if self._asks:
                    self._progress.touched = now
                wait = self._progress.touched + silence - now
                if deadline is not None:
                    wait = min(wait, deadline - now)
                wait = max(0.0, min(wait, silence if not self._asks else 1.0))
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
                if not self._asks and now >= self._progress.touched + silence:
                    ending = states.idle_turn_timeout()
                    break
            await self._interrupt(work, gently=ending.source == "runtime")
            return ending, None
        except BaseException:
            work.cancel()
            raise
        finally:
            self._withdraw()

    async def _interrupt(self, work: "asyncio.Task[TurnEnd]", *, gently: bool) -> None:
        self._withdraw()
        if gently and self._run is not None:
            try:
                async with asyncio.timeout(_INTERRUPT_SECONDS):
                    await self._run.interrupt()
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
            if self._run is None:
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

    async def _work(self, turn: Turn, begun: Begun) -> TurnEnd:
        """The turn itself, on the idle backend if there is one that still answers."""
        if self._run is not None and self.backend_type == begun.backend_type:
            try:
                return await self._converse(turn)
            except BackendFailed as error:
                if self._progress.events:
                    raise
                log.info("%s starts its backend anew: %s", self.session_id, error)
            begun = replace(begun, resume_id=self._run.backend_session_id or begun.resume_id)
        await self._close_run()
        await self._open(turn, begun)
        try:
            return await self._converse(turn)
        except ResumeFailed as error:
            if self._progress.events or begun.resume_id is None:
                raise
            await self._close_run()
            await self._open(turn, await self._without_resume(begun, error))
            return await self._converse(turn)

    async def _converse(self, turn: Turn) -> TurnEnd:
        assert self._run is not None
        stream = self._run.turn(turn.message, turn.images)
        try:
            async for item in stream:
                self._progress.touched = time.monotonic()
                if isinstance(item, TurnEnd):
                    return item
                self._progress.events += item.type != "raw"
                await self._record(item.type, item.payload, item.event_id)
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        raise BackendFailed("The backend ended in the middle of a turn", "process_exit")

    async def _open(self, turn: Turn, begun: Begun) -> None:
        backend = resolution.backend_of(self._with.kernel, begun.backend_type)
        if backend is None:
            raise CannotRun(
                f"The backend {begun.backend_type} is not available: no active plugin offers it"
            )
        await self._require_version(backend, begun)
        try:
            self._run = await backend.open(await self._options(turn, begun))
        except ResumeFailed as error:
            if begun.resume_id is None:
                raise
            begun = await self._without_resume(begun, error)
            self._run = await backend.open(await self._options(turn, begun))
        self.backend_type = begun.backend_type

    async def _without_resume(self, begun: Begun, error: ResumeFailed) -> Begun:
        data = {"backend_session_id": begun.resume_id, "message": str(error)}
        await self._record("raw", {"sourceType": "resume_failed", "data": data})
        return replace(begun, resume_id=None)

    async def _require_version(self, backend: AgentBackend, begun: Begun) -> None:
        minimum = resolution.text(begun.config.get("min_backend_version"))
        if minimum is None:
            return
        status = await backend.status(begun.ref.project_id)
        if resolution.older(status.version, minimum):
            raise CannotRun(
                f"Backend {backend.name} version {status.version} does not meet minimum {minimum}"
                " required by this agent. Please update your CLI."
            )

    async def _options(self, turn: Turn, begun: Begun) -> RunOptions:
        agent, kernel = begun.agent, self._with.kernel
        template = agent.system_prompt if agent else ""

        def prepare(tx: ReadTx) -> Any:
            folder = resolution.workspace(tx, begun.ref.project_id, self.session_id)
            prior = None if begun.resume_id else _prior(tx, begun)
            values: dict[str, Any] = {}
            if has_tags(template):
                values = context.variables(
                    tx,
                    session_id=self.session_id,
                    backend_type=begun.backend_type,
                    project_id=begun.ref.project_id,
                    ticket_id=begun.ref.ticket_id,
                    comment_id=turn.comment_id,
                    event=turn.event,
                )
            return folder, resolution.project_instructions(folder), prior, values

        try:
            folder, instructions, prior, values = await self._read(prepare)
        except OSError as error:
            raise CannotRun(f"There is no folder to work in: {error}") from error
        prompt = None
        if agent is not None:
            name = f"system prompt of {begun.ref.agent_name or agent.id}"
            prompt = await self._with.renderer.render(name, template, values, self._includes)
        prompt = context.instructions(prompt, instructions, prior, self.session_id)
        if prompt:
            await self._record("raw", {"sourceType": "system_prompt", "data": {"content": prompt}})
        return RunOptions(
            session_id=self.session_id,
            cwd=folder,
            ask=self._ask,
            project_id=begun.ref.project_id,
            system_prompt=prompt,
            resume_id=begun.resume_id,
            model=begun.model,
            permission_mode=agent.preset.permission_mode if agent else None,
            thinking_tokens=resolution.thinking_tokens(begun.config),
            mcp_url=f"http://127.0.0.1:{kernel.config.port}/mcp",
            config=begun.config,
            spent_usd=begun.spent_usd,
        )

    async def _includes(self, name: str) -> str | None:
        agent = self._begun.agent if self._begun else None
        if agent is None or agent.plugin_id is None:
            raise TemplateFailed(f"{name} cannot be included: the agent belongs to no package")
        files, plugin_id = self._with.kernel.services.find(PackageFiles), agent.plugin_id
        if files is None:
            raise TemplateFailed(f"{name} cannot be included: no plugin gives files of packages")

        def read(tx: ReadTx) -> str | None:
            return files.text(tx, plugin_id, name)

        found: str | None = await self._read(read)
        return found

    async def _ask(self, request: PermissionRequest) -> Decision:
        """Ask on behalf of the backend; a refusal when the turn ends before there is an answer."""
        begun = self._begun
        permissions = self._with.kernel.services.find(Permissions)
        if permissions is None or begun is None:
            await self._refused(request)
            return Decision(behavior="deny", message=_NO_PERMISSIONS)
        asking = asyncio.ensure_future(permissions.ask(begun.ref, request))
        self._asks.add(asking)
        try:
            await asyncio.wait((asking,))
            if asking.cancelled():
                return Decision(behavior="deny", message="The session has ended")
            return asking.result()
        except asyncio.CancelledError:
            asking.cancel()
            raise
        except Exception as error:
            log.exception("a permission request of %s failed", self.session_id)
            return Decision(behavior="deny", message=f"The request failed: {error}")
        finally:
            self._asks.discard(asking)
            self._progress.touched = time.monotonic()

    async def _refused(self, request: PermissionRequest) -> None:
        asked = {
            "requestId": request.request_id,
            "toolName": request.tool_name,
            "toolUseId": request.tool_use_id,
            "input": request.input,
        }
        answer = {
            "requestId": request.request_id,
            "behavior": "deny",
            "message": _NO_PERMISSIONS,
        }
        await self._record("permission_request", asked)
        await self._record("permission_response", answer)

    def _withdraw(self) -> None:
        for asking in self._asks:
            asking.cancel()

    def _note(self, item: payloads.Entry) -> None:
        """Remember what the end of the turn depends on."""
        progress, payload = self._progress, item.payload
        if item.event_type == "message" and payload.get("role") == "assistant":
            progress.last_text = resolution.text(payload.get("content")) or progress.last_text
        elif item.event_type == "tool_use":
            call = str(payload.get("id"))
            if payload.get("name") == _ADD_COMMENT:
                progress.comment_calls.add(call)
            elif payload.get("name") == "ExitPlanMode":
                progress.plan_calls.add(call)
                progress.metadata["exitPlanModeToolUseId"] = call
        elif item.event_type == "tool_result":
            call = str(payload.get("toolUseId"))
            if payload.get("isError"):
                progress.comment_calls.discard(call)
            elif call in progress.plan_calls:
                progress.plan = plan_text(payload.get("content")) or progress.plan
        elif item.event_type == "raw" and payload.get("sourceType") == "init":
            data = payload.get("data")
            version = data.get("claude_code_version") if isinstance(data, dict) else None
            if isinstance(version, str):
                progress.metadata["cli_version"] = version[:100]

    async def _record(self, event_type: str, payload: Any, event_id: str | None = None) -> None:
        backend = self._begun.backend_type if self._begun else None
        item = payloads.entry(event_type, payload, backend=backend, event_id=event_id)
        if item is not None:
            self._note(item)
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

    async def _close_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await run.close()
        except Exception as error:
            log.warning("the backend of %s was not closed: %s", self.session_id, error)

    async def _read(self, work: Any) -> Any:
        return await self._with.kernel.db.read_async(work)


def _prior(tx: ReadTx, begun: Begun) -> str | None:
    """What was said before, for a backend that starts without a memory of it."""
    said: Sequence[tuple[str, str]] = queries.messages(
        tx, begun.row_id, begun.seq, _PRIOR_CHARACTERS
    )
    if not said:
        return None
    names = {"user": "User", "assistant": "Assistant"}
    summary = "\n\n".join(f"**{names.get(role, role)}**: {content}" for role, content in said)
    return (
        "<prior-conversation>\n## Prior Conversation\n"
        "This conversation began earlier; the following was said in it.\n\n"
        f"{summary}\n</prior-conversation>"
    )
