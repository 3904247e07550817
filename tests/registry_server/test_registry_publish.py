"""Publishing: the order of the checks, what is stored, and that it is stored once."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.registry_server.site import Site, archive, running_site

from kombuse_registry.archive import LIMITS, read_archive, write_archive
from kombuse_registry.server.settings import Settings
from kombuse_registry.signing import PrivateKey, public_key, publish_line, registry_line, verify

SAMPLES = Path(__file__).parents[1] / "data" / "packages"
KEY = "-----BEGIN " + "PRIVATE KEY-----\n" + "M" * 64 + "\n"


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def published(site: Site) -> list[str]:
    packages = site.get("/api/pkg").json()["packages"]
    return [
        f"{package['author']}/{package['name']}@{version}"
        for package in packages
        for version in site.get(f"{package['author']}/{package['name']}").json()["versions"]
    ]


def stored_blobs(site: Site) -> list[str]:
    return site.registry.blobs.stored()


def test_a_published_version_is_described_and_can_be_downloaded(site: Site) -> None:
    data = archive("acme/hello", "1.2.0")

    answer = site.upload("acme/hello", data)

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/pkg/acme/hello/versions/1.2.0"
    found = answer.json()["published"]
    sha512 = base64.b64encode(hashlib.sha512(data).digest()).decode()
    assert found | {"published_at": "", "signatures": []} == {
        "author": "acme",
        "name": "hello",
        "version": "1.2.0",
        "channel": "stable",
        "type": "plugin",
        "checksum": hashlib.sha256(data).hexdigest(),
        "integrity": f"sha512-{sha512}",
        "size": len(data),
        "download_url": "/api/pkg/acme/hello/versions/1.2.0/download",
        "published_at": "",
        "published_by": "root",
        "signatures": [],
        "warnings": ["There is no description"],
    }
    assert site.get(found["download_url"]).content == data


def test_the_registry_signs_what_it_publishes(site: Site) -> None:
    found = site.upload("acme/hello", archive("acme/hello")).json()["published"]

    (key,) = site.get("-/keys").json()["keys"]
    (signature,) = found["signatures"]
    line = registry_line("acme/hello", "1.0.0", found["checksum"], found["published_at"])
    assert (signature["keyid"], signature["alg"]) == (key["keyid"], "ed25519")
    assert verify(public_key(key["public_key"]), signature["sig"], line)


@pytest.mark.parametrize("scheme", ["bearer", "Bearer", "BEARER"])
def test_the_scheme_of_the_token_is_compared_without_case(site: Site, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {site.admin}"}

    answer = site.http.post("/api/pkg/acme/hello", content=archive("acme/hello"), headers=headers)

    assert answer.status_code == 201


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/x-gzip"])
def test_other_names_of_the_media_type_are_taken(site: Site, kind: str) -> None:
    answer = site.upload("acme/hello", archive("acme/hello"), headers={"Content-Type": kind})

    assert answer.status_code == 201


def test_another_media_type_is_refused(site: Site) -> None:
    headers = {"Content-Type": "multipart/form-data"}

    answer = site.upload("acme/hello", archive("acme/hello"), headers=headers)

    assert refusal(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_the_same_bytes_again_are_the_same_version(site: Site) -> None:
    data = archive("acme/hello")
    first = site.upload("acme/hello", data).json()["published"]

    again = site.upload("acme/hello", data)

    assert again.status_code == 200
    assert again.json()["published"] == first | {"warnings": []}
    assert len(site.get("-/changes").json()["changes"]) == 1


def test_the_same_bytes_may_be_sent_again_with_a_token_for_first_versions_only(site: Site) -> None:
    token = site.token("root", "publish:new")
    data = archive("acme/hello")
    digest = {"X-Kombuse-Checksum": hashlib.sha256(data).hexdigest()}
    assert site.upload("acme/hello", data, token, headers=digest).status_code == 403
    site.publish("acme/other")
    assert site.upload("acme/hello", data, token, headers=digest).status_code == 201

    assert site.upload("acme/hello", data, token, headers=digest).status_code == 200
    assert refusal(site.upload("acme/hello", archive("acme/hello", "2.0.0"), token)) == (
        403,
        "INSUFFICIENT_SCOPE",
    )


def test_a_version_is_never_replaced(site: Site) -> None:
    data = site.publish("acme/hello")
    other = archive("acme/hello", files={"files/new.md": b"new"})

    answer = site.upload("acme/hello", other)

    assert answer.status_code == 409
    assert answer.json() == {
        "error": "Version 1.0.0 of acme/hello already exists",
        "code": "VERSION_EXISTS",
        "checksum": hashlib.sha256(data).hexdigest(),
    }
    assert site.get("acme/hello/versions/1.0.0/download").content == data


def test_of_two_parallel_publishes_one_wins(site: Site) -> None:
    uploads = [archive("acme/hello", files={"files/n": b"%d" % n}) for n in range(6)]

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda data: site.upload("acme/hello", data).status_code, uploads))

    assert sorted(statuses) == [201, 409, 409, 409, 409, 409]
    assert published(site) == ["acme/hello@1.0.0"]


def test_parallel_publishes_of_the_same_bytes_all_succeed(site: Site) -> None:
    data = archive("acme/hello")

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: site.upload("acme/hello", data).status_code, range(4)))

    assert sorted(statuses) == [200, 200, 200, 201]
    assert site.get("acme/hello/versions/1.0.0/download").content == data


def test_a_dry_run_stores_nothing(site: Site) -> None:
    answer = site.upload("acme/hello", archive("acme/hello"), query="?dry_run=true")

    assert answer.status_code == 200
    assert answer.json()["published"]["dry_run"] is True
    assert (published(site), stored_blobs(site)) == ([], [])


def test_a_dry_run_is_refused_as_the_publish_would_be(site: Site) -> None:
    site.publish("acme/hello")
    other = archive("acme/hello", files={"files/new.md": b"new"})

    assert site.upload("acme/hello", other, query="?dry_run=true").status_code == 409


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("acme/Hello", "INVALID_NAME"),
        ("acme/con", "INVALID_NAME"),
        ("Acme/hello", "INVALID_NAME"),
        ("-/hello", "INVALID_NAME"),
        ("acme/a--b", "INVALID_NAME"),
        (f"acme/{'a' * 101}", "INVALID_NAME"),
        ("acme/h%C3%A9llo", "INVALID_NAME"),
        ("..%2Fx/hello", "NOT_FOUND"),
    ],
)
def test_names_that_are_none_are_refused(site: Site, name: str, code: str) -> None:
    answer = site.upload(name, b"anything")

    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        ({"version": None}, "INVALID_MANIFEST"),
        ({"type": "theme"}, "INVALID_MANIFEST"),
        ({"keywords": "a"}, "INVALID_MANIFEST"),
        ({"deep": json.loads("[" * 80 + "]" * 80)}, "INVALID_MANIFEST"),
        ({"name": "other"}, "IDENTITY_MISMATCH"),
        ({"author": "other"}, "IDENTITY_MISMATCH"),
        ({"version": "1.0"}, "INVALID_VERSION"),
        ({"version": "v1.0.0"}, "INVALID_VERSION"),
        ({"version": "1.0.1"}, "IDENTITY_MISMATCH"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    site: Site, manifest: Mapping[str, Any], code: str
) -> None:
    answer = site.upload("acme/hello", archive("acme/hello", manifest=manifest))

    assert refusal(answer) == (422, code)
    assert (published(site), stored_blobs(site)) == ([], [])


def test_issues_of_a_manifest_name_their_fields(site: Site) -> None:
    answer = site.upload("acme/hello", archive("acme/hello", manifest={"homepage": "javascript:1"}))

    assert [issue["path"] for issue in answer.json()["issues"]] == [["homepage"]]


def test_an_application_needs_no_plugin_json(site: Site, tmp_path: Path) -> None:
    manifest = {"author": "kombuse", "name": "kombuse", "version": "1.0.0", "type": "app"}
    files = {"package/manifest.json": json.dumps(manifest).encode(), "package/bin/run": b"#!"}
    data = write_archive(files, tmp_path / "app.tar.gz").path.read_bytes()

    assert site.upload("kombuse/kombuse", data).status_code == 201

    listed = site.get("kombuse/kombuse/versions/1.0.0/files").json()
    assert [file["path"] for file in listed] == ["bin/run", "manifest.json"]


@pytest.mark.parametrize(
    "path", sorted(SAMPLES.glob("0[1-6]-*.tar.gz")), ids=lambda path: path.stem
)
def test_good_samples_are_taken_with_a_manifest(site: Site, path: Path, tmp_path: Path) -> None:
    found = read_archive(path)
    files = dict(found.files)
    plugin = json.loads(files[".kombuse-plugin/plugin.json"])
    described = {"name": plugin["name"], "version": plugin["version"], "type": "plugin"}
    files.setdefault("manifest.json", json.dumps(described).encode())
    data = write_archive(files, tmp_path / "package.tar.gz").path.read_bytes()

    answer = site.upload(f"acme/{plugin['name']}", data)

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("start", "name", "status", "code"),
    [
        ("01-", "hello-minimal", 422, "INVALID_MANIFEST"),
        ("07-", "missing-plugin-json", 422, "INVALID_PACKAGE"),
        ("08-", "bad-second-agent", 422, "INVALID_PACKAGE"),
        ("09-", "bad-version", 422, "INVALID_VERSION"),
        ("10-", "name-mismatch", 422, "IDENTITY_MISMATCH"),
        ("11-", "hello-minimal", 422, "UNSAFE_ARCHIVE_ENTRY"),
        ("12-", "triage-kit", 422, "INVALID_ARCHIVE"),
    ],
)
def test_bad_samples_are_refused(site: Site, start: str, name: str, status: int, code: str) -> None:
    paths = sorted(SAMPLES.glob(f"{start}*.tar.gz"))
    assert paths

    for path in paths:
        answer = site.upload(f"acme/{name}", path.read_bytes())
        assert refusal(answer) == (status, code), path.name
        assert str(site.registry.data) not in answer.text

    assert (published(site), stored_blobs(site)) == ([], [])


def test_a_broken_agent_is_named(site: Site) -> None:
    data = (SAMPLES / "08-bad-second-agent.tar.gz").read_bytes()

    assert "agents/b-bad.md" in site.upload("acme/bad-second-agent", data).json()["error"]


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Site]:
    """A registry that takes no more than 2,000 bytes."""
    with running_site(tmp_path / "narrow", Settings(max_archive_bytes=2000)) as site:
        yield site


def test_a_large_body_is_refused_by_its_length(narrow: Site) -> None:
    answer = narrow.upload("acme/hello", bytes(2001))

    assert answer.status_code == 413
    assert answer.json() | {"error": ""} == {
        "error": "",
        "code": "ARCHIVE_TOO_LARGE",
        "limit": 2000,
    }


def test_a_large_body_is_refused_without_a_length(narrow: Site) -> None:
    headers = {"Authorization": f"Bearer {narrow.admin}"}
    parts = (bytes(500) for _ in range(5))

    answer = narrow.http.post("/api/pkg/acme/hello", content=parts, headers=headers)

    assert refusal(answer) == (413, "ARCHIVE_TOO_LARGE")
    assert list((narrow.registry.data / "incoming").iterdir()) == []


def test_a_bomb_is_refused(site: Site, tmp_path: Path) -> None:
    import gzip

    data = gzip.compress(bytes(60 << 20), 9)

    answer = site.upload("acme/hello", data)

    assert refusal(answer) == (413, "ARCHIVE_TOO_LARGE")
    assert answer.json()["limit"] == LIMITS.packed


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Kombuse-Checksum": "0" * 64},
        {"X-Kombuse-Checksum": "nonsense"},
        {"Repr-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"},
        {"Repr-Digest": "sha-256=:!:"},
    ],
)
def test_a_digest_that_does_not_fit_is_refused(site: Site, headers: dict[str, str]) -> None:
    answer = site.upload("acme/hello", archive("acme/hello"), headers=headers)

    assert refusal(answer) == (422, "CHECKSUM_MISMATCH")


def test_digests_that_fit_are_taken(site: Site) -> None:
    data = archive("acme/hello")
    digest = hashlib.sha256(data)
    headers = {
        "X-Kombuse-Checksum": digest.hexdigest().upper(),
        "Repr-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
    }

    assert site.upload("acme/hello", data, headers=headers).status_code == 201


def test_secrets_are_refused_unless_they_are_meant(site: Site) -> None:
    data = archive("acme/hello", files={"files/id": KEY.encode()})

    refused = site.upload("acme/hello", data)

    assert refusal(refused) == (422, "SECRET_FOUND")
    assert refused.json()["secrets"] == ["files/id, line 1: a private key"]
    meant = site.upload("acme/hello", data, query="?allow_secrets=true")
    assert meant.status_code == 201
    assert any("a private key" in text for text in meant.json()["published"]["warnings"])


def test_a_lower_version_is_taken_with_a_warning(site: Site) -> None:
    site.publish("acme/hello", "2.0.0")

    answer = site.upload("acme/hello", archive("acme/hello", "1.0.0"))

    assert answer.status_code == 201
    warnings = answer.json()["published"]["warnings"]
    assert "1.0.0 is lower than the latest version, 2.0.0" in warnings


def test_release_notes_come_from_the_header_or_the_manifest(site: Site) -> None:
    notes = {"X-Kombuse-Release-Notes": base64.b64encode("Für alle".encode()).decode()}
    site.upload("acme/hello", archive("acme/hello", "1.0.0"), headers=notes)
    site.publish("acme/hello", "1.0.1", manifest={"release_notes": "Fixed"})

    found = site.get("acme/hello/versions").json()["versions"]

    assert [version["release_notes"] for version in found] == ["Fixed", "Für alle"]


def test_release_notes_that_are_no_base64_are_refused(site: Site) -> None:
    answer = site.upload(
        "acme/hello", archive("acme/hello"), headers={"X-Kombuse-Release-Notes": "plain"}
    )

    assert refusal(answer) == (400, "INVALID_NOTES")


def test_an_idempotency_key_stands_for_one_upload(site: Site) -> None:
    key = {"Idempotency-Key": "abc"}
    data = archive("acme/hello")
    assert site.upload("acme/hello", data, headers=key).status_code == 201

    assert site.upload("acme/hello", data, headers=key).status_code == 200
    other = site.upload("acme/hello", archive("acme/hello", "2.0.0"), headers=key)

    assert refusal(other) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_package_keeps_its_type(site: Site) -> None:
    site.publish("acme/hello")
    data = archive("acme/hello", "2.0.0", manifest={"type": "app"})

    assert refusal(site.upload("acme/hello", data)) == (409, "TYPE_MISMATCH")


class TestSignatures:
    def signed(self, key: PrivateKey, data: bytes, version: str = "1.0.0") -> dict[str, str]:
        line = publish_line("acme/hello", version, hashlib.sha256(data).hexdigest())
        return {"X-Kombuse-Signature": f"keyid={key.keyid},alg=ed25519,sig={key.sign(line)}"}

    def register(self, site: Site, key: PrivateKey, token: str | None = None) -> None:
        body = {"public_key": key.public_text, "name": "laptop"}
        assert site.ask("POST", "-/keys", token or site.admin, json=body).status_code == 201

    def test_a_good_signature_is_kept_beside_that_of_the_registry(self, site: Site) -> None:
        key, data = PrivateKey.generate(), archive("acme/hello")
        self.register(site, key)

        answer = site.upload("acme/hello", data, headers=self.signed(key, data))

        assert answer.status_code == 201
        found = site.get("acme/hello/versions/1.0.0").json()["signatures"]
        assert [entry["keyid"] for entry in found][1:] == [key.keyid]

    def test_a_signature_of_something_else_is_bad(self, site: Site) -> None:
        key, data = PrivateKey.generate(), archive("acme/hello")
        self.register(site, key)

        answer = site.upload("acme/hello", data, headers=self.signed(key, data, "2.0.0"))

        assert refusal(answer) == (422, "BAD_SIGNATURE")

    def test_an_unknown_key_is_refused(self, site: Site) -> None:
        key, data = PrivateKey.generate(), archive("acme/hello")

        answer = site.upload("acme/hello", data, headers=self.signed(key, data))

        assert refusal(answer) == (422, "UNKNOWN_KEY")

    def test_the_key_of_another_account_is_unknown(self, site: Site) -> None:
        key, data = PrivateKey.generate(), archive("acme/hello")
        self.register(site, key, site.token("bob", "owners"))

        answer = site.upload("acme/hello", data, headers=self.signed(key, data))

        assert refusal(answer) == (422, "UNKNOWN_KEY")

    def test_a_revoked_key_is_unknown(self, site: Site) -> None:
        key, data = PrivateKey.generate(), archive("acme/hello")
        self.register(site, key)
        assert site.ask("DELETE", f"-/keys/{key.keyid}", site.admin).status_code == 204

        answer = site.upload("acme/hello", data, headers=self.signed(key, data))

        assert refusal(answer) == (422, "UNKNOWN_KEY")

    @pytest.mark.parametrize("header", ["", "nonsense", "keyid=,alg=,sig=", "keyid=x,,,"])
    def test_nonsense_is_an_unknown_key(self, site: Site, header: str) -> None:
        headers = {"X-Kombuse-Signature": header}

        answer = site.upload("acme/hello", archive("acme/hello"), headers=headers)

        assert refusal(answer) == (422, "UNKNOWN_KEY")

    def test_a_package_can_require_a_signature(self, site: Site) -> None:
        site.publish("acme/hello")
        policy = {"require_signature": True}
        assert site.ask("PUT", "acme/hello/policy", site.admin, json=policy).status_code == 200

        unsigned = site.upload("acme/hello", archive("acme/hello", "2.0.0"))

        assert refusal(unsigned) == (422, "SIGNATURE_REQUIRED")


def test_a_body_that_stops_is_not_waited_for(tmp_path: Path) -> None:
    with running_site(tmp_path / "quick", Settings(body_idle_seconds=0.05)) as site:
        answer = _stalled(site)

    assert answer == (408, "BODY_TIMEOUT")


def test_a_body_that_is_cut_short_leaves_nothing(site: Site) -> None:
    assert _stalled(site, ends=True) == (400, "BODY_INCOMPLETE")
    assert list((site.registry.data / "incoming").iterdir()) == []


def _stalled(site: Site, *, ends: bool = False) -> tuple[int, str]:
    """The answer to a client that sends half a body, and then nothing or its end."""
    import anyio

    sent: list[Any] = []
    half = [{"type": "http.request", "body": b"half", "more_body": True}]

    async def receive() -> Any:
        if half:
            return half.pop()
        if ends:
            return {"type": "http.disconnect"}
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/pkg/acme/hello",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(b"authorization", f"Bearer {site.admin}".encode())],
    }
    client: TestClient = site.http
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])["code"]
