"""T33: nothing is replaced, no token is guessed, no bad archive gets in, nothing bad is offered."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.registry.hostile_archives import BROKEN, MARKER, TOO_LARGE, UNSAFE
from tests.registry_server.site import Site, archive, running_site

from kombuse_registry.server.settings import RateLimits, Settings

HELLO = "acme/hello"
FAR = ("192.0.2.1", 1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path / "registry") as running:
        yield running


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("token", ["admin", "owner"])
@pytest.mark.parametrize("state", ["published", "yanked", "removed", "channel moved"])
def test_a_version_is_never_replaced_by_anybody(site: Site, token: str, state: str) -> None:
    data = site.publish(HELLO)
    owner = site.token("bob", "publish:update", "publish:new")
    site.ask("PUT", f"{HELLO}/owners", site.admin, json={"owners": ["bob"]})
    path = f"{HELLO}/versions/1.0.0"
    if state == "yanked":
        site.ask("DELETE", path, site.admin, json={"reason": "bad"})
    if state == "removed":
        site.ask("DELETE", f"{path}?purge=true", site.admin)
    if state == "channel moved":
        site.publish(HELLO, "2.0.0")
    other = archive(HELLO, files={"files/evil.md": b"other bytes"})

    for query in ("", "?force_tag=true", "?channel=beta", "?allow_secrets=true"):
        answer = site.upload(HELLO, other, site.admin if token == "admin" else owner, query)
        assert refusal(answer) == (409, "VERSION_EXISTS")

    assert site.registry.blobs.stored().count(hashlib.sha256(other).hexdigest()) <= 1
    download = site.get(f"{path}/download")
    assert download.content == data or (state, download.status_code) == ("removed", 410)


@pytest.mark.parametrize(
    "path",
    ["", "/api/pkg/acme/hello/versions/1.0.0", "/api/pkg/acme/hello/versions/1.0.0/download"],
)
def test_no_address_takes_other_bytes_for_a_version(site: Site, path: str) -> None:
    data = site.publish(HELLO)

    for method in ("PUT", "POST", "PATCH"):
        answer = site.ask(method, path or "/api/pkg", site.admin, content=b"other")
        assert answer.status_code == 405

    assert site.get(f"{HELLO}/versions/1.0.0/download").content == data


def test_digests_of_tokens_are_compared_in_constant_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often, and over as many bytes, for an unknown id as for a wrong secret."""
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def counted(a: str, b: str) -> bool:
        compared.append((len(a), len(b)))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    _, identifier, secret, check = site.admin.split("_")
    wrong = (
        f"kmb_{identifier}_{'a' * 43}_{check}",
        f"kmb_{'a' * 8}_{secret}_{check}",
        "kmb_x",
        "",
    )

    for text in wrong:
        compared.clear()
        assert refusal(site.get("-/whoami", text or " ")) in (
            (401, "INVALID_TOKEN"),
            (401, "TOKEN_REQUIRED"),
        )
        assert all(pair == (64, 64) for pair in compared), text


@pytest.mark.parametrize("change", ["secret", "id", "check", "case", "cut", "long", "words"])
def test_a_token_that_is_not_whole_is_refused(site: Site, change: str) -> None:
    prefix, identifier, secret, check = site.admin.split("_")
    text = {
        "secret": f"{prefix}_{identifier}_{secret[::-1]}_{check}",
        "id": f"{prefix}_{identifier[::-1]}_{secret}_{check}",
        "check": f"{prefix}_{identifier}_{secret}_{check[::-1]}x"[:-1],
        "case": site.admin.swapcase(),
        "cut": site.admin[:-1],
        "long": site.admin + "x" * 10_000,
        "words": "' OR 1=1 --",
    }[change]

    answer = site.get("-/whoami", text)

    assert refusal(answer) == (401, "INVALID_TOKEN")
    assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_whoever_guesses_is_made_to_wait(tmp_path: Path) -> None:
    settings = Settings(rate_limits=RateLimits(failed_logins_per_quarter_hour=3))
    with running_site(tmp_path / "far", settings, FAR) as site:
        statuses = [site.get("-/whoami", f"kmb_{n}").status_code for n in range(5)]

        assert statuses == [401, 401, 401, 429, 429]
        waiting = site.get("-/whoami", site.admin)
        assert refusal(waiting) == (429, "RATE_LIMITED")
        assert int(waiting.headers["Retry-After"]) > 60
        assert site.get("/api/pkg").status_code == 200


def test_tokens_end_with_time_and_by_revocation_and_stay_where_they_belong(
    tmp_path: Path,
) -> None:
    with running_site(tmp_path / "far", Settings(), FAR) as site:
        old = site.token("bob", "read")
        revoked = site.token("bob", "read")
        elsewhere = site.token("bob", "read", cidrs=["10.0.0.0/8", "2001:db8::/32"])
        here = site.token("bob", "read", cidrs=["192.0.2.0/24"])
        site.ask("DELETE", f"-/tokens/{revoked.split('_')[1]}", site.admin)
        with site.registry.db.write() as tx:
            sql = "UPDATE tokens SET expires_at = '2020-01-01T00:00:00.000Z' WHERE id = ?"
            tx.execute(sql, (old.split("_")[1],))

        assert site.get("-/whoami", old).json()["error"] == "Token has expired"
        assert site.get("-/whoami", revoked).json()["error"] == "Token was revoked"
        assert refusal(site.get("-/whoami", elsewhere)) == (403, "ADDRESS_NOT_ALLOWED")
        assert site.get("-/whoami", here).status_code == 200


