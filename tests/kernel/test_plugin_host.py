"""Loading: order, and what becomes of a plugin that is broken in one of many ways."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_kernel.app import build_app, build_kernel
from kombuse_kernel.config import load_config
from kombuse_kernel.kernel import RunningKernel
from kombuse_kernel.plugins import PluginHost
from kombuse_sdk import Column, Filter, Job, Mount, PluginInfo, Service, Subscriber, hookimpl
from kombuse_sdk.contracts import Profiles
from kombuse_sdk.http import Read
from kombuse_sdk.types import PluginSource, PluginStatus

Load = Callable[[], object]


def source(name: str, plugin: object) -> PluginSource:
    return PluginSource(name, "test", lambda: plugin)


def raising(error: BaseException) -> Callable[[], Any]:
    def hook() -> Any:
        raise error

    return hook


def router(path: str, **options: Any) -> APIRouter:
    made = APIRouter()

    @made.get(path, **options)
    def answer(tx: Read) -> Any:
        return {}

    return made


def unresolvable() -> APIRouter:
    made = router("/fake", response_model=dict[str, int])
    made.routes[0].endpoint.__annotations__["tx"] = "NoSuchName"  # type: ignore[attr-defined]
    return made


def misnamed() -> ModuleType:
    plugin = fake_plugin("fake")
    plugin.kombuse_rotues = hookimpl(lambda: None)  # type: ignore[attr-defined]
    return plugin


def reordered() -> ModuleType:
    plugin = fake_plugin("fake")
    plugin.kombuse_jobs = hookimpl(tryfirst=True)(lambda: ())  # type: ignore[attr-defined]
    return plugin


def nothing(*_: Any) -> None:
    return None


JOB = Job(name="fake.job", every=60, run=nothing)
FOLLOWER = Subscriber(name="fake.follower", handle=nothing)
COLUMN = Column(name="extra", sql="'1'", type=int)
FILTER = Filter(param="extra", type=str, sql="1")
MOUNT = Mount(path="/fake", app=nothing)  # type: ignore[arg-type]

BROKEN: dict[str, tuple[Load, str]] = {
    "import error": (raising(ImportError("no module named zlip")), "no module named zlip"),
    "syntax error": (raising(SyntaxError("bad")), "SyntaxError: bad"),
    "exit at import": (raising(SystemExit("usage: fake")), "SystemExit: usage: fake"),
    "no identity": (lambda: ModuleType("fake"), "it has no kombuse_plugin hook"),
    "identity of a wrong type": (
        lambda: fake_plugin("fake", plugin=lambda: "fake"),
        "kombuse_plugin must return a PluginInfo",
    ),
    "identity raises": (lambda: fake_plugin("fake", plugin=raising(OSError("x"))), "OSError: x"),
    "missing requirement": (
        lambda: fake_plugin("fake", requires=("nowhere",)),
        "requires nowhere, which is not there",
    ),
    "misspelt hook": (misnamed, "unknown hook 'kombuse_rotues'"),
    "unknown argument": (
        lambda: fake_plugin("fake", routes=lambda server: None),
        "{'server'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "ordering option": (reordered, "kombuse_jobs may not use tryfirst or trylast"),
    "name taken": (lambda: fake_plugin("profiles"), "the name profiles is taken by built-in"),
    "services raise": (lambda: fake_plugin("fake", services=raising(KeyError("k"))), "'k'"),
    "services of a wrong type": (
        lambda: fake_plugin("fake", services=lambda: [Profiles]),
        "kombuse_services must return Service values, not ",
    ),
    "service taken": (
        lambda: fake_plugin("fake", services=lambda: [Service(Profiles, object())]),
        "Profiles is offered by profiles already",
    ),
    "jobs of nothing": (
        lambda: fake_plugin("fake", jobs=lambda: None),
        "kombuse_jobs must return Job values, not NoneType",
    ),
    "one job, not a list": (
        lambda: fake_plugin("fake", jobs=lambda: JOB),
        "kombuse_jobs must return Job values, not Job",
    ),
    "generator that fails": (
        lambda: fake_plugin("fake", jobs=lambda: (1 // 0 for _ in "a")),
        "ZeroDivisionError",
    ),
    "subscriber twice": (
        lambda: fake_plugin("fake", subscribers=lambda: [FOLLOWER, FOLLOWER]),
        "fake.follower is offered by fake already",
    ),
    "columns raise": (lambda: fake_plugin("fake", columns=raising(ValueError("c"))), "c"),
    "column of a wrong type": (
        lambda: fake_plugin("fake", columns=lambda kind: ["author"]),
        "kombuse_columns must return Column values, not str",
    ),
    "column taken": (
        lambda: fake_plugin(
            "fake", columns=lambda kind: [Column(name="author", sql="1", type=int)]
        ),
        "author is offered by profiles already",
    ),
    "filter twice": (
        lambda: fake_plugin("fake", filters=lambda kind: [FILTER, FILTER]),
        "extra is offered by fake already",
    ),
    "router of a wrong type": (lambda: fake_plugin("fake", routes=lambda: [1]), "AttributeError"),
    "route without a response model": (
        lambda: fake_plugin("fake", routes=lambda: router("/fake/{id}", response_model=None)),
        "no response model: GET /api/fake/{id}",
    ),
    "route taken": (
        lambda: fake_plugin(
            "fake", routes=lambda: router("/profiles/{other}", response_model=dict[str, int])
        ),
        "GET /api/profiles/{other} is served by profiles",
    ),
    "route with unknown types": (
        lambda: fake_plugin("fake", routes=unresolvable),
        "NoSuchName",
    ),
    "mount below the API": (
        lambda: fake_plugin("fake", mounts=lambda: [Mount(path="/api/x", app=nothing)]),  # type: ignore[arg-type]
        "/api/x cannot be mounted",
    ),
    "mount over the kernel": (
        lambda: fake_plugin("fake", mounts=lambda: [Mount(path="/health", app=nothing)]),  # type: ignore[arg-type]
        "/health cannot be mounted",
    ),
    "mount twice": (
        lambda: fake_plugin("fake", mounts=lambda: [MOUNT, MOUNT]),
        "/fake is offered by fake already",
    ),
    "migrations raise": (
        lambda: fake_plugin("fake", migrations=raising(FileNotFoundError("gone"))),
        "gone",
    ),
    "migrations of a wrong type": (
        lambda: fake_plugin("fake", migrations=lambda: "migrations"),
        "AttributeError",
    ),
    "migrations folder missing": (
        lambda: fake_plugin("fake", migrations=lambda: Path("/nonexistent")),
        "/nonexistent",
    ),
}


@pytest.fixture
def start(kombuse_home: Path) -> Iterator[Callable[..., RunningKernel]]:
    started: list[RunningKernel] = []

    def starting(*sources: PluginSource) -> RunningKernel:
        made = build_kernel(load_config(kombuse_home), sources)
        made.start()
        started.append(made)
        return made

    yield starting
    for item in started:
        item.stop()


def status(kernel: RunningKernel, name: str, source: str = "test") -> PluginStatus:
    (found,) = [s for s in kernel.plugins if s.name == name and s.source == source]
    return found


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_reported_by_name_and_the_server_serves(
    case: str, start: Callable[..., RunningKernel]
) -> None:
    load, reason = BROKEN[case]

    kernel = start(PluginSource("fake", "test", load))

    found = status(kernel, "fake")
    assert found.state == "failed"
    assert reason in (found.reason or "")
    client = TestClient(build_app(kernel), base_url="http://127.0.0.1")
    assert client.get("/health").json() == {"status": "ok"}
    assert len(client.get("/api/profiles").json()) == 2
    assert client.get("/openapi.json").status_code == 200


def test_a_plugin_that_requires_a_broken_one_is_left_out_with_it(
    start: Callable[..., RunningKernel],
) -> None:
    kernel = start(
        source("needy", fake_plugin("needy", requires=("broken",))),
        source("broken", fake_plugin("broken", jobs=raising(OSError("disk")))),
        source("fine", fake_plugin("fine")),
    )

    assert status(kernel, "broken").reason == "OSError: disk"
    assert status(kernel, "needy").reason == "requires broken, which failed"
    assert status(kernel, "fine").state == "loaded"


def test_a_plugin_that_is_left_out_takes_its_services_and_routes_with_it(
    start: Callable[..., RunningKernel],
) -> None:
    class Own:
        """A contract of the plugin's own."""

    plugin = fake_plugin(
        "fake",
        services=lambda: [Service(Own, Own())],
        routes=lambda: router("/fake", response_model=None),
    )

    kernel = start(source("fake", plugin))

    assert kernel.services.find(Own) is None
    assert TestClient(build_app(kernel), base_url="http://localhost").get("/api/fake").is_error


