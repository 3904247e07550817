"""A session that says very much at once, and what the other endpoints feel of it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from time import perf_counter, sleep
from typing import Any

from mock_agents import create_project, create_session, listen, send_script

from api import Api
from load import LoadError, Result, encode_request, run
from server_process import Server

_SECONDS = 60.0
_QUIET_SECONDS = 5.0
_PAUSE_SECONDS = 0.01
_TICKETS = 60
_BETWEEN_LOOKS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Latencies by endpoint, without and with the sessions; resident memory in MB.

    `seconds`, `resident_peaks` and `resident_ends` have one figure per session.
    """

    seconds: list[float]
    quiet: dict[str, Result]
    beside: dict[str, Result]
    resident_before: float | None
    resident_peaks: list[float]
    resident_ends: list[float]
    cpu_seconds: float | None


def measure(server: Server, sessions: int, events: int) -> Flood:
    """One session after the other.

    Raises LoadError unless every event is stored, and streamed in order to a client at /ws.
    """
    seconds, peaks, ends = list[float](), list[float](), list[float]()
    with Api(server.port) as api:
        project_id = create_project(api, "Flood")
        for number in range(_TICKETS):
            body = {"project_id": project_id, "author_id": "user-1", "title": f"ticket {number}"}
            api.post("/api/tickets", body)
        with _load(server.port, project_id) as quiet:
            sleep(_QUIET_SECONDS)
        before, cpu_before = server.resident_mb(), server.cpu_seconds()
        with _load(server.port, project_id) as beside:
            for _ in range(sessions):
                session_id = create_session(api, project_id)
                started = perf_counter()
                peaks += _follow(server, api, session_id, events)
                seconds.append(perf_counter() - started)
                ends += _resident(server)
        cpu_after = server.cpu_seconds()
        for session in api.get_all(f"/api/sessions?project_id={project_id}"):
            _check_stored(api, session, events)
    return Flood(
        seconds=seconds,
        quiet=quiet,
        beside=beside,
        resident_before=before,
        resident_peaks=peaks,
        resident_ends=ends,
        cpu_seconds=None if cpu_before is None or cpu_after is None else cpu_after - cpu_before,
    )


@contextmanager
def running(server: Server, events: int) -> Iterator[None]:
    """Something else beside such a session; LoadError if that ends sooner than the block."""
    with Api(server.port) as api:
        session_id = create_session(api, create_project(api, "Beside"))
        send_script(api, session_id, [{"events": events}])
        _wait_while(api, session_id, "pending")
        yield
        if api.get(f"/api/sessions/{session_id}")["status"] != "running":
            raise LoadError(f"{events:,} events were over too soon: more are needed")
        _wait_while(api, session_id, "running")
        _check_stored(api, api.get(f"/api/sessions/{session_id}"), events)


def _wait_while(api: Api, session_id: str, status: str) -> None:
    deadline = perf_counter() + _SECONDS
    while api.get(f"/api/sessions/{session_id}")["status"] == status:
        if perf_counter() > deadline:
            raise LoadError(f"the session is still {status} after {_SECONDS:.0f} s")
        sleep(_PAUSE_SECONDS)


def _follow(server: Server, api: Api, session_id: str, events: int) -> list[float]:
    """Run the session, reading what is streamed of it; the greatest resident memory meanwhile."""
    resident, said, last = _resident(server), 0, 0
    with listen(server.port, [f"session:{session_id}"]) as client:
        send_script(api, session_id, [{"events": events}])
        while (message := client.receive())["type"] != "agent.complete":
            if message["type"] != "agent.event":
                continue
            if message["seq"] <= last:
                raise LoadError(f"event {message['seq']} was streamed after {last}")
            last = message["seq"]
            said += message["event"]["type"] == "message"
            if last % _BETWEEN_LOOKS == 0:
                resident += _resident(server)
    if said != events + 1:
        raise LoadError(f"{said} messages were streamed, expected {events + 1}")
    return [max(resident)] if resident else []


def _resident(server: Server) -> list[float]:
    megabytes = server.resident_mb()
    return [] if megabytes is None else [megabytes]


def _check_stored(api: Api, session: Any, events: int) -> None:
    if session["status"] != "completed":
        raise LoadError(f"the session is {session['status']}")
    path = f"/api/sessions/{session['kombuse_session_id']}/events?limit=1"
    total = api.get(f"{path}&event_type=message")["total"]
    if total != events + 1:
        raise LoadError(f"{total} messages are stored, expected {events + 1}")
    if api.get(path)["total"] != session["last_event_seq"]:
        raise LoadError("the numbers of the events have gaps")


@contextmanager
def _load(port: int, project_id: str) -> Iterator[dict[str, Result]]:
    """One request after the other with pauses on a connection of each endpoint, while it lasts.

    The results are there when it is over.
    """
    body = {"project_id": project_id, "author_id": "user-1", "title": "created beside"}
    path = f"/api/tickets?project_id={project_id}"
    listing = encode_request(port, "GET", path)
    creating = encode_request(port, "POST", "/api/tickets", body)
    done = Event()
    with ThreadPoolExecutor(2) as pool:
        running: dict[str, Future[Result]] = {
            "ticket list": pool.submit(run, port, _paced(listing, done), seconds=_SECONDS),
            "create ticket": pool.submit(
                run, port, _paced(creating, done), expected=201, seconds=_SECONDS
            ),
        }
        results: dict[str, Result] = {}
        try:
            yield results
        finally:
            done.set()
    results |= {name: future.result() for name, future in running.items()}


def _paced(request: bytes, done: Event) -> Iterator[bytes]:
    while not done.wait(_PAUSE_SECONDS):
        yield request
