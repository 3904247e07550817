"""Ed25519 keys, and the lines that registries and publishers sign."""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

__all__ = [
    "ALGORITHM",
    "PrivateKey",
    "keyid",
    "public_key",
    "publish_line",
    "registry_line",
    "verify",
]

ALGORITHM = "ed25519"
_PUBLIC_BYTES = 32
_SIGNATURE_BYTES = 64


class PrivateKey:
    """A key to sign with; files hold it as PKCS 8 in PEM, readable by their owner alone."""

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> "PrivateKey":
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> "PrivateKey":
        """Raises OSError, or ValueError when the file holds no ed25519 key."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} holds no readable private key") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ValueError(f"{path} holds no {ALGORITHM} key")
        return cls(key)

    def save(self, path: Path) -> None:
        """Never replaces a file: a lost key cannot be made again. Raises FileExistsError."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(
                self._key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )

    @property
    def public_raw(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    @property
    def public_text(self) -> str:
        """The public key as registries and sources name it: base64 of its 32 bytes."""
        return base64.b64encode(self.public_raw).decode()

    @property
    def keyid(self) -> str:
        return keyid(self.public_raw)

    def sign(self, line: bytes) -> str:
        """The signature in base64."""
        return base64.b64encode(self._key.sign(line)).decode()


def keyid(public_raw: bytes) -> str:
    """The first 16 hexadecimal digits of the public key's SHA-256."""
    return hashlib.sha256(public_raw).hexdigest()[:16]


def public_key(text: str) -> bytes:
    """The raw public key of its base64. Raises ValueError."""
    raw = _decoded(text)
    if raw is None or len(raw) != _PUBLIC_BYTES:
        raise ValueError(f"not an {ALGORITHM} public key in base64")
    return raw


def verify(public_raw: bytes, signature: str, line: bytes) -> bool:
    """Whether the base64 signature of this line was made by the key; False for any nonsense."""
    raw = _decoded(signature)
    if raw is None or len(raw) != _SIGNATURE_BYTES or len(public_raw) != _PUBLIC_BYTES:
        return False
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public_raw).verify(raw, line)
    except (InvalidSignature, ValueError):
        return False
    return True


def registry_line(name: str, version: str, sha256: str, published_at: str) -> bytes:
    """What a registry signs of each version; `name` is `author/name`."""
    return f"kombuse-pkg-v1\n{name}@{version}\nsha256:{sha256}\n{published_at}\n".encode()


def publish_line(name: str, version: str, sha256: str) -> bytes:
    """What a publisher signs of an upload; `name` is `author/name`."""
    return f"kombuse-publish-v1\n{name}@{version}\nsha256:{sha256}\n".encode()


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