def test_a_path_refused_to_a_broken_plugin_is_free_for_the_next(
    start: Callable[..., RunningKernel],
) -> None:
    both = APIRouter()
    both.include_router(router("/free", response_model=dict[str, int]))
    both.include_router(router("/profiles", response_model=dict[str, int]))

    kernel = start(
        source("greedy", fake_plugin("greedy", routes=lambda: both)),
        source(
            "modest",
            fake_plugin("modest", routes=lambda: router("/free", response_model=dict[str, int])),
        ),
    )

    assert status(kernel, "greedy").state == "failed"
    assert status(kernel, "modest").state == "loaded"


def test_plugins_come_after_those_they_require_and_else_in_their_order() -> None:
    plugins = [
        fake_plugin("d", requires=("b", "c")),
        fake_plugin("c", requires=("b",)),
        fake_plugin("a"),
        fake_plugin("b"),
    ]

    host = PluginHost([source(p.__name__, p) for p in plugins])

    assert [item.info.name for item in host.loaded] == ["b", "c", "d", "a"]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_plugins_that_require_each_other_in_a_circle_are_left_out(size: int) -> None:
    names = [f"p{i}" for i in range(size)]
    circle = [fake_plugin(name, requires=(names[(i + 1) % size],)) for i, name in enumerate(names)]
    outside = [fake_plugin("needy", requires=("p0",)), fake_plugin("fine")]

    host = PluginHost([source(p.__name__, p) for p in [*circle, *outside]])

    assert [item.info.name for item in host.loaded] == ["fine"]
    reasons = {s.name: s.reason or "" for s in host.statuses if s.state == "failed"}
    assert set(reasons) == {*names, "needy"}
    assert reasons[names[-1]] == "requires p0, which requires it"


