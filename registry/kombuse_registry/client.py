"""Everything that a person does at a registry: publish, search, withdraw, tokens, keys."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from kombuse_registry import names
from kombuse_registry.addresses import RequestFailed
from kombuse_registry.errors import IntegrityError
from kombuse_registry.integrity import checksum_of
from kombuse_registry.signing import ALGORITHM, PrivateKey, publish_line
from kombuse_registry.transport import Answer, Limits, Transport, UnusableToken
from kombuse_sdk.errors import BadGateway, BadRequest, KombuseError

__all__ = ["RegistryClient", "RegistryRefused", "signature_header"]

_JSON = {"Content-Type": "application/json"}
_MOST_TEXT = 2000


class RegistryRefused(KombuseError):
    """A refusal of the registry (4xx), passed on with its status, text and code."""

    def __init__(self, status: int, message: str, code: str | None) -> None:
        super().__init__(message)
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]


class RegistryClient:
    """Raises RegistryRefused for a 4xx answer, BadGateway for no or an unusable one.

    Results are what the registry answers. `token` may be `$NAME`, a variable of the environment.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        allow_insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        try:
            self._transport = Transport(
                base_url, token=token, allow_insecure=allow_insecure, limits=limits
            )
        except RequestFailed as error:
            raise BadRequest(f"Registry not usable: {error}") from error

    def publish(
        self,
        archive: Path,
        *,
        name: str,
        version: str,
        channel: str | None = None,
        key: PrivateKey | None = None,
        release_notes: str | None = None,
        force_tag: bool = False,
        allow_secrets: bool = False,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Upload a .tar.gz as `name` (`author/name`): the registry's `published` object.

        With a key the upload is signed. IntegrityError when the registry has other bytes than ours.
        """
        content = archive.read_bytes()
        digest = hashlib.sha256(content)
        headers = {
            "Content-Type": "application/gzip",
            "X-Kombuse-Checksum": digest.hexdigest(),
            "Repr-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
        }
        if key:
            headers["X-Kombuse-Signature"] = signature_header(
                key, name, version, digest.hexdigest()
            )
        if release_notes:
            headers["X-Kombuse-Release-Notes"] = base64.b64encode(release_notes.encode()).decode()
        query = {
            "channel": channel,
            "force_tag": force_tag or None,
            "allow_secrets": allow_secrets or None,
            "dry_run": dry_run or None,
        }
        body = self._ask("POST", _package(name), query=query, content=content, headers=headers)
        published = body.get("published")
        if not isinstance(published, dict):
            raise BadGateway("Registry answered without saying what it published")
        stored = checksum_of(str(published.get("checksum")))
        if stored != digest.hexdigest():
            raise IntegrityError.mismatch(digest.hexdigest(), stored)
        return published

    def search(self, query: str = "", **filters: str | int | None) -> dict[str, Any]:
        """One page; `filters` are `type`, `author`, `sort`, `limit` and `cursor`."""
        return self._ask("GET", "/api/pkg", query={"q": query or None, **filters})

    def package(self, name: str) -> dict[str, Any]:
        return self._ask("GET", _package(name))

    def versions(self, name: str, *, channel: str | None = None) -> list[dict[str, Any]]:
        """Yanked versions included."""
        query = {"channel": channel, "include_yanked": True}
        return _entries(self._ask("GET", f"{_package(name)}/versions", query=query), "versions")

    def version(self, name: str, version: str) -> dict[str, Any]:
        return self._ask("GET", _version(name, version))

    def yank(self, name: str, version: str, reason: str) -> None:
        self._ask("DELETE", _version(name, version), body={"reason": reason})

    def unyank(self, name: str, version: str) -> None:
        self._ask("PUT", f"{_version(name, version)}/unyank")

    def deprecate(self, name: str, version: str, message: str | None) -> None:
        """None takes the message back."""
        self._ask("PUT", f"{_version(name, version)}/deprecation", body={"message": message})

    def set_status(self, name: str, status: str, reason: str | None = None) -> None:
        body = {"status": status, "reason": reason}
        self._ask("PUT", f"{_package(name)}/status", body=body)

    def channels(self, name: str) -> dict[str, Any]:
        """The version that each channel points to."""
        return self._ask("GET", f"{_package(name)}/dist-tags")

    def set_channel(self, name: str, channel: str, version: str) -> None:
        path = f"{_package(name)}/dist-tags/{quote(channel, safe='')}"
        self._ask("PUT", path, body={"version": version})

    def remove_channel(self, name: str, channel: str) -> None:
        self._ask("DELETE", f"{_package(name)}/dist-tags/{quote(channel, safe='')}")

    def owners(self, name: str) -> list[str]:
        return list(self._ask("GET", f"{_package(name)}/owners").get("owners") or ())

    def add_owners(self, name: str, owners: Sequence[str]) -> None:
        self._ask("PUT", f"{_package(name)}/owners", body={"owners": list(owners)})

    def remove_owners(self, name: str, owners: Sequence[str]) -> None:
        self._ask("DELETE", f"{_package(name)}/owners", body={"owners": list(owners)})

    def whoami(self) -> dict[str, Any]:
        return self._ask("GET", "/api/pkg/-/whoami")

    def tokens(self) -> list[dict[str, Any]]:
        return _entries(self._ask("GET", "/api/pkg/-/tokens"), "tokens")

    def create_token(
        self,
        name: str,
        scopes: Sequence[str],
        packages: Sequence[str],
        *,
        expires_at: str | None = None,
    ) -> dict[str, Any]:
        """The answer holds the token, which the registry shows this once."""
        body: dict[str, Any] = {"name": name, "scopes": list(scopes), "packages": list(packages)}
        body |= {"expires_at": expires_at} if expires_at else {}
        return self._ask("POST", "/api/pkg/-/tokens", body=body)

    def revoke_token(self, token_id: str) -> None:
        self._ask("DELETE", f"/api/pkg/-/tokens/{quote(token_id, safe='')}")

    def revoke_leaked(self, token: str) -> None:
        """By its text; whoever found it may do so."""
        self._ask("POST", "/api/pkg/-/tokens/revoke", body={"token": token})

    def keys(self) -> list[dict[str, Any]]:
        return _entries(self._ask("GET", "/api/pkg/-/keys"), "keys")

    def add_key(self, key: PrivateKey, name: str) -> dict[str, Any]:
        """Register the public half, so that uploads which it signed are taken."""
        body = {"public_key": key.public_text, "name": name}
        return self._ask("POST", "/api/pkg/-/keys", body=body)

    def require_signature(self, name: str, is_required: bool) -> None:
        self._ask("PUT", f"{_package(name)}/policy", body={"require_signature": is_required})

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The answer, in an object `{"entries": ...}` where it is a list; {} for an empty one."""
        wanted = {key: _plain(value) for key, value in (query or {}).items() if value is not None}
        url = f"{path}?{urlencode(wanted)}" if wanted else path
        if body is not None:
            content, headers = json.dumps(body).encode(), _JSON
        try:
            if method == "GET":
                answer = self._transport.get(url)
            else:
                answer = self._transport.send(method, url, content, headers)
        except UnusableToken as error:
            raise BadRequest(str(error)) from error
        except RequestFailed as error:
            raise BadGateway(f"Registry unreachable: {error}") from error
        return _checked(answer)


def signature_header(key: PrivateKey, name: str, version: str, sha256: str) -> str:
    """The value of X-Kombuse-Signature."""
    signature = key.sign(publish_line(name, version, sha256))
    return f"keyid={key.keyid},alg={ALGORITHM},sig={signature}"


def _package(name: str) -> str:
    author, package = names.split_name(names.check_name(name))
    if author is None:
        raise BadRequest(f"A registry has packages by author/name, not {name!r}")
    return f"/api/pkg/{author}/{package}"


def _version(name: str, version: str) -> str:
    return f"{_package(name)}/versions/{quote(version, safe='@')}"


def _checked(answer: Answer) -> dict[str, Any]:
    if 400 <= answer.status < 500:
        raise RegistryRefused(answer.status, *_refusal(answer))
    if answer.status >= 500:
        raise BadGateway(f"Registry failed with {answer.line}: {_refusal(answer)[0]}")
    if not 200 <= answer.status < 300:
        raise BadGateway(f"Registry redirects to another place ({answer.line}): name that place")
    if not answer.body:
        return {}
    try:
        found = answer.json()
    except RequestFailed as error:
        raise BadGateway(f"Registry answered unusably: {error}") from error
    return found if isinstance(found, dict) else {"entries": found}


def _refusal(answer: Answer) -> tuple[str, str | None]:
    """Text and code of an error; the raw text of a registry that sends no JSON."""
    try:
        body = answer.json()
    except RequestFailed:
        body = None
    if isinstance(body, dict) and body.get("error"):
        error, code = body["error"], body.get("code")
        text = error if isinstance(error, str) else json.dumps(error)
        return text[:_MOST_TEXT], code if isinstance(code, str) else None
    text = answer.body[:_MOST_TEXT].decode("utf-8", "replace").strip()
    return text or answer.line, None


def _entries(answer: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list that is sent as it is, or under its name."""
    return list(answer.get(key) or answer.get("entries") or ())


def _plain(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
