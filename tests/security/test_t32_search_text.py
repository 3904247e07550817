"""T32: no search text is a fault or takes long."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from kombuse_kernel.http.application import Application
from kombuse_sdk.testing import Factory

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


@pytest.fixture(scope="module")
def client(app: Application) -> TestClient:
    return TestClient(app, base_url="http://localhost:3331", raise_server_exceptions=False)


@pytest.fixture(scope="module", autouse=True)
def ticket(client: TestClient) -> Any:
    make = Factory(client)
    made = make.ticket(make.project(), title="title AND a 8", body="ab é 日本 NEAR body")
    make.comment(made, body="abc (a) OR 8 🍵")
    return made


@given(text=TEXT)
@settings(max_examples=150)
def test_no_search_is_a_fault(client: TestClient, text: str) -> None:
    answer = client.get("/api/tickets", params={"search": text})

    assert answer.status_code == 200, (text, answer.text)


@given(text=TEXT)
def test_no_filter_text_is_a_fault(client: TestClient, text: str) -> None:
    for path in ("/api/profiles", "/api/projects"):
        assert client.get(path, params={"search": text}).status_code == 200


def test_a_search_at_its_longest_is_quick(client: TestClient) -> None:
    for word in ("a", "a*", '"a', "(", "OR ", "a OR "):
        text = (word * 200)[:200]
        start = time.process_time()
        assert client.get("/api/tickets", params={"search": text}).status_code == 200
        assert time.process_time() - start < 1
