"""Uploading files to tickets and comments."""

import re
import stat
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.attachments import storage, uploads
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

ALLOWED = "Allowed types: image/png, image/jpeg, image/gif, image/webp, image/svg+xml"
TOO_LARGE = "File size exceeds maximum of 10485760 bytes (10 MB)"
MAX = 10 * 1024 * 1024
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
Disk = Callable[[], list[str]]


def form(*parts: tuple[str, bytes], boundary: bytes = b"edge") -> bytes:
    """A multipart body of parts with the given headers."""
    made = b"".join(
        b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, headers.encode(), data) for headers, data in parts
    )
    return made + b"--%b--\r\n" % boundary


def file_part(data: bytes, name: str = 'filename="a.png"', kind: str = "image/png") -> Any:
    return (f'Content-Disposition: form-data; name="x"; {name}\r\nContent-Type: {kind}', data)


def field(value: bytes, name: str = "uploaded_by_id") -> tuple[str, bytes]:
    return (f'Content-Disposition: form-data; name="{name}"', value)


ME = field(LOCAL_USER.encode())


@pytest.fixture
def raw(client: TestClient, ticket: Any) -> Callable[..., Any]:
    """Sends a body as it is."""

    def raw(body: bytes, content_type: str = "multipart/form-data; boundary=edge") -> Any:
        return client.post(
            f"{ticket_path(ticket)}/attachments",
            content=body,
            headers={"content-type": content_type},
        )

    return raw


def test_an_upload_to_a_ticket_is_stored_and_described(
    upload: Any, ticket: Any, kernel: Kernel, png: bytes, on_disk: Disk
) -> None:
    made = upload("shot.png")

    path = made["storage_path"]
    assert re.fullmatch(r"\d{4}/\d{2}/[0-9a-f-]{36}-shot\.png", path)
    assert (kernel.config.uploads / path).read_bytes() == png
    assert on_disk() == [path]
    assert made == {
        "id": made["id"],
        "comment_id": None,
        "ticket_id": ticket["id"],
        "filename": "shot.png",
        "mime_type": "image/png",
        "size_bytes": len(png),
        "storage_path": path,
        "uploaded_by_id": LOCAL_USER,
        "created_at": made["created_at"],
    }


def test_an_upload_to_a_comment_names_the_comment_alone(upload: Any, comment: Any) -> None:
    made = upload(path=f"/api/comments/{comment['id']}/attachments")

    assert (made["comment_id"], made["ticket_id"]) == (comment["id"], None)


def test_an_upload_is_no_activity_and_no_event(
    client: TestClient, upload: Any, ticket: Any
) -> None:
    before = client.get("/api/events").json()

    upload()

    assert client.get("/api/events").json() == before
    after = client.get(ticket_path(ticket)).json()
    assert after["last_activity_at"] == ticket["last_activity_at"]


def test_only_the_owner_of_the_server_can_read_uploads(upload: Any, kernel: Kernel) -> None:
    path = kernel.config.uploads / upload()["storage_path"]

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    folders = [path.parent, path.parent.parent, kernel.config.uploads]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_file_of_the_limit_is_accepted_and_one_byte_more_is_not(
    send: Any, png: bytes, on_disk: Disk
) -> None:
    largest = png + bytes(MAX - len(png))

    assert send(data=largest).json()["size_bytes"] == MAX
    answer = send(data=largest + b"\0")

    assert (answer.status_code, answer.json()) == (400, {"error": TOO_LARGE})
    assert len(on_disk()) == 1


def test_a_body_without_length_is_bounded_too(
    stream: Callable[..., Any], png: bytes, on_disk: Disk
) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield form(ME, file_part(png))[:-10]
        while True:
            sent += 64 * 1024
            yield bytes(64 * 1024)

    assert stream(endless()) == (400, {"error": TOO_LARGE})
    assert sent < MAX + 128 * 1024
    assert on_disk() == []


def test_an_endless_field_is_cut_off_early(stream: Callable[..., Any], on_disk: Disk) -> None:
    def endless() -> Iterator[bytes]:
        yield form(ME)[:-10]
        while True:
            yield b"x" * 4096

    assert stream(endless()) == (400, {"error": "uploaded_by_id is too long"})
    assert on_disk() == []


@pytest.mark.parametrize("ending", ["disconnect", "silence"])
def test_an_upload_that_does_not_go_on_leaves_no_file(
    stream: Callable[..., Any],
    png: bytes,
    on_disk: Disk,
    ending: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploads, "_IDLE_SECONDS", 0.01)

    answer = stream([form(ME, file_part(png))[:-20]], ending)

    assert answer == (400, {"error": "The upload ended early"})
    assert on_disk() == []


def test_a_length_above_the_limit_is_refused_before_the_body(
    client: TestClient, ticket: Any, kernel: Kernel
) -> None:
    answer = client.post(
        f"{ticket_path(ticket)}/attachments",
        content=b"x",
        headers={
            "content-type": "multipart/form-data; boundary=edge",
            "content-length": "11000000",
        },
    )

    assert (answer.status_code, answer.json()) == (400, {"error": TOO_LARGE})
    assert not (kernel.config.uploads / ".incoming").exists()


