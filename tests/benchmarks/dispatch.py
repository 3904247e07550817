"""Events that start an agent: how soon all have run, and that none did twice or not at all."""

from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter, sleep, time
from typing import Any

from mock_agents import Step, create_agent, create_project

from api import Api
from load import LoadError
from server_process import Server, serve

AT_ONCE = 8
_CONNECTIONS = 4
_SECONDS = 30.0
_POLL_SECONDS = 0.1
_PAUSE_SECONDS = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """`failed` counts by reason; `seconds` is from the first request to the last end of a run.

    `unsent` is how many requests were still to be answered at each kill.
    """

    events: int
    completed: int
    failed: dict[str, int]
    seconds: float
    most_at_once: int
    cpu_seconds: float | None
    unsent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The project whose new tickets start the agent by the trigger."""

    project_id: str
    agent_id: str
    trigger_id: int

    @property
    def runs(self) -> str:
        return f"/api/invocations?trigger_id={self.trigger_id}"


def measure(server: Server, events: int, work_ms: int) -> Dispatch:
    """On a server that goes on running."""
    with Api(server.port) as api:
        place = _prepare(api, work_ms)
        before = server.cpu_seconds()
        started, titles, made = time(), _titles(events), list[int]()
        _create_all(server, place, titles, made)
        _wait_for_end(api, place)
        after = server.cpu_seconds()
        cpu = None if before is None or after is None else after - before
        return _result(api, place, made, started, cpu)


def measure_killed(home: Path, events: int, work_ms: int, kills: int, *, retry: bool) -> Dispatch:
    """The server is killed again and again, and started anew on its home.

    Requests come with pauses, so that the first time some are under way and others yet to come.
    Those that were not answered are sent again. What a kill interrupts has failed, unless the
    agent is one whose runs are tried again.
    """
    place: _Place | None = None
    started, titles, made = 0.0, _titles(events), list[int]()
    cpu, unsent = list[float | None](), list[int]()
    for kill in range(1, kills + 1):
        with serve(home) as server, Api(server.port) as api:
            place = place or _prepare(api, work_ms, retry=retry)
            started = started or time()
            with ThreadPoolExecutor(_CONNECTIONS) as pool:
                _feed(pool, server, place, titles, made, pause=_PAUSE_SECONDS)
                _wait_for_completed(api, place, events * kill**2 // (kills + 1) ** 2)
                cpu.append(server.cpu_seconds())
                server.kill()
        unsent.append(len(titles))
    assert place is not None
    with serve(home) as server, Api(server.port) as api:
        _create_all(server, place, titles, made)
        _wait_for_end(api, place)
        cpu.append(server.cpu_seconds())
        known = [seconds for seconds in cpu if seconds is not None]
        total = sum(known) if len(known) == len(cpu) else None
        return replace(_result(api, place, made, started, total), unsent=tuple(unsent))


def _prepare(api: Api, work_ms: int, *, retry: bool = False) -> _Place:
    project_id = create_project(api, "Dispatch")
    steps: list[Step] = [
        {"message": "Having a look at the ticket"},
        {"tool_use": "Read", "input": {"file_path": "README.md"}, "result": "# Kombuse"},
        {"delay": work_ms / 1000},
        {"message": "Nothing to be done here"},
        {"usage": {"input_tokens": 100, "output_tokens": 10}},
    ]
    agent_id = create_agent(api, "Dispatched", steps, retry=retry)
    body = {"event_type": "ticket.created", "project_id": project_id}
    trigger = api.post(f"/api/agents/{agent_id}/triggers", body)
    return _Place(project_id=project_id, agent_id=agent_id, trigger_id=trigger["id"])


def _titles(events: int) -> deque[str]:
    return deque(f"ticket {number}" for number in range(1, events + 1))


def _feed(
    pool: ThreadPoolExecutor,
    server: Server,
    place: _Place,
    titles: deque[str],
    made: list[int],
    pause: float = 0,
) -> list[Future[LoadError | None]]:
    return [
        pool.submit(_create_tickets, server.port, place.project_id, titles, made, pause)
        for _ in range(_CONNECTIONS)
    ]


def _create_tickets(
    port: int, project_id: str, titles: deque[str], made: list[int], pause: float
) -> LoadError | None:
    """Until there are no titles left; one that got no ticket is put back, and ends it."""
    with Api(port) as api:
        while titles:
            try:
                title = titles.popleft()
            except IndexError:
                break
            body = {"project_id": project_id, "author_id": "user-1", "title": title}
            try:
                made.append(api.post("/api/tickets", body)["id"])
            except LoadError as error:
                titles.append(title)
                return error
            sleep(pause)
    return None


def _create_all(server: Server, place: _Place, titles: deque[str], made: list[int]) -> None:
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        feeding = _feed(pool, server, place, titles, made)
    for done in feeding:
        if (error := done.result()) is not None:
            raise error


def _wait_for_completed(api: Api, place: _Place, count: int) -> None:
    path = f"{place.runs}&status=completed&limit=1&offset={count - 1}"
    deadline = perf_counter() + _SECONDS
    while not api.get(path):
        _pause(deadline, f"{count} runs were not completed")


def _wait_for_end(api: Api, place: _Place) -> None:
    """Until every event has its run and none is left to be done."""
    last = f"{place.runs}&limit=1&offset={len(_events(api, place)) - 1}"
    waiting = [f"{place.runs}&limit=1&status={status}" for status in ("pending", "running")]
    deadline = perf_counter() + _SECONDS
    while not api.get(last) or any(api.get(path) for path in waiting):
        _pause(deadline, "events have no run, or runs no end,")


def _pause(deadline: float, what: str) -> None:
    if perf_counter() > deadline:
        raise LoadError(f"{what} within {_SECONDS:.0f} s")
    sleep(_POLL_SECONDS)


def _events(api: Api, place: _Place) -> list[Any]:
    path = f"/api/events?event_type=ticket.created&project_id={place.project_id}"
    return api.get_all(path)


def _result(
    api: Api, place: _Place, made: list[int], started: float, cpu_seconds: float | None
) -> Dispatch:
    """Raises LoadError unless each event ran once, and each run had its effect once."""
    events, runs = _events(api, place), api.get_all(place.runs)
    _check_once(events, runs, made)
    completed = [run for run in runs if run["status"] == "completed"]
    _check_effects(api, place, completed)
    return Dispatch(
        events=len(events),
        completed=len(completed),
        failed=dict(Counter(run["error"] for run in runs if run["status"] == "failed")),
        seconds=max(_seconds(run["completed_at"]) for run in runs) - started,
        most_at_once=_most_at_once(runs),
        cpu_seconds=cpu_seconds,
    )


def _check_once(events: list[Any], runs: list[Any], made: list[int]) -> None:
    lost = set(made) - {event["ticket_id"] for event in events}
    if lost:
        raise LoadError(f"{len(lost)} tickets that were answered have no event")
    counts = Counter(run["event_id"] for run in runs)
    wrong = [event["id"] for event in events if counts[event["id"]] != 1]
    if wrong or len(runs) != len(events):
        raise LoadError(f"{len(events)} events and {len(runs)} runs; not exactly one: {wrong}")
    open_ids = [run["id"] for run in runs if run["status"] not in ("completed", "failed")]
    if open_ids:
        raise LoadError(f"runs without an end: {open_ids}")


def _check_effects(api: Api, place: _Place, completed: list[Any]) -> None:
    """A run leaves its last words as one comment on its ticket when it is completed."""
    path = f"/api/events?event_type=comment.added&actor_id={place.agent_id}"
    said = Counter(event["ticket_id"] for event in api.get_all(path))
    wanted = Counter(run["context"]["ticket_id"] for run in completed)
    if said != wanted:
        raise LoadError(f"{wanted.total()} runs completed, {said.total()} comments of the agent")


def _most_at_once(runs: list[Any]) -> int:
    """An end counts before a start in the same millisecond."""
    changes = [(_seconds(run["started_at"]), 1) for run in runs if run["started_at"]]
    changes += [(_seconds(run["completed_at"]), -1) for run in runs if run["started_at"]]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
