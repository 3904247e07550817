"""Reports on tool calls: what the recorder keeps of them, and the figures made of that."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.analytics.past import NOON, Past, mean, quantiles

from kombuse_plugins.sessions import payloads, recorder
from kombuse_sdk.types import Kernel

Report = Callable[..., Any]
Record = Callable[..., None]
TODAY = {"from": None, "to": None, "days": 1}


@pytest.fixture
def session(client: TestClient, project: Any) -> str:
    made = client.post("/api/sessions", json={"project_id": project["id"]})
    return str(made.json()["kombuse_session_id"])


@pytest.fixture
def record(kernel: Kernel, session: str) -> Record:
    """Writes events of the session as the recorder does, each (milliseconds, type, payload)."""

    def write(*events: tuple[int, str, dict[str, Any]]) -> None:
        entries = []
        for milliseconds, event_type, payload in events:
            made = payloads.entry(event_type, payload, backend="mock")
            assert made is not None
            made.payload["timestamp"] = 10**12 + milliseconds
            entries.append(made)
        with kernel.db.write() as tx:
            recorder.append(tx, session, entries)

    return write


def use(at: int, name: Any, call: Any = "c", **given: Any) -> tuple[int, str, dict[str, Any]]:
    return at, "tool_use", {"id": call, "name": name, "input": given}


def result(at: int, call: Any = "c") -> tuple[int, str, dict[str, Any]]:
    return at, "tool_result", {"toolUseId": call, "content": "x"}


def test_a_call_lasts_from_its_use_to_its_first_result(report: Report, record: Record) -> None:
    record(use(0, "Bash", "one"), use(10, "Bash", "two"), result(40, "two"))
    record(result(100, "one"), result(900, "one"), result(5, "unheard"), use(7, "Read", "three"))

    assert report("slowest-tools", **TODAY) == [
        {"tool_name": "Bash", "count": 2, "avg": 65, "p50": 100, "p90": 100, "p99": 100}
    ]
    assert report("tool-call-volume", **TODAY) == [
        {"tool_name": "Bash", "call_count": 2, "session_count": 1},
        {"tool_name": "Read", "call_count": 1, "session_count": 1},
    ]


def test_calls_that_took_no_time_have_no_duration(report: Report, record: Record) -> None:
    record(use(50, "Bash", "one"), result(50, "one"), use(60, "Bash", "two"), result(59, "two"))

    assert report("slowest-tools", **TODAY) == []
    assert report("tool-call-volume", **TODAY)[0]["call_count"] == 2


def test_what_an_agent_says_about_its_tools_may_be_anything(report: Report, record: Record) -> None:
    record(
        use(0, None, None),
        use(0, {"a": 1}, [1]),
        use(0, "x" * 100_000, "long"),
        result(9, "long"),
        result(9, {}),
        result(9, None),
        use(0, "Read", file_path=5),
        (0, "tool_use", {"id": "y", "name": "Read", "input": "text"}),
        (0, "tool_use", {}),
    )

    counted = {row["tool_name"]: row["call_count"] for row in report("tool-call-volume", **TODAY)}

    assert counted == {"Unknown": 3, "x" * 200: 1, "Read": 2}
    assert report("most-frequent-reads", **TODAY) == []


def test_reads_are_counted_by_file(report: Report, record: Record) -> None:
    for path in ("/b", "/a", "/c", "/c"):
        record(use(0, "Read", file_path=path))
    record(use(0, "Write", file_path="/w"), use(0, "read", file_path="/r"), use(0, "Read"))

    assert report("most-frequent-reads", **TODAY) == [
        {"file_path": "/c", "read_count": 2},
        {"file_path": "/a", "read_count": 1},
        {"file_path": "/b", "read_count": 1},
    ]
    assert report("most-frequent-reads", limit=1, **TODAY) == [{"file_path": "/c", "read_count": 2}]


def test_a_session_of_no_project_never_counts(
    kernel: Kernel, client: TestClient, report: Report
) -> None:
    session_id = client.post("/api/sessions", json={}).json()["kombuse_session_id"]
    made = payloads.entry("tool_use", {"id": "c", "name": "Bash"}, backend="mock")
    assert made is not None

    with kernel.db.write() as tx:
        recorder.append(tx, session_id, [made])

    assert report("tool-call-volume", **TODAY) == []
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM tool_calls") == 1


def test_calls_of_each_session_can_be_narrowed_to_an_agent(
    past: Past, report: Report, agent: Callable[[str], str]
) -> None:
    ada = agent("Ada")
    mine, nobodys = past.session(agent_id=ada), past.session()
    past.session()
    for _ in range(2):
        past.call(mine, "Read")
    for number in range(3):
        past.call(nobodys, "Bash", at=NOON + timedelta(days=number))

    first, second = report("tool-calls-per-session")
    (only,) = report("tool-calls-per-session", agent_id=ada)

    assert (first["session_id"], first["agent_name"], first["call_count"]) == (
        nobodys,
        "Unknown",
        3,
    )
    assert (
        second
        == only
        == {
            "session_id": mine,
            "kombuse_session_id": f"trigger-{mine}",
            "agent_id": ada,
            "agent_name": "Ada",
            "call_count": 2,
        }
    )
    assert report("tool-calls-per-session", agent_id="nobody") == []


def test_at_most_fifty_sessions_are_listed(past: Past, report: Report) -> None:
    for _ in range(51):
        past.call(past.session(), "Read")

    assert len(report("tool-calls-per-session")) == 50


@pytest.mark.parametrize("spread", [30, 3_000, 10_000_000])
def test_the_quantiles_of_tools_are_exact(past: Past, report: Report, spread: int) -> None:
    """Also where many calls share the two leading digits, by which they are counted."""
    random = Random(spread)
    session_id = past.session()
    durations: dict[str, list[int]] = {"Read": [], "Bash": [], "Task": []}
    for name, count in (("Read", 200), ("Bash", 101), ("Task", 1)):
        for _ in range(count):
            day = NOON + timedelta(days=random.randrange(-1, 4))
            milliseconds = random.randrange(1, spread)
            past.call(session_id, name, milliseconds, at=day)
            if NOON <= day <= NOON + timedelta(days=2):
                durations[name].append(milliseconds)
    expected: list[dict[str, Any]] = [
        {"tool_name": name, "count": len(values), "avg": mean(values)} | quantiles(values)
        for name, values in durations.items()
        if values
    ]

    rows = report("slowest-tools", **{"from": "2025-03-10", "to": "2025-03-12"})

    assert rows == sorted(expected, key=lambda row: (-row["p90"], row["tool_name"]))


def test_volume_counts_the_calls_and_the_sessions_of_the_window(past: Past, report: Report) -> None:
    random = Random(5)
    calls: Counter[str] = Counter()
    sessions: dict[str, set[str]] = {}
    ids = [past.session() for _ in range(6)]
    for _ in range(150):
        name, session_id = random.choice(("Read", "Bash", "LS")), random.choice(ids)
        day = NOON + timedelta(days=random.randrange(5))
        past.call(session_id, name, at=day)
        if day <= NOON + timedelta(days=1):
            calls[name] += 1
            sessions.setdefault(name, set()).add(session_id)

    rows = report("tool-call-volume", **{"from": "2025-03-10", "to": "2025-03-11"})

    assert {row["tool_name"]: (row["call_count"], row["session_count"]) for row in rows} == {
        name: (calls[name], len(found)) for name, found in sessions.items()
    }
    assert [row["call_count"] for row in rows] == sorted(calls.values(), reverse=True)


def test_a_deleted_session_takes_its_calls_along(
    past: Past, report: Report, client: TestClient
) -> None:
    kept, gone = past.session(), past.session()
    for session_id in (kept, gone, gone):
        past.call(session_id, "Read", 70, path="/a")
        past.call(session_id, "Bash", 5000 if session_id == kept else 9000)
    past.call(gone, "Read", path="/b")

    client.delete(f"/api/sessions/trigger-{gone}").raise_for_status()

    assert report("most-frequent-reads") == [{"file_path": "/a", "read_count": 1}]
    assert [row["session_id"] for row in report("tool-calls-per-session")] == [kept]
    volume = report("tool-call-volume")
    assert {(row["call_count"], row["session_count"]) for row in volume} == {(1, 1)}
    assert [(row["p50"], row["count"], row["avg"]) for row in report("slowest-tools")] == [
        (5000, 1, 5000),
        (70, 1, 70),
    ]
