"""Ed25519 keys, their files, and the lines that are signed."""

import base64
import hashlib
import stat
from pathlib import Path

import pytest

from kombuse_registry.signing import (
    PrivateKey,
    keyid,
    public_key,
    publish_line,
    registry_line,
    verify,
)

# The first test vector of RFC 8032, section 7.1.
RFC_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
RFC_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
    "d25bf5f0595bbe24655141438e7a100b"
)


def test_a_signature_of_another_implementation_is_right() -> None:
    assert verify(RFC_PUBLIC, base64.b64encode(RFC_SIGNATURE).decode(), b"")
    assert not verify(RFC_PUBLIC, base64.b64encode(RFC_SIGNATURE).decode(), b"x")


def test_what_a_key_signs_verifies_with_its_public_half_alone() -> None:
    key, other = PrivateKey.generate(), PrivateKey.generate()

    signature = key.sign(b"line")

    assert verify(key.public_raw, signature, b"line")
    assert not verify(key.public_raw, signature, b"line ")
    assert not verify(other.public_raw, signature, b"line")


@pytest.mark.parametrize("nonsense", ["", "AAAA", "not base64", "ä", "A" * 88, "A" * 10000])
def test_nonsense_is_no_signature(nonsense: str) -> None:
    assert not verify(PrivateKey.generate().public_raw, nonsense, b"line")
    assert not verify(b"short", nonsense, b"line")


def test_a_key_id_is_the_beginning_of_the_hash_of_the_raw_key() -> None:
    key = PrivateKey.generate()

    assert key.keyid == keyid(key.public_raw) == hashlib.sha256(key.public_raw).hexdigest()[:16]
    assert public_key(key.public_text) == key.public_raw


@pytest.mark.parametrize("text", ["", "AAAA", "#", base64.b64encode(b"x" * 33).decode()])
def test_other_text_is_no_public_key(text: str) -> None:
    with pytest.raises(ValueError, match="ed25519"):
        public_key(text)


def test_a_saved_key_is_its_owners_alone_and_is_the_same_when_loaded(tmp_path: Path) -> None:
    key, path = PrivateKey.generate(), tmp_path / "keys" / "mine.pem"

    key.save(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PrivateKey.load(path).public_raw == key.public_raw


def test_a_key_never_replaces_another(tmp_path: Path) -> None:
    key, path = PrivateKey.generate(), tmp_path / "mine.pem"
    key.save(path)

    with pytest.raises(FileExistsError):
        PrivateKey.generate().save(path)

    assert PrivateKey.load(path).keyid == key.keyid


def test_a_file_without_a_key_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.pem"
    path.write_text("hello", encoding="utf-8")

    with pytest.raises(ValueError, match="no readable private key"):
        PrivateKey.load(path)


def test_the_signed_lines_are_those_of_the_protocol() -> None:
    assert registry_line("acme/x", "1.0.0", "ab", "2026-01-02T03:04:05.000Z") == (
        b"kombuse-pkg-v1\nacme/x@1.0.0\nsha256:ab\n2026-01-02T03:04:05.000Z\n"
    )
    assert publish_line("acme/x", "1.0.0", "ab") == (
        b"kombuse-publish-v1\nacme/x@1.0.0\nsha256:ab\n"
    )