@pytest.mark.parametrize(
    ("kind", "data", "stored"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n...", "image/png"),
        ("image/jpeg", b"\xff\xd8\xff\xe0...", "image/jpeg"),
        ("image/gif", b"GIF89a...", "image/gif"),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        ("image/svg+xml", SVG, "image/svg+xml"),
        ("IMAGE/PNG; charset=binary", b"\x89PNG\r\n\x1a\n...", "image/png"),
        ("image/png", b"\xff\xd8\xff\xe0...", "image/jpeg"),
        ("image/png", SVG, "image/svg+xml"),
        ("image/png", b"\0" * 100, "image/png"),
        ("image/webp", b"RIFF", "image/webp"),
    ],
)
def test_the_bytes_decide_which_image_it_is(
    upload: Any, kind: str, data: bytes, stored: str
) -> None:
    assert upload("a.bin", data, kind)["mime_type"] == stored


@pytest.mark.parametrize(
    "data",
    [b"<!doctype html><script>alert(1)</script>", b"MZ\x90\0", b"\x7fELF", b"#!/bin/sh", b"%PDF-1"],
)
def test_bytes_that_are_something_else_are_refused_whatever_is_declared(
    send: Any, data: bytes, on_disk: Disk
) -> None:
    answer = send("a.png", data, "image/png")

    assert answer.status_code == 400
    assert answer.json() == {
        "error": f"MIME type 'application/octet-stream' is not allowed. {ALLOWED}"
    }
    assert on_disk() == []


@pytest.mark.parametrize("kind", ["text/html", "application/x-msdownload", "image/tiff", "x"])
def test_a_declared_type_that_is_not_allowed_is_refused(send: Any, png: bytes, kind: str) -> None:
    answer = send("a.png", png, kind)

    assert answer.status_code == 400
    assert answer.json() == {"error": f"MIME type '{kind}' is not allowed. {ALLOWED}"}


def test_a_part_without_a_type_counts_as_text(raw: Any, png: bytes) -> None:
    part = ('Content-Disposition: form-data; name="x"; filename="a.png"', png)

    answer = raw(form(ME, part))

    assert answer.json() == {"error": f"MIME type 'text/plain' is not allowed. {ALLOWED}"}


def test_an_empty_file_is_what_it_is_said_to_be(upload: Any) -> None:
    made = upload("a.gif", b"", "image/gif")

    assert (made["mime_type"], made["size_bytes"]) == ("image/gif", 0)


@pytest.mark.parametrize("size", [100, 70_000, 2_000_000])
@pytest.mark.parametrize("file_first", [True, False])
def test_the_order_of_the_parts_does_not_matter(
    raw: Any, png: bytes, size: int, file_first: bool
) -> None:
    parts = [file_part(png + bytes(size)), ME]

    answer = raw(form(*(parts if file_first else parts[::-1])))

    assert answer.status_code == 201
    assert answer.json()["size_bytes"] == len(png) + size


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_body_in_small_pieces_is_the_same_file(
    stream: Callable[..., Any], kernel: Kernel, png: bytes, size: int
) -> None:
    data = png + b"\r\n--edg\r\n--edge" + png
    body = form(file_part(data), ME)

    status, made = stream(body[at : at + size] for at in range(0, len(body), size))

    assert status == 201
    assert (kernel.config.uploads / made["storage_path"]).read_bytes() == data


def test_of_two_files_the_first_counts(raw: Any, png: bytes, on_disk: Disk) -> None:
    second = file_part(b"MZ", 'filename="b.exe"', "application/x-msdownload")

    answer = raw(form(file_part(png), second, ME))

    assert (answer.status_code, answer.json()["filename"]) == (201, "a.png")
    assert len(on_disk()) == 1


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([ME], "No file uploaded"),
        ([], "No file uploaded"),
        ([file_part(SVG)], "uploaded_by_id field is required"),
        ([file_part(SVG), field(b"")], "uploaded_by_id field is required"),
        ([file_part(SVG), ME, ME], "uploaded_by_id field is required"),
        ([file_part(SVG), field(b"user-1", "other")], "uploaded_by_id field is required"),
        ([file_part(SVG), field(b"x" * 2_000_000)], "uploaded_by_id is too long"),
        ([ME] * 10_000, "The form has more than 20 parts"),
    ],
)
def test_a_form_that_lacks_something_or_has_too_much_is_refused(
    raw: Any, parts: Any, error: str, on_disk: Disk
) -> None:
    answer = raw(form(*parts))

    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert on_disk() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a form",
        b"--other\r\n\r\n",
        form(file_part(SVG), ME)[:-10],
        b"--edge\r\n" + b"x-a: " + b"y" * 100_000,
        b"--edge\r\n" + b"x-a: y\r\n" * 100 + b"\r\n",
        b"--edge\r\nbad header\r\n\r\n",
        b"--edge\r\nx: y\rz\r\n\r\n",
    ],
)
def test_a_broken_form_is_refused(raw: Any, body: bytes, on_disk: Disk) -> None:
    answer = raw(body)

    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["error"]
    assert on_disk() == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data", "multipart/mixed; boundary=edge"]
)
def test_a_body_that_is_no_form_is_not_acceptable(raw: Any, content_type: str) -> None:
    answer = raw(b"{}", content_type)

    assert answer.status_code == 406
    assert list(answer.json()) == ["error"]


