"""The runner: a thread with an event loop of its own, on which all agents live.

It claims invocations while there is room, hands turns to live sessions, and outlives whatever
becomes of them.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kombuse_plugins.sessions import claims, cleanup, payloads, resolution
from kombuse_plugins.sessions.announcements import Announcer
from kombuse_plugins.sessions.live import LiveSession
from kombuse_plugins.sessions.prompts import Renderer
from kombuse_plugins.sessions.recorder import Channel, Recorder
from kombuse_plugins.sessions.states import Ending
from kombuse_plugins.sessions.surroundings import Surroundings
from kombuse_plugins.sessions.turns import Turn
from kombuse_sdk.contracts import Invocations
from kombuse_sdk.errors import Unavailable
from kombuse_sdk.process import end_orphans
from kombuse_sdk.types import Kernel

__all__ = ["Runner"]

log = logging.getLogger("kombuse.sessions")
_SHUTDOWN_SECONDS = 1.2
_JOIN_SECONDS = 3.0
_RETRY_SECONDS = 1.0
_LONGEST_SLEEP = 3600.0


class Runner:
    """`start` and `stop` once; everything else from any thread in between."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.announce = Announcer(kernel)
        self._lives: dict[str, LiveSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._limit = resolution.max_concurrent(kernel)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kombuse-agents", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()
        self.wake()

    def stop(self) -> None:
        """Abort what runs, close every backend; in about two seconds whatever they do."""
        if self._call(lambda: self._stopping.set()):
            self._thread.join(_JOIN_SECONDS)
            if self._thread.is_alive():
                log.error("a backend does not let the agents end")

    def wake(self) -> None:
        self._call(lambda: self._wake.set())

    def submit(self, turn: Turn) -> None:
        """Raises Unavailable when the runner does not run."""
        if not self._call(lambda: self._submit(turn)):
            raise Unavailable("Agents cannot run: the server is stopping")

    def record(self, session_id: str, item: payloads.Entry) -> None:
        self._call(lambda: self._record(session_id, item))

    def backend_type(self, session_id: str) -> str | None:
        live = self._lives.get(session_id)
        return live.backend_type if live else None

    def live_ids(self) -> set[str]:
        return set(self._lives)

    def stop_where(self, condition: Callable[[LiveSession], bool], ending: Ending) -> int:
        """Stop the live sessions that fit; how many there were."""
        found = [live for live in list(self._lives.values()) if live.is_alive and condition(live)]
        for live in found:
            self._call(lambda live=live: live.stop(ending))  # type: ignore[misc]
        return len(found)

    async def ended(self, session_id: str) -> None:
        """Wait until nothing is live of a session; to be awaited on any loop."""
        loop = self._loop
        if loop is None or session_id not in self._lives:
            return
        waiting = asyncio.run_coroutine_threadsafe(self._until_ended(session_id), loop)
        await asyncio.wrap_future(waiting)

    async def flushed(self) -> None:
        """Wait until what was recorded so far is written; to be awaited on any loop."""
        loop = self._loop
        if loop is not None:
            waiting = asyncio.run_coroutine_threadsafe(self._recorder.flush(), loop)
            await asyncio.wrap_future(waiting)

    async def _until_ended(self, session_id: str) -> None:
        for task in list(self._tasks):
            if task.get_name() == session_id:
                await asyncio.wait((task,))

    def _call(self, action: Callable[[], Any]) -> bool:
        """Run something on the loop; False when there is none (any more)."""
        loop = self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(action)
        except RuntimeError:
            return False
        return True

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception:
            log.exception("the runner of agents ended")
        finally:
            self._loop = None
            self._ready.set()

    async def _main(self) -> None:
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._recorder = Recorder(self._kernel.db, self.announce.event)
        self._renderer = Renderer()
        self._with = Surroundings(
            kernel=self._kernel,
            recorder=self._recorder,
            renderer=self._renderer,
            announce=self.announce,
            freed=self._wake.set,
        )
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        claiming = self._spawn(self._claiming())
        recording = self._spawn(self._recorder.run())
        await self._stopping.wait()
        claiming.cancel()
        await asyncio.wait((claiming,))
        await self._end_all()
        recording.cancel()
        await self._renderer.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(work)

    async def _claiming(self) -> None:
        try:
            orphans = await asyncio.to_thread(end_orphans)
            if orphans:
                log.warning("ended %d processes that a killed server has left", len(orphans))
        except Exception:
            log.exception("whether a killed server has left processes is not known")
        while True:
            sleep = _LONGEST_SLEEP
            try:
                sleep = await self._claim_all()
            except Exception:
                log.exception("invocations cannot be claimed; trying again soon")
                sleep = _RETRY_SECONDS
            try:
                async with asyncio.timeout(sleep):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _claim_all(self) -> float:
        """Fill the free places; how long until there may be more without anybody's call."""
        more = True
        while more:
            room = self._limit - sum(live.counts for live in self._lives.values())
            if room <= 0:
                return _LONGEST_SLEEP
            turns, more = await self._kernel.db.write_async(partial(claims.claim, room=room))
            for turn in turns:
                self._submit(turn)
        due = await self._kernel.db.read_async(lambda tx: tx.services.get(Invocations).next_due(tx))
        if due is None:
            return _LONGEST_SLEEP
        left = (datetime.fromisoformat(due) - datetime.now(UTC)).total_seconds()
        return min(max(left, _RETRY_SECONDS / 20), _LONGEST_SLEEP)

    def _submit(self, turn: Turn) -> None:
        live = self._lives.get(turn.session_id)
        if live is None:
            live = self._lives[turn.session_id] = LiveSession(self._with, turn.session_id)
            task = asyncio.get_running_loop().create_task(self._live(live), name=turn.session_id)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        live.submit(turn)

    async def _live(self, live: LiveSession) -> None:
        try:
            await live.main()
        except Exception:
            log.exception("the session %s broke", live.session_id)
        finally:
            self._lives.pop(live.session_id, None)
            self._wake.set()

    def _record(self, session_id: str, item: payloads.Entry) -> None:
        live = self._lives.get(session_id)
        self._recorder.put_now(live.channel if live else Channel(session_id), item)

    async def _end_all(self) -> None:
        for live in list(self._lives.values()):
            live.stop(cleanup.SHUTDOWN)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SHUTDOWN_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.3)
        ended = await self._kernel.db.write_async(
            lambda tx: cleanup.abort_all(tx, cleanup.SHUTDOWN)
        )
        for ref, resume_id in ended:
            self.announce.ended_session(ref, cleanup.SHUTDOWN, resume_id)
