"""The windows that are open: opened, looked up, used and closed, on the loop of the desktop."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.desktop.addresses import page_url
from kombuse_plugins.desktop.browser import Browser
from kombuse_plugins.desktop.errors import BrowserGone, NotInTime, ProtocolError
from kombuse_plugins.desktop.isolated import IsolatedServer
from kombuse_plugins.desktop.mode import Mode
from kombuse_plugins.desktop.page import Page
from kombuse_plugins.desktop.schemas import Navigate, Open, RunScript, Screenshot, WaitFor
from kombuse_sdk.errors import BadRequest, Conflict, Forbidden, NotFound
from kombuse_sdk.types import Kernel

__all__ = ["Windows", "Work"]

log = logging.getLogger("kombuse.desktop")
_MOST_WINDOWS = 50
Work = Callable[["Windows"], Coroutine[Any, Any, Any]]


@dataclass(slots=True, kw_only=True)
class _Window:
    id: int
    page: Page
    size: tuple[int, int]
    port: int
    server: IsolatedServer | None
    context: str | None


class Windows:
    """`on_left` is called when a person has closed the last window that a person saw."""

    def __init__(self, kernel: Kernel, mode: Mode, on_left: Callable[[], None]) -> None:
        self._kernel = kernel
        self._mode = mode
        self._on_left = on_left
        self._open: dict[int, _Window] = {}
        self._count = 0
        self._browser: Browser | None = None
        self._opening = asyncio.Lock()
        self._calls: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, work: Work) -> Any:
        """What `work` makes of the windows; cancelled if it is still at it in the end."""
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            return await work(self)
        finally:
            self._calls.discard(task)

    async def listing(self) -> list[dict[str, Any]]:
        if self._browser is None:
            return []
        try:
            targets = (await self._browser.call("Target.getTargets"))["targetInfos"]
        except BrowserGone:
            return []
        infos = {info["targetId"]: info for info in targets}
        return [
            _described(window, infos[window.page.target_id])
            for window in self._open.values()
            if window.page.target_id in infos
        ]

    async def open(self, wanted: Open) -> dict[str, Any]:
        if len(self._open) >= _MOST_WINDOWS:
            raise Conflict(f"There are {_MOST_WINDOWS} windows already: close some first")
        url = page_url(wanted.path, self._kernel.config.port)
        size = (wanted.width, wanted.height)
        server = await IsolatedServer.start(self._kernel) if wanted.isolated else None
        context = page = None
        browser = self._browser
        try:
            async with self._opening:
                first = None if server is not None else (url, size)
                browser, is_first = await self._running(first)
                if server is not None:
                    url = page_url(wanted.path, server.port)
                    context = await browser.open_context(server.port)
                    page = await browser.open_page(server.port, size, context)
                elif self._mode.is_headless:
                    page = await browser.open_page(self._kernel.config.port, size, None)
                else:
                    page = await browser.open_app_window(url, size, is_first=is_first)
                window = self._added(page, size, server, context)
            await page.load(url)
            return _described(window, await browser.info(page.target_id))
        except BaseException:
            if page is not None:
                await self._close_failed(browser, page)
            elif server is not None:
                await server.stop()
            raise

    async def navigate(self, window_id: str, wanted: Navigate) -> dict[str, Any]:
        if not wanted.path:
            raise BadRequest("path is required")
        window = self._find(window_id)
        await window.page.load(page_url(wanted.path, window.port))
        if wanted.wait_for_selector:
            await window.page.wait_for(wanted.wait_for_selector, wanted.timeout_ms)
        info = await self._browser_of_windows().info(window.page.target_id)
        return {"id": window.id, "url": info["url"]}

    async def run(self, window_id: str, wanted: RunScript) -> dict[str, Any]:
        if not wanted.script:
            raise BadRequest("script is required")
        window = self._find(window_id)
        if window.server is None:
            raise Forbidden("execute_js is only allowed on isolated windows")
        try:
            result = await window.page.run(wanted.script, wanted.timeout_ms, wanted.world)
        finally:
            if window.page.is_stuck:
                await self._replace_page(window)
        return {"result": result}

    async def wait_for(self, window_id: str, wanted: WaitFor) -> dict[str, Any]:
        if not wanted.selector:
            raise BadRequest("selector is required")
        window = self._find(window_id)
        try:
            await window.page.wait_for(wanted.selector, wanted.timeout_ms)
        except (BadRequest, NotInTime) as error:
            raise type(error)(f"wait_for failed: {error.message}") from None
        return {"found": True, "selector": wanted.selector}

    async def screenshot(self, window_id: str, wanted: Screenshot) -> dict[str, Any]:
        window = self._find(window_id)
        return {"data": await window.page.screenshot(wanted), "mimeType": "image/png"}

    async def close(self, window_id: str) -> dict[str, Any]:
        window = self._find(window_id)
        browser = self._browser_of_windows()
        del self._open[window.id]
        try:
            await browser.close_page(window.page)
        finally:
            await self._end(window, browser)
        return {"success": True}

    async def close_all(self) -> None:
        """Nothing of ours runs on afterwards."""
        calls = set(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
        browser, windows = self._browser, list(self._open.values())
        self._browser = None
        self._open.clear()
        if browser is not None:
            await browser.stop()
        await asyncio.gather(*(w.server.stop() for w in windows if w.server is not None))
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _running(self, first: tuple[str, tuple[int, int]] | None) -> tuple[Browser, bool]:
        """The browser, and whether it was started just now, with `first` in a window."""
        if self._browser is not None:
            if not self._browser.ended.is_set():
                return self._browser, False
            await self._lost(self._browser)
        browser = Browser(self._kernel, self._mode, self._closed_by_browser)
        await browser.start(first)
        self._browser = browser
        self._spawn(self._follow(browser))
        return browser, True

    async def _follow(self, browser: Browser) -> None:
        await browser.ended.wait()
        await self._lost(browser)

    async def _lost(self, browser: Browser) -> None:
        """When the browser is gone, so are its windows, with all that belongs to them."""
        if self._browser is not browser:
            return
        self._browser = None
        windows = list(self._open.values())
        self._open.clear()
        if windows:
            log.warning("the browser ended, with %d windows", len(windows))
        await browser.stop()
        await asyncio.gather(*(self._end(window, browser) for window in windows))

    def _closed_by_browser(self, target_id: str) -> None:
        window = next((w for w in self._open.values() if w.page.target_id == target_id), None)
        if window is None or self._browser is None:
            return
        del self._open[window.id]
        self._spawn(self._end(window, self._browser))
        is_seen = window.server is None and not self._mode.is_headless
        if is_seen and self._mode.opens and not any(w.server is None for w in self._open.values()):
            self._on_left()

    async def _end(self, window: _Window, browser: Browser) -> None:
        """Give back what an isolated window had for itself."""
        if window.context is not None:
            try:
                await browser.call("Target.disposeBrowserContext", browserContextId=window.context)
            except (BrowserGone, ProtocolError):
                log.debug("the context of window %d is gone", window.id)
        if window.server is not None:
            await window.server.stop()

    async def _replace_page(self, window: _Window) -> None:
        """The same window with a new page at the same address."""
        browser, stuck = self._browser_of_windows(), window.page
        window.page = await browser.open_page(window.port, window.size, window.context)
        await browser.close_page(stuck)
        await window.page.load(stuck.url)

    async def _close_failed(self, browser: Browser | None, page: Page) -> None:
        window = next((w for w in self._open.values() if w.page is page), None)
        if window is not None and browser is not None:
            del self._open[window.id]
            try:
                await browser.close_page(page)
            except (BrowserGone, ProtocolError):
                log.debug("window %d is gone", window.id)
            await self._end(window, browser)

    def _added(
        self, page: Page, size: tuple[int, int], server: IsolatedServer | None, context: str | None
    ) -> _Window:
        self._count += 1
        port = self._kernel.config.port if server is None else server.port
        window = _Window(
            id=self._count, page=page, size=size, port=port, server=server, context=context
        )
        self._open[window.id] = window
        return window

    def _find(self, window_id: str) -> _Window:
        is_number = window_id.isascii() and window_id.isdigit() and len(window_id) < 16
        window = self._open.get(int(window_id)) if is_number else None
        if window is None:
            raise NotFound("Window not found")
        return window

    def _browser_of_windows(self) -> Browser:
        if self._browser is None:
            raise BrowserGone
        return self._browser

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _described(window: _Window, info: dict[str, Any]) -> dict[str, Any]:
    return {"id": window.id, "title": info["title"], "url": info["url"]}
