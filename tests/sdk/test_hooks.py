"""Every hook, seen at work in a running kernel: a new hook needs a function here."""

import json
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk import (
    Column,
    Command,
    EventType,
    Filter,
    Job,
    Mount,
    Service,
    Setting,
    Subscriber,
    hooks,
)
from kombuse_sdk.agents import BackendStatus
from kombuse_sdk.errors import Conflict
from kombuse_sdk.events import Event, StoredEvent
from kombuse_sdk.feeds import Download, PackageVersion
from kombuse_sdk.http import Read
from kombuse_sdk.mcp import Caller, Tool, ToolCall, ToolDecision, ToolInput
from kombuse_sdk.packages import Export, Installation, PackageContent
from kombuse_sdk.schemas import Body, QueryInt
from kombuse_sdk.sockets import Client, SocketMessage
from kombuse_sdk.storage import ReadTx, WriteTx
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import PluginSource
from kombuse_sdk.updates import UpdateInfo, UpdateStatus

Start = Callable[..., RunningKernel]
SPECIFIED = sorted(name for name in vars(hooks) if name.startswith("kombuse_"))
KNOCK = Event(event_type="probe.knocked", actor_type="system")


@pytest.fixture
def start(kombuse_home: Path) -> Iterator[Start]:
    """A running kernel with one more plugin, made of the given hooks."""
    running: list[RunningKernel] = []

    def starting(*others: object, **functions: Any) -> RunningKernel:
        kernel = kernel_for_tests(kombuse_home, [fake_plugin("probe", **functions), *others])
        kernel.start()
        running.append(kernel)
        return kernel

    yield starting
    for kernel in running:
        kernel.stop()


@pytest.mark.parametrize("hook", SPECIFIED)
def test_every_hook_works(hook: str, start: Start) -> None:
    exercise = globals().get(f"_{hook.removeprefix('kombuse_')}")

    assert exercise is not None, f"{hook} needs an exercise in this file"
    exercise(start)


def test_the_lists_of_hooks_are_complete() -> None:
    life = {"kombuse_startup", "kombuse_shutdown"}

    assert hooks.REGISTRATION_HOOKS | hooks.BEHAVIOUR_HOOKS | life == set(SPECIFIED)
    assert not hooks.REGISTRATION_HOOKS & hooks.BEHAVIOUR_HOOKS


@pytest.mark.parametrize("hook", SPECIFIED)
def test_every_hook_says_what_it_is_for(hook: str) -> None:
    assert (getattr(hooks, hook).__doc__ or "").strip()


def mine(kernel: RunningKernel, hook: str) -> list[Any]:
    return [value for name, value in kernel.offers(hook) if name == "probe"]


def client_of(kernel: RunningKernel) -> TestClient:
    return TestClient(build_app(kernel), base_url="http://localhost:3331")


def emit(kernel: RunningKernel, event: Event = KNOCK) -> None:
    with kernel.db.write() as tx:
        tx.emit(event)


def _plugin(start: Start) -> None:
    kernel = start()

    (status,) = [status for status in kernel.plugins if status.name == "probe"]
    assert (status.title, status.state, status.source) == ("Probe", "loaded", "test")


def _migrations(start: Start) -> None:
    folder = Path(__file__).parent / "probe_migrations"

    kernel = start(migrations=lambda: folder)

    with kernel.db.read() as tx:
        assert tx.values("SELECT text FROM probe_notes") == ["made by a migration"]


class Greeter(Protocol):
    def greet(self) -> str: ...


class English:
    def greet(self) -> str:
        return "hello"


def _services(start: Start) -> None:
    kernel = start(services=lambda kernel: [Service(Greeter, English())])

    with kernel.db.read() as tx:
        assert tx.services.get(Greeter).greet() == "hello"


def _routes(start: Start) -> None:
    router = APIRouter()

    @router.get("/probe/{name}", response_model=list[str])
    def probe(tx: Read, name: str) -> Any:
        return [name]

    kernel = start(routes=lambda: router)

    assert client_of(kernel).get("/api/probe/a").json() == ["a"]


def _mounts(start: Start) -> None:
    steps: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["kombuse"] is kernel
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": scope["method"].encode()})

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        steps.append("entered")
        yield
        steps.append("left")

    mount = Mount(path="/probe", app=app, lifespan=lifespan)
    kernel = start(mounts=lambda kernel: [mount])

    answer = client_of(kernel).put("/probe")
    assert (answer.status_code, answer.text) == (202, "PUT")
    assert client_of(kernel).put("/probe", headers={"host": "evil.example"}).status_code == 403
    assert mine(kernel, "kombuse_mounts") == [mount]


class Greeting(ToolInput):
    name: str


