"""Token buckets per client: how much may be asked, and how long to wait for more."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kombuse_registry.server.errors import Refused
from kombuse_registry.server.settings import RateLimits

__all__ = ["Allowance", "Kind", "RateLimiter"]

Kind = Literal["read", "download", "publish", "failure"]
_MOST_BUCKETS = 20_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a bucket; `reset` is in seconds until it is full, `wait` until one is."""

    limit: int
    remaining: int
    reset: int
    wait: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }

    def refusal(self) -> Refused:
        headers = {**self.headers, "Retry-After": str(self.wait)}
        text = f"Too many requests: try again in {self.wait} seconds"
        return Refused(429, "RATE_LIMITED", text, headers)


class RateLimiter:
    """Kept in memory: a restart forgives. The client that was quiet for longest is forgotten."""

    def __init__(self, limits: RateLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._sizes: dict[Kind, tuple[int, float]] = {
            "read": (limits.reads_per_minute, 60),
            "download": (limits.downloads_per_minute, 60),
            "publish": (limits.publishes_per_hour, 3600),
            "failure": (limits.failed_logins_per_quarter_hour, 900),
        }
        self._clock = clock
        self._buckets: OrderedDict[tuple[Kind, str], tuple[float, float]] = OrderedDict()

    def full(self, kind: Kind) -> Allowance:
        """What a client has who is not counted."""
        size = self._sizes[kind][0]
        return Allowance(size, size, 0)

    def take(self, kind: Kind, client: str) -> Allowance:
        """Use one up. Raises Refused 429 when nothing is left."""
        return self._look(kind, client, 1)

    def check(self, kind: Kind, client: str) -> Allowance:
        """Raises Refused 429 when nothing is left, and uses nothing up."""
        return self._look(kind, client, 0)

    def _look(self, kind: Kind, client: str, cost: int) -> Allowance:
        size, seconds = self._sizes[kind]
        per_second = size / seconds
        now = self._clock()
        level, at = self._buckets.get((kind, client), (float(size), now))
        level = min(float(size), level + (now - at) * per_second)
        if level < 1:
            wait = max(1, math.ceil((1 - level) / per_second))
            raise Allowance(size, 0, math.ceil((size - level) / per_second), wait).refusal()
        level -= cost
        if cost:
            self._buckets[(kind, client)] = (level, now)
            self._buckets.move_to_end((kind, client))
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return Allowance(size, int(level), math.ceil((size - level) / per_second))
