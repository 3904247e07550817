"""Requests to one source: bounded in time and size, its token sent to its own origin alone."""

import email.utils
import hashlib
import json
import os
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpcore2
import httpx2
import importlib_metadata

from kombuse_registry.addresses import Reach, RequestFailed, RequestRefused, origin_of, parse
from kombuse_registry.connections import Deadline, Network
from kombuse_sdk.feeds import Progress

__all__ = ["Answer", "Downloaded", "Limits", "Transport", "UnusableToken", "token_value"]

_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
_BUSY = {429, 503}
_RETRIES = 2
_LONGEST_WAIT = 10.0
_SHORTEST_WAIT = 0.5
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_NEXT = re.compile(r"""<([^>]*)>\s*;[^,<]*\brel\s*=\s*"?next\b""", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,15}")
_MIB = 1 << 20


class UnusableToken(RequestFailed):
    """A token that is not set, or that no header can carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds and bytes that one request may take, redirects and retries included.

    `stall_seconds` may pass without a byte.
    """

    connect_seconds: float = 5
    stall_seconds: float = 60
    seconds: float = 30
    transfer_seconds: float = 300
    document_bytes: int = 10 * _MIB
    archive_bytes: int = 15 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer of any status; `url` is where it came from in the end."""

    url: str
    status: int
    reason: str
    headers: httpx2.Headers
    body: bytes

    def json(self) -> Any:
        """Raises RequestFailed when the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise RequestFailed("the answer is not JSON") from None

    @property
    def next_url(self) -> str | None:
        """The next page of a list, from the header Link."""
        link = _NEXT.search(self.headers.get("link", ""))
        return str(_joined(httpx2.URL(self.url), link[1])) if link else None

    @property
    def line(self) -> str:
        """Status and reason, as people read them in errors."""
        return f"{self.status} {self.reason}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A file that was fetched, with the hashes of its bytes."""

    path: Path
    size: int
    sha256: str
    sha512: bytes


