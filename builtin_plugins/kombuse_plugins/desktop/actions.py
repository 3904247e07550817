"""The seven things that can be done with windows, as recorded calls."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kombuse_plugins.desktop.schemas import Navigate, Open, RunScript, Screenshot, WaitFor
from kombuse_plugins.desktop.service import Desktop
from kombuse_sdk.mcp import Caller
from kombuse_sdk.types import Kernel

if TYPE_CHECKING:
    from kombuse_plugins.desktop.windows import Work

__all__ = ["close", "list_windows", "navigate", "open_window", "run", "screenshot", "wait_for"]

Answer = dict[str, Any]


async def list_windows(kernel: Kernel, caller: Caller) -> list[Answer]:
    found: list[Answer] = await kernel.services.get(Desktop).call(
        caller, "list_windows", {}, lambda windows: windows.listing()
    )
    return found


async def open_window(kernel: Kernel, caller: Caller, wanted: Open) -> Answer:
    details = wanted.model_dump()
    return await _call(kernel, caller, "open_window", details, lambda w: w.open(wanted))


async def navigate(kernel: Kernel, caller: Caller, window_id: str, wanted: Navigate) -> Answer:
    details = {"window_id": window_id, "path": wanted.path}
    return await _call(
        kernel, caller, "navigate_to", details, lambda w: w.navigate(window_id, wanted)
    )


async def run(kernel: Kernel, caller: Caller, window_id: str, wanted: RunScript) -> Answer:
    details = {"window_id": window_id, "script": wanted.script, "world": wanted.world}
    return await _call(kernel, caller, "execute_js", details, lambda w: w.run(window_id, wanted))


async def wait_for(kernel: Kernel, caller: Caller, window_id: str, wanted: WaitFor) -> Answer:
    details = {"window_id": window_id, "selector": wanted.selector}
    return await _call(kernel, caller, "wait_for", details, lambda w: w.wait_for(window_id, wanted))


async def screenshot(
    kernel: Kernel,
    caller: Caller,
    window_id: str,
    wanted: Screenshot,
    *,
    action: str = "take_screenshot",
    details: Mapping[str, Any] | None = None,
) -> Answer:
    details = {"window_id": window_id, **(details or {})}
    return await _call(kernel, caller, action, details, lambda w: w.screenshot(window_id, wanted))


async def close(kernel: Kernel, caller: Caller, window_id: str) -> Answer:
    details = {"window_id": window_id}
    return await _call(kernel, caller, "close_window", details, lambda w: w.close(window_id))


async def _call(
    kernel: Kernel, caller: Caller, action: str, details: Mapping[str, Any], work: "Work"
) -> Answer:
    answer: Answer = await kernel.services.get(Desktop).call(caller, action, details, work)
    return answer
