"""A plugin from a package as the kernel sees it: within its name, its capabilities and its time.

Every hook is wrapped: one that was not declared refuses the plugin; what it offers must carry the
plugin's name; while the plugin is stopped nothing of it runs; an exception is noted and contained.
A hook that does not return is left behind where it runs in a thread of its own (imports, offers,
jobs). What runs inside a transaction cannot be cut: Python has no means for that.
"""

import inspect
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from kombuse_plugins.packages import tool_review
from kombuse_plugins.packages.code_states import CodeState
from kombuse_sdk.errors import KombuseError, NotFound
from kombuse_sdk.hooks import BEHAVIOUR_HOOKS, hookimpl
from kombuse_sdk.http import Router
from kombuse_sdk.types import PluginInfo

__all__ = ["Guarded", "limited", "within"]

T = TypeVar("T")
_SECONDS = 10.0
_PREFIX = "kombuse_"


class Guarded:
    """`module` with its hooks wrapped. Raises what makes the plugin unusable."""

    def __init__(self, module: object, state: CodeState, capabilities: Collection[str]) -> None:
        self.__name__ = state.name
        hooks = {name: value for name, value in vars(module).items() if name.startswith(_PREFIX)}
        undeclared = sorted(
            name.removeprefix(_PREFIX)
            for name in hooks.keys() - {"kombuse_plugin"}
            if name.removeprefix(_PREFIX) not in capabilities
        )
        if undeclared:
            raise PermissionError(f"it did not declare the capability {', '.join(undeclared)}")
        for name, hook in hooks.items():
            setattr(self, name, hookimpl(_wrapped(name, hook, state)))


def within(work: Callable[[], T], seconds: float = _SECONDS) -> T:
    """What `work` returns or raises, in a thread that is left behind when it takes too long."""
    outcome: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True, name="kombuse-package")
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not outcome:
        raise TimeoutError(f"it did not return within {seconds:g} s")
    return outcome[0]


@contextmanager
def limited(what: str) -> Iterator[None]:
    """Errors name what they are about."""
    try:
        yield
    except TimeoutError as error:
        raise TimeoutError(f"{what}: {error}") from None


def _wrapped(name: str, hook: Callable[..., Any], state: CodeState) -> Callable[..., Any]:
    if name == "kombuse_plugin":
        return wraps(hook)(lambda: _identity(within(hook), state))
    if name in BEHAVIOUR_HOOKS:
        return _behaviour(name, hook, state)
    if name in ("kombuse_startup", "kombuse_shutdown"):
        return _life(name, hook, state)

    @wraps(hook)
    def offering(**arguments: Any) -> Any:
        with limited(name):
            offered = within(lambda: hook(**arguments))
        return _OFFERS.get(name, _as_it_is)(offered, state)

    return offering


def _identity(info: Any, state: CodeState) -> PluginInfo:
    if not isinstance(info, PluginInfo) or info.name != state.name:
        raise ValueError(f'kombuse_plugin must return a PluginInfo of the name "{state.name}"')
    return info


def _behaviour(name: str, hook: Callable[..., Any], state: CodeState) -> Callable[..., Any]:
    """What a faulty hook wrote is undone. One that decides about a tool call denies by failing."""

    @wraps(hook)
    def behaving(**arguments: Any) -> Any:
        if not state.is_running:
            return None
        tx = arguments["tx"]
        tx.all("SAVEPOINT package_hook")
        try:
            result = hook(**arguments)
        except BaseException as error:
            tx.all("ROLLBACK TO package_hook")
            tx.all("RELEASE package_hook")
            if isinstance(error, KombuseError) or not isinstance(error, Exception):
                raise
            state.failed(name, error)
            if name == "kombuse_tool_decision":
                raise
            return None
        tx.all("RELEASE package_hook")
        return result

    return behaving


def _life(name: str, hook: Callable[..., Any], state: CodeState) -> Callable[..., Any]:
    @wraps(hook)
    def living(**arguments: Any) -> None:
        try:
            within(lambda: hook(**arguments))
        except Exception as error:
            state.failed(name, error)

    return living


def _as_it_is(offered: Any, state: CodeState) -> Any:
    return offered


def _routes(router: Any, state: CodeState) -> Any:
    """Below /api/x/<plugin>/; a stopped plugin has none."""
    base = f"/x/{state.name}"
    guarded = Router()
    for route in map(copy, router.routes):
        if route.path != base and not route.path.startswith(f"{base}/"):
            raise ValueError(f"the route /api{route.path} is not below /api{base}/")
        route.endpoint = _served(route.endpoint, state)
        guarded.routes.append(route)
    return guarded


def _served(endpoint: Callable[..., Any], state: CodeState) -> Callable[..., Any]:
    def admit() -> None:
        if not state.is_running:
            raise NotFound(f'The plugin "{state.name}" is not enabled')

    if inspect.iscoroutinefunction(endpoint):

        @wraps(endpoint)
        async def serving_async(**arguments: Any) -> Any:
            admit()
            with _noted(f"the route {endpoint.__name__}", state):
                return await endpoint(**arguments)

        return serving_async

    @wraps(endpoint)
    def serving(**arguments: Any) -> Any:
        admit()
        with _noted(f"the route {endpoint.__name__}", state):
            return endpoint(**arguments)

    return serving


@contextmanager
def _noted(what: str, state: CodeState) -> Iterator[None]:
    """The caller is told in the usual way; what the plugin did wrong is noted."""
    try:
        yield
    except KombuseError:
        raise
    except Exception as error:
        state.failed(what, error)
        raise


def _tools(tools: Iterable[Any], state: CodeState) -> list[Any]:
    """Named after the plugin, and withheld while they are others than those that were accepted."""
    found = list(tools)
    prefix = f"{state.name.replace('-', '_')}_"
    for tool in found:
        if not tool.name.startswith(prefix):
            raise ValueError(f"the tool {tool.name} does not begin with {prefix}")
    state.offered_tools = tool_review.shown(found)
    if state.needs_review:
        return []
    return [replace(tool, run=_served(tool.run, state)) for tool in found]


def _jobs(jobs: Iterable[Any], state: CodeState) -> list[Any]:
    def watched(job: Any) -> Callable[[Any], None]:
        def run(kernel: Any) -> None:
            if state.is_running:
                with _noted(f"the job {job.name}", state):
                    within(lambda: job.run(kernel), max(60.0, job.every))

        return run

    return [replace(job, run=watched(job)) for job in jobs]


def _subscribers(subscribers: Iterable[Any], state: CodeState) -> list[Any]:
    """A stopped plugin's subscriber lets events pass: it does not find them waiting later."""

    def watched(subscriber: Any) -> Callable[..., None]:
        def handle(tx: Any, event: Any) -> None:
            if state.is_running:
                with _noted(f"the subscriber {subscriber.name}", state):
                    subscriber.handle(tx, event)

        return handle

    return [replace(item, handle=watched(item)) for item in subscribers]


_OFFERS: dict[str, Callable[[Any, CodeState], Any]] = {
    "kombuse_routes": _routes,
    "kombuse_mcp_tools": _tools,
    "kombuse_jobs": _jobs,
    "kombuse_subscribers": _subscribers,
}
