"""Live messages where the plugins that know more about events are absent."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.events import Event
from kombuse_sdk.types import Kernel

ADDRESS = "ws://127.0.0.1:3331/ws"
TRACKER = ["profiles", "projects", "tickets", "comments", "sessions", "permissions", "triggers"]


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": TRACKER}


def test_events_are_told_without_what_others_would_add(kernel: Kernel, client: TestClient) -> None:
    with client.websocket_connect(ADDRESS) as socket:
        topics = ["project:p", "ticket:7"]
        socket.send_json({"type": "subscribe", "topics": topics})
        assert socket.receive_json() == {"type": "subscribed", "topics": topics}
        with kernel.db.write() as tx:
            event = Event(event_type="probe", actor_type="user", actor_id="ann", ticket_id=7)
            event_id = tx.emit(event)

        message = socket.receive_json()

    assert message["topic"] == "ticket:7"
    assert message["event"].pop("created_at")
    assert message["event"] == {
        "id": event_id,
        "event_type": "probe",
        "project_id": None,
        "ticket_id": 7,
        "ticket_number": None,
        "comment_id": None,
        "actor_id": "ann",
        "actor_type": "user",
        "kombuse_session_id": None,
        "payload": {},
    }


def test_a_message_that_no_plugin_serves_is_unknown(client: TestClient) -> None:
    with client.websocket_connect(ADDRESS) as socket:
        socket.send_json({"type": "chat", "session_id": "chat-1", "message": "hi"})

        answer = socket.receive_json()

    assert answer == {"type": "error", "message": "Unknown message type: chat"}
