"""Control over windows, for routes and tools: each call is recorded with who made it."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from kombuse_plugins.desktop.errors import ProtocolError
from kombuse_plugins.desktop.mode import Mode, forget_mode
from kombuse_sdk.errors import BadGateway, KombuseError, Unavailable
from kombuse_sdk.events import Event
from kombuse_sdk.mcp import Caller
from kombuse_sdk.types import Kernel

if TYPE_CHECKING:
    from kombuse_plugins.desktop.windows import Windows, Work

__all__ = ["Desktop"]

log = logging.getLogger("kombuse.desktop")
_STOP_SECONDS = 15.0
_SHOWN_TEXT = 2000


class Desktop:
    """The windows live on a loop of their own thread, which begins with the first call."""

    def __init__(self, kernel: Kernel, mode: Mode) -> None:
        self._kernel = kernel
        self._mode = mode
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._windows: Windows | None = None
        self._is_stopped = False

    def start(self) -> None:
        from kombuse_plugins.desktop.isolated import remove_leftovers

        forget_mode()
        remove_leftovers(self._kernel.config.home)
        if self._mode.opens:
            threading.Thread(target=self._open_first, daemon=True).start()

    def stop(self) -> None:
        with self._starting:
            self._is_stopped = True
            loop, windows, thread = self._loop, self._windows, self._thread
        if loop is None or windows is None or thread is None:
            return
        ending = asyncio.run_coroutine_threadsafe(windows.close_all(), loop)
        try:
            ending.result(_STOP_SECONDS)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def call(
        self, caller: Caller, action: str, details: Mapping[str, Any], work: "Work"
    ) -> Any:
        """What `work` makes of the windows, recorded as an event whether it succeeds or not."""
        status = 500
        try:
            result = await asyncio.wrap_future(await asyncio.to_thread(self._submit, work))
            status = 200
            return result
        except KombuseError as error:
            status = error.status
            raise
        except ProtocolError as error:
            status = BadGateway.status
            raise BadGateway(f"The browser refused: {error}") from error
        finally:
            await self._record(caller, action, status, details)

    def _record(
        self, caller: Caller, action: str, status: int, details: Mapping[str, Any]
    ) -> Awaitable[int]:
        shown = {
            key: value[:_SHOWN_TEXT] if isinstance(value, str) else value
            for key, value in details.items()
        }
        log.info("%s by %s: %s %s", action, caller.profile_id, status, shown)
        event = Event(
            event_type="desktop.called",
            actor_type=caller.actor_type,
            actor_id=caller.profile_id,
            kombuse_session_id=caller.session_id,
            payload={"action": action, "status": status, **shown},
        )
        return self._kernel.db.write_async(lambda tx: tx.emit(event))

    def _submit(self, work: "Work") -> Any:
        with self._starting:
            if self._is_stopped:
                raise Unavailable("The server is stopping")
            if self._loop is None or self._windows is None:
                self._loop, self._windows = self._begin()
            return asyncio.run_coroutine_threadsafe(self._windows.call(work), self._loop)

    def _begin(self) -> "tuple[asyncio.AbstractEventLoop, Windows]":
        from kombuse_plugins.desktop.windows import Windows

        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="desktop", daemon=True)
        self._thread.start()
        return loop, Windows(self._kernel, self._mode, _end_server)

    def _open_first(self) -> None:
        from kombuse_plugins.desktop.schemas import Open

        try:
            self._submit(lambda windows: windows.open(Open())).result()
        except KombuseError as error:
            log.warning("no window is opened: %s", error)
        except Exception:
            log.exception("no window is opened")


def _end_server() -> None:
    """The app ends with its last window, as a person expects of one."""
    os.kill(os.getpid(), signal.SIGTERM)