def _mcp_tools(start: Start) -> None:
    tool = Tool(
        name="greet",
        title="Greet",
        description="Greets",
        input=Greeting,
        output=str,
        run=lambda tx, caller, arguments: f"hello {arguments.name}",
    )
    kernel = start(mcp_tools=lambda kernel: [tool])

    assert mine(kernel, "kombuse_mcp_tools") == [tool]


def _event_types(start: Start) -> None:
    kind = EventType(name="probe.knocked", description="Somebody knocked", payload=("door",))
    kernel = start(event_types=lambda: [kind])

    assert mine(kernel, "kombuse_event_types") == [kind]


def _subscribers(start: Start) -> None:
    seen: list[str] = []
    follower = Subscriber(
        name="probe",
        handle=lambda tx, event: seen.append(event.event_type),
        event_types=frozenset({"probe.knocked"}),
    )
    kernel = start(subscribers=lambda kernel: [follower])

    emit(kernel)
    emit(kernel, Event(event_type="other", actor_type="system"))
    kernel.dispatcher.drain()

    assert seen == ["probe.knocked"]


def _jobs(start: Start) -> None:
    ran = threading.Event()
    job = Job(name="probe", every=0.001, run=lambda kernel: ran.set())

    start(jobs=lambda: [job])

    assert ran.wait(5)


def _agent_backends(start: Start) -> None:
    class Quiet:
        name = "quiet"

        async def status(self, project_id: str | None = None) -> BackendStatus:
            return BackendStatus(available=True, version="1.2.3")

    kernel = start(agent_backends=lambda kernel: [Quiet()])

    states = client_of(kernel).get("/api/backend-status").json()
    assert [s["version"] for s in states if s["backendType"] == "quiet"] == ["1.2.3"]


class Notes:
    """Keeps what packages have in `notes/` as profiles, for want of a table."""

    name, order = "notes", 99

    def read(self, content: PackageContent) -> list[str]:
        return [path for path in content.files if path.startswith("notes/")]

    def install(self, tx: WriteTx, installation: Installation, parsed: list[str]) -> None:
        for path in parsed:
            tx.execute("UPDATE profiles SET description = ? WHERE id = 'user-1'", (path,))
            installation.record("notes", "created", path)

    def set_enabled(self, tx: WriteTx, plugin_id: str, is_enabled: bool) -> None: ...

    def uninstall(self, tx: WriteTx, plugin_id: str, mode: str) -> None:
        tx.execute("UPDATE profiles SET description = ? WHERE id = 'user-1'", (mode,))

    def export(self, tx: ReadTx, export: Export) -> None: ...


def _package_sections(start: Start) -> None:
    client = client_of(start(package_sections=lambda kernel: [Notes()]))
    project = client.post("/api/projects", json={"name": "P", "owner_id": "user-1"}).json()
    with tempfile.TemporaryDirectory() as folder:
        kombuse = {"plugin_system_version": "kombuse-plugin-v1"}
        for path, text in (
            (".kombuse-plugin/plugin.json", json.dumps({"name": "kit", "kombuse": kombuse})),
            ("notes/a.txt", "a"),
        ):
            (Path(folder) / path).parent.mkdir()
            (Path(folder) / path).write_text(text, encoding="utf-8")
        body = {"package_path": folder, "project_id": project["id"]}
        done = client.post("/api/plugins/install", json=body)

    assert done.json()["notes_created"] == 1
    assert client.get("/api/profiles/user-1").json()["description"] == "notes/a.txt"
    client.delete(f"/api/plugins/{done.json()['plugin_id']}?mode=delete").raise_for_status()
    assert client.get("/api/profiles/user-1").json()["description"] == "delete"


def _socket_messages(start: Start) -> None:
    class Knock(Body):
        door: int

    async def knock(client: Client, given: Knock) -> None:
        client.send({"type": "opened", "door": given.door})

    message = SocketMessage(name="probe.knock", model=Knock, handle=knock)
    kernel = start(socket_messages=lambda: [message])

    with client_of(kernel).websocket_connect("ws://localhost:3331/ws") as socket:
        socket.send_json({"type": "probe.knock", "door": 7})
        assert socket.receive_json() == {"type": "opened", "door": 7}


def _settings(start: Start) -> None:
    setting = Setting(key="probe.colour", default="red", description="The colour")
    kernel = start(settings=lambda: [setting])

    assert mine(kernel, "kombuse_settings") == [setting]


def _commands(start: Start) -> None:
    command = Command(name="probe", target="probe.cli:app", help="Probe things")
    kernel = start(commands=lambda: [command])

    assert mine(kernel, "kombuse_commands") == [command]


def _columns(start: Start) -> None:
    column = Column(name="probe", sql="'1'", type=int)
    kernel = start(columns=lambda kind: [column] if kind == "ticket" else [])

    assert column in kernel.joins("ticket").columns
    assert column not in kernel.joins("comment").columns


