"""What a person publishes with: tokens of registries, and the key that signs uploads."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from kombuse_sdk.errors import BadRequest
from kombuse_sdk.home import write_private

if TYPE_CHECKING:
    from kombuse_registry.signing import PrivateKey

__all__ = ["find", "forget", "publisher_key", "save"]

_FILE = "credentials.json"
_KEY_FILE = "publisher-key.pem"


def find(home: Path, registry: str) -> str | None:
    return _tokens(home).get(registry.rstrip("/"))


def save(home: Path, registry: str, token: str) -> None:
    """Readable by the owner of the home alone."""
    _write(home, _tokens(home) | {registry.rstrip("/"): token})


def forget(home: Path, registry: str) -> bool:
    """Whether there was something to forget."""
    tokens = _tokens(home)
    if tokens.pop(registry.rstrip("/"), None) is None:
        return False
    _write(home, tokens)
    return True


def publisher_key(home: Path) -> "PrivateKey":
    """Made when it is first needed; a registry has to be told its public half."""
    from kombuse_registry.signing import PrivateKey

    path = home / _KEY_FILE
    if not path.exists():
        PrivateKey.generate().save(path)
    try:
        return PrivateKey.load(path)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _tokens(home: Path) -> dict[str, str]:
    """By the address of the registry. A file that cannot be read is not written over."""
    path = home / _FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["registries"]
        return {str(url): str(entry["token"]) for url, entry in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"{path} cannot be read: repair or remove it") from error


def _write(home: Path, tokens: dict[str, str]) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = {"registries": {url: {"token": token} for url, token in sorted(tokens.items())}}
    write_private(home / _FILE, json.dumps(content, indent=2) + "\n")
