"""A ticket, a comment on it, and uploads to them."""

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000a49444154789c6360000002000154a24f5f0000000049454e44ae426082"
)

Upload = Callable[..., Any]


@pytest.fixture
def png() -> bytes:
    return PNG


@pytest.fixture
def ticket(make: Factory) -> Any:
    return make.ticket(make.project())


@pytest.fixture
def comment(make: Factory, ticket: Any) -> Any:
    return make.comment(ticket)


@pytest.fixture
def send(client: TestClient, ticket: Any) -> Upload:
    """Uploads to the ticket, or to `path`; the whole answer."""

    def send(
        name: str = "dot.png",
        data: bytes = PNG,
        kind: str = "image/png",
        *,
        by: str = LOCAL_USER,
        path: str | None = None,
    ) -> Any:
        return client.post(
            path or f"{ticket_path(ticket)}/attachments",
            files={"file": (name, data, kind)},
            data={"uploaded_by_id": by},
        )

    return send


@pytest.fixture
def upload(send: Upload) -> Upload:
    """Like `send`; the attachment."""

    def upload(*arguments: Any, **options: Any) -> Any:
        answer = send(*arguments, **options)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return upload


@pytest.fixture
def stream(client: TestClient, ticket: Any) -> Callable[..., Any]:
    """Uploads a body in pieces; then `ending`: "complete", "disconnect" or "silence"."""

    def stream(chunks: Iterable[bytes], ending: str = "complete") -> Any:
        path = f"{ticket_path(ticket)}/attachments"
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"content-type", b"multipart/form-data; boundary=edge"),
            ],
        }
        pieces = iter(chunks)
        answer: list[Any] = []

        async def receive() -> Any:
            chunk = next(pieces, None)
            if chunk is not None:
                return {"type": "http.request", "body": chunk, "more_body": True}
            if ending == "silence":
                await asyncio.Event().wait()
            if ending == "disconnect":
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            answer.append(message)

        asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type]
        return answer[0]["status"], json.loads(answer[1]["body"])

    return stream


@pytest.fixture
def on_disk(kernel: Kernel) -> Callable[[], list[str]]:
    """Every file below the uploads folder, relative to it."""
    uploads: Path = kernel.config.uploads

    def on_disk() -> list[str]:
        return sorted(
            path.relative_to(uploads).as_posix() for path in uploads.rglob("*") if path.is_file()
        )

    return on_disk
