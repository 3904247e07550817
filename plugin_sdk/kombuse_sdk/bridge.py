"""MCP over standard input and output, for clients that start their servers.

Each line is a JSON-RPC message; it is posted to /mcp of the running server, and what the server
answers is written as a line. The server may start, end and move to another port meanwhile. Nothing
but the standard library is imported: a client waits for this process whenever it starts.
"""

import base64
import json
import os
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, BinaryIO

from kombuse_sdk.bridge_server import Call, Cancelled, NoAnswer, RunningServer
from kombuse_sdk.home import default_home

__all__ = ["LONGEST_LINE", "Bridge", "run"]

LONGEST_LINE = 16 * 1024 * 1024
_AT_ONCE = 64
_PARSE_ERROR = -32700
_INVALID_REQUEST = -32600
_NO_ANSWER = -32000
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_FIRST_MODERN_VERSION = "2026-07-28"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")
_ENCODED = re.compile(r"=\?base64\?.*\?=")


class Bridge:
    """`write` takes one line; `say` one for the person. Requests do not wait for each other.

    A request is sent a second time only where that can change nothing: when the first one did not
    get through, or when it calls no tool.
    """

    def __init__(
        self,
        home: Path,
        write: Callable[[bytes], None],
        say: Callable[[str], None],
        patience: float = 5.0,
    ) -> None:
        self._server = RunningServer(home, say, patience)
        self._write = write
        self._say = say
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = 0
        self._unfinished = 0
        self._changed = threading.Condition()
        self._calls: dict[str, Call] = {}
        self._version: str | None = None

    def take(self, line: bytes) -> None:
        """One line of the client; what comes of it is written later, by another thread."""
        if not line.strip():
            return
        try:
            message = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            self._refuse(_PARSE_ERROR, f"Parse error: {error}")
            return
        if not isinstance(message, dict) and not (isinstance(message, list) and message):
            self._refuse(_INVALID_REQUEST, "A message is a JSON object")
            return
        if isinstance(message, dict) and message.get("method") == "notifications/cancelled":
            self._cancel(message)
        self._hand_over(message, line.strip())

    def finish(self) -> None:
        """Wait until everything that was taken is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._unfinished == 0)

    def too_long(self) -> None:
        self._refuse(_INVALID_REQUEST, f"A message may have {LONGEST_LINE} bytes at most")

    def _hand_over(self, message: Any, text: bytes) -> None:
        call = None
        if isinstance(message, dict) and _wants_answer(message):
            call = self._calls[_key(message["id"])] = Call()
        with self._changed:
            self._unfinished += 1
            is_busy = self._unfinished > self._threads
            if is_busy and self._threads < _AT_ONCE:
                self._threads += 1
                threading.Thread(target=self._work, daemon=True).start()
        self._waiting.put((message, text, call))

    def _work(self) -> None:
        while True:
            message, text, call = self._waiting.get()
            try:
                self._run(message, text, call)
            except Exception as error:  # one message must not end the others
                self._say(f"{type(error).__name__}: {error}")
            with self._changed:
                self._unfinished -= 1
                self._changed.notify_all()

    def _run(self, message: Any, text: bytes, call: Call | None) -> None:
        """The server takes no lists, which older clients may send."""
        if isinstance(message, list):
            answers: list[bytes] = []
            for item in message:
                self._exchange(item, _text(item), None, answers.append)
            if answers:
                self._write(b"[" + b",".join(answers) + b"]")
            return
        try:
            self._exchange(message, text, call, self._write)
        finally:
            if call is not None:
                self._calls.pop(_key(message["id"]), None)

    def _exchange(
        self, message: Any, text: bytes, call: Call | None, write: Callable[[bytes], None]
    ) -> None:
        """Post one message; for a request, exactly one answer is written, unless cancelled."""
        if not isinstance(message, dict):
            write(_error(None, _INVALID_REQUEST, "A message is a JSON object"))
            return
        wants_answer = _wants_answer(message)
        try:
            self._server.post(
                text,
                self._headers(message),
                call or Call(),
                lambda answer: self._relay(message, answer, write),
                may_repeat=message.get("method") != "tools/call",
            )
        except Cancelled:
            return
        except NoAnswer as error:
            if wants_answer:
                write(_error(message["id"], _NO_ANSWER, str(error)))
            else:
                self._say(f"{message.get('method', 'an answer')} was lost: {error}")

    def _relay(
        self, message: dict[str, Any], answer: HTTPResponse, write: Callable[[bytes], None]
    ) -> None:
        kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        if kind == "text/event-stream" and answer.status == 200:
            if not _relay_stream(answer, write) and _wants_answer(message):
                raise NoAnswer("the stream ended without an answer")
            return
        body = answer.read()
        if not _wants_answer(message):
            if answer.status >= 400:
                shown = body[:500].decode(errors="replace")
                self._say(f"the server answered {answer.status}: {shown}")
            return
        if kind != "application/json" or not body:
            what = f"status {answer.status}, {kind or 'no content'}"
            raise NoAnswer(f"what answers is no MCP server: {what}")
        if answer.status == 200:
            if message.get("method") == "initialize":
                self._version = _negotiated(body)
            write(_one_line(body))
        else:
            write(_refusal(message["id"], answer.status, body))

    def _headers(self, message: dict[str, Any]) -> dict[str, str]:
        """What the protocol wants beside the body; newer versions repeat parts of it."""
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        meta = params.get("_meta")
        stated = meta.get(_VERSION_KEY) if isinstance(meta, dict) else None
        version = stated or self._version
        if not isinstance(version, str) or not _PLAIN.fullmatch(version):
            return {}
        headers = {"MCP-Protocol-Version": version}
        method = message.get("method")
        if version >= _FIRST_MODERN_VERSION and isinstance(method, str):
            headers["Mcp-Method"] = _header(method)
            name = params.get(_NAMED_BY.get(method, ""))
            if isinstance(name, str):
                headers["Mcp-Name"] = _header(name)
        return headers

    def _cancel(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        call = self._calls.get(_key(params.get("requestId"))) if isinstance(params, dict) else None
        if call is not None:
            call.cancel()

    def _refuse(self, code: int, text: str) -> None:
        self._write(_error(None, code, text))


def run(home: Path | None = None) -> None:
    """Serve standard input until it ends, then finish what is under way."""
    writing = threading.Lock()

    def write(line: bytes) -> None:
        rest = memoryview(line + b"\n")
        with writing, suppress(BrokenPipeError):  # nobody reads: the input will end as well
            while rest:
                rest = rest[os.write(1, rest) :]

    def say(text: str) -> None:
        with suppress(OSError):
            print(f"kombuse mcp: {text}", file=sys.stderr, flush=True)

    folder = (default_home() if home is None else home.expanduser()).absolute()
    bridge = Bridge(folder, write, say)
    with suppress(KeyboardInterrupt):
        _read(sys.stdin.buffer, bridge)
        bridge.finish()


def _read(lines: BinaryIO, bridge: Bridge) -> None:
    while line := lines.readline(LONGEST_LINE + 1):
        if len(line) <= LONGEST_LINE:
            bridge.take(line)
            continue
        while line and not line.endswith(b"\n"):
            line = lines.readline(LONGEST_LINE)
        bridge.too_long()


def _wants_answer(message: dict[str, Any]) -> bool:
    """Whatever has an id and is no answer itself, so that no client waits in vain."""
    return "id" in message and "result" not in message and "error" not in message


def _key(message_id: Any) -> str:
    """1 and "1" are different ids."""
    return json.dumps(message_id)


def _text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _one_line(body: bytes) -> bytes:
    """Line breaks between the parts of JSON mean nothing; inside a string there are none."""
    return body.replace(b"\r", b" ").replace(b"\n", b" ")


def _error(message_id: Any, code: int, text: str) -> bytes:
    return _text({"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": text}})


def _refusal(message_id: Any, status: int, body: bytes) -> bytes:
    """The server's error with the id of the request, which it may not have read."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    if isinstance(error, dict) and "code" in error:
        return _text({"jsonrpc": "2.0", "id": message_id, "error": error})
    text = error if isinstance(error, str) else "no reason given"
    return _error(message_id, _NO_ANSWER, f"the server answered {status}: {text}")


def _relay_stream(stream: HTTPResponse, write: Callable[[bytes], None]) -> bool:
    """Whether an answer was among the events; a stream that breaks off is not asked for again."""
    answered = False
    with suppress(OSError, HTTPException):
        for text in _events(stream):
            write(text)
            answered = answered or not _is_from_server(text)
    return answered


def _events(stream: HTTPResponse) -> Iterator[bytes]:
    """The data of each event of a stream, as one line."""
    data: list[bytes] = []
    for line in stream:
        line = line.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield _one_line(b" ".join(data))
            data = []
    if data:
        yield _one_line(b" ".join(data))


def _is_from_server(text: bytes) -> bool:
    """Whether it is a notification or a request of the server, not an answer."""
    try:
        return "method" in json.loads(text)
    except (ValueError, TypeError):
        return True


def _negotiated(body: bytes) -> str | None:
    try:
        version = json.loads(body)["result"]["protocolVersion"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None


def _header(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode(errors='replace')).decode()}?="
