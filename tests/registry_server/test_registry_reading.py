"""Reading: lists, search, pages, entity tags, archives with ranges, files, and short forms."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.registry_server.site import Site, running_site

from kombuse_registry.server.settings import Settings


def names(answer: Any) -> list[str]:
    return [package["name"] for package in answer.json()["packages"]]


def test_a_list_has_what_old_clients_read(site: Site) -> None:
    site.publish("acme/hello", "1.0.0")
    site.publish("acme/hello", "1.1.0")

    (package,) = site.get("/api/pkg").json()["packages"]

    assert isinstance(package.pop("id"), str)
    assert package.pop("created_at") <= package.pop("updated_at")
    assert package == {
        "author": "acme",
        "name": "hello",
        "type": "plugin",
        "description": "What hello does",
        "keywords": [],
        "status": "active",
        "latest_version": "1.1.0",
        "dist_tags": {"stable": "1.1.0"},
        "downloads": 0,
    }


def test_a_version_has_what_clients_read(site: Site) -> None:
    more = {"minRuntimeVersion": "0.1.0", "extra": {"nothing": None}}
    data = site.publish("acme/hello", "1.0.0", manifest=more)

    (found,) = site.get("acme/hello/versions").json()["versions"]

    sha512 = hashlib.sha512(data)
    assert found.pop("published_at").endswith("Z")
    assert len(found.pop("signatures")) == 1
    assert found == {
        "version": "1.0.0",
        "channel": "stable",
        "type": "plugin",
        "archive_size": len(data),
        "checksum": hashlib.sha256(data).hexdigest(),
        "integrity": f"sha512-{base64.b64encode(sha512.digest()).decode()}",
        "hashes": {"sha256": hashlib.sha256(data).hexdigest(), "sha512": sha512.hexdigest()},
        "manifest": {
            "author": "acme",
            "name": "hello",
            "version": "1.0.0",
            "type": "plugin",
            "description": "What hello does",
            **more,
        },
        "published_by": "root",
        "download_url": "/api/pkg/acme/hello/versions/1.0.0/download",
        "yanked": False,
        "prerelease": False,
        "downloads": 0,
        "min_kombuse_version": "0.1.0",
    }


def test_versions_are_listed_the_newest_first(site: Site) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0-alpha", "2.0.0", "2.0.0-rc.10"):
        site.publish("acme/hello", version)

    found = site.get("acme/hello").json()["versions"]

    assert found == ["2.0.0", "2.0.0-rc.10", "2.0.0-rc.1", "2.0.0-alpha", "1.10.0", "1.9.0"]


def test_versions_can_be_asked_for_by_channel(site: Site) -> None:
    site.publish("acme/hello", "1.0.0")
    site.publish("acme/hello", "2.0.0-rc.1", "?channel=beta")

    found = site.get("acme/hello/versions?channel=beta").json()["versions"]

    assert [version["version"] for version in found] == ["2.0.0-rc.1"]


def test_a_package_of_pre_releases_has_no_latest_version(site: Site) -> None:
    site.publish("acme/hello", "1.0.0-rc.1")

    found = site.get("acme/hello").json()

    assert (found["latest_version"], found["dist_tags"]) == (None, {"next": "1.0.0-rc.1"})


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("acme/none", "PACKAGE_NOT_FOUND"),
        ("acme/none/versions", "PACKAGE_NOT_FOUND"),
        ("acme/hello/versions/9.9.9", "VERSION_NOT_FOUND"),
        ("acme/hello/versions/9.9.9/download", "VERSION_NOT_FOUND"),
        ("acme/hello/versions/@none", "VERSION_NOT_FOUND"),
        ("acme/hello/versions/1.0.0/files/none.md", "FILE_NOT_FOUND"),
        ("acme/hello/none/none", "NOT_FOUND"),
        ("-/resolve?name=acme/hello&range=^9", "NO_MATCH"),
        ("-/index/acme/none", "PACKAGE_NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_told(site: Site, path: str, code: str) -> None:
    site.publish("acme/hello")

    answer = site.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_another_method_is_refused(site: Site) -> None:
    answer = site.ask("PATCH", "/api/pkg")

    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["alpha", "beta", "gamma"]),
        ("q=alp", ["alpha"]),
        ("q=ALPHA", ["alpha"]),
        ("q=sort", ["beta"]),
        ("q=sorts tickets", ["beta"]),
        ("q=tickets nothing", []),
        ("q=cafe", ["gamma"]),
        ("q=acme", ["alpha", "beta"]),
        ('q="', []),
        ("q=* OR (", []),
        ("type=plugin", ["alpha", "beta", "gamma"]),
        ("type=app", []),
        ("author=zeta", ["gamma"]),
        ("author=zeta&q=alpha", []),
        ("sort=updated", ["gamma", "beta", "alpha"]),
    ],
)
def test_packages_are_found(site: Site, query: str, found: list[str]) -> None:
    site.publish("acme/alpha")
    site.publish("acme/beta", manifest={"description": "Sorts all tickets"})
    site.publish("zeta/gamma", manifest={"keywords": ["Café"]})

    assert names(site.get(f"/api/pkg?{query}")) == found


def test_the_search_follows_the_newest_description(site: Site) -> None:
    site.publish("acme/hello", "1.0.0", manifest={"description": "former"})
    site.publish("acme/hello", "1.1.0", manifest={"description": "present"})

    assert names(site.get("/api/pkg?q=former")) == []
    assert names(site.get("/api/pkg?q=present")) == ["hello"]


@pytest.mark.parametrize("sort", ["name", "updated", "downloads"])
def test_pages_together_are_the_list(site: Site, sort: str) -> None:
    for number in range(5):
        site.publish(f"acme/package-{number}")
    whole = names(site.get(f"/api/pkg?sort={sort}"))

    found, url = [], f"/api/pkg?sort={sort}&limit=2"
    while url:
        answer = site.get(url)
        found += names(answer)
        assert answer.json()["total"] == 5
        link = answer.headers.get("Link", "")
        assert bool(link) == (answer.json()["next_cursor"] is not None)
        url = link[1 : link.index(">")] if link else ""

    assert len(found) == 5
    assert found == whole


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "INVALID_LIMIT"),
        ("limit=-1", "INVALID_LIMIT"),
        ("limit=x", "INVALID_LIMIT"),
        ("limit=²", "INVALID_LIMIT"),
        ("cursor=x", "INVALID_CURSOR"),
        ("cursor=WzEsMl0", "INVALID_CURSOR"),
        ("cursor=bnVsbA", "INVALID_CURSOR"),
        ("sort=size", "INVALID_SORT"),
    ],
)
def test_nonsense_in_the_query_is_told(site: Site, query: str, code: str) -> None:
    answer = site.get(f"/api/pkg?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_other_lists_have_pages_too(site: Site) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        site.publish("acme/hello", version)

    first = site.get("acme/hello/versions?limit=2").json()
    second = site.get(f"acme/hello/versions?limit=2&cursor={first['next_cursor']}").json()
    files = site.get("acme/hello/versions/1.0.0/files?limit=1")

    found = [version["version"] for page in (first, second) for version in page["versions"]]
    assert found == ["1.2.0", "1.1.0", "1.0.0"]
    assert second["next_cursor"] is None
    assert [file["path"] for file in files.json()] == [".kombuse-plugin/plugin.json"]
    assert 'rel="next"' in files.headers["Link"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/pkg",
        "acme/hello",
        "acme/hello/versions",
        "acme/hello/versions/1.0.0",
        "acme/hello/versions/1.0.0/download",
        "acme/hello/versions/1.0.0/files",
        "acme/hello/versions/1.0.0/files/README.md",
        "acme/hello/dist-tags",
        "acme/hello/owners",
        "acme/hello/stats",
        "-/resolve?name=acme/hello&range=^1",
        "-/index/acme/hello",
        "-/changes",
        "-/keys",
        "-/health",
        "/",
        "/packages/acme/hello",
    ],
)
def test_every_read_has_an_entity_tag_and_knows_head(site: Site, path: str) -> None:
    site.publish("acme/hello")

    whole = site.get(path)
    same = site.get(path, headers={"If-None-Match": f'"other", W/{whole.headers["ETag"]}'})
    other = site.get(path, headers={"If-None-Match": '"other"'})
    head = site.ask("HEAD", path)

    assert whole.status_code == other.status_code == head.status_code == 200
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["ETag"] == head.headers["ETag"] == whole.headers["ETag"]
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(whole.content))
    for answer in (whole, same, head):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_change_changes_the_entity_tag(site: Site) -> None:
    site.publish("acme/hello")
    before = site.get("acme/hello/versions").headers["ETag"]
    site.publish("acme/hello", "1.1.0")

    answer = site.get("acme/hello/versions", headers={"If-None-Match": before})

    assert answer.status_code == 200


class TestDownload:
    URL = "acme/hello/versions/1.0.0/download"

    def test_the_archive_comes_with_its_digest(self, site: Site) -> None:
        data = site.publish("acme/hello")

        answer = site.get(self.URL)

        digest = hashlib.sha256(data)
        assert answer.content == data
        assert answer.headers["Content-Type"] == "application/gzip"
        assert answer.headers["ETag"] == f'"sha256:{digest.hexdigest()}"'
        encoded = base64.b64encode(digest.digest()).decode()
        assert answer.headers["Repr-Digest"] == f"sha-256=:{encoded}:"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        disposition = 'attachment; filename="hello-1.0.0.tar.gz"'
        assert answer.headers["Content-Disposition"] == disposition

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [("0-9", 0, 10), ("10-", 10, None), ("-7", -7, None), ("3-999999", 3, None), ("0-0", 0, 1)],
    )
    def test_a_part_can_be_asked_for(
        self, site: Site, asked: str, start: int, end: int | None
    ) -> None:
        data = site.publish("acme/hello")

        answer = site.get(self.URL, headers={"Range": f"bytes={asked}"})

        assert answer.status_code == 206
        assert answer.content == data[start:end]
        first = start % len(data)
        expected = f"bytes {first}-{first + len(answer.content) - 1}/{len(data)}"
        assert answer.headers["Content-Range"] == expected

    @pytest.mark.parametrize("asked", ["0-1,5-6", "5-2", "x", "-", "1-2-3", "0-1" * 5000])
    def test_parts_that_are_none_are_the_whole(self, site: Site, asked: str) -> None:
        data = site.publish("acme/hello")

        answer = site.get(self.URL, headers={"Range": f"bytes={asked}"})

        assert (answer.status_code, answer.content) == (200, data)

    @pytest.mark.parametrize("asked", ["999999-", "-0"])
    def test_a_part_that_is_not_there_is_refused(self, site: Site, asked: str) -> None:
        data = site.publish("acme/hello")

        answer = site.get(self.URL, headers={"Range": f"bytes={asked}"})

        assert (answer.status_code, answer.json()["code"]) == (416, "RANGE_NOT_SATISFIABLE")
        assert answer.headers["Content-Range"] == f"bytes */{len(data)}"

    def test_a_part_of_something_else_is_the_whole(self, site: Site) -> None:
        data = site.publish("acme/hello")

        headers = {"Range": "bytes=0-1", "If-Range": '"sha256:other"'}
        answer = site.get(self.URL, headers=headers)

        assert answer.content == data

    def test_whole_downloads_are_counted(self, site: Site) -> None:
        site.publish("acme/hello")
        site.get(self.URL)
        site.get(self.URL)
        site.ask("HEAD", self.URL)
        site.get(self.URL, headers={"Range": "bytes=0-1"})

        stats = site.get("acme/hello/stats?days=1").json()

        (day,) = stats["by_day"]
        assert (stats["total"], stats["by_version"], day["downloads"]) == (2, {"1.0.0": 2}, 2)
        assert site.get("acme/hello").json()["downloads"] == 2
        assert site.get("acme/hello/versions/1.0.0").json()["downloads"] == 2

    def test_an_archive_that_was_lost_is_not_there(self, site: Site) -> None:
        data = site.publish("acme/hello")
        site.registry.blobs.remove(hashlib.sha256(data).hexdigest())

        assert site.get(self.URL).status_code == 410


@pytest.mark.parametrize("days", ["0", "x", "-1", "99999999"])
def test_a_time_that_is_none_is_refused(site: Site, days: str) -> None:
    assert site.get(f"acme/hello/stats?days={days}").json()["code"] == "INVALID_DAYS"


def test_files_are_listed_and_shown_as_text(site: Site) -> None:
    site.publish("acme/hello", files={"files/ü.md": b"<b>x", "picture.png": b"\xff\x00"})

    listed = site.get("acme/hello/versions/1.0.0/files").json()
    shown = site.get("acme/hello/versions/1.0.0/files/files/ü.md")
    picture = site.get("acme/hello/versions/1.0.0/files/picture.png")

    wanted = {"path": "files/ü.md", "size": 4, "sha256": hashlib.sha256(b"<b>x").hexdigest()}
    assert wanted in listed
    assert shown.content == b"<b>x"
    assert shown.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert shown.headers["Content-Security-Policy"] == "sandbox"
    assert (picture.status_code, picture.json()["code"]) == (415, "NOT_A_TEXT")


def test_a_channel_stands_for_its_version(site: Site) -> None:
    site.publish("acme/hello", "1.0.0")
    site.publish("acme/hello", "2.0.0-rc.1")

    answer = site.get("acme/hello/versions/@next")

    assert answer.json()["version"] == "2.0.0-rc.1"
    assert answer.headers["Content-Location"] == "/api/pkg/acme/hello/versions/2.0.0-rc.1"


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("", "1.2.0"),
        ("range=^1.0", "1.2.0"),
        ("range=~1.0.0", "1.0.0"),
        ("range=>=1", "1.2.0"),
        ("channel=next", "2.0.0-rc.1"),
        ("channel=next&range=>=1", "2.0.0-rc.1"),
    ],
)
def test_ranges_are_resolved(site: Site, query: str, version: str) -> None:
    for published in ("1.0.0", "1.2.0", "1.3.0", "2.0.0-rc.1"):
        site.publish("acme/hello", published)
    site.ask("DELETE", "acme/hello/versions/1.3.0", site.admin, json={"reason": "broken"})

    found = site.get(f"-/resolve?name=acme/hello&{query}").json()

    address = f"/api/pkg/acme/hello/versions/{version}/download"
    assert (found["version"], found["download_url"]) == (version, address)
    assert found["checksum"] == hashlib.sha256(site.get(address).content).hexdigest()


@pytest.mark.parametrize("name", ["", "hello", "acme/../x", "acme/hello/x"])
def test_nothing_is_resolved_for_a_name_that_is_none(site: Site, name: str) -> None:
    assert site.get(f"-/resolve?name={name}").json()["code"] == "INVALID_NAME"


def test_the_short_form_has_a_line_for_each_version(site: Site) -> None:
    data = site.publish("acme/hello", "1.0.0")
    site.publish("acme/hello", "1.1.0")
    site.ask("DELETE", "acme/hello/versions/1.1.0", site.admin, json={"reason": "broken"})

    first, second = map(json.loads, site.get("-/index/acme/hello").text.splitlines())

    assert first.pop("t").endswith("Z")
    digest = hashlib.sha256(data).hexdigest()
    assert first == {
        "v": "1.0.0",
        "cks": digest,
        "yanked": False,
        "ch": "stable",
        "min": None,
        "sz": len(data),
    }
    assert second["yanked"] == "broken"


def test_changes_can_be_followed(site: Site) -> None:
    site.publish("acme/hello", "1.0.0")
    site.publish("acme/hello", "1.1.0")
    site.ask("DELETE", "acme/hello/versions/1.1.0", site.admin, json={"reason": "broken"})

    first = site.get("-/changes?limit=2")
    link = first.headers["Link"]
    second = site.get(link[1 : link.index(">")])

    seen = [
        (change["seq"], change["version"], change["type"])
        for page in (first, second)
        for change in page.json()["changes"]
    ]
    assert seen == [(1, "1.0.0", "publish"), (2, "1.1.0", "publish"), (3, "1.1.0", "yank")]
    assert first.json()["last_seq"] == 3


def test_health_counts(site: Site) -> None:
    site.publish("acme/hello", "1.0.0")
    site.publish("acme/hello", "1.1.0")

    found = site.get("-/health").json()

    assert (found["status"], found["packages"], found["versions"]) == ("ok", 1, 2)


def test_a_closed_registry_is_read_with_a_token_only(tmp_path: Path) -> None:
    with running_site(tmp_path / "closed", Settings(read="token")) as site:
        site.publish("acme/hello")
        reader = site.token("bob", "read")
        publisher = site.token("bob", "yank")

        for path in ("/api/pkg", "acme/hello", "-/keys", "/", "/packages/acme/hello"):
            refused = site.get(path)
            assert (refused.status_code, refused.json()["code"]) == (401, "TOKEN_REQUIRED")
            assert "invalid_token" in refused.headers["WWW-Authenticate"]
            assert site.get(path, reader).status_code == 200
            assert site.get(path, publisher).status_code == 403
        assert site.get("-/health").status_code == 200


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with running_site(tmp_path / "registry") as site:
        data = site.publish("acme/hello")
        site.get("acme/hello/versions/1.0.0/download")
        before = site.get("acme/hello/versions").json()["versions"]

    from starlette.testclient import TestClient

    from kombuse_registry.server.app import build_app
    from kombuse_registry.server.registry import Registry

    registry = Registry(tmp_path / "registry", Settings())
    with TestClient(build_app(registry), client=("127.0.0.1", 1)) as http:
        again = Site(registry, http, site.admin)
        after = again.get("acme/hello/versions").json()["versions"]
        assert after == [before[0] | {"downloads": 1}]
        assert again.get("acme/hello/versions/1.0.0/download").content == data
        assert again.get("-/whoami", site.admin).status_code == 200
    registry.close()
