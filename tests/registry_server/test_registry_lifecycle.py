"""What happens to versions after they were published: withdrawal, warnings, removal, channels."""

import hashlib
from typing import Any

import pytest
from tests.registry_server.site import Site, archive

HELLO = "acme/hello"


def change(site: Site, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
    return site.ask(method, f"{HELLO}/{path}", token or site.admin, json=body)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def yank(site: Site, version: str, reason: str = "broken") -> None:
    assert change(site, "DELETE", f"versions/{version}", {"reason": reason}).status_code == 200


def offered(site: Site, query: str = "") -> list[str]:
    found = site.get(f"{HELLO}/versions{query}").json()["versions"]
    return [version["version"] for version in found]


def test_a_yanked_version_is_hidden_and_still_there_for_who_names_it(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    data = site.publish(HELLO, "1.1.0")

    yank(site, "1.1.0", 'has "a" hole')

    assert offered(site) == ["1.0.0"]
    assert offered(site, "?include_yanked=true") == ["1.1.0", "1.0.0"]
    found = site.get(HELLO).json()
    assert (found["latest_version"], found["dist_tags"]) == ("1.0.0", {"stable": "1.0.0"})
    assert site.get(f"{HELLO}/versions/1.1.0").json()["yanked"] == 'has "a" hole'
    download = site.get(f"{HELLO}/versions/1.1.0/download")
    assert download.content == data
    assert download.headers["Warning"] == '299 - "yanked: has \\"a\\" hole"'


def test_unyank_offers_a_version_again(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    site.publish(HELLO, "1.1.0")
    yank(site, "1.1.0")

    assert change(site, "PUT", "versions/1.1.0/unyank").status_code == 200

    assert offered(site) == ["1.1.0", "1.0.0"]
    found = site.get(HELLO).json()
    assert (found["latest_version"], found["dist_tags"]) == ("1.1.0", {"stable": "1.1.0"})
    assert "yanked_at" not in site.get(f"{HELLO}/versions/1.1.0").json()


def test_a_package_that_is_yanked_whole_has_no_latest_version(site: Site) -> None:
    site.publish(HELLO, "1.0.0")

    yank(site, "1.0.0")

    found = site.get(HELLO).json()
    assert (found["latest_version"], found["dist_tags"]) == (None, {})
    assert found["versions"] == ["1.0.0"]


def test_a_yanked_version_cannot_be_published_again(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    yank(site, "1.0.0")

    other = archive(HELLO, files={"files/new": b"new"})

    assert refusal(site.upload(HELLO, other)) == (409, "VERSION_EXISTS")


def test_a_deprecation_is_told_and_changes_nothing_else(site: Site) -> None:
    site.publish(HELLO, "1.0.0")

    assert change(site, "PUT", "versions/1.0.0/deprecation", {"message": "old"}).status_code == 200

    (found,) = site.get(f"{HELLO}/versions").json()["versions"]
    assert found["deprecated"] == "old"
    assert site.get(HELLO).json()["latest_version"] == "1.0.0"
    change(site, "PUT", "versions/1.0.0/deprecation", {"message": None})
    assert "deprecated" not in site.get(f"{HELLO}/versions/1.0.0").json()


def test_an_archived_package_takes_no_versions(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    body = {"status": "archived", "reason": "done"}
    assert change(site, "PUT", "status", body).status_code == 200

    answer = site.upload(HELLO, archive(HELLO, "1.1.0"))

    assert refusal(answer) == (409, "PACKAGE_ARCHIVED")
    found = site.get(HELLO).json()
    assert (found["status"], found["status_reason"]) == ("archived", "done")


def test_only_an_admin_quarantines(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    bob = site.token("bob", "owners", "yank")
    change(site, "PUT", "owners", {"owners": ["bob"]})
    body = {"status": "quarantined", "reason": "malware"}

    assert refusal(change(site, "PUT", "status", body, bob)) == (403, "INSUFFICIENT_SCOPE")
    assert change(site, "PUT", "status", body).status_code == 200

    release = change(site, "PUT", "status", {"status": "active"}, bob)
    assert refusal(release) == (451, "PACKAGE_QUARANTINED")
    assert change(site, "PUT", "status", {"status": "active"}).status_code == 200
    assert site.get(HELLO).status_code == 200


def test_a_removed_version_is_gone_and_its_number_stays_taken(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    data = site.publish(HELLO, "1.1.0")

    assert change(site, "DELETE", "versions/1.1.0?purge=true").status_code == 200

    assert refusal(site.get(f"{HELLO}/versions/1.1.0/download")) == (410, "VERSION_REMOVED")
    assert refusal(site.get(f"{HELLO}/versions/1.1.0/files")) == (410, "VERSION_REMOVED")
    assert offered(site, "?include_yanked=true") == ["1.0.0"]
    assert site.get(HELLO).json()["versions"] == ["1.0.0"]
    assert hashlib.sha256(data).hexdigest() not in site.registry.blobs.stored()
    assert refusal(site.upload(HELLO, data)) == (409, "VERSION_EXISTS")
    assert refusal(change(site, "PUT", "versions/1.1.0/unyank")) == (410, "VERSION_REMOVED")


class TestPurgeByOwners:
    def owner(self, site: Site) -> str:
        site.publish(HELLO, "1.0.0")
        bob = site.token("bob", "yank")
        change(site, "PUT", "owners", {"owners": ["bob"]})
        return bob

    def test_a_new_version_may_go(self, site: Site) -> None:
        bob = self.owner(site)

        assert change(site, "DELETE", "versions/1.0.0?purge=true", token=bob).status_code == 200

    def test_what_was_downloaded_often_stays(self, site: Site) -> None:
        bob = self.owner(site)
        for _ in range(10):
            site.get(f"{HELLO}/versions/1.0.0/download")

        answer = change(site, "DELETE", "versions/1.0.0?purge=true", token=bob)

        assert refusal(answer) == (409, "PURGE_REFUSED")

    def test_what_is_old_stays(self, site: Site) -> None:
        bob = self.owner(site)
        with site.registry.db.write() as tx:
            tx.execute("UPDATE versions SET published_at = '2020-01-01T00:00:00.000Z'")

        answer = change(site, "DELETE", "versions/1.0.0?purge=true", token=bob)

        assert refusal(answer) == (409, "PURGE_REFUSED")


def test_channels_move_forward_only_unless_forced(site: Site) -> None:
    site.publish(HELLO, "1.1.0")
    site.publish(HELLO, "1.0.1")
    assert site.get(f"{HELLO}/dist-tags").json() == {"stable": "1.1.0"}

    site.publish(HELLO, "1.0.2", "?force_tag=true")

    assert site.get(f"{HELLO}/dist-tags").json() == {"stable": "1.0.2"}
    assert site.get(HELLO).json()["latest_version"] == "1.1.0"


def test_a_pre_release_is_never_stable(site: Site) -> None:
    data = archive(HELLO, "2.0.0-rc.1")

    asked = site.upload(HELLO, data, query="?channel=stable")
    site.publish(HELLO, "2.0.0-rc.1")

    assert refusal(asked) == (400, "PRERELEASE_ON_STABLE")
    assert site.get(f"{HELLO}/dist-tags").json() == {"next": "2.0.0-rc.1"}
    body = {"version": "2.0.0-rc.1"}
    put = change(site, "PUT", "dist-tags/stable", body)
    assert refusal(put) == (400, "PRERELEASE_ON_STABLE")


@pytest.mark.parametrize("channel", ["Beta", "a b", "..", "x" * 101])
def test_a_channel_that_is_none_is_refused(site: Site, channel: str) -> None:
    data = archive(HELLO)

    assert refusal(site.upload(HELLO, data, query=f"?channel={channel}")) == (400, "INVALID_NAME")


def test_the_channel_of_the_manifest_is_that_of_the_version(site: Site) -> None:
    site.publish(HELLO, "1.0.0", manifest={"channel": "beta"})

    found = site.get(HELLO).json()

    assert (found["latest_version"], found["dist_tags"]) == (None, {"beta": "1.0.0"})


def test_a_version_is_promoted_by_a_channel(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    site.publish(HELLO, "2.0.0", "?channel=beta")
    assert site.get(HELLO).json()["latest_version"] == "1.0.0"

    body = {"version": "2.0.0"}
    assert change(site, "PUT", "dist-tags/stable", body).status_code == 200

    assert site.get(HELLO).json()["latest_version"] == "2.0.0"


def test_channels_are_set_and_deleted(site: Site) -> None:
    site.publish(HELLO, "1.0.0")

    assert change(site, "PUT", "dist-tags/lts", {"version": "1.0.0"}).status_code == 200
    assert site.get(f"{HELLO}/dist-tags").json() == {"lts": "1.0.0", "stable": "1.0.0"}
    assert change(site, "DELETE", "dist-tags/lts").status_code == 204
    assert refusal(change(site, "DELETE", "dist-tags/lts")) == (404, "TAG_NOT_FOUND")
    assert refusal(change(site, "DELETE", "dist-tags/stable")) == (409, "TAG_PROTECTED")


def test_a_channel_leads_to_versions_that_are_offered(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    yank(site, "1.0.0")

    yanked = change(site, "PUT", "dist-tags/lts", {"version": "1.0.0"})
    unknown = change(site, "PUT", "dist-tags/lts", {"version": "9.0.0"})

    assert refusal(yanked) == (409, "VERSION_YANKED")
    assert refusal(unknown) == (404, "VERSION_NOT_FOUND")


def test_owners_come_and_go_but_one_stays(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    site.token("bob", "owners")
    assert site.get(f"{HELLO}/owners").json() == {"owners": ["root"]}

    added = change(site, "PUT", "owners", {"owners": ["bob"]})
    removed = change(site, "DELETE", "owners", {"owners": ["root"]})
    last = change(site, "DELETE", "owners", {"owners": ["bob"]})
    unknown = change(site, "PUT", "owners", {"owners": ["nobody"]})

    assert added.json() == {"owners": ["bob", "root"]}
    assert removed.json() == {"owners": ["bob"]}
    assert refusal(last) == (409, "LAST_OWNER")
    assert refusal(unknown) == (422, "UNKNOWN_ACCOUNT")
    assert site.get(f"{HELLO}/owners").json() == {"owners": ["bob"]}


def test_an_owner_publishes_without_owning_the_namespace(site: Site) -> None:
    site.publish(HELLO, "1.0.0")
    bob = site.token("bob", "publish:update", "publish:new")
    assert refusal(site.upload(HELLO, archive(HELLO, "1.1.0"), bob)) == (
        403,
        "NAMESPACE_NOT_OWNED",
    )

    change(site, "PUT", "owners", {"owners": ["bob"]})

    assert site.upload(HELLO, archive(HELLO, "1.1.0"), bob).status_code == 201
    other = site.upload("acme/other", archive("acme/other"), bob)
    assert refusal(other) == (403, "NAMESPACE_NOT_OWNED")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "versions/1.0.0/deprecation", {}),
        ("PUT", "status", {"status": "gone"}),
        ("PUT", "status", {}),
        ("PUT", "dist-tags/lts", {"version": 1}),
        ("PUT", "owners", {"owners": []}),
        ("PUT", "policy", {"require_signature": "perhaps"}),
        ("DELETE", "versions/1.0.0", {"reason": 5}),
        ("DELETE", "versions/1.0.0", {"reason": "x" * 2001}),
    ],
)
def test_a_body_that_does_not_fit_is_refused(site: Site, method: str, path: str, body: Any) -> None:
    site.publish(HELLO, "1.0.0")

    answer = change(site, method, path, body)

    assert refusal(answer) == (400, "INVALID_BODY")
    assert answer.json()["issues"]
