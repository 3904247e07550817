"""What can be done with one page: load, run scripts, wait, take pictures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from kombuse_plugins.desktop.connection import Connection
from kombuse_plugins.desktop.errors import LoadTimeout, NotInTime, ProtocolError
from kombuse_plugins.desktop.schemas import Screenshot
from kombuse_plugins.desktop.scripts import bridge, wait_script
from kombuse_sdk.errors import BadGateway, BadRequest, KombuseError

__all__ = ["Page", "World"]

World = Literal["isolated", "main"]
_WORLD = "kombuse"
_LOAD_SECONDS = 30.0
_LATE_SECONDS = 0.25
_RELOAD_SECONDS = 1.0
_RETRY_SECONDS = 0.02
_AWAITS = ("await is only valid", "reserved word")
_GONE = ("context", "navigated", "Cannot find")


class Page:
    """A page of the browser that we are attached to by `session`; its main frame is `target_id`."""

    def __init__(self, connection: Connection, target_id: str, session: str) -> None:
        self._connection = connection
        self.target_id = target_id
        self.session = session
        self.url = "about:blank"
        self.is_stuck = False
        self._loaded = ""
        self._on_load = asyncio.Event()

    async def prepare(
        self, port: int, size: tuple[int, int] | None, headers: Mapping[str, str]
    ) -> None:
        """Say once what holds for all that it loads; `size` is for windows that nobody sees.

        `headers` go with every request, of which all are made to our own servers.
        """
        script = bridge(port)
        commands = [
            self.call("Page.enable"),
            self.call("Page.setLifecycleEventsEnabled", enabled=True),
            self.call("Page.addScriptToEvaluateOnNewDocument", source=script),
            self.call("Page.addScriptToEvaluateOnNewDocument", source=script, worldName=_WORLD),
            self.call("Fetch.enable", patterns=[{"resourceType": "Document"}]),
        ]
        if headers:
            commands.append(self.call("Network.enable"))
            commands.append(self.call("Network.setExtraHTTPHeaders", headers=dict(headers)))
        if size is not None:
            width, height = size
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            commands.append(self.call("Emulation.setDeviceMetricsOverride", **metrics))
        await asyncio.gather(*commands)

    async def call(self, method: str, **params: Any) -> Any:
        return await self._connection.call(method, self.session, **params)

    def take_event(self, method: str, params: dict[str, Any]) -> None:
        match method, params:
            case "Page.lifecycleEvent", {"name": "load", "frameId": self.target_id}:
                self._loaded = params["loaderId"]
                self._on_load.set()
            case "Page.frameNavigated", {"frame": {"id": self.target_id, "url": url}}:
                self.url = url
            case "Page.navigatedWithinDocument", {"frameId": self.target_id, "url": url}:
                self.url = url

    async def load(self, url: str) -> None:
        """Go to an address and wait until it is loaded. Raises BadGateway or LoadTimeout."""
        before = self._loaded
        async with _limit(LoadTimeout(f"The page did not load within {_LOAD_SECONDS:.0f} s")):
            answer = await self.call("Page.navigate", url=url)
            if "errorText" in answer:
                text = answer["errorText"].removeprefix("net::")
                raise BadGateway(f"{text} loading '{url}'")
            if "loaderId" in answer:  # else only the fragment differs
                await self._load_after(before)

    async def wait_for(self, selector: str, milliseconds: int) -> None:
        """Until the selector matches, also across navigations. Raises NotInTime, BadRequest."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + milliseconds / 1000
        while True:
            left = deadline - loop.time()
            try:
                async with asyncio.timeout(max(0, left) + _LATE_SECONDS):
                    answer = await self._evaluate(wait_script(selector, left * 1000))
                if "exceptionDetails" in answer:
                    raise BadRequest(f"'{selector}' is not a valid selector")
                if answer["result"].get("value"):
                    return
            except TimeoutError:
                pass
            except ProtocolError as error:
                if not _is_gone(error):
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
            if loop.time() >= deadline:
                raise NotInTime(f"wait_for_selector timed out after {milliseconds}ms")

    async def run(self, script: str, milliseconds: int, world: World) -> Any:
        """The value of the last statement, promises awaited, as JSON; BadRequest if it fails.

        At the deadline the script is stopped for good. Where not even a reload is possible, because
        its timers start ever new loops, `is_stuck` says that the page has to be replaced.
        """
        late = f"execute_js timed out after {milliseconds}ms"
        try:
            async with asyncio.timeout(milliseconds / 1000 + _LATE_SECONDS):
                return await self._value(script, milliseconds, world)
        except TimeoutError:
            await self._stop()
            raise BadRequest(f"Script execution failed: {late}") from None
        except ProtocolError as error:
            text = late if str(error) == "Internal error" else str(error)
            if text == late:
                await self._revive()
            raise BadRequest(f"Script execution failed: {text}") from None

    async def screenshot(self, wanted: Screenshot) -> str:
        """A PNG as base64. Raises BadRequest when the part wanted is not inside of the page."""
        async with _limit(LoadTimeout("The page is too busy")):
            return await self._capture(wanted)

    async def _capture(self, wanted: Screenshot) -> str:
        metrics = await self.call("Page.getLayoutMetrics")
        shown, content = metrics["cssVisualViewport"], metrics["cssContentSize"]
        if wanted.full_page:
            left, top, width, height = 0, 0, content["width"], content["height"]
        else:
            left, top = shown["pageX"], shown["pageY"]
            width, height = shown["clientWidth"], shown["clientHeight"]
        rect = wanted.rect
        if rect is not None:
            if rect.x + rect.width > width or rect.y + rect.height > height:
                raise BadRequest(f"rect must be inside of the page, {width:.0f} x {height:.0f}")
            left, top, width, height = left + rect.x, top + rect.y, rect.width, rect.height
        clip = {"x": left, "y": top, "width": width, "height": height, "scale": wanted.scale}
        taken = await self.call(
            "Page.captureScreenshot",
            format="png",
            clip=clip,
            captureBeyondViewport=wanted.full_page,
            optimizeForSpeed=True,
        )
        data: str = taken["data"]
        return data

    async def _load_after(self, before: str) -> None:
        while self._loaded == before:
            self._on_load.clear()
            await self._on_load.wait()

    async def _evaluate(self, expression: str, world: World = "isolated", **options: Any) -> Any:
        if world == "isolated":
            made = await self.call(
                "Page.createIsolatedWorld", frameId=self.target_id, worldName=_WORLD
            )
            options["contextId"] = made["executionContextId"]
        options = {"awaitPromise": True, "returnByValue": True} | options
        return await self.call("Runtime.evaluate", expression=expression, **options)

    async def _value(self, script: str, milliseconds: int, world: World) -> Any:
        options = {"returnByValue": False, "timeout": milliseconds}
        # Inside of a block, what the script declares does not clash with a later one.
        answer = await self._evaluate(f"{{{script}\n}}", world, **options)
        details = answer.get("exceptionDetails")
        if details and any(text in _message(details) for text in _AWAITS):
            answer = await self._evaluate(script, world, replMode=True, **options)
            details = answer.get("exceptionDetails")
        if details:
            raise BadRequest(f"Script execution failed: {_message(details)}")
        found = answer["result"]
        if "objectId" not in found:
            return _primitive(found)
        if found["type"] != "object" or found.get("subtype") in ("node", "promise", "proxy"):
            kind = found.get("subtype") or found["type"]
            raise BadRequest(f"Script execution failed: A {kind} could not be cloned")
        return await self._json_of(found["objectId"])

    async def _json_of(self, object_id: str) -> Any:
        answer = await self.call(
            "Runtime.callFunctionOn",
            objectId=object_id,
            functionDeclaration="function() { return this; }",
            returnByValue=True,
        )
        await self.call("Runtime.releaseObject", objectId=object_id)
        return answer["result"].get("value")

    async def _stop(self) -> None:
        """Whatever still runs, or waits to run on, goes with the document that it is in."""
        await self._in_time(self.call("Runtime.terminateExecution"), _LATE_SECONDS)
        self.is_stuck = not await self._in_time(self._reload(), _RELOAD_SECONDS)

    async def _reload(self) -> None:
        before = self._loaded
        await self.call("Page.reload")
        await self._load_after(before)

    async def _revive(self) -> None:
        """A loop that was ended by the browser may have been one of many."""
        if not await self._in_time(self._evaluate("0"), _LATE_SECONDS):
            await self._stop()

    async def _in_time(self, work: Awaitable[Any], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await work
        except (TimeoutError, ProtocolError):
            return False
        return True


@asynccontextmanager
async def _limit(error: KombuseError) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_LOAD_SECONDS):
            yield
    except TimeoutError:
        raise error from None


def _primitive(found: dict[str, Any]) -> Any:
    """None for what JSON has no word for: undefined, NaN, infinities. Big integers are refused."""
    if found["type"] in ("bigint", "symbol"):
        raise BadRequest(f"Script execution failed: A {found['type']} could not be cloned")
    return found.get("value")


def _message(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    text = thrown.get("description") or thrown.get("value") or details["text"]
    return str(text).partition("\n")[0]


def _is_gone(error: ProtocolError) -> bool:
    return any(text in str(error) for text in _GONE)