def token_value(token: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The token itself; `$NAME` is looked up now. Raises UnusableToken when it is not set."""
    if not token:
        return None
    variable = _VARIABLE.fullmatch(token)
    value = environ.get(variable[1], "") if variable else token
    if variable and not value:
        name = variable[1]
        raise UnusableToken(
            f'Environment variable "{name}" is not set (referenced in config as "${name}")'
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        raise UnusableToken("the token has characters that no header can carry")
    return value


class Transport:
    """Requests on behalf of the source at `base_url`.

    Raises RequestFailed for everything that yields no answer; an answer of any status is returned.
    Raises RequestRefused at once when `base_url` is no place that may be asked.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        allow_insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.reach = Reach.of(self.base_url, allow_insecure=allow_insecure)
        self.limits = limits or Limits()
        self.token = token
        self._tls: ssl.SSLContext | None = None

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Fetch a document; redirects are followed, and a busy server is asked again."""
        deadline = Deadline.after(self.limits.seconds)
        with self._answered(url, headers or {}, deadline) as (place, response):
            return self._whole(place, response)

    def download(
        self,
        url: str,
        target: Path,
        progress: Progress | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Downloaded:
        """Stream an archive into a new file; an Answer is what came in its place (not 2xx)."""
        deadline = Deadline.after(self.limits.transfer_seconds)
        accept = {"Accept": "application/gzip, application/octet-stream"}
        with self._answered(url, accept | dict(headers or {}), deadline) as (place, response):
            if not 200 <= response.status < 300:
                return self._whole(place, response)
            return self._stored(response, target, progress)

    def send(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a change once: a redirect is an answer like any other, and nothing is repeated."""
        deadline = Deadline.after(self.limits.transfer_seconds)
        place = self._place(url)
        with self._exchange(method, place, headers or {}, content, deadline) as response:
            return self._whole(place, response)

    def _place(self, url: str) -> httpx2.URL:
        """A path is below the base URL, whose own path it keeps."""
        is_path = url.startswith("/") and not url.startswith("//")
        return parse(self.base_url + url if is_path else url)

    @contextmanager
    def _answered(
        self, url: str, headers: Mapping[str, str], deadline: Deadline
    ) -> Iterator[tuple[httpx2.URL, httpcore2.Response]]:
        for attempt in range(_RETRIES + 1):
            with self._followed(self._place(url), headers, deadline) as (place, response):
                wait = _wait(response, attempt)
                if attempt == _RETRIES or wait is None or wait > deadline.remaining():
                    yield place, response
                    return
            time.sleep(wait)

    @contextmanager
    def _followed(
        self, place: httpx2.URL, headers: Mapping[str, str], deadline: Deadline
    ) -> Iterator[tuple[httpx2.URL, httpcore2.Response]]:
        for _ in range(_MOST_REDIRECTS + 1):
            with self._exchange("GET", place, headers, None, deadline) as response:
                location = httpx2.Headers(response.headers).get("location")
                if response.status not in _REDIRECTS or not location:
                    yield place, response
                    return
            place = _joined(place, location)
        raise RequestRefused(f"redirected more than {_MOST_REDIRECTS} times")

    @contextmanager
    def _exchange(
        self,
        method: str,
        place: httpx2.URL,
        headers: Mapping[str, str],
        content: bytes | None,
        deadline: Deadline,
    ) -> Iterator[httpcore2.Response]:
        """One request and its answer, whose body is still to be read.

        Each has its own connection, so that none that was made for another host is used again.
        """
        self.reach.check(place)
        request = self._request(method, place, headers, content)
        network = Network(self.reach, deadline, self.limits.connect_seconds)
        tls = self._tls_context() if place.scheme == "https" else None
        with _failures_told(), httpcore2.ConnectionPool(tls, network_backend=network) as pool:
            response = pool.handle_request(request)
            try:
                yield response
            finally:
                response.close()

    def _request(
        self, method: str, place: httpx2.URL, headers: Mapping[str, str], content: bytes | None
    ) -> httpcore2.Request:
        sent = {
            "Host": place.netloc.decode(),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"kombuse/{importlib_metadata.version('kombuse')}",
            "Connection": "close",
        }
        token = token_value(self.token) if self.reach.is_own(place) else None
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if content is not None:
            sent["Content-Length"] = str(len(content))
        scheme, host, port = origin_of(place)
        return httpcore2.Request(
            method,
            httpcore2.URL(scheme=scheme, host=host, port=port, target=place.raw_path),
            headers=list((sent | dict(headers)).items()),
            content=content,
            extensions={"timeout": dict.fromkeys(("read", "write"), self.limits.stall_seconds)},
        )

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
        return self._tls

    def _whole(self, place: httpx2.URL, response: httpcore2.Response) -> Answer:
        body = b"".join(_bounded(response, self.limits.document_bytes))
        return Answer(
            url=str(place),
            status=response.status,
            reason=response.extensions.get("reason_phrase", b"").decode("latin-1"),
            headers=httpx2.Headers(response.headers),
            body=body,
        )

    def _stored(
        self, response: httpcore2.Response, target: Path, progress: Progress | None
    ) -> Downloaded:
        sha256, sha512, size = hashlib.sha256(), hashlib.sha512(), 0
        total = _length(response)
        with target.open("xb") as file:
            for chunk in _bounded(response, self.limits.archive_bytes):
                file.write(chunk)
                sha256.update(chunk)
                sha512.update(chunk)
                size += len(chunk)
                if progress:
                    progress(size, total)
        return Downloaded(path=target, size=size, sha256=sha256.hexdigest(), sha512=sha512.digest())


def _joined(place: httpx2.URL, link: str) -> httpx2.URL:
    """Where a link on a page leads to, if that is a URL at all."""
    try:
        return parse(str(place.join(link)))
    except (httpx2.InvalidURL, ValueError):
        raise RequestRefused("sent to what is not a URL") from None


def _bounded(response: httpcore2.Response, most: int) -> Iterator[bytes]:
    too_large = RequestFailed(f"the answer is larger than {most // _MIB} MiB")
    if (_length(response) or 0) > most:
        raise too_large
    size = 0
    for chunk in response.iter_stream():
        size += len(chunk)
        if size > most:
            raise too_large
        yield chunk


def _length(response: httpcore2.Response) -> int | None:
    text = httpx2.Headers(response.headers).get("content-length", "")
    return int(text) if _NUMBER.fullmatch(text) else None


def _wait(response: httpcore2.Response, attempt: int) -> float | None:
    """Seconds to wait before asking a busy server again; None when it should not be asked."""
    if response.status not in _BUSY:
        return None
    text = httpx2.Headers(response.headers).get("retry-after")
    seconds = _SHORTEST_WAIT * (attempt + 1) if text is None else _seconds(text)
    return seconds if seconds is not None and seconds <= _LONGEST_WAIT else None


def _seconds(text: str) -> float | None:
    """The meaning of Retry-After: seconds, or a date. None when it is neither."""
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


@contextmanager
def _failures_told() -> Iterator[None]:
    """Errors of the connection in the words of RequestFailed."""
    try:
        yield
    except httpcore2.TimeoutException:
        raise RequestFailed("no answer in time") from None
    except httpcore2.ConnectError as error:
        raise RequestFailed(f"not reachable: {error}") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError):
        raise RequestFailed("the answer broke off or is not HTTP") from None
