"""A running browser: its process, its pages, and what it reports of them."""

import asyncio
import logging
import webbrowser
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from kombuse_plugins.desktop import addresses, program
from kombuse_plugins.desktop.connection import Connection
from kombuse_plugins.desktop.errors import BrowserGone, LoadTimeout, ProtocolError
from kombuse_plugins.desktop.mode import Mode
from kombuse_plugins.desktop.page import Page
from kombuse_sdk.process import child_environment, output
from kombuse_sdk.types import Kernel

__all__ = ["Browser"]

log = logging.getLogger("kombuse.desktop")
_START_SECONDS = 20.0
_PROFILE = "desktop-profile"
OnClosed = Callable[[str], None]


class Browser:
    """`on_closed` is told the target id of each page that is no more."""

    def __init__(self, kernel: Kernel, mode: Mode, on_closed: OnClosed) -> None:
        self._config = kernel.config
        self._headers = {n.decode(): value.decode() for n, value in kernel.access.headers}
        self._mode = mode
        self._on_closed = on_closed
        self._connection: Connection
        self._pages: dict[str, Page] = {}
        self._ports: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._app_pages: asyncio.Queue[str] = asyncio.Queue()

    @property
    def ended(self) -> asyncio.Event:
        return self._connection.ended

    async def start(self, first: tuple[str, tuple[int, int]] | None) -> None:
        """Address and size of the first window that a person is to see; raises NoBrowser or
        BrowserGone."""
        self._argv = [
            await asyncio.to_thread(program.find_program, self._config),
            *program.arguments(
                self._profile(), self._config.port, is_headless=self._mode.is_headless
            ),
        ]
        argv = [*self._argv, "--remote-debugging-pipe"]
        if self._mode.is_headless or first is None:
            argv.append("--no-startup-window")
        else:
            argv += _app_window(*first)
        env = child_environment(argv[0])
        self._connection = await Connection.start(argv, env, self._take_event)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._connection.call("Target.setDiscoverTargets", discover=True)
        except (BrowserGone, TimeoutError):
            await self.stop()
            log.error("%s does not start: %s", argv[0], self._connection.child.stderr.strip())
            raise BrowserGone from None

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._connection.close()

    async def call(self, method: str, **params: Any) -> Any:
        return await self._connection.call(method, **params)

    async def info(self, target_id: str) -> dict[str, Any]:
        """Title and address of a page as they are now."""
        found = await self.call("Target.getTargetInfo", targetId=target_id)
        info: dict[str, Any] = found["targetInfo"]
        return info

    async def open_page(self, port: int, size: tuple[int, int], context: str | None) -> Page:
        """An empty page, ready to load what the server at `port` has."""
        width, height = size
        options: dict[str, Any] = {"width": width, "height": height, "newWindow": True}
        if context is not None:
            options["browserContextId"] = context
        made = await self.call("Target.createTarget", url="about:blank", **options)
        return await self._attach(made["targetId"], port, size if self._mode.is_headless else None)

    async def open_app_window(self, url: str, size: tuple[int, int], *, is_first: bool) -> Page:
        """A window without the bars of a browser; only a start of the program can make one."""
        if not is_first:
            argv = [*self._argv, *_app_window(url, size)]
            await output(argv, seconds=_START_SECONDS, env=child_environment(argv[0]))
        try:
            async with asyncio.timeout(_START_SECONDS):
                target_id = await self._app_pages.get()
        except TimeoutError:
            raise LoadTimeout("The browser did not show a window in time") from None
        page = await self._attach(target_id, self._config.port, None)
        if not is_first:  # a browser that runs gives it the size of the last one
            window = await self.call("Browser.getWindowForTarget", targetId=target_id)
            bounds = {"width": size[0], "height": size[1]}
            await self.call("Browser.setWindowBounds", windowId=window["windowId"], bounds=bounds)
        return page

    async def open_context(self, port: int) -> str:
        """Cookies and storage apart from all others, and a way to one server alone."""
        made = await self.call(
            "Target.createBrowserContext",
            proxyServer=program.proxy_server(),
            proxyBypassList=program.proxy_bypass(port),
        )
        context: str = made["browserContextId"]
        return context

    async def close_page(self, page: Page) -> None:
        await self.call("Target.closeTarget", targetId=page.target_id)

    def _profile(self) -> Path:
        profile = self._config.home / _PROFILE
        profile.mkdir(mode=0o700, exist_ok=True)
        return profile

    async def _attach(self, target_id: str, port: int, size: tuple[int, int] | None) -> Page:
        made = await self.call("Target.attachToTarget", targetId=target_id, flatten=True)
        page = Page(self._connection, target_id, made["sessionId"])
        self._pages[page.session] = page
        self._ports[target_id] = port
        await page.prepare(port, size, self._headers)
        return page

    def _take_event(self, session: str | None, method: str, params: dict[str, Any]) -> None:
        if session is None:
            self._take_target_event(method, params)
            return
        page = self._pages.get(session)
        if page is None:
            return
        if method == "Fetch.requestPaused":
            self._spawn(self._judge(page, params))
        elif method == "Page.windowOpen" and params["userGesture"]:
            self._hand_over(page, params["url"])
        elif method == "Page.javascriptDialogOpening" and self._answers_dialogs(page):
            accept = params["type"] == "beforeunload"
            self._spawn(self._quietly(page.call("Page.handleJavaScriptDialog", accept=accept)))
        else:
            page.take_event(method, params)

    def _take_target_event(self, method: str, params: dict[str, Any]) -> None:
        if method == "Target.targetCreated":
            info = params["targetInfo"]
            if info["type"] != "page":
                return
            if "openerId" in info:  # by a page: what it is for is decided by Page.windowOpen
                self._spawn(
                    self._quietly(self.call("Target.closeTarget", targetId=info["targetId"]))
                )
            elif not self._mode.is_headless and addresses.is_own(info["url"], self._config.port):
                self._app_pages.put_nowait(info["targetId"])
        elif method == "Target.targetDestroyed":
            self._forget(params["targetId"])
        elif method == "Target.targetCrashed":
            self._forget(params["targetId"])
            closing = self.call("Target.closeTarget", targetId=params["targetId"])
            self._spawn(self._quietly(closing))

    def _forget(self, target_id: str) -> None:
        if self._ports.pop(target_id, None) is not None:
            self._pages = {s: p for s, p in self._pages.items() if p.target_id != target_id}
            self._on_closed(target_id)

    def _answers_dialogs(self, page: Page) -> bool:
        """A person answers for the windows that a person sees."""
        return self._mode.is_headless or self._ports[page.target_id] != self._config.port

    async def _judge(self, page: Page, params: dict[str, Any]) -> None:
        """Documents come from the window's own server; asked for others, a page stays as it is."""
        request, url = params["requestId"], params["request"]["url"]
        if addresses.is_own(url, self._ports.get(page.target_id, 0)):
            await self._quietly(page.call("Fetch.continueRequest", requestId=request))
            return
        abort = page.call("Fetch.failRequest", requestId=request, errorReason="Aborted")
        await self._quietly(abort)
        if params.get("frameId") == page.target_id:
            self._hand_over(page, url)

    def _hand_over(self, page: Page, url: str) -> None:
        """Links out of the app open in the person's own browser, for windows that a person uses."""
        port = self._ports.get(page.target_id, 0)
        if addresses.is_own(url, port):
            self._spawn(self._quietly(page.call("Page.navigate", url=url)))
            return
        is_seen = port == self._config.port and not self._mode.is_headless
        if is_seen and addresses.is_external(url):
            self._spawn(self._quietly(asyncio.to_thread(webbrowser.open, url)))

    async def _quietly(self, work: Coroutine[Any, Any, Any]) -> None:
        """The page may be gone before it is answered."""
        try:
            await work
        except (ProtocolError, BrowserGone):
            log.debug("a page is gone", exc_info=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _app_window(url: str, size: tuple[int, int]) -> list[str]:
    return [f"--app={url}", f"--window-size={size[0]},{size[1]}"]
