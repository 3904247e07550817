"""What people do at a registry: requests as the protocol has them, and every way to fail."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.registry.stand_in_feed import Reply, StandIn, package_bytes, sha256

from kombuse_registry.client import RegistryClient, RegistryRefused
from kombuse_registry.errors import IntegrityError
from kombuse_registry.signing import PrivateKey, publish_line, verify
from kombuse_sdk.errors import BadGateway, BadRequest

DATA = package_bytes()
HELLO = "/api/pkg/acme/hello"
PUBLISHED = {
    "author": "acme",
    "name": "hello",
    "version": "1.0.0",
    "channel": "stable",
    "checksum": sha256(DATA),
    "download_url": f"{HELLO}/versions/1.0.0/download",
}


@pytest.fixture
def client(stand_in: StandIn) -> RegistryClient:
    return RegistryClient(stand_in.url + "/", "secret")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "package.tar.gz"
    path.write_bytes(DATA)
    return path


def publish(client: RegistryClient, archive: Path, **options: Any) -> dict[str, Any]:
    return client.publish(archive, name="acme/hello", version="1.0.0", **options)


def test_an_upload_carries_its_digest_and_the_token(
    client: RegistryClient, stand_in: StandIn, archive: Path
) -> None:
    stand_in.answers[HELLO] = Reply(status=201, json={"published": PUBLISHED})

    assert publish(client, archive) == PUBLISHED

    (asked,) = stand_in.asked
    assert (asked.method, asked.body) == ("POST", DATA)
    assert asked.headers["Authorization"] == "Bearer secret"
    assert asked.headers["Content-Type"] == "application/gzip"
    assert asked.headers["X-Kombuse-Checksum"] == sha256(DATA)
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert asked.headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_wishes_of_the_publisher_are_passed_on(
    client: RegistryClient, stand_in: StandIn, archive: Path
) -> None:
    path = f"{HELLO}?channel=beta&force_tag=true&allow_secrets=true&dry_run=true"
    stand_in.answers[path] = Reply(json={"published": PUBLISHED})

    publish(
        client,
        archive,
        channel="beta",
        force_tag=True,
        allow_secrets=True,
        dry_run=True,
        release_notes="Für alle",
    )

    notes = stand_in.asked[0].headers["X-Kombuse-Release-Notes"]
    assert base64.b64decode(notes).decode() == "Für alle"


def test_an_upload_can_be_signed(client: RegistryClient, stand_in: StandIn, archive: Path) -> None:
    stand_in.answers[HELLO] = Reply(status=201, json={"published": PUBLISHED})
    key = PrivateKey.generate()

    publish(client, archive, key=key)

    header = stand_in.asked[0].headers["X-Kombuse-Signature"]
    parts = dict(part.split("=", 1) for part in header.split(","))
    assert (parts["keyid"], parts["alg"]) == (key.keyid, "ed25519")
    line = publish_line("acme/hello", "1.0.0", sha256(DATA))
    assert verify(key.public_raw, parts["sig"], line)


def test_a_token_may_be_a_variable(
    stand_in: StandIn, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "from the shell".replace(" ", "-"))
    stand_in.answers[HELLO] = Reply(status=201, json={"published": PUBLISHED})

    publish(RegistryClient(stand_in.url, "$MY_TOKEN"), archive)

    assert stand_in.asked[0].headers["Authorization"] == "Bearer from-the-shell"


def test_a_variable_that_is_not_set_is_the_callers_mistake(
    stand_in: StandIn, archive: Path
) -> None:
    with pytest.raises(BadRequest, match='Environment variable "KOMBUSE_NO_SUCH" is not set'):
        publish(RegistryClient(stand_in.url, "$KOMBUSE_NO_SUCH"), archive)

    assert stand_in.asked == []


@pytest.mark.parametrize(
    ("status", "body", "text", "code"),
    [
        (401, {"error": "Invalid token"}, "Invalid token", None),
        (409, {"error": "Exists", "code": "VERSION_EXISTS"}, "Exists", "VERSION_EXISTS"),
        (413, {"error": "Too large"}, "Too large", None),
        (422, {"error": [{"path": ["a"]}]}, '[{"path": ["a"]}]', None),
        (404, {}, "{}", None),
        (429, "plain", '"plain"', None),
    ],
)
def test_a_refusal_is_passed_on_with_status_text_and_code(
    client: RegistryClient,
    stand_in: StandIn,
    archive: Path,
    status: int,
    body: Any,
    text: str,
    code: str | None,
) -> None:
    stand_in.answers[HELLO] = Reply(status=status, json=body)

    with pytest.raises(RegistryRefused) as caught:
        publish(client, archive)

    assert (caught.value.status, caught.value.message, caught.value.code) == (status, text, code)
    assert len(stand_in.asked) == 1


def test_a_refusal_without_json_is_its_text(
    client: RegistryClient, stand_in: StandIn, archive: Path
) -> None:
    stand_in.answers[HELLO] = Reply(status=400, body=b"  no " + b"x" * 9000)

    with pytest.raises(RegistryRefused) as caught:
        publish(client, archive)

    assert caught.value.message.startswith("no xxx")
    assert len(caught.value.message) <= 2000


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(status=500, json={"error": "oops"}), "500 Internal Server Error: oops"),
        (Reply(status=302, headers={"Location": "/other"}), "redirects to another place"),
        (Reply(status=307, headers={"Location": "/other"}), "redirects to another place"),
        (Reply(status=201, body=b"<html>"), "not JSON"),
        (Reply(status=201, json={}), "without saying what it published"),
        (Reply(status=201, json={"published": "yes"}), "without saying what it published"),
        (Reply(status=201, json=[]), "without saying what it published"),
        (Reply(status=201), "without saying what it published"),
    ],
)
def test_an_unusable_answer_is_a_bad_gateway(
    client: RegistryClient, stand_in: StandIn, archive: Path, reply: Reply, text: str
) -> None:
    stand_in.answers[HELLO] = reply

    with pytest.raises(BadGateway, match=text) as caught:
        publish(client, archive)

    assert caught.value.status == 502
    assert stand_in.paths() == [HELLO]


def test_a_registry_that_is_not_there_is_a_bad_gateway(archive: Path) -> None:
    with pytest.raises(BadGateway, match="Registry unreachable: not reachable"):
        publish(RegistryClient("http://127.0.0.1:1", "secret"), archive)


@pytest.mark.parametrize(
    "url",
    ["http://registry.example", "ftp://h.example", "javascript:1", "", "https://u:p@h.example"],
)
def test_an_address_that_may_not_be_used_is_the_callers_mistake(url: str) -> None:
    with pytest.raises(BadRequest, match="Registry not usable"):
        RegistryClient(url)


@pytest.mark.parametrize("checksum", [None, "", sha256(b"other")])
def test_a_registry_that_stored_other_bytes_is_found_out(
    client: RegistryClient, stand_in: StandIn, archive: Path, checksum: str | None
) -> None:
    stand_in.answers[HELLO] = Reply(json={"published": PUBLISHED | {"checksum": checksum}})

    with pytest.raises(IntegrityError):
        publish(client, archive)


@pytest.mark.parametrize("name", ["hello", "acme/../x", "Acme/x", "a/b/c", ""])
def test_only_author_and_name_can_be_published(
    client: RegistryClient, stand_in: StandIn, archive: Path, name: str
) -> None:
    with pytest.raises(BadRequest):
        client.publish(archive, name=name, version="1.0.0")

    assert stand_in.asked == []


def test_reading_needs_no_token(stand_in: StandIn) -> None:
    listed = {"packages": [{"name": "hello"}], "next_cursor": None, "total": 1}
    stand_in.answers["/api/pkg?q=he+llo&type=plugin&limit=20"] = Reply(json=listed)
    stand_in.answers[HELLO] = Reply(json={"name": "hello"})
    stand_in.answers[f"{HELLO}/versions?include_yanked=true"] = Reply(
        json={"versions": [{"version": "1.0.0"}]}
    )
    stand_in.answers[f"{HELLO}/versions/@beta"] = Reply(json={"version": "2.0.0"})
    stand_in.answers["/api/pkg/-/keys"] = Reply(json={"keys": [{"keyid": "a"}]})
    client = RegistryClient(stand_in.url)

    assert client.search("he llo", type="plugin", limit=20, author=None) == listed
    assert client.package("acme/hello") == {"name": "hello"}
    assert client.versions("acme/hello") == [{"version": "1.0.0"}]
    assert client.version("acme/hello", "@beta") == {"version": "2.0.0"}
    assert client.keys() == [{"keyid": "a"}]
    assert {asked.headers["Authorization"] for asked in stand_in.asked} == {None}


def test_changes_are_sent_as_the_protocol_has_them(
    client: RegistryClient, stand_in: StandIn
) -> None:
    version = f"{HELLO}/versions/1.0.0"
    expected: list[tuple[str, str, Any]] = [
        ("DELETE", version, {"reason": "broken"}),
        ("PUT", f"{version}/unyank", None),
        ("PUT", f"{version}/deprecation", {"message": None}),
        ("PUT", f"{HELLO}/status", {"status": "archived", "reason": "old"}),
        ("PUT", f"{HELLO}/dist-tags/beta", {"version": "1.0.0"}),
        ("DELETE", f"{HELLO}/dist-tags/beta", None),
        ("PUT", f"{HELLO}/owners", {"owners": ["ann"]}),
        ("DELETE", f"{HELLO}/owners", {"owners": ["ann"]}),
        ("PUT", f"{HELLO}/policy", {"require_signature": True}),
        ("DELETE", "/api/pkg/-/tokens/abc", None),
        ("POST", "/api/pkg/-/tokens/revoke", {"token": "kmb_x"}),
    ]
    for _, path, _ in expected:
        stand_in.answers[path] = Reply(json={})

    client.yank("acme/hello", "1.0.0", "broken")
    client.unyank("acme/hello", "1.0.0")
    client.deprecate("acme/hello", "1.0.0", None)
    client.set_status("acme/hello", "archived", "old")
    client.set_channel("acme/hello", "beta", "1.0.0")
    client.remove_channel("acme/hello", "beta")
    client.add_owners("acme/hello", ["ann"])
    client.remove_owners("acme/hello", ["ann"])
    client.require_signature("acme/hello", True)
    client.revoke_token("abc")
    client.revoke_leaked("kmb_x")

    sent = [
        (asked.method, asked.path, json.loads(asked.body) if asked.body else None)
        for asked in stand_in.asked
    ]
    assert sent == expected


def test_accounts_are_asked_about_themselves(client: RegistryClient, stand_in: StandIn) -> None:
    me = {"account": "ann", "scopes": ["read"], "packages": ["acme/*"], "expires_at": None}
    stand_in.answers["/api/pkg/-/whoami"] = Reply(json=me)
    stand_in.answers["/api/pkg/-/tokens"] = Reply(json=[{"id": "abc"}])
    stand_in.answers[f"{HELLO}/owners"] = Reply(json={"owners": ["ann"]})
    stand_in.answers[f"{HELLO}/dist-tags"] = Reply(json={"stable": "1.0.0"})

    assert client.whoami() == me
    assert client.tokens() == [{"id": "abc"}]
    assert client.owners("acme/hello") == ["ann"]
    assert client.channels("acme/hello") == {"stable": "1.0.0"}


def test_tokens_and_keys_are_made(client: RegistryClient, stand_in: StandIn) -> None:
    stand_in.answers["/api/pkg/-/tokens"] = Reply(status=201, json={"token": "kmb_x"})
    stand_in.answers["/api/pkg/-/keys"] = Reply(status=201, json={"keyid": "a"})
    key = PrivateKey.generate()

    assert client.create_token("ci", ["publish:update"], ["acme/*"]) == {"token": "kmb_x"}
    assert client.add_key(key, "laptop") == {"keyid": "a"}

    bodies = [json.loads(asked.body) for asked in stand_in.asked]
    assert bodies == [
        {"name": "ci", "scopes": ["publish:update"], "packages": ["acme/*"]},
        {"public_key": key.public_text, "name": "laptop"},
    ]