def _filters(start: Start) -> None:
    item = Filter(param="probe", type=QueryInt, sql="t.id > :probe")
    kernel = start(filters=lambda kind: [item] if kind == "ticket" else [])

    assert item in kernel.joins("ticket").filters
    assert item not in kernel.joins("event").filters


class ShelfFeed:
    """One package that lies in a folder."""

    id = "shelf"
    name = "The shelf"

    def __init__(self, folder: Path) -> None:
        self.found = PackageVersion(
            name="shelved", version="1.0.0", feed_id=self.id, directory=folder
        )

    def packages(self) -> list[PackageVersion]:
        return [self.found]

    def versions(self, name: str) -> list[PackageVersion]:
        return [self.found] if name == self.found.name else []

    def download(self, version: PackageVersion, folder: Path, progress: Any = None) -> Download:
        return Download(path=self.found.directory or folder, checksum=None)


def _available(kernel: RunningKernel) -> dict[str, Any]:
    """What can be installed into a new project, by name."""
    (kernel.config.home / "config.json").write_text('{"plugins": {"default_registry": false}}')
    client = client_of(kernel)
    project = Factory(client).project()
    answer = client.get("/api/plugins/available", params={"project_id": project["id"]})
    return {entry["name"]: entry for entry in answer.json()}


def _feeds(start: Start) -> None:
    folder = Path(__file__).parents[1] / "data" / "packages" / "01-hello-minimal"
    kernel = start(feeds=lambda kernel: [ShelfFeed(folder)])

    assert _available(kernel)["shelved"]["source_feed_id"] == "shelf"


def _package(start: Start) -> None:
    folder = Path(__file__).parents[1] / "data" / "packages" / "02-triage-kit"
    kernel = start(package=lambda: folder)

    assert _available(kernel)["triage-kit"]["scope"] == "bundled"


def _plugin_sources(start: Start) -> None:
    kept = PluginSource("kept", "kept by the probe", lambda: fake_plugin("kept"))

    kernel = start(plugin_sources=lambda config: [kept] if config.port == 3331 else [])

    (status,) = [status for status in kernel.plugins if status.name == "kept"]
    assert (status.state, status.source) == ("loaded", "kept by the probe")


def _startup(start: Start) -> None:
    seen: list[int] = []

    def startup(kernel: RunningKernel) -> None:
        with kernel.db.read() as tx:
            seen.append(tx.value("SELECT count(*) FROM events"))

    start(startup=startup)

    assert len(seen) == 1


def _shutdown(start: Start) -> None:
    seen: list[object] = []
    kernel = start(shutdown=lambda kernel: seen.append(kernel))
    kernel.stop()

    assert seen == [kernel]
    kernel.stop = lambda: None  # type: ignore[method-assign]


def _event(start: Start) -> None:
    def react(tx: WriteTx, event: StoredEvent) -> None:
        if event.event_type == "probe.knocked":
            tx.execute("DELETE FROM profiles")
            raise Conflict("nobody is at home")

    kernel = start(event=react)

    with pytest.raises(Conflict, match="nobody is at home"):
        emit(kernel)
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM profiles") == 2
        assert tx.value("SELECT count(*) FROM events WHERE event_type = 'probe.knocked'") == 0


def _tool_decision(start: Start) -> None:
    caller = Caller(profile_id="ann", actor_type="user", is_anonymous=False)
    allowed = ToolDecision(behaviour="allow", caller=caller)
    call = ToolCall(tool="probe", is_write=False, session_id=None, arguments={})
    other = ToolCall(tool="other", is_write=False, session_id=None, arguments={})

    def decide(tx: ReadTx, call: ToolCall) -> ToolDecision | None:
        return allowed if call.tool == "probe" else None

    kernel = start(
        fake_plugin("later", tool_decision=lambda: ToolDecision(behaviour="deny", caller=caller)),
        tool_decision=decide,
    )

    with kernel.db.read() as tx:
        assert kernel.first("kombuse_tool_decision", tx=tx, call=call) == allowed
        assert kernel.first("kombuse_tool_decision", tx=tx, call=other).behaviour == "deny"


class Newest:
    """Nothing is ever newer."""

    def status(self) -> UpdateStatus:
        return UpdateStatus(state="idle", current_version="7.0.0")

    def check(self) -> UpdateInfo | None:
        return None

    def install(self) -> None: ...

    def subscribe(self, listener: Callable[[UpdateStatus], None]) -> None: ...

    def clear_cache(self) -> None: ...


def _updater(start: Start) -> None:
    client = client_of(start(updater=lambda kind: Newest() if kind == "app" else None))

    assert client.get("/api/updates/status").json()["currentVersion"] == "7.0.0"
    assert client.get("/api/shell-updates/status").status_code == 503
