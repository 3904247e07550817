"""Secrets do not get into the record."""

from collections.abc import AsyncIterator

import pytest
from starlette.testclient import TestClient
from tests.plugins.sessions.fake_agents import (
    Agents,
    FakeBackend,
    FakeRun,
    Heard,
    Record,
    Wire,
    result,
    said,
    used,
)

from kombuse_plugins.sessions import secrets
from kombuse_plugins.sessions.secrets import redacted, redactor
from kombuse_sdk.agents import AgentEvent, TurnEnd

TOKEN = "sk-ant-api03-abcdefghijklmnopqrstuv"


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        "ghp_" + "a1" * 18,
        "AKIAIOSFODNN7EXAMPLE",
        "xoxb-123456789012-abc",
        "kmb_Ab12Cd34_" + "a1" * 16 + "_Zz99Yy",
        "npm_" + "a1" * 18,
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nMIIE\n-----END PGP PRIVATE KEY BLOCK-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_tokens_of_well_known_services_are_recognised(secret: str) -> None:
    assert redacted(f"key={secret}; ok") == "key=[redacted]; ok"


@pytest.mark.parametrize(
    "text",
    [
        "task-ant-hill",
        "the sk-learn package",
        "risk-free",
        "sk-some-branch-of-a-long-name",
        "a" * 5000,
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_values_of_secret_variables_are_recognised() -> None:
    found = redactor(
        {"MY_API_KEY": "correct horse battery", "SHORT_KEY": "abc", "HOME": "/home/me"}
    )

    assert found.sub("*", "correct horse battery at /home/me abc") == "* at /home/me abc"


def test_nothing_that_an_agent_does_leaks_a_secret(
    client: TestClient,
    agents: Agents,
    wire: Wire,
    heard: Heard,
    record: Record,
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    canary = "canary-value-of-the-environment"
    monkeypatch.setattr(secrets, "_of_this_process", lambda: redactor({"APP_TOKEN": canary}))

    async def leaks(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield used("Bash", command=f"curl -H {canary}", env={"K": TOKEN})
        yield result([{"type": "text", "text": f"APP_TOKEN={canary}"}])
        yield said(f"It is {canary}")
        yield TurnEnd(success=False, error=f"refused {canary}")

    backend.script = leaks
    wire.send("agent.invoke", message=f"use {TOKEN}", agentId=agents.make()["id"])
    session_id = heard.wait("agent.complete")["kombuseSessionId"]

    known = client.get(f"/api/sessions/{session_id}/events").text + str(record.session(session_id))
    known += str(heard.messages)
    assert canary not in known
    assert TOKEN not in known
    assert TOKEN in backend.messages[0]
