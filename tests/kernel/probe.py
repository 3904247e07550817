"""A plugin whose routes show what the kernel does with parameters, answers and errors."""

import errno
import sqlite3
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, File, Query, Request, UploadFile
from fastapi.responses import PlainTextResponse, StreamingResponse
from tests.fakes import fake_plugin

from kombuse_sdk import errors, schemas
from kombuse_sdk.http import App, Db, Read, Write, integer_id
from kombuse_sdk.sql import JsonText, Where
from kombuse_sdk.types import Kernel

__all__ = ["ERRORS", "PROBE"]

router = APIRouter()


class Filters(schemas.Query):
    number: schemas.QueryInt | None = None
    flag: schemas.QueryBool | None = None
    kind: Literal["a", "b"] | None = None
    ids: schemas.QueryIntList | None = None
    text: str | None = None
    limit: schemas.Limit = 50
    offset: schemas.Offset = 0


class Entry(schemas.Body):
    name: schemas.NonEmpty
    count: schemas.Int | None = None
    loose: schemas.LooseInt | None = None
    anything: Any = None


class Answer(schemas.Output):
    number: int
    text: str | None = None


class Note(schemas.Output):
    joined_kind: ClassVar[str] = "profile"

    id: int


class NoteFilter(schemas.Query):
    joined_kind: ClassVar[str] = "profile"


ERRORS: dict[str, Callable[[], BaseException]] = {
    "invalid": lambda: errors.Invalid(errors.issue("custom", ["a", 0], "no", minimum=1)),
    "bad-request": lambda: errors.BadRequest("bad"),
    "forbidden": lambda: errors.Forbidden("forbidden"),
    "not-found": lambda: errors.NotFound("nothing"),
    "conflict": lambda: errors.Conflict("taken", ticket={"id": 1}),
    "too-large": lambda: errors.TooLarge("big"),
    "media-type": lambda: errors.UnsupportedMediaType("what"),
    "unprocessable": lambda: errors.Unprocessable.reference("owner_id", "profile"),
    "unavailable": lambda: errors.Unavailable("later"),
    "storage": lambda: errors.InsufficientStorage("full"),
    "permission": lambda: PermissionError(errno.EACCES, "denied", "/home/ann/config.json"),
    "unique": lambda: sqlite3.IntegrityError("UNIQUE constraint failed: secret.column"),
    "foreign-key": lambda: sqlite3.IntegrityError("FOREIGN KEY constraint failed"),
    "check": lambda: sqlite3.IntegrityError("CHECK constraint failed: secret"),
    "locked": lambda: sqlite3.OperationalError("database is locked"),
    "full": lambda: sqlite3.OperationalError("database or disk is full"),
    "read-only": lambda: sqlite3.OperationalError("attempt to write a readonly database"),
    "no-space": lambda: OSError(errno.ENOSPC, "No space left on device", "/home/ann/x"),
    "fault": lambda: RuntimeError("secret detail"),
    "sql": lambda: sqlite3.OperationalError("no such table: secret"),
    "os": lambda: OSError(errno.EIO, "secret"),
    "assertion": lambda: AssertionError("secret"),
}


def _twice(text: str = "nothing") -> str:
    return text * 2


@router.get("/probe/echo/{text}", response_model=list[str])
def echo(tx: Read, text: str) -> Any:
    return [text]


@router.get("/probe/echo/fixed", response_model=list[str])
def echo_fixed() -> Any:
    return ["literal"]


@router.get("/probe/number/{number}", response_model=int)
def number(tx: Read, number: Annotated[int, integer_id("Invalid number")]) -> Any:
    return number


@router.get("/probe/query", response_model=dict[str, Any])
def query(tx: Read, query: Annotated[Filters, Query()]) -> Any:
    return query.given()


@router.post("/probe/body", response_model=dict[str, Any])
def body(tx: Write, body: Entry) -> Any:
    return body.changes()


