"""The example plugin does what its README says."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.testing import Factory, ticket_path

FOLDER = Path(__file__).parents[2] / "examples" / "hello_plugin"


@pytest.fixture
def plugins_under_test(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in [name for name in sys.modules if name.startswith("kombuse_hello")]:
        monkeypatch.delitem(sys.modules, name)
    return [importlib.import_module("kombuse_hello")]


def test_a_closed_ticket_is_counted_once_and_shown_in_the_column_and_the_route(
    client: TestClient, make: Factory, kernel: Any
) -> None:
    ticket = make.ticket(make.project())
    for status in ("closed", "open", "closed"):
        body = {"status": status, "updated_by_id": "user-1"}
        assert client.patch(ticket_path(ticket), json=body).status_code == 200

    kernel.dispatcher.drain()
    kernel.dispatcher.drain()

    assert client.get("/api/x/hello/user-1").json() == {"profile_id": "user-1", "closed": 2}
    assert client.get(ticket_path(ticket)).json()["closed_by_author"] == 2


def test_its_tool_is_offered(kernel: Any) -> None:
    tools = [tool.name for _, tool in kernel.offers("kombuse_mcp_tools")]

    assert "hello_count_closed_tickets" in tools
