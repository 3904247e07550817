"""Rate limits: buckets by client, the headers of answers, and who is exempt."""

from pathlib import Path
from typing import Any

import pytest
from tests.registry_server.site import Site, archive, running_site

from kombuse_registry.server.errors import Refused
from kombuse_registry.server.rate_limit import RateLimiter
from kombuse_registry.server.settings import (
    RateLimits,
    Settings,
    UnusableSettings,
    load_settings,
)

FAR = ("192.0.2.1", 1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_again() -> None:
    clock = Clock()
    limiter = RateLimiter(RateLimits(reads_per_minute=2), clock)
    assert [limiter.take("read", "a").remaining for _ in range(2)] == [1, 0]

    with pytest.raises(Refused) as caught:
        limiter.take("read", "a")

    assert caught.value.headers == {
        "RateLimit-Limit": "2",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "60",
        "Retry-After": "30",
    }
    clock.now = 30
    assert limiter.take("read", "a").remaining == 0
    assert limiter.take("read", "b").remaining == 1
    assert limiter.take("download", "a").remaining == 119


def test_looking_uses_nothing_up() -> None:
    limiter = RateLimiter(RateLimits(failed_logins_per_quarter_hour=1), Clock())

    assert [limiter.check("failure", "a").remaining for _ in range(3)] == [1, 1, 1]


def test_clients_that_came_once_are_forgotten() -> None:
    limiter = RateLimiter(RateLimits(reads_per_minute=5), Clock())

    for number in range(21_000):
        limiter.take("read", str(number))

    assert len(limiter._buckets) == 20_000


def narrow(**limits: Any) -> Settings:
    return Settings(rate_limits=RateLimits(**limits))


def test_reads_of_others_are_counted_in_headers_and_refused(tmp_path: Path) -> None:
    with running_site(tmp_path / "r", narrow(reads_per_minute=2), FAR) as site:
        answers = [site.get("/api/pkg") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].json()["code"] == "RATE_LIMITED"
    assert int(answers[2].headers["Retry-After"]) in range(1, 31)


def test_publishes_have_a_limit_of_their_own(tmp_path: Path) -> None:
    with running_site(tmp_path / "r", narrow(publishes_per_hour=1), FAR) as site:
        first = site.upload("acme/hello", archive("acme/hello"))
        second = site.upload("acme/hello", archive("acme/hello", "2.0.0"))

        assert (first.status_code, second.status_code) == (201, 429)
        assert site.get("/api/pkg").status_code == 200


def test_a_token_is_counted_wherever_it_is_used(tmp_path: Path) -> None:
    settings = narrow(reads_per_minute=2).model_copy(update={"trust_proxy": True})
    with running_site(tmp_path / "r", settings) as site:
        statuses = [
            site.get(
                "/api/pkg", site.admin, headers={"X-Forwarded-For": f"10.0.0.9, 192.0.2.{n}"}
            ).status_code
            for n in range(3)
        ]

    assert statuses == [200, 200, 429]


def test_a_proxy_is_believed_only_if_the_settings_say_so(tmp_path: Path) -> None:
    with running_site(tmp_path / "r", narrow(reads_per_minute=1)) as site:
        headers = {"X-Forwarded-For": "192.0.2.1"}
        statuses = [site.get("/api/pkg", headers=headers).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]


def test_loopback_is_exempt_unless_told(tmp_path: Path) -> None:
    with running_site(tmp_path / "a", narrow(reads_per_minute=1)) as site:
        answers = [site.get("/api/pkg") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[2].headers["RateLimit-Remaining"] == "1"

    limits = narrow(reads_per_minute=1, loopback_exempt=False)
    with running_site(tmp_path / "b", limits) as site:
        assert [site.get("/api/pkg").status_code for _ in range(2)] == [200, 429]


def test_every_answer_has_the_headers(site: Site) -> None:
    site.publish("acme/hello")
    paths = ("/", "/none", "/api/pkg", "acme/none", "acme/hello/versions/1.0.0/download")

    for path in paths:
        headers = site.get(path).headers
        assert headers["RateLimit-Limit"] in ("600", "120"), path
        assert "RateLimit-Remaining" in headers
        assert "RateLimit-Reset" in headers


def test_settings_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text(
        '{"read": "token", "rate_limits": {"publishes_per_hour": 5}}', encoding="utf-8"
    )

    found = load_settings(tmp_path, {"REGISTRY_READ": "public", "REGISTRY_OPEN_NAMESPACES": "true"})

    assert (found.read, found.open_namespaces) == ("public", True)
    assert found.rate_limits == RateLimits(publishes_per_hour=5)
    assert load_settings(tmp_path / "none", {}) == Settings()


@pytest.mark.parametrize(
    ("text", "environ", "told"),
    [
        ("{", {}, "registry.json"),
        ('{"reed": "token"}', {}, "reed"),
        ('{"rate_limits": {"reads_per_minute": 0}}', {}, "rate_limits.reads_per_minute"),
        ("{}", {"REGISTRY_READ": "nobody"}, "read"),
        ("{}", {"REGISTRY_OPEN_NAMESPACES": "perhaps"}, "REGISTRY_OPEN_NAMESPACES"),
    ],
)
def test_settings_that_are_wrong_are_named(
    tmp_path: Path, text: str, environ: dict[str, str], told: str
) -> None:
    (tmp_path / "registry.json").write_text(text, encoding="utf-8")

    with pytest.raises(UnusableSettings, match=told):
        load_settings(tmp_path, environ)
