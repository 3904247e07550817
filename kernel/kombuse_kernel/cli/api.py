"""`kombuse api`: any request to the running server, for scripts and for looking around."""

import json
import re
import sys
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from kombuse_sdk.client import Answer, Client, Refused
from kombuse_sdk.console import CommandError, ExitCode, Home, read_text

__all__ = ["app"]

app = typer.Typer(pretty_exceptions_enable=False)

_OUTSIDE_API = {"/", "/health", "/openapi.json"}
_URL = re.compile(r"[a-z][a-z0-9+.-]*:|//|\\", re.IGNORECASE)
_FIELD = re.compile(r"([^=:]+)(:?=)(.*)", re.DOTALL)
_KEPT = "%/:?=&+~@!$,;'()*[]"


class Method(StrEnum):
    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


@app.command()
def api(
    method: Annotated[Method, typer.Argument(case_sensitive=False)],
    path: Annotated[str, typer.Argument(help="As in the API reference; /api may be left out.")],
    body: Annotated[
        str | None, typer.Argument(help="JSON, @FILE with JSON, or - for standard input.")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            "-f",
            metavar="KEY=TEXT",
            help="A field of the body, or, for GET and DELETE, of the query. KEY:=JSON for lists.",
        ),
    ] = None,
    accept: Annotated[
        str, typer.Option(help="The media type wanted, as text/csv.")
    ] = "application/json",
    include: Annotated[
        bool, typer.Option("--include", "-i", help="Print the status and the headers too.")
    ] = False,
    home: Home = None,
) -> None:
    """Send one request and print the answer: readable on a terminal, as it is otherwise.

    Exit code 0 for a 2xx or 3xx status, 1 for any other (5 for 507), 3 when no server is running.
    """
    given = _fields(fields or [])
    address = _address(path)
    if method in (Method.GET, Method.DELETE) and given:
        address += ("&" if "?" in address else "?") + urlencode(_query(given))
        given = {}
    if given and body is not None:
        raise CommandError("give a body or fields, not both", ExitCode.USAGE)
    data = json.dumps(given).encode() if given else _body(body)
    with Client(home) as client:
        answer = client.send(method, address, data, {"Accept": accept})
    _print(answer, include)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise Refused(answer.status, _parsed(answer.body))


def _address(path: str) -> str:
    """Of this server only: what a script puts together must not lead elsewhere."""
    if _URL.match(path):
        raise CommandError(f"{path} is not a path: begin it with /api", ExitCode.USAGE)
    path = quote("/" + path.removeprefix("/"), safe=_KEPT)
    bare = path.partition("?")[0]
    if bare in _OUTSIDE_API or bare == "/api" or bare.startswith("/api/"):
        return path
    return f"/api{path}"


def _fields(texts: list[str]) -> dict[str, Any]:
    """A key that is given several times becomes a list."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        match = _FIELD.fullmatch(text)
        if match is None:
            raise CommandError(f"{text} is not KEY=TEXT or KEY:=JSON", ExitCode.USAGE)
        key, sign, value = match.groups()
        found.setdefault(key, []).append(_json(value, f"field {key}") if sign == ":=" else value)
    return {key: values if len(values) > 1 else values[0] for key, values in found.items()}


def _query(fields: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, item if isinstance(item, str) else json.dumps(item))
        for key, value in fields.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def _body(text: str | None) -> bytes | None:
    if text is None:
        return None
    read = read_text(None, text[1:]) if text.startswith("@") else read_text(text)
    _json(read or "", "the body")
    return (read or "").encode()


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{what} is not JSON: {error}", ExitCode.USAGE) from error


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _print(answer: Answer, with_headers: bool) -> None:
    out = sys.stdout
    if with_headers:
        reason = HTTPStatus(answer.status).phrase
        typer.echo(f"HTTP/1.1 {answer.status} {reason}")
        for name, value in answer.headers:
            typer.echo(f"{name}: {value}")
        typer.echo()
    shown = _parsed(answer.body) if out.isatty() else None
    if shown is not None:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    out.flush()
    out.buffer.write(answer.body)
    if out.isatty() and answer.body and not answer.body.endswith(b"\n"):
        out.buffer.write(b"\n")
    out.buffer.flush()
