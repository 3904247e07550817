"""Answers of feeds, kept in the process for a while and asked for again by their ETag."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from kombuse_registry.transport import Answer, Transport

__all__ = ["LIST_SECONDS", "Documents"]

LIST_SECONDS = 300.0
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    answer: Answer
    at: float


class Documents:
    """One for all feeds of a process: it is useless when it is made anew for each request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str | None, str], _Kept] = OrderedDict()
        self._lock = Lock()

    def get(
        self,
        transport: Transport,
        url: str,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """An answer that is at most `seconds` old, or that the server says is still right.

        Only answers of status 200 are kept, apart for each token. Raises RequestFailed.
        """
        key = (transport.base_url, transport.token, url)
        with self._lock:
            kept = self._kept.get(key)
        if kept and self._clock() < kept.at + seconds:
            return kept.answer
        etag = kept.answer.headers.get("etag") if kept else None
        condition = {"If-None-Match": etag} if etag else {}
        answer = transport.get(url, dict(headers or {}) | condition)
        if answer.status == 304 and kept:
            answer = kept.answer
        if answer.status == 200 and (seconds or answer.headers.get("etag")):
            self._keep(key, answer)
        return answer

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def _keep(self, key: tuple[str, str | None, str], answer: Answer) -> None:
        with self._lock:
            self._kept[key] = _Kept(answer=answer, at=self._clock())
            self._kept.move_to_end(key)
            while sum(len(kept.answer.body) for kept in self._kept.values()) > _MOST_BYTES:
                self._kept.popitem(last=False)
