"""Full-text search over REST."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from kombuse_plugins.tickets import excerpts, search
from kombuse_plugins.tickets.schemas import TicketFilter
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

Found = Callable[..., list[Any]]
WORDS = ("apple", "berry", "cherry", "grape")


@pytest.fixture
def found(client: TestClient) -> Found:
    """The tickets that a search finds."""

    def read(text: str, **query: Any) -> list[Any]:
        answer = client.get("/api/tickets", params={"search": text} | query)
        assert answer.status_code == 200, answer.text
        tickets: list[Any] = answer.json()
        return tickets

    return read


@pytest.fixture
def titles(found: Found) -> Callable[..., list[str]]:
    return lambda text, **query: [ticket["title"] for ticket in found(text, **query)]


Titles = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("stored", "text", "matches"),
    [
        ("running late", "run", True),
        ("a runtime", "running", True),
        ("running late", "runner", False),
        ("running late", "ru", True),
        ("caches", "caching", True),
        ("résumé ÜBER", "resume uber", True),
        ("全文検索テスト", "全文検索", True),
        ("全文検索テスト", "検索", False),
        ("foo bar", "foo-bar", True),
        ("foo baz bar", "foo.bar", False),
        ("path/to/file", "path/to", True),
        ("mail user@example.com", "user@example.com", True),
        ("C is old", "C++", True),
        ("title of it", "title:running", False),
        ("login page", "login +", True),
        ("login page", "+", False),
        ("login page", "%", False),
        ("login page", "page login", True),
        ("login page", "login missing", False),
        ("login page", '"log(in)*" ^{pa', True),
        ("login page", "login AND page", True),
        ("login page", "login not near or page", True),
        ("login page", "lo\0gin", True),
        ("lo\0gin", "gin", True),
        ("login page", "' OR 1=1 --", False),
    ],
)
def test_what_a_search_text_matches(
    make: Factory, project: Any, titles: Titles, stored: str, text: str, matches: bool
) -> None:
    make.ticket(project, title=stored)

    assert titles(text) == ([stored] if matches else [])


@pytest.mark.parametrize("text", ["", "   ", "AND", "or NOT", '"', "()", "*^{}", "\0"])
def test_a_text_with_nothing_to_search_for_is_no_filter(
    make: Factory, project: Any, found: Found, text: str
) -> None:
    first, second = make.ticket(project), make.ticket(project)

    tickets = found(text)

    assert [ticket["id"] for ticket in tickets] == [second["id"], first["id"]]
    assert "match_context" not in tickets[0] and "match_source" not in tickets[0]


def test_words_match_across_title_and_body_but_not_across_comments(
    make: Factory, project: Any, titles: Titles
) -> None:
    both = make.ticket(project, title="apple", body="berry")
    make.comment(both, body="cherry")
    make.comment(both, body="grape plum")

    assert titles("apple berry") == titles("grape plum") == ["apple"]
    assert titles("apple cherry") == titles("cherry grape") == []


def test_numbers_find_the_ticket_with_the_number_first(
    make: Factory, project: Any, titles: Titles
) -> None:
    other = make.project()
    make.ticket(other, title="other 1")
    make.ticket(project, title="one")
    make.ticket(project, title="mentions 1 and 1 and 1")

    scope = {"project_id": project["id"]}
    for text in ("1", " 1 ", "#1"):
        assert titles(text, **scope) == ["one", "mentions 1 and 1 and 1"]
        assert set(titles(text)[:2]) == {"one", "other 1"}
    assert titles("01", **scope) == ["one"]
    assert titles("1", sort_by="created_at", sort_order="asc", **scope)[0] == "one"
    assert titles("9" * 200, **scope) == titles("# 9", **scope) == titles("-1", **scope)[9:] == []


def test_an_internal_id_is_not_searched_for(make: Factory, project: Any, titles: Titles) -> None:
    make.ticket(project)
    ticket = make.ticket(make.project(), title="numbered 1")

    assert ticket["id"] == 2
    assert titles("2") == []


def test_tickets_by_rank_come_before_those_found_by_comments(
    client: TestClient, kernel: Kernel, make: Factory, project: Any, titles: Titles
) -> None:
    old, new = (make.ticket(project, title=title) for title in ("old", "new"))
    for ticket in (new, old):
        make.comment(ticket, body="apple")
    weak = make.ticket(project, title="weak", body="apple " + "other words " * 50)
    make.ticket(project, title="apple")
    make.comment(weak, body="apple")
    with kernel.db.write() as tx:
        tx.execute("UPDATE tickets SET updated_at = '2020' WHERE title = 'old'")

    assert titles("apple") == ["apple", "weak", "new", "old"]
    assert titles("apple", sort_order="asc") == ["apple", "weak", "new", "old"]
    assert titles("apple", sort_by="updated_at", sort_order="asc")[0] == "old"
    assert titles("apple", limit=2, offset=1) == ["weak", "new"]


def test_the_context_shows_where_the_match_is(make: Factory, project: Any, found: Found) -> None:
    in_body = make.ticket(project, title="apple", body="an apple <b> a day")
    in_comment = make.ticket(project, title="apple pie", body="nothing")
    make.comment(in_comment, body="so many words around it, one apple among them " * 5)
    make.comment(in_comment, body="apple")
    make.ticket(project, title="An apple", body="nothing")
    make.ticket(project, title="Apples")

    contexts = {t["title"]: (t["match_source"], t["match_context"]) for t in found("apple")}

    assert contexts == {
        "apple": ("body", "an «apple» <b> a day"),
        "apple pie": ("comment", "«apple»"),
        "An apple": ("title", "An «apple»"),
        "Apples": ("title", "«Apples»"),
    }
    assert in_body["id"] != in_comment["id"]


def test_a_long_body_is_cut_around_the_match(make: Factory, project: Any, found: Found) -> None:
    make.ticket(project, body="word " * 200 + "apple" + " word" * 200)

    (ticket,) = found("apple")

    assert ticket["match_context"].startswith("…") and ticket["match_context"].endswith("…")
    assert "«apple»" in ticket["match_context"]
    assert len(ticket["match_context"].split()) <= 66


def test_a_number_alone_has_no_context(make: Factory, project: Any, found: Found) -> None:
    make.ticket(project, body="text")

    (ticket,) = found("1")

    assert (ticket["match_context"], ticket["match_source"]) == (None, None)


def test_a_search_goes_with_every_filter(
    make: Factory, project: Any, titles: Titles, ann: str
) -> None:
    label = make.label(project)["id"]
    make.ticket(project, title="apple 1", status="closed", author_id=ann, label_ids=[label])
    make.ticket(project, title="apple 2", priority=2)
    make.comment(make.ticket(project, title="3", status="closed"), body="apple")
    make.ticket(make.project(), title="apple 4")

    def filtered(**query: Any) -> set[str]:
        return set(titles("apple", **query))

    assert filtered(project_id=project["slug"]) == {"apple 1", "apple 2", "3"}
    assert filtered(project_id="unknown") == set()
    assert filtered(status="closed") == {"apple 1", "3"}
    assert filtered(author_id=ann) == filtered(label_ids=label) == {"apple 1"}
    assert filtered(priority=2, unclaimed="true") == {"apple 2"}
    assert filtered(status="closed", sort_by="priority", sort_order="asc") == {"apple 1", "3"}


def test_a_found_ticket_has_all_that_a_listed_one_has(
    client: TestClient, make: Factory, project: Any, found: Found, ann: str
) -> None:
    make.ticket(project, title="apple")

    (ticket,) = found("apple", viewer_id=ann)
    (listed,) = client.get("/api/tickets", params={"viewer_id": ann}).json()

    assert {name: ticket[name] for name in listed} == listed
    assert set(ticket) - set(listed) == {"match_context", "match_source"}


def test_two_hundred_characters_are_counted_as_people_count_them(client: TestClient) -> None:
    assert client.get("/api/tickets", params={"search": "😀" * 200}).status_code == 200
    assert client.get("/api/tickets", params={"search": "😀" * 201}).status_code == 400


def test_the_index_follows_changes_and_deletions(
    client: TestClient, kernel: Kernel, make: Factory, project: Any, titles: Titles
) -> None:
    ticket = make.ticket(project, title="apple", body="berry")
    client.patch(ticket_path(ticket), json={"title": "cherry", "body": None})
    assert titles("apple") == titles("berry") == []
    assert titles("cherry") == ["cherry"]

    client.delete(f"/api/projects/{project['id']}")

    assert titles("cherry") == []
    with kernel.db.write() as tx:
        tx.execute("INSERT INTO tickets_fts (tickets_fts, rank) VALUES ('integrity-check', 1)")


def test_activity_does_not_index_the_text_again(
    kernel: Kernel, make: Factory, project: Any
) -> None:
    ticket = make.ticket(project, title="apple")
    writer = kernel.db.writer  # type: ignore[attr-defined]
    with kernel.db.write() as tx:
        before = writer.total_changes
        tx.execute("UPDATE tickets SET last_activity_at = '2030', title = title, body = body")
        assert writer.total_changes == before + 1
    assert ticket["title"] == "apple"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_text_makes_a_search_fail(kernel: Kernel, text: str) -> None:
    with kernel.db.read() as tx:
        for sort in (None, "created_at"):
            assert search.page(tx, TicketFilter(search=text, sort_by=sort)).load() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("\"()*^{}+-:#'ANDORT a1«»\0\n"), max_size=40))
def test_the_signs_of_the_query_language_mean_nothing(kernel: Kernel, text: str) -> None:
    with kernel.db.read() as tx:
        assert search.page(tx, TicketFilter(search=text)).load() == []


def scatter(kernel: Kernel, project_id: str, count: int) -> set[int]:
    """Tickets with words in titles, bodies and comments; the ids of those that say apple."""
    random = Random(count)
    apples = set()
    with kernel.db.write() as tx:
        for number in range(1, count + 1):
            texts = [" ".join(random.choices(WORDS, k=2)) for _ in range(3)]
            times = [f"2026-01-0{random.randint(1, 4)}" for _ in range(4)]
            values = (project_id, number, random.choice(["open", "closed"]), *texts[:2], *times)
            tx.execute(
                """
                INSERT INTO tickets (project_id, ticket_number, author_id, status, title, body,
                    created_at, updated_at, opened_at, last_activity_at)
                VALUES (?, ?, 'user-1', ?, ?, ?, ?, ?, ?, ?)
                """,
                values,
            )
            ticket_id = tx.value("SELECT max(id) FROM tickets")
            tx.execute(
                """
                INSERT INTO comments (ticket_id, author_id, body, created_at, updated_at)
                VALUES (?, 'user-1', ?, '2026', '2026')
                """,
                (ticket_id, texts[2]),
            )
            if "apple" in " ".join(texts):
                apples.add(ticket_id)
    return apples


@pytest.mark.parametrize("limits", [(10_000, 5_000, 500), (5, 0, 3)])
@pytest.mark.parametrize("sort", [None, "created_at", "priority", "updated_at"])
def test_pages_of_a_search_show_each_match_once_however_it_was_found(
    kernel: Kernel,
    project: Any,
    found: Found,
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int, int],
    sort: str | None,
) -> None:
    for name, value in zip(("RANKED", "COLLECTED", "FIRST_SLICE"), limits, strict=True):
        monkeypatch.setattr(search, name, value)
    apples = scatter(kernel, project["id"], 60)
    query = {"sort_by": sort} if sort else {}

    for status in ("", "open"):
        filters = query | ({"status": status} if status else {})
        pages = [found("apple", limit=7, offset=at, **filters) for at in range(0, 70, 7)]
        ids = [ticket["id"] for page in pages for ticket in page]
        shown = [ticket for page in pages for ticket in page]

        assert len(ids) == len(set(ids))
        assert set(ids) <= apples and (status or set(ids) == apples)
        assert all("«apple»" in ticket["match_context"] for ticket in shown)
        assert ids == [ticket["id"] for ticket in found("apple", limit=100, **filters)]
        if sort and sort != "priority":
            keys = [(ticket[sort], ticket["id"]) for ticket in shown]
            assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize("hits", [1, 5_000])
@pytest.mark.parametrize("word", ["running", "run", "Run"])
def test_a_long_text_is_cut_around_its_first_hit(hits: int, word: str) -> None:
    text = "start " * 5_000 + "runs and " * hits + "end " * 5_000

    found = excerpts.around(text, excerpts.first_hit(text, [word]))

    assert len(found) < 1_000
    assert "start «runs» and" in found
    assert found.startswith("…")
    assert found.endswith("…")


def test_a_long_text_without_a_visible_hit_is_cut_at_its_beginning() -> None:
    assert excerpts.first_hit("résumé " * 5_000, ["resume"]) is None
    assert excerpts.around("résumé " * 5_000, None) == "résumé " * 57 + "r…"
