"""T16: what is uploaded never runs on the origin of the API. T30: no link leads out of uploads."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.attachments import media, service, storage
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

SCRIPT = b"<script>fetch('/api/projects')</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def path(make: Factory) -> str:
    return f"{ticket_path(make.ticket(make.project()))}/attachments"


def upload(client: TestClient, path: str, data: bytes, name: str, kind: str) -> Any:
    return client.post(
        path, files={"file": (name, data, kind)}, data={"uploaded_by_id": LOCAL_USER}
    )


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (SVG, "image/svg+xml"),
        (SVG, "image/png"),
        (b"\xef\xbb\xbf \n<?xml version='1.0'?><!-- <png> -->\n" + SVG, "image/svg+xml"),
        (b"<!DOCTYPE svg [<!ENTITY a '>'>]><svg:svg xmlns:svg='x'>" + SCRIPT, "image/gif"),
        (PNG + b"<html>" + SCRIPT, "image/png"),
        (b"GIF89a/*" + SCRIPT, "image/gif"),
        (b"", "image/svg+xml"),
    ],
)
def test_no_download_can_run_scripts(client: TestClient, path: str, data: bytes, kind: str) -> None:
    made = upload(client, path, data, "a.html", kind).json()

    answer = client.get(f"/api/attachments/{made['id']}/download")

    assert answer.content == data
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["content-type"] in media.TYPES
    is_svg = answer.headers["content-type"] == "image/svg+xml"
    expected = "attachment" if is_svg else "inline"
    assert answer.headers["content-disposition"].startswith(f"{expected}; filename=")


@pytest.mark.parametrize("kind", ["text/html", "application/xhtml+xml", "text/xml", "image/png"])
@pytest.mark.parametrize(
    "data",
    [
        b"<!doctype html>" + SCRIPT,
        b"<html><svg/></html>",
        b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>",
        b"<svgx/>",
        b"text <svg/>",
        b"<!-- <svg/>",
        b"RIFF\0\0\0\0WAVE",
    ],
)
def test_what_is_no_image_is_not_stored(
    client: TestClient, kernel: Kernel, path: str, data: bytes, kind: str
) -> None:
    answer = upload(client, path, data, "a.png", kind)

    assert answer.status_code == 400
    assert "is not allowed. Allowed types: image/png" in answer.json()["error"]
    assert client.get(path).json() == []
    assert not [file for file in kernel.config.uploads.rglob("*") if file.is_file()]


def test_a_hostile_head_is_judged_in_linear_time() -> None:
    heads = [
        b"<!---->" * 9000,
        b"<!--" * 16000,
        b"<?" * 32000,
        b"<!DOCTYPE " + b"[" * 60000,
        b"<!DOCTYPE []>" * 5000,
        b" " * 65536,
    ]

    assert [media.type_of(head[: media.HEAD_BYTES]) for head in heads] == [None] * len(heads)


@pytest.mark.parametrize(
    "name",
    [
        'a"; filename="b.html',
        "a\r\nSet-Cookie: x=1\r\n\r\n<script>.png",
        "\u202egnp.exe",
        "../../../etc/passwd",
        "..\\..\\windows\\system32",
        "a\0.html",
        "<script>alert(1)</script>.png",
        "🎉" * 100,
    ],
)
def test_no_name_breaks_the_header_or_leaves_the_folder(
    client: TestClient, kernel: Kernel, path: str, name: str
) -> None:
    made = upload(client, path, PNG, name, "image/png").json()

    answer = client.get(f"/api/attachments/{made['id']}/download")

    header = answer.headers["content-disposition"]
    assert header.isascii() and header.isprintable()
    assert header.count('"') == 2
    assert "set-cookie" not in answer.headers
    stored = kernel.config.uploads / made["storage_path"]
    assert stored.resolve().is_relative_to(kernel.config.uploads.resolve())
    assert not set("\u202e\0\r\n/\\") & set(made["filename"])


@pytest.mark.parametrize("below", ["", ".incoming", "2026"])
def test_a_planted_link_is_not_followed_by_uploads(
    client: TestClient,
    kernel: Kernel,
    path: str,
    tmp_path: Path,
    below: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "timestamp", lambda: "2026-01-31T00:00:00.000Z")
    outside = tmp_path / "outside"
    outside.mkdir()
    link = kernel.config.uploads / below
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside, target_is_directory=True)

    answer = upload(client, path, PNG, "a.png", "image/png")

    assert answer.status_code == 403
    assert list(outside.iterdir()) == []
    assert client.get(path).json() == []


def test_a_planted_link_is_not_followed_by_downloads(
    client: TestClient, kernel: Kernel, path: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(PNG)
    made = upload(client, path, PNG, "a.png", "image/png").json()
    stored = kernel.config.uploads / made["storage_path"]
    stored.unlink()
    stored.symlink_to(secret)

    answer = client.get(f"/api/attachments/{made['id']}/download")

    assert answer.status_code == 404
    assert client.delete(f"/api/attachments/{made['id']}").status_code == 204
    assert secret.exists()


@pytest.mark.parametrize("planted", ["../../data.db", "/etc/passwd", "2026/01/../../../data.db"])
def test_a_planted_storage_path_is_not_followed(
    client: TestClient, kernel: Kernel, path: str, planted: str
) -> None:
    made = upload(client, path, PNG, "a.png", "image/png").json()
    with kernel.db.write() as tx:
        tx.execute("UPDATE attachments SET storage_path = ?", (planted,))

    assert client.get(f"/api/attachments/{made['id']}/download").status_code == 404
    assert client.delete(f"/api/attachments/{made['id']}").status_code == 204
    assert kernel.config.database_path.exists()


def test_a_start_does_not_clear_what_a_planted_link_leads_to(
    kernel: Kernel, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    kernel.config.uploads.mkdir(exist_ok=True)
    (kernel.config.uploads / ".incoming").symlink_to(outside, target_is_directory=True)

    storage.clear_incoming(kernel.config.uploads)

    assert (outside / "kept").exists()
