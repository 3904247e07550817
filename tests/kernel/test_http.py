"""What the kernel makes of requests and answers, seen through routes of a plugin."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin
from tests.kernel.probe import ERRORS, PROBE

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk import Column, Filter
from kombuse_sdk.schemas import MAX_INT, QueryInt
from kombuse_sdk.types import Kernel

COLUMN = Column(
    name="shade",
    sql="ifnull((SELECT json_quote(shade) FROM probe_notes n WHERE n.id = p.id), 'null')",
    type=str | None,
)
VIEWED = Column(name="is_mine", sql="iif(p.id = :owner, 'true', 'false')", type=bool, param="owner")
FILTERS = [
    Filter(param="min_id", type=QueryInt, sql="p.id >= :min_id", description="The smallest id"),
    Filter(param="owner", type=QueryInt, sql="p.id > 0"),
    Filter(param="shade", type=str, sql="p.shade = :shade", convert=str.lower),
]
JOINING = fake_plugin(
    "joining",
    columns=lambda kind: [COLUMN, VIEWED] if kind == "profile" else [],
    filters=lambda kind: FILTERS if kind == "profile" else [],
)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    made = kernel_for_tests(tmp_path_factory.mktemp("http") / "home", [PROBE, JOINING])
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def client(kernel: RunningKernel) -> TestClient:
    app = build_app(kernel)
    return TestClient(app, base_url="http://127.0.0.1:3331", raise_server_exceptions=False)


@pytest.fixture(autouse=True)
def _without_rows(kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        tx.execute("DELETE FROM probe")
        tx.execute("DELETE FROM probe_notes")


def issues(answer: httpx2.Response) -> list[tuple[str, list[Any]]]:
    assert answer.status_code == 400, answer.text
    return [(issue["code"], issue["path"]) for issue in answer.json()["error"]]


def post(client: TestClient, content: bytes, kind: str = "application/json") -> httpx2.Response:
    return client.post("/api/probe/body", content=content, headers={"content-type": kind})


# Paths and methods


def test_the_greeting_and_the_health(client: TestClient) -> None:
    assert client.get("/").json() == {"hello": "world"}
    assert client.get("/health").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/nope", "/health/", "/HEALTH", "//health", "/api", "/api/"])
def test_an_unknown_path_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(f"http://127.0.0.1:3331{path}")

    assert answer.status_code == 404
    assert answer.json() == {"error": f"Route GET:{path} not found"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_a_method_that_a_path_has_not_is_not_found(client: TestClient, method: str) -> None:
    answer = client.request(method, "/api/probe/query")

    assert answer.status_code == 404
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("path", ["/%", "/api/probe/echo/%zz", "/api/probe/echo/%ff"])
def test_a_malformed_escape_is_a_bad_request(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 400


@pytest.mark.parametrize(
    ("path", "text"),
    [("a%2Fb", "a/b"), ("%20", " "), ("%F0%9F%8D%B5", "🍵"), ("a%00b", "a\x00b")],
)
def test_a_path_parameter_is_decoded_once(client: TestClient, path: str, text: str) -> None:
    answer = client.get(f"/api/probe/echo/{path}")

    assert answer.json() == [text]
    assert client.get("/api/probe/echo/%2520").json() == ["%20"]


def test_a_literal_path_beats_a_parameter(client: TestClient) -> None:
    assert client.get("/api/probe/echo/fixed").json() == ["literal"]


def test_options_names_the_methods(client: TestClient) -> None:
    answer = client.options("/api/probe/rows")

    assert (answer.status_code, answer.text) == (204, "")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/openapi.json",
        "/api/probe/rows",
        "/api/probe/depends",
        "/api/probe/stream",
        "/api/probe/answer/response",
        "/api/probe/error/not-found",
    ],
)
def test_head_answers_what_get_does_without_the_body(client: TestClient, path: str) -> None:
    get, head = client.get(path), client.head(path)

    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers.get("content-type") == get.headers.get("content-type")
    assert head.headers.get("content-length") == get.headers.get("content-length")


# Entity tags


def test_an_unchanged_answer_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/api/probe/rows")
    tag = first.headers["etag"]

    again = client.get("/api/probe/rows", headers={"if-none-match": f'"other", {tag}'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert client.head("/api/probe/rows", headers={"if-none-match": tag}).status_code == 304


def test_a_write_makes_a_new_tag_and_a_write_of_nothing_does_not(client: TestClient) -> None:
    tag = client.get("/api/probe/rows").headers["etag"]

    client.post("/api/probe/body", json={"name": "no change"})
    assert client.get("/api/probe/rows").headers["etag"] == tag
    client.post("/api/probe/rows", json={"name": "new"})

    answer = client.get("/api/probe/rows", headers={"if-none-match": tag})
    assert answer.json() == ["new"]
    assert answer.headers["etag"] != tag


@pytest.mark.parametrize("path", ["answer/volatile", "answer/model", "error/not-found", "app"])
def test_answers_that_change_by_themselves_have_no_tag(client: TestClient, path: str) -> None:
    assert "etag" not in client.get(f"/api/probe/{path}").headers


def test_a_tag_is_no_key_to_a_write(client: TestClient) -> None:
    tag = client.get("/api/probe/rows").headers["etag"]

    answer = client.post("/api/probe/rows", json={"name": "x"}, headers={"if-none-match": tag})

    assert answer.status_code == 201


# Query strings


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("number=7", {"number": 7}),
        ("number=-7", {"number": -7}),
        ("number=007", {"number": 7}),
        (f"number={MAX_INT}", {"number": MAX_INT}),
        ("number=", {}),
        ("number", {}),
        ("text=", {}),
        ("text=+a%20b&", {"text": " a b"}),
        ("text=a=b", {"text": "a=b"}),
        ("flag=true", {"flag": True}),
        ("flag=0", {"flag": False}),
        ("kind=a", {"kind": "a"}),
        ("ids=1,2,%202,3", {"ids": [1, 2, 3]}),
        ("limit=1000", {"limit": 100}),
        ("limit=&offset=", {}),
        ("unknown=1&unknown=2", {}),
        ("Number=7", {}),
    ],
)
def test_a_query_is_read(client: TestClient, query: str, expected: dict[str, Any]) -> None:
    defaults = {"number": None, "flag": None, "kind": None, "ids": None, "text": None}

    answer = client.get(f"/api/probe/query?{query}")

    assert answer.json() == defaults | {"limit": 50, "offset": 0} | expected


@pytest.mark.parametrize(
    ("query", "code", "name"),
    [
        ("number=1&number=1", "invalid_type", "number"),
        ("text=a&text=", None, "text"),
        ("number=1.0", "invalid_type", "number"),
        ("number=1e1", "invalid_type", "number"),
        ("number=0x2", "invalid_type", "number"),
        ("number=+1", "invalid_type", "number"),
        ("number=%201", "invalid_type", "number"),
        ("number=%D9%A1", "invalid_type", "number"),
        ("number=true", "invalid_type", "number"),
        (f"number={MAX_INT + 1}", "too_big", "number"),
        (f"number=-{MAX_INT + 1}", "too_small", "number"),
        ("number=" + "9" * 5000, "invalid_type", "number"),
        ("flag=yes", "invalid_type", "flag"),
        ("flag=TRUE", "invalid_type", "flag"),
        ("kind=c", "invalid_value", "kind"),
        ("kind=", "invalid_value", "kind"),
        ("ids=", "invalid_type", "ids"),
        ("ids=1,,2", "invalid_type", "ids"),
        ("ids=1,0", "too_small", "ids"),
        ("limit=0", "too_small", "limit"),
        ("limit=-1", "too_small", "limit"),
        ("offset=-1", "too_small", "offset"),
    ],
)
def test_a_bad_query_is_told_with_its_name(
    client: TestClient, query: str, code: str | None, name: str
) -> None:
    answer = client.get(f"/api/probe/query?{query}")

    if code is None:
        assert answer.status_code == 200
    else:
        assert issues(answer) == [(code, [name])]


def test_every_bad_parameter_is_told_at_once(client: TestClient) -> None:
    answer = client.get("/api/probe/query?number=x&flag=x&kind=x")

    assert [path for _, path in issues(answer)] == [["number"], ["flag"], ["kind"]]


@pytest.mark.parametrize("query", ["text=%ff", "text=%ED%A0%80", "%ff=1"])
def test_a_query_that_is_not_utf8_is_a_bad_request(client: TestClient, query: str) -> None:
    assert client.get(f"/api/probe/query?{query}").json() == {
        "error": "The query string is not UTF-8"
    }


@pytest.mark.parametrize(
    ("text", "status"),
    [("5", 200), ("-5", 200), ("05", 200), ("9" * 400, 200), ("5.0", 400), ("", 400), ("٥", 400)],
)
def test_a_number_in_a_path(client: TestClient, text: str, status: int) -> None:
    answer = client.get(f"/api/probe/number/{text}")

    assert answer.status_code == status
    if status == 400:
        assert answer.json() == {"error": "Invalid number"}


# Bodies


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"name":"a"}', {"name": "a"}),
        (b'\xef\xbb\xbf{"name":"a"}', {"name": "a"}),
        (b' \n{"name":"a"}\t', {"name": "a"}),
        (b'{"name":"a","unknown":1}', {"name": "a"}),
        (b'{"name":"a","name":"b"}', {"name": "b"}),
        (b'{"name":"a","count":null}', {"name": "a", "count": None}),
        (b'{"name":"a","count":5.0}', {"name": "a", "count": 5}),
        (b'{"name":"a","count":-0.0}', {"name": "a", "count": 0}),
        (b'{"name":"a","loose":"12"}', {"name": "a", "loose": 12}),
        (b'{"name":"\\ud83c\\udf75\\u0000"}', {"name": "🍵\x00"}),
        ('{"name":"\u2028 ä"}'.encode(), {"name": "\u2028 ä"}),
        (
            b'{"name":"a","anything":{"__proto__":[1]}}',
            {"name": "a", "anything": {"__proto__": [1]}},
        ),
    ],
)
def test_a_body_is_read(client: TestClient, content: bytes, expected: dict[str, Any]) -> None:
    assert post(client, content).json() == expected


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "x/a+json"]
)
def test_json_comes_under_several_content_types(client: TestClient, kind: str) -> None:
    assert post(client, b'{"name":"a"}', kind).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "",
    ],
)
def test_another_content_type_is_unsupported(client: TestClient, kind: str) -> None:
    answer = post(client, b'{"name":"a"}', kind)

    assert answer.status_code == 415
    assert answer.json() == {"error": "Content-Type must be application/json"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  ",
        b"{",
        b"{'name':'a'}",
        b'{"name":"a",}',
        b'{"name":"a"} x',
        b'{"name":NaN}',
        b'{"name":Infinity}',
        b'{"name":-Infinity}',
        b'{"name":"\\ud800"}',
        b'{"name":"\xff"}',
        b'{"name":"a\nb"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\x00",
        b'"',
    ],
)
def test_what_is_not_json_is_a_bad_request(client: TestClient, content: bytes) -> None:
    answer = post(client, content)

    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"null", [("invalid_type", [])]),
        (b"[]", [("invalid_type", [])]),
        (b'"text"', [("invalid_type", [])]),
        (b"{}", [("invalid_type", ["name"])]),
        (b'{"name":""}', [("too_small", ["name"])]),
        (b'{"name":null}', [("invalid_type", ["name"])]),
        (b'{"name":1}', [("invalid_type", ["name"])]),
        (b'{"name":"a","count":"5"}', [("invalid_type", ["count"])]),
        (b'{"name":"a","count":true}', [("invalid_type", ["count"])]),
        (b'{"name":"a","count":1.5}', [("invalid_type", ["count"])]),
        (b'{"name":"a","count":9007199254740992}', [("too_big", ["count"])]),
        (b'{"name":"a","count":1e400}', None),
        (b'{"name":"a","count":' + b"9" * 5000 + b"}", None),
        (b'{"name":"a","loose":"1x"}', [("invalid_type", ["loose"])]),
        (b'{"name":1,"count":"x"}', [("invalid_type", ["name"]), ("invalid_type", ["count"])]),
    ],
)
def test_a_body_that_does_not_fit_is_told_field_by_field(
    client: TestClient, content: bytes, expected: list[Any] | None
) -> None:
    answer = post(client, content)

    assert answer.status_code == 400
    if expected is not None:
        assert issues(answer) == expected


def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not(client: TestClient) -> None:
    frame = len(b'{"name":""}')
    fits = b'{"name":"' + b"a" * (1024 * 1024 - frame) + b'"}'

    assert post(client, fits).status_code == 200
    answer = post(client, fits + b" ")
    assert answer.status_code == 413
    assert answer.json() == {"error": "Request body is too large"}


def test_a_body_may_be_left_out_where_it_is_optional(client: TestClient) -> None:
    assert client.post("/api/probe/optional").json() == {"given": False}
    assert client.post("/api/probe/optional", json=None).json() == {"given": False}
    assert client.post("/api/probe/optional", json={"name": "a"}).json() == {"given": True}
    assert issues(client.post("/api/probe/body")) == [("invalid_type", ["name"])]


# Errors

TABLE: dict[str, tuple[int, Any]] = {
    "invalid": (400, [{"code": "custom", "path": ["a", 0], "message": "no", "minimum": 1}]),
    "bad-request": (400, "bad"),
    "forbidden": (403, "forbidden"),
    "not-found": (404, "nothing"),
    "conflict": (409, "taken"),
    "too-large": (413, "big"),
    "media-type": (415, "what"),
    "unprocessable": (422, "owner_id does not reference an existing profile"),
    "unavailable": (503, "later"),
    "storage": (507, "full"),
    "permission": (403, "No permission to write /home/ann/config.json"),
    "unique": (409, "It exists already"),
    "foreign-key": (400, "It refers to something that does not exist"),
    "check": (400, "A value is not allowed"),
    "locked": (503, "The database is busy, try again"),
    "full": (507, "The disk is full: nothing was changed"),
    "read-only": (503, "The database cannot be written: nothing was changed"),
    "no-space": (507, "The disk is full: nothing was changed"),
}
FAULT = (500, "Internal server error")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ERRORS)
def test_each_exception_has_its_answer_and_a_write_is_undone(
    client: TestClient, name: str, method: str
) -> None:
    status, error = TABLE.get(name, FAULT)

    answer = client.request(method, f"/api/probe/error/{name}")

    assert answer.status_code == status
    extra = {"ticket": {"id": 1}} if name == "conflict" else {}
    assert answer.json() == {"error": error, **extra}
    assert "secret" not in answer.text
    assert client.get("/api/probe/rows").json() == []


@pytest.mark.parametrize("name", ["not-found", "fault", "locked"])
def test_errors_of_worker_threads_and_of_fastapi_have_the_same_form(
    client: TestClient, name: str
) -> None:
    status, error = TABLE.get(name, FAULT)

    asynchronous = client.get(f"/api/probe/async-error/{name}")
    uploaded = client.post(f"/api/probe/upload/{name}", files={"file": ("a", b"")})

    for answer in (asynchronous, uploaded):
        assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert client.get("/api/probe/rows").json() == []


def test_the_details_of_a_fault_are_in_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        client.get("/api/probe/error/fault")

    assert "RuntimeError: secret detail" in caplog.text


# The response contract


@pytest.mark.parametrize("name", ["model", "dict", "text", "volatile", "response"])
def test_an_answer_that_fits_is_sent(client: TestClient, name: str) -> None:
    expected = {"dict": '{"number":1,"text":"a"}', "response": "plain"}

    answer = client.get(f"/api/probe/answer/{name}")

    assert answer.status_code == 200
    assert answer.text == expected.get(name, '{"number":1,"text":null}')


WRONG = ["missing", "wrong-type", "too-much", "none", "no-json", "wrong-text", "unserialisable"]


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_does_not_fit_is_a_fault_and_its_write_is_undone(
    client: TestClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    read = client.get(f"/api/probe/answer/{name}")
    written = client.post(f"/api/probe/answer/{name}")

    for answer in (read, written):
        assert (answer.status_code, answer.json()) == (500, {"error": "Internal server error"})
    assert client.get("/api/probe/rows").json() == []


@pytest.mark.parametrize("name", ["missing", "none"])
def test_the_contract_holds_for_routes_of_fastapi_too(client: TestClient, name: str) -> None:
    answer = client.post(f"/api/probe/upload/{name}", files={"file": ("a.txt", b"x")})

    assert (answer.status_code, answer.json()) == (500, {"error": "Internal server error"})
    assert client.get("/api/probe/rows").json() == []


def test_an_answer_without_content_has_none(client: TestClient) -> None:
    answer = client.delete("/api/probe/nothing")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers


# Routes that FastAPI serves


def test_fastapi_serves_dependencies_uploads_and_streams(client: TestClient) -> None:
    uploaded = client.post("/api/probe/upload/dict", files={"file": ("a.txt", b"x")})

    assert uploaded.json() == {"number": 1, "text": "a"}
    assert client.get("/api/probe/depends?text=ab").json() == {"text": "abab", "rows": "1"}
    assert client.get("/api/probe/stream").text == "ab"


def test_many_writes_at_once_through_fastapi_all_come_to_an_end(client: TestClient) -> None:
    async def upload_all() -> list[int]:
        transport = httpx2.ASGITransport(client.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as fast:
            path, file = "/api/probe/upload/dict", {"file": ("a", b"x")}
            answers = await asyncio.gather(*[fast.post(path, files=file) for _ in range(90)])
        return [answer.status_code for answer in answers]

    assert asyncio.run(upload_all()) == [200] * 90
    assert client.get("/api/probe/rows").json() == ["a"] * 90


def test_the_kernel_and_the_request_can_be_parameters(client: TestClient, kernel: Kernel) -> None:
    answer = client.get("/api/probe/app", headers={"user-agent": "me"})

    assert answer.json() == {"home": str(kernel.config.home), "agent": "me"}


def test_what_fastapi_refuses_has_the_form_of_every_validation_answer(client: TestClient) -> None:
    assert [path for _, path in issues(client.post("/api/probe/upload/dict"))] == [["file"]]


# Columns and filters of other plugins


@pytest.fixture
def rows(kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        tx.execute("INSERT INTO probe_notes VALUES (1, 'red'), (2, NULL), (3, 'blue')")


@pytest.mark.usefixtures("rows")
def test_a_column_of_another_plugin_is_part_of_each_row(client: TestClient) -> None:
    listed = client.get("/api/probe/notes").json()

    assert [(row["id"], row["shade"]) for row in listed] == [(1, "red"), (2, None), (3, "blue")]
    assert all("is_mine" not in row for row in listed)


@pytest.mark.usefixtures("rows")
def test_a_column_with_a_parameter_is_there_when_that_is_given(client: TestClient) -> None:
    listed = client.get("/api/probe/notes?owner=2").json()

    assert [row["is_mine"] for row in listed] == [False, True, False]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("query", "ids"),
    [("min_id=2", [2, 3]), ("shade=BLUE", [3]), ("min_id=9", []), ("min_id=", [1, 2, 3])],
)
def test_a_filter_of_another_plugin_narrows_the_list(
    client: TestClient, query: str, ids: list[int]
) -> None:
    assert [row["id"] for row in client.get(f"/api/probe/notes?{query}").json()] == ids


def test_a_filter_of_another_plugin_is_validated(client: TestClient) -> None:
    assert issues(client.get("/api/probe/notes?min_id=x")) == [("invalid_type", ["min_id"])]


# The document


def test_the_document_names_every_route_once(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    named = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }

    assert set(client.app.paths) == named  # type: ignore[attr-defined]
    assert len(client.app.paths) == len(named)  # type: ignore[attr-defined]
    assert ("POST", "/api/probe/upload/{name}") in named


def test_the_document_has_the_columns_and_filters_of_other_plugins(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/api/probe/notes"]["get"]

    parameters = {p["name"]: p for p in operation["parameters"]}
    assert {"min_id", "owner", "shade"} <= set(parameters)
    assert parameters["min_id"]["description"] == "The smallest id"
    text = json.dumps(operation["responses"]["200"])
    (name,) = re.findall(r"#/components/schemas/(\w+)", text)
    schema = document["components"]["schemas"][name]
    assert set(schema["properties"]) == {"id", "shade", "is_mine"} | {
        column.name
        for column in client.app.kernel.joins("profile").columns  # type: ignore[attr-defined]
    }
    assert "shade" in schema["required"]
    assert "is_mine" not in schema["required"]


@pytest.mark.parametrize(
    "path",
    ["/", "/health", "/api/probe/rows", "/api/probe/depends", "/api/probe/answer/response", "/x"],
)
def test_no_answer_may_be_taken_for_another_type(client: TestClient, path: str) -> None:
    assert client.get(path).headers["x-content-type-options"] == "nosniff"
