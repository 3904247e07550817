"""T18: known holes are shut by the minimum versions, and requests are bounded."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from tests.security.raw_requests import send_bytes

from kombuse_sdk.processes import ServerProcess

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
MINIMUM = {
    "starlette": "0.49.1",  # CVE-2025-62727: a Range header costs quadratic time
    "python-multipart": "0.0.18",  # CVE-2024-53981: endless logging before the first boundary
    "mcp": "1.23",  # CVE-2025-66416: no protection against DNS rebinding
}
REQUIRED = {
    requirement.name: requirement
    for requirement in map(
        Requirement, tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["dependencies"]
    )
}


@pytest.mark.parametrize("name", MINIMUM)
def test_versions_with_known_holes_cannot_be_installed(name: str) -> None:
    floors = [
        Version(part.version) for part in REQUIRED[name].specifier if part.operator in (">=", "==")
    ]

    assert floors
    assert max(floors) >= Version(MINIMUM[name])
    assert Version(version(name)) >= Version(MINIMUM[name])


@pytest.mark.parametrize(
    "lines",
    [
        b"Range: bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(10_000)),
        b"X-Long: " + b"x" * 20_000,
        b"\r\n".join(b"X-%d: y" % number for number in range(3000)),
        b"Cookie: " + b"a=b; " * 5000,
    ],
)
def test_headers_beyond_16_kib_are_refused(server: ServerProcess, lines: bytes) -> None:
    request = b"GET /api/profiles HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n\r\n"

    status = send_bytes(server.port, request)[:12]

    assert status in (b"HTTP/1.1 431", b"HTTP/1.1 400")
    assert server.http.get("/health").status_code == 200


def test_a_long_query_is_refused_or_answered(server: ServerProcess) -> None:
    query = b"&".join(b"a%d=b" % number for number in range(20_000))
    request = b"GET /api/profiles?" + query + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"

    assert send_bytes(server.port, request).startswith(b"HTTP/1.1 ")
    assert server.http.get("/health").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"user","name":"' + b"x" * 2_000_000 + b'"}',
        b"[" * 2_000_000,
        b'{"type":"user",' + b",".join(b'"a%d":1' % n for n in range(200_000)) + b"}",
        b'{"name":' + b"9" * 1_500_000 + b"}",
    ],
)
@pytest.mark.parametrize("path", ["/api/profiles", "/mcp"])
def test_a_huge_body_is_refused(server: ServerProcess, path: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}

    answer = server.http.post(path, content=body, headers=headers)

    assert answer.status_code == 413
    assert server.http.get("/health").status_code == 200


def test_a_huge_body_without_a_length_is_refused_as_well(server: ServerProcess) -> None:
    headers = {"content-type": "application/json"}
    chunks = (b"x" * 65536 for _ in range(64))

    answer = server.http.post("/api/profiles", content=chunks, headers=headers)

    assert answer.status_code == 413
