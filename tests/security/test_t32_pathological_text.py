"""T32: no text takes more than linear time, and no search is a fault."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
SIZE = 900_000
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


WORDS = [
    "AND",
    "OR",
    "NOT",
    "NEAR",
    "NEAR/",
    "title",
    "body",
    "a",
    "ab*",
    "#1",
    "8",
    "é",
    "日本",
    "🍵",
]
GRAMMAR = st.lists(
    st.one_of(st.sampled_from(WORDS), st.sampled_from("\"'*()-+:^{}# \x00\\%_")), max_size=40
).map("".join)
TEXT = st.one_of(GRAMMAR, st.text(max_size=200)).map(lambda text: text[:200])


@given(text=TEXT)
@settings(max_examples=150)
def test_no_search_is_a_fault(client: TestClient, ticket: Any, text: str) -> None:
    answer = client.get("/api/tickets", params={"search": text})

    assert answer.status_code == 200, (text, answer.text)


@given(text=TEXT)
def test_no_filter_text_is_a_fault(client: TestClient, text: str) -> None:
    for path in ("/api/profiles", "/api/projects"):
        assert client.get(path, params={"search": text}).status_code == 200


def test_a_search_at_its_longest_is_quick(client: TestClient, ticket: Any) -> None:
    for word in ("a", "a*", '"a', "(", "OR ", "a OR "):
        text = (word * 200)[:200]
        start = time.process_time()
        assert client.get("/api/tickets", params={"search": text}).status_code == 200
        assert time.process_time() - start < 1
