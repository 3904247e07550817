"""Permission requests: how soon a connected client is asked, and its answer has an effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import time

from mock_agents import create_project, create_session, listen, send_script

from api import Api
from load import LoadError
from server_process import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Milliseconds in ascending order, one each per request.

    `asked`: from the backend's tool use, right before it asks, to the client's receipt.
    `answered`: from the client's answer to its receipt of the confirmation.
    `went_on`: from the client's answer to its receipt of the agent's next request.
    """

    asked: Sequence[float]
    answered: Sequence[float]
    went_on: Sequence[float]


def measure(server: Server, requests: int) -> Approvals:
    """Raises LoadError unless every answer is recorded and reaches the agent."""
    steps = [
        {
            "permission_request": "Bash",
            "input": {"command": f"make release-{number}"},
            "result": f"made {number}",
        }
        for number in range(1, requests + 1)
    ]
    received: dict[str, float] = {}
    answered: list[float] = []
    went_on: list[float] = []
    sent = None
    with Api(server.port) as api:
        project_id = create_project(api, "Approvals")
        session_id = create_session(api, project_id)
        with listen(server.port, ["*"]) as client:
            send_script(api, session_id, steps)
            for _ in range(requests):
                request_id = client.wait("agent.permission_pending")["requestId"]
                received[request_id] = now = time()
                if sent is not None:
                    went_on.append((now - sent) * 1000)
                answer = {"kombuseSessionId": session_id, "requestId": request_id}
                sent = time()
                client.send({"type": "permission.response", "behavior": "allow", **answer})
                client.wait("agent.permission_resolved")
                answered.append((time() - sent) * 1000)
            client.wait("agent.complete")
        asked_at = _check(api, project_id, session_id, requests)
    asked = [(at - asked_at[request_id]) * 1000 for request_id, at in received.items()]
    return Approvals(asked=sorted(asked), answered=sorted(answered), went_on=sorted(went_on))


def _check(api: Api, project_id: str, session_id: str, requests: int) -> dict[str, float]:
    """When each request was made, in seconds."""
    log = api.get_all(f"/api/projects/{project_id}/permissions")
    allowed = sum(entry["status"] == "allowed" for entry in log)
    path = f"/api/sessions/{session_id}/events?limit=1000&event_type="
    results = [event["payload"]["content"] for event in api.get(f"{path}tool_result")["events"]]
    if allowed != requests or results != [f"made {n}" for n in range(1, requests + 1)]:
        raise LoadError(f"of {requests} requests {allowed} were allowed, with {results}")
    uses = [event["payload"] for event in api.get(f"{path}tool_use")["events"]]
    return {use["id"]: use["timestamp"] / 1000 for use in uses}