def test_a_boundary_beyond_all_reason_is_refused(raw: Any) -> None:
    assert raw(b"", f"multipart/form-data; boundary={'b' * 5000}").status_code == 400


def test_an_unknown_uploader_leaves_no_file(send: Any, on_disk: Disk) -> None:
    answer = send(by="nobody")

    assert answer.status_code == 422
    assert answer.json() == {"error": "uploaded_by_id does not reference an existing profile"}
    assert on_disk() == []


def test_what_an_upload_hangs_on_must_exist(send: Any, make: Factory, on_disk: Disk) -> None:
    tickets = f"/api/projects/{make.project()['id']}/tickets/by-number"
    answers = [
        send(path=path)
        for path in (
            f"{tickets}/9/attachments",
            f"{tickets}/x/attachments",
            "/api/projects/nowhere/tickets/by-number/1/attachments",
            "/api/comments/9/attachments",
            "/api/comments/0/attachments",
            "/api/comments/x/attachments",
        )
    ]

    assert [(a.status_code, a.json()["error"]) for a in answers] == [
        (404, "Ticket not found"),
        (400, "Invalid ticket number"),
        (404, "Project not found"),
        (404, "Comment not found"),
        (404, "Comment not found"),
        (400, "Invalid comment ID"),
    ]
    assert on_disk() == []


@pytest.mark.parametrize(
    ("given", "shown", "stored"),
    [
        ("../../etc/passwd", "passwd", "passwd"),
        ("/etc/passwd", "passwd", "passwd"),
        ("C:\\\\Users\\\\me\\\\a b.png", "a b.png", "a_b.png"),
        ("..", "file", "file"),
        (".", "file", "file"),
        ("", "file", "file"),
        ("a/", "file", "file"),
        ("\0", "file", "file"),
        ("a\0b.png", "ab.png", "ab.png"),
        ("a\tb\x7f.png", "ab.png", "ab.png"),
        ("photo\u202egnp.exe", "photognp.exe", "photognp.exe"),
        ('a\\"b.png', 'a"b.png', "a_b.png"),
        ("日本.png", "日本.png", "__.png"),
        ("🎉.png", "🎉.png", "_.png"),
        (".htaccess", ".htaccess", ".htaccess"),
        ("-rf", "-rf", "-rf"),
    ],
)
def test_odd_names_become_plain_ones(
    raw: Any, png: bytes, on_disk: Disk, given: str, shown: str, stored: str
) -> None:
    answer = raw(form(file_part(png, f'filename="{given}"'), ME))

    assert answer.status_code == 201, answer.text
    assert answer.json()["filename"] == shown
    assert answer.json()["storage_path"].split("/")[-1][37:] == stored
    assert on_disk() == [answer.json()["storage_path"]]


@pytest.mark.parametrize("stem", ["a" * 300, "日" * 300, "a" * 250 + "." + "b" * 50])
def test_long_names_are_shortened_to_what_a_file_system_takes(
    upload: Any, kernel: Kernel, stem: str
) -> None:
    made = upload(f"{stem}.png")

    assert len(made["filename"].encode()) <= 255
    name = made["storage_path"].split("/")[-1]
    assert len(name.encode()) == 255 if stem[0] == "a" else len(name) <= 255
    assert made["filename"].endswith(".png") and name.endswith(".png")
    assert (kernel.config.uploads / made["storage_path"]).exists()


def test_a_name_that_is_not_utf8_is_read_as_latin1(client: TestClient, ticket: Any) -> None:
    body = form(file_part(SVG, 'filename="caf!.svg"', "image/svg+xml"), ME)

    answer = client.post(
        f"{ticket_path(ticket)}/attachments",
        content=body.replace(b"!", b"\xe9"),
        headers={"content-type": "multipart/form-data; boundary=edge"},
    )

    assert answer.json()["filename"] == "café.svg"


def test_a_name_cannot_add_headers(raw: Any, client: TestClient, png: bytes) -> None:
    answer = raw(form(file_part(png, 'filename="a.png"\r\nX-Evil: 1\r\nContent-Length: 0'), ME))

    assert answer.status_code == 201
    download = client.get(f"/api/attachments/{answer.json()['id']}/download")
    assert "x-evil" not in download.headers


def test_a_full_disk_is_said_and_leaves_nothing(
    send: Any, monkeypatch: pytest.MonkeyPatch, on_disk: Disk
) -> None:
    def place(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "place", place)

    assert send().status_code == 507
    assert on_disk() == []


class TestWithoutComments:
    @pytest.fixture
    def kombuse_config(self) -> dict[str, Any]:
        return {"disabled_plugins": ["comments"]}

    def test_tickets_take_files_all_the_same(self, upload: Any) -> None:
        assert upload()["comment_id"] is None

    def test_no_comment_can_be_found(self, send: Any) -> None:
        assert send(path="/api/comments/1/attachments").status_code == 404
