"""T24: many clients at once, over REST and MCP, lose no update and hold nothing twice."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from kombuse_sdk.processes import ServerProcess

CLIENTS = 16
WRITES = 20
CONTESTED = 8


@pytest.fixture(scope="module")
def project(server: ServerProcess) -> str:
    setting = {
        "profile_id": "user-1",
        "setting_key": "mcp.anonymous_write_access",
        "setting_value": "allowed",
    }
    server.http.put("/api/profile-settings", json=setting).raise_for_status()
    for number in range(CLIENTS):
        body = {"type": "user", "name": f"Client {number}", "id": f"client{number}"}
        server.http.post("/api/profiles", json=body).raise_for_status()
    return new_project(server)


def new_project(server: ServerProcess) -> str:
    body = {"name": "Crowded", "owner_id": "user-1"}
    made: str = server.http.post("/api/projects", json=body).raise_for_status().json()["id"]
    return made


def at_once(server: ServerProcess, work: Callable[[httpx.Client, int], Any]) -> list[Any]:
    """`work(client, number)` in as many threads as there are clients, let loose together."""
    start = threading.Barrier(CLIENTS)

    def run(number: int) -> Any:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            start.wait()
            return work(client, number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, range(CLIENTS)))


def call_tool(client: httpx.Client, name: str, **arguments: Any) -> Any:
    params = {"name": name, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = client.post("/mcp", json=message)
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert not result["isError"], result
    return result["structuredContent"]


def create_ticket(client: httpx.Client, number: int, project: str, title: str) -> int:
    """Every other client is an agent."""
    if number % 2:
        made = call_tool(client, "create_ticket", project_id=project, title=title)
        made = made.get("ticket", made)
    else:
        body = {"project_id": project, "author_id": f"client{number}", "title": title}
        made = client.post("/api/tickets", json=body).raise_for_status().json()
    found: int = made["ticket_number"]
    return found


def query(server: ServerProcess, sql: str) -> list[Any]:
    answer = server.http.post("/api/database/query", json={"sql": sql, "limit": 500})
    rows = answer.raise_for_status().json()["rows"]
    return [tuple(row.values()) for row in rows]


def test_ticket_numbers_are_exact_without_gaps_or_duplicates(
    server: ServerProcess, project: str
) -> None:
    crowded = new_project(server)

    def work(client: httpx.Client, number: int) -> list[int]:
        titles = [f"{number}.{index}" for index in range(WRITES)]
        return [create_ticket(client, number, crowded, title) for title in titles]

    made = at_once(server, work)

    assert sorted(itertools.chain(*made)) == list(range(1, CLIENTS * WRITES + 1))
    assert all(numbers == sorted(numbers) for numbers in made)
    created = "event_type = 'ticket.created'"
    assert query(
        server, f"SELECT count(*) FROM events WHERE {created} AND project_id = '{crowded}'"
    ) == [(CLIENTS * WRITES,)]
    counts = server.http.get("/api/tickets/counts", params={"project_id": crowded}).json()
    assert counts["open"] == CLIENTS * WRITES


def test_each_contested_ticket_is_claimed_by_exactly_one(
    server: ServerProcess, project: str
) -> None:
    numbers = [create_ticket(server.http, 0, project, "contested") for _ in range(CONTESTED)]

    def work(client: httpx.Client, number: int) -> list[tuple[int, int]]:
        claimed = []
        for contested in numbers:
            path = f"/api/projects/{project}/tickets/by-number/{contested}"
            answer = client.post(f"{path}/claim", json={"claimer_id": f"client{number}"})
            assert answer.status_code in (200, 409), answer.text
            if answer.status_code == 200:
                assert answer.json()["claimed_by_id"] == f"client{number}"
                claimed.append((contested, number))
        return claimed

    won = list(itertools.chain(*at_once(server, work)))

    assert Counter(contested for contested, _ in won) == dict.fromkeys(numbers, 1)
    for contested, winner in won:
        found = server.http.get(f"/api/projects/{project}/tickets/by-number/{contested}").json()
        assert found["claimed_by_id"] == found["assignee_id"] == f"client{winner}"


def test_a_claim_passed_around_is_never_held_twice(server: ServerProcess, project: str) -> None:
    contested = create_ticket(server.http, 0, project, "passed around")
    path = f"/api/projects/{project}/tickets/by-number/{contested}"
    holders: list[int] = []
    most: list[int] = []

    def work(client: httpx.Client, number: int) -> int:
        times = 0
        for _ in range(WRITES):
            claim = client.post(f"{path}/claim", json={"claimer_id": f"client{number}"})
            if claim.status_code != 200:
                assert claim.status_code == 409, claim.text
                continue
            holders.append(number)
            most.append(len(holders))
            times += 1
            holders.remove(number)
            leave = {"requester_id": f"client{number}"}
            assert client.post(f"{path}/unclaim", json=leave).status_code == 200
            client.patch(path, json={"assignee_id": None}).raise_for_status()
        return times

    times = at_once(server, work)

    assert sum(times) > 0
    assert set(most) == {1}


def test_comments_and_labels_of_many_writers_are_all_there(
    server: ServerProcess, project: str
) -> None:
    ticket = create_ticket(server.http, 0, project, "busy")
    path = f"/api/projects/{project}/tickets/by-number/{ticket}"

    def work(client: httpx.Client, number: int) -> None:
        for index in range(WRITES // 2):
            text = f"c{number}.{index}"
            if number % 2:
                where = {"project_id": project, "ticket_number": ticket}
                call_tool(client, "add_comment", **where, body=text)
            else:
                body = {"author_id": f"client{number}", "body": text}
                client.post(f"{path}/comments", json=body).raise_for_status()
            name = {"name": f"label {number}.{index}"}
            label = client.post(f"/api/projects/{project}/labels", json=name).json()
            added = client.post(f"{path}/labels/{label['id']}", json={})
            assert added.is_success, added.text

    at_once(server, work)

    expected = {f"c{n}.{i}" for n in range(CLIENTS) for i in range(WRITES // 2)}
    bodies = [body for (body,) in query(server, "SELECT body FROM comments WHERE body LIKE 'c%.%'")]
    assert sorted(bodies) == sorted(expected)
    found = server.http.get(path).json()
    assert len(found["labels"]) == CLIENTS * WRITES // 2
