"""Reading, listing, downloading and deleting attachments."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.attachments import queries
from kombuse_plugins.attachments.downloads import content_disposition
from kombuse_plugins.attachments.schemas import AttachmentFilter
from kombuse_sdk.contracts import Attachments
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
Disk = Callable[[], list[str]]


def test_an_attachment_is_described_by_its_id(client: TestClient, upload: Any) -> None:
    made = upload()

    assert client.get(f"/api/attachments/{made['id']}").json() == made


@pytest.mark.parametrize("path", ["", "/download"])
@pytest.mark.parametrize(
    ("attachment_id", "status", "error"),
    [
        ("99", 404, "Attachment not found"),
        ("0", 404, "Attachment not found"),
        ("-1", 404, "Attachment not found"),
        ("9" * 40, 404, "Attachment not found"),
        ("abc", 400, "Invalid attachment ID"),
        ("1.5", 400, "Invalid attachment ID"),
    ],
)
def test_an_unknown_attachment_is_not_found(
    client: TestClient, attachment_id: str, path: str, status: int, error: str
) -> None:
    answer = client.get(f"/api/attachments/{attachment_id}{path}")

    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_a_download_is_the_file_with_its_type_and_name(
    client: TestClient, upload: Any, png: bytes
) -> None:
    made = upload("shot.png", png)

    answer = client.get(f"/api/attachments/{made['id']}/download")

    assert answer.status_code == 200
    assert answer.content == png
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'inline; filename="shot.png"'
    assert answer.headers["content-length"] == str(len(png))


def test_a_head_request_has_the_headers_of_the_download_alone(
    client: TestClient, upload: Any, png: bytes
) -> None:
    path = f"/api/attachments/{upload()['id']}/download"

    answer = client.head(path)

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == str(len(png))
    assert answer.headers["content-disposition"] == 'inline; filename="dot.png"'


@pytest.mark.parametrize(
    "value", ["bytes=0-1", "bytes=5-3", "nonsense", "bytes=" + "0-0," * 10_000, "bytes=99999-"]
)
def test_a_range_header_gets_the_whole_file(
    client: TestClient, upload: Any, png: bytes, value: str
) -> None:
    path = f"/api/attachments/{upload()['id']}/download"

    answer = client.get(path, headers={"range": value[:12000]})

    assert answer.status_code == 200
    assert answer.content == png
    assert answer.headers["accept-ranges"] == "none"


def test_an_empty_file_can_be_downloaded(client: TestClient, upload: Any) -> None:
    made = upload("a.gif", b"", "image/gif")

    answer = client.get(f"/api/attachments/{made['id']}/download")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_file_that_is_gone_from_the_disk_is_said(
    client: TestClient, upload: Any, kernel: Kernel
) -> None:
    made = upload()
    (kernel.config.uploads / made["storage_path"]).unlink()

    answer = client.get(f"/api/attachments/{made['id']}/download")

    assert answer.status_code == 404
    assert answer.json() == {"error": "File not found on disk"}
    assert client.delete(f"/api/attachments/{made['id']}").status_code == 204


@pytest.mark.parametrize(
    ("filename", "plain"),
    [
        ("a.png", "a.png"),
        ("a b (1)-2_3+4.png", "a b (1)-2_3+4.png"),
        ('a".png', "a_.png"),
        ("a\\b.png", "a_b.png"),
        ("日本.png", "__.png"),
        ("100%41.png", "100_41.png"),
        ("a;b=c,d'e*f.png", "a_b_c_d_e_f.png"),
    ],
)
def test_a_name_survives_the_header(filename: str, plain: str) -> None:
    header = content_disposition("inline", filename)

    assert header.isascii()
    start, _, extended = header.partition("; filename*=UTF-8''")
    assert start == f'inline; filename="{plain}"'
    assert extended == "" if plain == filename else unquote(extended) == filename


def test_a_list_is_oldest_first_and_pages(
    client: TestClient, upload: Any, ticket: Any, make: Factory
) -> None:
    ann = make.profile()["id"]
    made = [upload()["id"], upload(by=ann)["id"], upload()["id"]]
    path = f"{ticket_path(ticket)}/attachments"

    def ids(**query: Any) -> list[int]:
        return [item["id"] for item in client.get(path, params=query).json()]

    assert ids() == made
    assert ids(limit=1, offset=1) == made[1:2]
    assert ids(uploaded_by_id=ann) == made[1:2]
    assert ids(uploaded_by_id="nobody") == []
    assert client.get(path, params={"limit": 0}).status_code == 400


def test_files_of_comments_are_not_files_of_the_ticket(
    client: TestClient, upload: Any, ticket: Any, comment: Any
) -> None:
    path = f"/api/comments/{comment['id']}/attachments"
    on_comment = upload(path=path)

    assert client.get(path).json() == [on_comment]
    assert client.get(f"{ticket_path(ticket)}/attachments").json() == []


def test_lists_want_an_existing_owner(client: TestClient, upload: Any, ticket: Any) -> None:
    upload()
    unknown = ticket_path(ticket | {"ticket_number": 99})
    answers = [
        client.get(f"{unknown}/attachments"),
        client.get("/api/comments/0/attachments"),
        client.get("/api/comments/99/attachments"),
        client.get("/api/comments/x/attachments"),
    ]

    assert [(a.status_code, a.json()["error"]) for a in answers] == [
        (404, "Ticket not found"),
        (404, "Comment not found"),
        (404, "Comment not found"),
        (400, "Invalid comment ID"),
    ]


def test_a_deleted_attachment_takes_its_file_along(
    client: TestClient, upload: Any, on_disk: Disk
) -> None:
    gone, stays = upload(), upload()

    assert client.delete(f"/api/attachments/{gone['id']}").status_code == 204

    assert on_disk() == [stays["storage_path"]]
    assert client.get(f"/api/attachments/{gone['id']}").status_code == 404
    assert client.delete(f"/api/attachments/{gone['id']}").status_code == 404


def test_other_plugins_are_given_the_images_with_their_place(
    kernel: Kernel, upload: Any, ticket: Any, comment: Any, make: Factory
) -> None:
    bare = make.comment(ticket)
    on_ticket = upload()
    on_comment = upload(
        "a.svg", SVG, "image/svg+xml", path=f"/api/comments/{comment['id']}/attachments"
    )

    with kernel.db.read() as tx:
        attachments = tx.services.get(Attachments)
        assert attachments.count(tx, ticket["id"]) == (1, 1)
        assert attachments.count(tx, 99) == (0, 0)
        (image,) = attachments.images_of_ticket(tx, ticket["id"])
        found = attachments.images_of_comments(tx, [comment["id"], bare["id"]])
        assert attachments.images_of_comments(tx, []) == {}

    assert dict(image) == {
        "id": on_ticket["id"],
        "filename": "dot.png",
        "mime_type": "image/png",
        "size_bytes": on_ticket["size_bytes"],
        "file_path": str(kernel.config.uploads / on_ticket["storage_path"]),
    }
    assert list(found) == [comment["id"]]
    assert [item["id"] for item in found[comment["id"]]] == [on_comment["id"]]


@pytest.mark.parametrize(
    ("owner", "index"),
    [("ticket_id", "attachments_ticket"), ("comment_id", "attachments_comment")],
)
@pytest.mark.parametrize("uploader", [None, "ann"])
def test_lists_read_an_index_in_order(
    kernel: Kernel, owner: str, index: str, uploader: str | None
) -> None:
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.page(planner, AttachmentFilter(uploaded_by_id=uploader), **{owner: 1})

    assert planner.plan == [f"SEARCH a USING INDEX {index} ({owner}=?)"]