def test_a_disabled_plugin_is_not_even_imported(kombuse_home: Path) -> None:
    imported: list[str] = []
    disabled = PluginSource("fake", "test", lambda: imported.append("fake"))

    host = PluginHost([disabled], ["fake"])

    assert imported == []
    (found,) = host.statuses
    assert (found.state, found.reason) == ("disabled", "named in disabled_plugins")


def test_a_plugin_is_disabled_by_the_name_it_gives_itself_too() -> None:
    host = PluginHost([source("point", fake_plugin("own"))], ["own"])

    assert [(s.name, s.state) for s in host.statuses] == [("own", "disabled")]


def test_statuses_tell_the_title_the_source_and_the_requirements() -> None:
    plugins = [fake_plugin("b", requires=("a",)), fake_plugin("a")]

    host = PluginHost([source(p.__name__, p) for p in plugins])

    assert host.statuses[1] == PluginStatus(
        name="b", title="B", source="test", state="loaded", requires=("a",)
    )


def test_a_plugin_may_be_an_object_with_methods() -> None:
    class Plugin:
        @hookimpl
        def kombuse_plugin(self) -> PluginInfo:
            return PluginInfo(name="object", title="Object")

        @hookimpl
        def kombuse_jobs(self) -> list[Job]:
            return [JOB]

    host = PluginHost([source("object", Plugin())])

    assert [value for _, value in host.call("kombuse_jobs")] == [[JOB]]


def test_offers_keep_their_owner_and_the_load_order(start: Callable[..., RunningKernel]) -> None:
    one = Job(name="one", every=60, run=nothing)
    two = Job(name="two", every=60, run=nothing)

    kernel = start(
        source("second", fake_plugin("second", requires=("first",), jobs=lambda: [two])),
        source("first", fake_plugin("first", jobs=lambda kernel=None: [one])),
    )

    ours = [(name, job) for name, job in kernel.offers("kombuse_jobs") if job in (one, two)]
    assert ours == [("first", one), ("second", two)]


def test_plugins_stop_in_the_reverse_order_and_one_that_fails_stops_no_other(
    kombuse_home: Path,
) -> None:
    stopped: list[str] = []
    plugins = [
        fake_plugin("one", shutdown=lambda: stopped.append("one")),
        fake_plugin("two", requires=("one",), shutdown=raising(OSError("stuck"))),
        fake_plugin("three", requires=("two",), shutdown=lambda: stopped.append("three")),
    ]
    kernel = build_kernel(load_config(kombuse_home), [source(p.__name__, p) for p in plugins])
    kernel.start()

    kernel.stop()

    assert stopped == ["three", "one"]
