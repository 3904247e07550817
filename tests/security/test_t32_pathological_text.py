"""T32: no text takes more than linear time to store, and none is costly to find."""

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_kernel.http.application import Application
from kombuse_sdk.testing import Factory, ticket_path

PATTERNS = [
    "@[",
    "[[[[",
    "*",
    "@[a](",
    "@[a](b",
    "@a",
    "@a ",
    "a@",
    "#1 ",
    "#",
    "`",
    "` ``",
    "```\n",
    "~~~\n> ",
    "> ",
    "- ",
    "http://a.",
    "www.",
    "&#1",
    "((((",
    "\\",
    "\n",
    " \t",
    "aé",
    "\u202e",
    "a",
    '"',
    "a b ",
]
SIZE = 450_000  # which JSON may write twice as long
FACTOR = 4
LINEAR = 3.0 * FACTOR
NOTICEABLE = 0.25  # seconds; below it, nothing is worth an alarm


@pytest.fixture(scope="module")
def client(app: Application) -> TestClient:
    return TestClient(app, base_url="http://localhost:3331", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def ticket(client: TestClient) -> Any:
    make = Factory(client)
    return make.ticket(make.project())


def seconds(client: TestClient, method: str, path: str, body: Any) -> float:
    """Processor time of this process, so that a busy machine does not matter."""
    start = time.process_time()
    answer = client.request(method, path, json=body)
    spent = time.process_time() - start
    assert answer.is_success or answer.status_code == 400, answer.text[:300]
    return spent


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("field", ["comment", "ticket"])
def test_a_text_four_times_as_long_takes_about_four_times_as_long(
    client: TestClient, ticket: Any, pattern: str, field: str
) -> None:
    path = ticket_path(ticket)

    def spent(size: int) -> float:
        text = (pattern * size)[:size]
        if len(text.encode()) > size:
            text = text.encode()[:size].decode(errors="ignore")
        if field == "ticket":
            return seconds(client, "PATCH", path, {"body": text})
        return seconds(client, "POST", f"{path}/comments", {"author_id": "user-1", "body": text})

    small = min(spent(SIZE // FACTOR) for _ in range(2))
    large = spent(SIZE)

    assert large < max(small * LINEAR, NOTICEABLE)


@pytest.mark.parametrize("field", ["body", "comment"])
def test_a_long_text_full_of_hits_is_found_in_no_time(
    client: TestClient, ticket: Any, field: str
) -> None:
    text, path = f"{field}word b " * 20_000, ticket_path(ticket)
    if field == "comment":
        seconds(client, "POST", f"{path}/comments", {"author_id": "user-1", "body": text})
    else:
        seconds(client, "PATCH", path, {field: text})

    start = time.process_time()
    found = client.get("/api/tickets", params={"search": f"{field}word"}).json()
    spent = time.process_time() - start

    assert [item["id"] for item in found] == [ticket["id"]]
    assert f"«{field}word»" in found[0]["match_context"]
    assert spent < 0.5


def test_the_most_hits_that_a_text_can_hold_are_found_in_no_time(
    client: TestClient, ticket: Any
) -> None:
    seconds(client, "PATCH", ticket_path(ticket), {"body": "q " * 100_000})

    start = time.process_time()
    (found,) = client.get("/api/tickets", params={"search": "q"}).json()

    assert "«q»" in found["match_context"]
    assert time.process_time() - start < 0.5