def _ids(cases: dict[str, Any]) -> list[str]:
    return sorted(cases)


@pytest.mark.parametrize("case", _ids(UNSAFE))
def test_an_unsafe_archive_does_not_get_in(site: Site, case: str) -> None:
    _refused(site, UNSAFE[case], (422, "UNSAFE_ARCHIVE_ENTRY"))


@pytest.mark.parametrize("case", _ids(BROKEN))
def test_a_broken_archive_does_not_get_in(site: Site, case: str) -> None:
    _refused(site, BROKEN[case], (422, "INVALID_ARCHIVE"))


@pytest.mark.parametrize("case", _ids(TOO_LARGE))
def test_a_bomb_does_not_get_in(site: Site, case: str) -> None:
    _refused(site, TOO_LARGE[case], (413, "ARCHIVE_TOO_LARGE"))


def _refused(site: Site, made: Any, expected: tuple[int, str]) -> None:
    data = made() if callable(made) else made

    answer = site.upload("acme/hello-minimal", data)

    assert refusal(answer) == expected
    assert site.get("/api/pkg").json()["total"] == 0
    assert site.registry.blobs.stored() == []
    assert list((site.registry.data / "incoming").iterdir()) == []
    assert list(site.registry.data.parent.rglob(MARKER)) == []


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "..%2F..%2Fetc/passwd",
        "acme/..%2F..",
        "acme/%2e%2e",
        "acme/hello%00",
        "acme/nul",
        "acme/hello/versions/..%2F..%2Fregistry.db/download",
        "acme/hello/versions/1.0.0/files/..%2F..%2Fregistry.db",
        "acme/hello/versions/1.0.0/files/%2Fetc%2Fpasswd",
        "-/index/acme/..%2Fx",
    ],
)
def test_no_address_is_a_path_of_the_server(site: Site, path: str) -> None:
    site.publish(HELLO)

    answer = site.get(path)

    assert answer.status_code in (400, 404)
    assert "registry.db" not in answer.text
    assert "root:" not in answer.text


def test_a_yanked_version_is_not_offered_and_explained(site: Site) -> None:
    site.publish(HELLO)
    site.ask("DELETE", f"{HELLO}/versions/1.0.0", site.admin, json={"reason": "has a hole"})

    assert site.get(f"{HELLO}/versions").json()["versions"] == []
    assert site.get(HELLO).json()["latest_version"] is None
    assert site.get(f"-/resolve?name={HELLO}").status_code == 404
    assert site.get(f"-/resolve?name={HELLO}&range=^1").status_code == 404
    assert site.get(f"{HELLO}/versions/@stable").status_code == 404
    assert site.get(f"{HELLO}/versions/1.0.0").json()["yanked"] == "has a hole"
    assert "has a hole" in site.get(f"{HELLO}/versions/1.0.0/download").headers["Warning"]


def test_the_reason_of_a_yank_cannot_add_headers(site: Site) -> None:
    site.publish(HELLO)
    reason = 'x"\r\nSet-Cookie: a=b\r\n\u2028\\'
    site.ask("DELETE", f"{HELLO}/versions/1.0.0", site.admin, json={"reason": reason})

    answer = site.get(f"{HELLO}/versions/1.0.0/download")

    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Warning"] == '299 - "yanked: x\\"??Set-Cookie: a=b???\\\\"'


@pytest.mark.parametrize(
    "path",
    [
        HELLO,
        f"{HELLO}/versions",
        f"{HELLO}/versions/1.0.0",
        f"{HELLO}/versions/1.0.0/download",
        f"{HELLO}/versions/1.0.0/files",
        f"{HELLO}/versions/1.0.0/files/README.md",
        f"{HELLO}/dist-tags",
        f"-/index/{HELLO}",
        f"-/resolve?name={HELLO}",
        f"/packages/{HELLO}",
    ],
)
def test_a_quarantined_package_is_not_installable_and_explained(site: Site, path: str) -> None:
    site.publish(HELLO)
    body = {"status": "quarantined", "reason": "steals keys"}
    site.ask("PUT", f"{HELLO}/status", site.admin, json=body)

    answer = site.get(path)

    assert refusal(answer) == (451, "PACKAGE_QUARANTINED")
    assert "steals keys" in answer.json()["error"]
    for query in ("", "?q=hello", "?q=hello&author=acme"):
        found = site.get(f"/api/pkg{query}").json()
        assert (found["packages"], found["total"]) == ([], 0)
    assert refusal(site.upload(HELLO, archive(HELLO, "2.0.0"))) == (409, "PACKAGE_QUARANTINED")


def test_errors_tell_nothing_of_the_server(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    from kombuse_registry.server import queries

    def broken(*_: Any) -> Any:
        raise sqlite3.OperationalError(f"no such table: secrets in {site.registry.data}")

    monkeypatch.setattr(queries, "package_page", broken)

    answer = site.get("/api/pkg")

    assert answer.status_code == 500
    assert "secrets" not in answer.text
    assert str(site.registry.data) not in answer.text


def test_pages_of_other_sites_may_read_but_not_write(site: Site) -> None:
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    read = site.get("/api/pkg", headers=origin)
    asked = site.ask("OPTIONS", HELLO, headers=origin)
    written = site.upload(HELLO, archive(HELLO), headers=origin)

    assert read.headers["Access-Control-Allow-Origin"] == "*"
    for answer in (asked, written):
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert not any("Access-Control-Allow-Credentials" in a.headers for a in (read, asked, written))
    assert not any("Set-Cookie" in answer.headers for answer in (read, asked, written))
