"""One turn of a chat over the WebSocket, shown on the terminal."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from kombuse_sdk.client import NotRunning
from kombuse_sdk.console import CommandError, one_line, print_styled, print_text, warn

__all__ = ["run_turn"]

_OPEN_SECONDS = 10
_LARGEST = 32 * 1024 * 1024
_WIDTH = 100


def run_turn(port: int, invoke: Mapping[str, Any], *, as_json: bool) -> None:
    """Send `agent.invoke`, print messages until its `agent.complete`.

    Raises CommandError unless the turn completes.
    """
    try:
        with connect(
            f"ws://127.0.0.1:{port}/ws",
            open_timeout=_OPEN_SECONDS,
            max_size=_LARGEST,
            proxy=None,
        ) as socket:
            socket.send(json.dumps({"type": "agent.invoke", **invoke}))
            _follow(socket, as_json)
    except (OSError, WebSocketException) as error:
        raise NotRunning(f"the connection to the server at port {port} failed: {error}") from error


def _follow(socket: ClientConnection, as_json: bool) -> None:
    session_id: str | None = None
    try:
        for message in _messages(socket):
            session_id = message.get("kombuseSessionId") or session_id
            if as_json:
                typer.echo(json.dumps(message, ensure_ascii=False))
            else:
                _show(message)
            if message["type"] == "error":
                raise CommandError(str(message.get("message")))
            if message["type"] == "agent.complete":
                _end(message)
                return
    except KeyboardInterrupt:
        if session_id is not None:
            socket.send(json.dumps({"type": "agent.stop", "kombuseSessionId": session_id}))
        raise CommandError("interrupted: the agent is stopped") from None
    raise CommandError("the server ended the connection before the agent was done")


def _messages(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    for frame in socket:
        message = json.loads(frame)
        if isinstance(message, dict) and isinstance(message.get("type"), str):
            yield message


def _show(message: Mapping[str, Any]) -> None:
    if message["type"] == "agent.started":
        print_styled(f"session {message.get('kombuseSessionId')}", bold=True)
    elif message["type"] == "agent.permission_pending":
        what = one_line(message.get("description") or message.get("toolName"))
        warn(f"waits for approval: {what} (see `kombuse approvals`)")
    elif message["type"] == "agent.event":
        _show_event(message.get("event") or {})


def _show_event(event: Mapping[str, Any]) -> None:
    if event.get("type") == "message" and event.get("role") == "assistant":
        print_text(str(event.get("content") or ""))
    elif event.get("type") == "tool_use":
        given = one_line(json.dumps(event.get("input"), ensure_ascii=False))
        shown = given if len(given) <= _WIDTH else given[:_WIDTH] + "…"
        print_styled(f"> {one_line(event.get('name'))} {shown}", fg="cyan")
    elif event.get("type") == "error":
        warn(one_line(event.get("message")))


def _end(message: Mapping[str, Any]) -> None:
    if message.get("status") != "completed":
        reason = message.get("errorMessage") or message.get("reason")
        raise CommandError(f"the agent {message.get('status')}: {one_line(reason)}")