@router.post("/probe/optional", response_model=dict[str, Any])
def optional(tx: Write, body: Entry | None) -> Any:
    return {"given": body is not None}


@router.get("/probe/error/{name}", response_model=int)
def read_error(tx: Read, name: str) -> Any:
    raise ERRORS[name]()


@router.post("/probe/error/{name}", response_model=int)
def write_error(tx: Write, name: str) -> Any:
    tx.execute("INSERT INTO probe (text) VALUES ('lost')")
    raise ERRORS[name]()


@router.get("/probe/async-error/{name}", response_model=int)
async def async_error(db: Db, name: str) -> Any:
    return await db.read_async(lambda tx: _raise(name))


def _raise(name: str) -> int:
    raise ERRORS[name]()


@router.get("/probe/answer/{name}", response_model=Answer)
def answer(tx: Read, name: str) -> Any:
    return _ANSWERS[name]


@router.post("/probe/answer/{name}", response_model=Answer)
def write_answer(tx: Write, name: str) -> Any:
    tx.execute("INSERT INTO probe (text) VALUES (?)", (name,))
    return _ANSWERS[name]


_ANSWERS: dict[str, Any] = {
    "model": Answer(number=1),
    "dict": {"number": 1, "text": "a"},
    "text": JsonText(b'{"number":1,"text":null}'),
    "volatile": JsonText(b'{"number":1,"text":null}', is_volatile=True),
    "response": PlainTextResponse("plain"),
    "missing": {},
    "wrong-type": {"number": "1", "text": None},
    "too-much": {"number": 1, "text": None, "secret": 1},
    "none": None,
    "no-json": JsonText(b'{"number":'),
    "wrong-text": JsonText(b'{"number":1.5,"text":null}'),
    "unserialisable": {"number": object()},
}


@router.delete("/probe/nothing", status_code=204)
def nothing(tx: Write) -> None:
    return None


@router.get("/probe/rows", response_model=list[str])
def rows(tx: Read) -> Any:
    return tx.json_list("SELECT json_quote(text) FROM probe ORDER BY id")


@router.post("/probe/rows", status_code=201, response_model=Answer)
def add_row(tx: Write, body: Entry) -> Any:
    tx.execute("INSERT INTO probe (text) VALUES (?)", (body.name,))
    return {"number": 1, "text": body.name}


@router.get("/probe/notes", response_model=list[Note])
def notes(tx: Read, query: Annotated[NoteFilter, Query()]) -> Any:
    joins = tx.kernel.joins("profile")
    where = Where()
    joins.apply(where, query.given())
    base = "json_object('id', p.id)"
    sql = f"SELECT {joins.select(base, query.given())} FROM probe_notes p {where.sql}"
    return tx.json_list(sql, where.params)


@router.get("/probe/depends", response_model=dict[str, str])
def depends(tx: Read, text: Annotated[str, Depends(_twice)]) -> Any:
    return {"text": text, "rows": str(tx.value("SELECT count(*) FROM probe"))}


@router.post("/probe/upload/{name}", response_model=Answer)
def upload(tx: Write, name: str, file: Annotated[UploadFile, File()]) -> Any:
    tx.execute("INSERT INTO probe (text) VALUES (?)", (file.filename,))
    return _ANSWERS[name] if name in _ANSWERS else _raise(name)


@router.get("/probe/app", response_model=dict[str, str])
async def app(kernel: App, request: Request) -> Any:
    return {"home": str(kernel.config.home), "agent": request.headers["user-agent"]}


@router.get("/probe/stream", response_class=StreamingResponse)
def stream() -> Any:
    return StreamingResponse(iter([b"a", b"b"]), media_type="text/plain")


def _startup(kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        tx.execute("CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, text TEXT)")
        tx.execute("CREATE TABLE IF NOT EXISTS probe_notes (id INTEGER PRIMARY KEY, shade TEXT)")


PROBE = fake_plugin("probe", routes=lambda: router, startup=_startup)
