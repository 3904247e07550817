"""Tokens, scopes, namespaces, keys and the audit log."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.registry_server.site import Site, archive, running_site

from kombuse_registry.server import tokens
from kombuse_registry.server.settings import Settings
from kombuse_registry.signing import PrivateKey

HELLO = "acme/hello"


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def own_namespace(site: Site, account: str, *scopes: str, packages: str = "acme/*") -> str:
    """A token of an account to which the namespace acme belongs."""
    token = site.token(account, *scopes, packages=packages)
    with site.registry.db.write() as tx:
        sql = "INSERT INTO namespaces SELECT 'acme', id, ? FROM accounts WHERE name = ?"
        tx.execute(sql, (tx.now, account))
    return token


def test_a_token_is_made_shown_once_and_listed_without_its_secret(site: Site) -> None:
    body = {"name": "ci", "scopes": ["read"], "packages": ["acme/*"], "cidrs": ["127.0.0.0/8"]}

    made = site.ask("POST", "-/tokens", site.admin, json=body).json()
    listed = site.get("-/tokens", site.admin)

    pattern = r"kmb_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}"
    assert re.fullmatch(pattern, made["token"])
    assert made["token"].split("_")[1] == made["id"]
    (entry,) = [token for token in listed.json() if token["id"] == made["id"]]
    assert (entry["name"], entry["packages"], entry["revoked_at"]) == ("ci", ["acme/*"], None)
    assert made["token"].split("_")[2] not in listed.text


def test_a_token_ends_in_ninety_days_unless_told(site: Site) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert tokens.expiry(None, now) == "2026-04-01T00:00:00.000Z"
    assert tokens.expiry("2026-02-01", now) == "2026-02-01T00:00:00.000Z"


@pytest.mark.parametrize("days", [-1, 0, 366, 10**6])
def test_a_token_ends_within_a_year(site: Site, days: int) -> None:
    moment = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    body = {"name": "x", "scopes": ["read"], "packages": ["*"], "expires_at": moment}

    assert refusal(site.ask("POST", "-/tokens", site.admin, json=body)) == (400, "INVALID_EXPIRY")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scopes": ["everything"]}, "INVALID_SCOPE"),
        ({"scopes": []}, "INVALID_SCOPE"),
        ({"packages": []}, "INVALID_PACKAGES"),
        ({"packages": ["*/*"]}, "INVALID_PACKAGES"),
        ({"packages": ["acme*"]}, "INVALID_PACKAGES"),
        ({"cidrs": ["somewhere"]}, "INVALID_CIDR"),
        ({"expires_at": "soon"}, "INVALID_EXPIRY"),
        ({"name": ""}, "INVALID_BODY"),
        ({"account": "../x"}, "INVALID_NAME"),
    ],
)
def test_nonsense_is_no_token(site: Site, change: dict[str, Any], code: str) -> None:
    body = {"name": "x", "scopes": ["read"], "packages": ["*"], **change}

    assert refusal(site.ask("POST", "-/tokens", site.admin, json=body)) == (400, code)


def test_nobody_gives_more_than_they_have(site: Site) -> None:
    bob = site.token("bob", "tokens", "read", packages="acme/*")

    def ask(**more: Any) -> Any:
        body = {"name": "x", "scopes": ["read"], "packages": ["acme/hello"], **more}
        return site.ask("POST", "-/tokens", bob, json=body)

    assert ask().status_code == 201
    assert refusal(ask(scopes=["admin"])) == (403, "INSUFFICIENT_SCOPE")
    assert ask(scopes=["read", "yank"]).json()["required"] == ["yank"]
    assert refusal(ask(packages=["*"])) == (403, "PACKAGE_NOT_ALLOWED")
    assert refusal(ask(packages=["other/x"])) == (403, "PACKAGE_NOT_ALLOWED")
    assert refusal(ask(account="root")) == (403, "INSUFFICIENT_SCOPE")


def test_people_see_and_revoke_their_own_tokens(site: Site) -> None:
    bob = site.token("bob", "tokens")
    ann = site.token("ann", "tokens")
    (of_ann,) = site.get("-/tokens", ann).json()

    assert refusal(site.ask("DELETE", f"-/tokens/{of_ann['id']}", bob)) == (404, "TOKEN_NOT_FOUND")
    assert site.ask("DELETE", f"-/tokens/{of_ann['id']}", ann).status_code == 204

    assert refusal(site.get("-/whoami", ann)) == (401, "INVALID_TOKEN")
    assert site.get("-/whoami", bob).status_code == 200


def test_whoever_finds_a_token_can_end_it(site: Site) -> None:
    bob = site.token("bob", "read", cidrs=["192.0.2.0/24"])
    identifier = bob.split("_")[1]

    guessed = "kmb_" + identifier + "_" + "a" * 43 + "_000000"
    assert site.ask("POST", "-/tokens/revoke", json={"token": guessed}).status_code == 204
    assert not _is_revoked(site, identifier)

    assert site.ask("POST", "-/tokens/revoke", json={"token": bob}).status_code == 204
    assert _is_revoked(site, identifier)


def _is_revoked(site: Site, identifier: str) -> bool:
    listed = site.get("-/tokens", site.admin).json()
    return any(token["id"] == identifier and token["revoked_at"] for token in listed)


def test_the_use_of_a_token_is_noted(site: Site) -> None:
    site.get("-/whoami", site.admin)
    site.registry.flush()

    (entry,) = site.get("-/tokens", site.admin).json()

    assert entry["last_used_at"] <= datetime.now(UTC).isoformat()
    assert entry["last_used_ip"] == "127.0.0.1"


def test_whoami_tells_what_a_token_is_good_for(site: Site) -> None:
    bob = site.token("bob", "yank", "read", packages="acme/*")

    found = site.get("-/whoami", bob).json()

    assert found.pop("expires_at") > datetime.now(UTC).isoformat()
    assert found == {"account": "bob", "scopes": ["read", "yank"], "packages": ["acme/*"]}
    assert refusal(site.get("-/whoami")) == (401, "TOKEN_REQUIRED")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("DELETE", f"{HELLO}/versions/1.0.0", "yank"),
        ("DELETE", f"{HELLO}/versions/1.0.0?purge=true", "yank"),
        ("PUT", f"{HELLO}/versions/1.0.0/unyank", "yank"),
        ("PUT", f"{HELLO}/versions/1.0.0/deprecation", "yank"),
        ("PUT", f"{HELLO}/status", "owners"),
        ("PUT", f"{HELLO}/owners", "owners"),
        ("DELETE", f"{HELLO}/owners", "owners"),
        ("PUT", f"{HELLO}/policy", "owners"),
        ("PUT", f"{HELLO}/dist-tags/lts", "tags"),
        ("DELETE", f"{HELLO}/dist-tags/lts", "tags"),
        ("POST", "-/tokens", "tokens"),
        ("GET", "-/tokens", "tokens"),
        ("DELETE", "-/tokens/abc", "tokens"),
        ("POST", "-/keys", "owners"),
        ("DELETE", "-/keys/abc", "owners"),
        ("GET", "-/audit", "audit"),
    ],
)
def test_every_change_needs_its_scope(site: Site, method: str, path: str, scope: str) -> None:
    site.publish(HELLO)
    others = [name for name in tokens.SCOPES if name not in (scope, "admin")]
    bob = site.token("bob", *others)
    bodies = {
        "deprecation": {"message": "x"},
        "status": {"status": "active"},
        "owners": {"owners": ["root"]},
        "policy": {"require_signature": False},
        "lts": {"version": "1.0.0"},
    }
    body = bodies.get(path.rpartition("/")[2])

    lacking = site.ask(method, path, bob, json=body)
    nobody = site.ask(method, path, json=body)

    assert lacking.status_code == 403
    assert lacking.json() == {
        "error": f"Token lacks scope {scope}",
        "code": "INSUFFICIENT_SCOPE",
        "required": [scope],
    }
    assert refusal(nobody) == (401, "TOKEN_REQUIRED")


def test_an_account_changes_its_own_packages_only(site: Site) -> None:
    site.publish(HELLO)
    bob = site.token("bob", "yank", "owners")

    answer = site.ask("DELETE", f"{HELLO}/versions/1.0.0", bob, json={"reason": "mine"})

    assert refusal(answer) == (403, "NOT_OWNER")


def test_a_token_for_some_packages_reaches_no_others(site: Site) -> None:
    narrow = own_namespace(
        site, "bob", "publish:new", "publish:update", "yank", packages="acme/hello"
    )
    assert site.upload(HELLO, archive(HELLO), narrow).status_code == 201

    other = site.upload("acme/other", archive("acme/other"), narrow)

    assert refusal(other) == (403, "PACKAGE_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("scope", "version", "status"),
    [
        ("publish:new", "1.0.0", 201),
        ("publish:update", "1.0.0", 403),
        ("publish:new", "1.1.0", 403),
        ("publish:update", "1.1.0", 201),
    ],
)
def test_first_and_further_versions_have_scopes_of_their_own(
    site: Site, scope: str, version: str, status: int
) -> None:
    bob = own_namespace(site, "bob", scope)
    if version != "1.0.0":
        site.publish(HELLO, "1.0.0")

    answer = site.upload(HELLO, archive(HELLO, version), bob)

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["required"] == [_other(scope)]


def _other(scope: str) -> str:
    return {"publish:new": "publish:update", "publish:update": "publish:new"}[scope]


def test_a_namespace_of_nobody_is_taken_by_admins_only(site: Site) -> None:
    bob = site.token("bob", "publish:new")

    assert refusal(site.upload(HELLO, archive(HELLO), bob)) == (403, "NAMESPACE_NOT_OWNED")
    assert site.upload(HELLO, archive(HELLO)).status_code == 201


def test_an_open_registry_lets_people_claim_namespaces(tmp_path: Path) -> None:
    with running_site(tmp_path / "open", Settings(open_namespaces=True)) as site:
        bob = site.token("bob", "publish:new")
        ann = site.token("ann", "publish:new")

        assert site.upload(HELLO, archive(HELLO), bob).status_code == 201
        other = site.upload("acme/other", archive("acme/other"), ann)
        assert refusal(other) == (403, "NAMESPACE_NOT_OWNED")
        for author in ("api", "admin", "kombuse"):
            reserved = site.upload(f"{author}/x", archive(f"{author}/x"), ann)
            assert refusal(reserved) == (403, "NAMESPACE_NOT_OWNED")


def test_a_key_is_registered_once(site: Site) -> None:
    key = PrivateKey.generate()
    body = {"public_key": key.public_text, "name": "laptop"}

    made = site.ask("POST", "-/keys", site.admin, json=body)
    again = site.ask("POST", "-/keys", site.admin, json=body)
    nonsense = site.ask("POST", "-/keys", site.admin, json={"public_key": "x", "name": "y"})

    assert made.status_code == 201
    assert (made.json()["keyid"], made.json()["account"]) == (key.keyid, "root")
    assert refusal(again) == (409, "KEY_EXISTS")
    assert refusal(nonsense) == (400, "INVALID_KEY")
    usages = {entry["keyid"]: entry["usage"] for entry in site.get("-/keys").json()["keys"]}
    assert usages[key.keyid] == "publisher"
    assert sorted(usages.values()) == ["publisher", "registry"]


def test_people_revoke_their_own_keys(site: Site) -> None:
    bob = site.token("bob", "owners")
    (key,) = site.get("-/keys").json()["keys"]

    assert refusal(site.ask("DELETE", f"-/keys/{key['keyid']}", bob)) == (404, "KEY_NOT_FOUND")


class TestAudit:
    def entries(self, site: Site, query: str = "", token: str | None = None) -> list[Any]:
        found: list[Any] = site.get(f"-/audit{query}", token or site.admin).json()["entries"]
        return found

    def test_what_was_done_is_told_the_newest_first(self, site: Site) -> None:
        site.publish(HELLO)
        reason = {"reason": "bad"}
        site.ask(
            "DELETE",
            f"{HELLO}/versions/1.0.0",
            site.admin,
            json=reason,
            headers={"User-Agent": "a test"},
        )

        yank, publish = self.entries(site, "?author=acme")

        assert (yank["action"], publish["action"]) == ("yank", "publish")
        assert (yank["actor"], yank["ip"], yank["user_agent"]) == ("root", "127.0.0.1", "a test")
        assert (yank["name"], yank["version"], yank["detail"]) == ("hello", "1.0.0", reason)
        assert yank["token_id"] == site.admin.split("_")[1]

    def test_refusals_are_told(self, site: Site) -> None:
        site.publish(HELLO)
        site.upload(HELLO, archive(HELLO, files={"files/new": b"new"}))
        site.get("-/whoami", "kmb_nonsense")

        (refused,) = self.entries(site, "?action=publish_refused")
        (failed,) = self.entries(site, "?action=auth.failed")

        assert refused["detail"] == {"code": "VERSION_EXISTS"}
        assert failed["detail"] == {"token": None, "code": "INVALID_TOKEN"}

    def test_it_can_be_narrowed_and_has_pages(self, site: Site) -> None:
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            site.publish(HELLO, version)
        query = "?action=publish&name=hello&limit=2"

        first = site.get(f"-/audit{query}", site.admin).json()
        rest = self.entries(site, f"{query}&cursor={first['next_cursor']}")

        seen = [entry["version"] for entry in first["entries"] + rest]
        assert seen == ["1.2.0", "1.1.0", "1.0.0"]
        assert self.entries(site, "?until=2000-01-01") == []
        assert len(self.entries(site, "?since=2000-01-01&action=publish")) == 3

    def test_people_see_what_happened_in_their_namespaces(self, site: Site) -> None:
        auditor = own_namespace(site, "bob", "audit")
        site.publish(HELLO)
        site.publish("other/hello")

        assert {entry["author"] for entry in self.entries(site, "", auditor)} == {"acme"}

    def test_it_cannot_be_changed(self, site: Site) -> None:
        import sqlite3

        for sql in ("DELETE FROM audit", "UPDATE audit SET action = 'x'"):
            with pytest.raises(sqlite3.IntegrityError), site.registry.db.write() as tx:
                tx.execute(sql)
