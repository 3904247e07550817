"""What may be asked of reports: projects, days, and JSON or CSV."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.analytics.past import NOON, Past

from kombuse_plugins.analytics.representation import prefers_csv, to_csv
from kombuse_plugins.analytics.schemas import Window
from kombuse_plugins.analytics.windows import window
from kombuse_sdk.errors import Invalid
from kombuse_sdk.testing import Factory

NINE = (
    "sessions-per-day",
    "duration-percentiles",
    "pipeline-stage-duration",
    "most-frequent-reads",
    "tool-calls-per-session",
    "slowest-tools",
    "tool-call-volume",
    "ticket-burndown",
    "agent-runtime-per-ticket",
)
ALL = (*NINE, "costs", "throughput")
DAILY = {"ticket-burndown", "throughput"}


@pytest.mark.parametrize("name", ALL)
def test_a_project_without_a_past_has_empty_reports(
    client: TestClient, project: Any, name: str
) -> None:
    by_id = client.get(f"/api/analytics/{name}?project_id={project['id']}")
    by_slug = client.get(f"/api/analytics/{name}?project_id={project['slug']}")

    assert (by_id.status_code, by_slug.status_code) == (200, 200)
    assert len(by_id.json()) == len(by_slug.json()) == (31 if name in DAILY else 0)


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_project_is_not_found(client: TestClient, name: str) -> None:
    answer = client.get(f"/api/analytics/{name}?project_id=nowhere")

    assert (answer.status_code, answer.json()) == (404, {"error": "Project not found"})


@pytest.mark.parametrize("query", ["", "?project_id="])
@pytest.mark.parametrize("name", NINE)
def test_a_report_of_the_nine_needs_a_project(client: TestClient, name: str, query: str) -> None:
    answer = client.get(f"/api/analytics/{name}{query}")

    assert answer.status_code == 400
    assert [item["path"] for item in answer.json()["error"]] == [["project_id"]]


@pytest.mark.parametrize("name", ["costs", "throughput"])
def test_the_other_reports_are_on_all_projects_without_one(client: TestClient, name: str) -> None:
    assert client.get(f"/api/analytics/{name}").status_code == 200


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("sessions-per-day", "days", "0"),
        ("sessions-per-day", "days", "-1"),
        ("sessions-per-day", "days", "1.5"),
        ("sessions-per-day", "days", "all"),
        ("sessions-per-day", "from", "yesterday"),
        ("sessions-per-day", "from", "2025-02-30"),
        ("sessions-per-day", "to", "2025-3-1"),
        ("sessions-per-day", "to", "2025-03-01T00:00:00Z"),
        ("most-frequent-reads", "limit", "0"),
        ("agent-runtime-per-ticket", "limit", "x"),
        ("ticket-burndown", "milestone_id", "0"),
        ("ticket-burndown", "label_id", "a"),
        ("costs", "group_by", "day,day"),
        ("costs", "group_by", "project"),
        ("costs", "limit", "0"),
        ("throughput", "group_by", "year"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    client: TestClient, project: Any, name: str, parameter: str, value: str
) -> None:
    query = {"project_id": project["id"], parameter: value}

    answer = client.get(f"/api/analytics/{name}", params=query)

    assert answer.status_code == 400
    assert [item["path"] for item in answer.json()["error"]] == [[parameter]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("2025-02-08", "2025-03-10")),
        ({"days": 1}, ("2025-03-09", "2025-03-10")),
        ({"days": 100_000}, ("2024-03-10", "2025-03-10")),
        ({"to": "2024-03-01", "days": 1}, ("2024-02-29", "2024-03-01")),
        ({"from": "2025-03-01"}, ("2025-03-01", "2025-03-10")),
        ({"from": "2025-03-01", "days": 2}, ("2025-03-01", "2025-03-10")),
        ({"from": "2025-01-01", "to": "2025-01-01"}, ("2025-01-01", "2025-01-01")),
        ({"from": "2026-01-01"}, ("2026-01-01", "2025-03-10")),
        ({"to": "0001-01-02"}, ("0001-01-01", "0001-01-02")),
        ({"to": "9999-12-31", "days": 1}, ("9999-12-30", "9999-12-31")),
    ],
)
def test_days_are_whole_and_both_ends_count(
    given: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert window(Window.model_validate(given), "2025-03-10") == expected


@pytest.mark.parametrize(
    "given", [{"from": "2025-03-02", "to": "2025-03-01"}, {"from": "2024-03-09"}]
)
def test_days_in_the_wrong_order_and_too_many_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        window(Window.model_validate(given), "2025-03-10")

    assert refused.value.issues[0]["path"] == ["from"]


@pytest.mark.parametrize("name", ["ticket-burndown", "throughput"])
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"days": "100000"}, 366),
        ({"days": "1"}, 2),
        ({"from": "9999-12-30", "to": "9999-12-31"}, 2),
        ({"to": "0001-01-02"}, 2),
        ({"from": "9999-12-31"}, 0),
    ],
)
def test_no_window_makes_more_than_a_year_of_rows(
    client: TestClient, project: Any, name: str, query: dict[str, str], count: int
) -> None:
    given = {"project_id": project["id"]} | query

    assert len(client.get(f"/api/analytics/{name}", params=given).json()) == count


def test_a_window_without_dates_ends_today(client: TestClient, past: Past, project: Any) -> None:
    with past.kernel.db.read() as tx:
        today = date.fromisoformat(tx.now[:10])
    for back in (3, 4):
        past.session(
            NOON.replace(year=today.year, month=today.month, day=today.day) - timedelta(back)
        )
    query = {"project_id": project["id"], "to": today.isoformat(), "days": 3}

    (only,) = client.get("/api/analytics/sessions-per-day", params=query).json()

    assert only == {"date": (today - timedelta(3)).isoformat(), "count": 1}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/csv", True),
        ("Text/CSV", True),
        ("text/csv; header=present", True),
        ("text/*", True),
        ("application/json, text/csv", False),
        ("application/json;q=0.5, text/csv", True),
        ("text/csv;q=0.5, application/json;q=0.4", True),
        ("text/csv;q=0.1, */*;q=0.2", False),
        ("text/csv, */*;q=0.1", True),
        ("text/*;q=0.9, text/csv;q=0.1, application/json;q=0.5", False),
        ("text/csv;q=0", False),
        ("text/csv;q=x", False),
        ("text/csv;q=nan", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
    ],
)
def test_csv_is_sent_to_those_who_prefer_it(accept: str, expected: bool) -> None:
    assert prefers_csv(accept) is expected


def test_a_report_as_csv_says_the_same_as_json(
    client: TestClient, past: Past, make: Factory, project: Any
) -> None:
    title = 'one, "two"\nthree'
    ticket = make.ticket(project, title=title, status="closed")
    past.session(ticket_id=ticket["id"])
    path = f"/api/analytics/agent-runtime-per-ticket?project_id={project['id']}"

    as_json = client.get(path)
    as_csv = client.get(path, headers={"Accept": "text/csv"})

    assert as_csv.headers["content-type"].startswith("text/csv")
    assert as_csv.headers["vary"] == as_json.headers["vary"] == "Accept"
    assert "agent-runtime-per-ticket.csv" in as_csv.headers["content-disposition"]
    assert as_csv.headers["x-content-type-options"] == "nosniff"
    (expected,) = as_json.json()
    (row,) = csv.DictReader(io.StringIO(as_csv.text, newline=""))
    assert row == {k: "" if v is None else str(v) for k, v in expected.items()}
    assert row["ticket_title"] == title


def test_an_empty_csv_still_has_its_header(client: TestClient, project: Any) -> None:
    path = f"/api/analytics/most-frequent-reads?project_id={project['id']}"

    answer = client.get(path, headers={"Accept": "text/csv"})

    assert answer.text == "file_path,read_count\r\n"


def test_an_error_is_json_for_those_who_prefer_csv(client: TestClient) -> None:
    answer = client.get("/api/analytics/slowest-tools", headers={"Accept": "text/csv"})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"


def test_a_report_changes_with_the_day_and_is_not_kept(client: TestClient, project: Any) -> None:
    answer = client.get(f"/api/analytics/sessions-per-day?project_id={project['id']}")

    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_text_in_a_csv_is_a_formula(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv(["a", "n"], [{"a": text, "n": -1}]), newline=""))

    assert row == {"a": f"'{text}", "n": "-1"}


def test_the_api_document_names_both_forms(client: TestClient) -> None:
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]

    for name in ALL:
        operation = paths[f"/api/analytics/{name}"]["get"]
        assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/csv"}
        names = {item["name"] for item in operation["parameters"]}
        assert names >= ({"project_id"} if name.startswith("agent") else {"from", "to", "days"})
