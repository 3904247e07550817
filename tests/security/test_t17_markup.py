"""T17: text comes back as the data it was, never as something that a browser would run."""

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.testing import Factory, ticket_path

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "[x](javascript:alert(1))",
    '![x](x"onerror="alert(1))',
    "</textarea><script>alert(1)</script>",
    '<!--<img src="--><img src=x onerror=alert(1)//">',
    "\u202eevil\u202c",
    "\u2028</script>\u2029",
    "{{7*7}}${7*7}#{7*7}<%= 7*7 %>",
    "@[<script>alert(1)</script>](user-1)",
    '{"__proto__":{"x":1}}',
]


@pytest.mark.parametrize("text", PAYLOADS)
def test_text_of_every_field_comes_back_exactly_as_data(
    client: TestClient, make: Factory, text: str
) -> None:
    profile = make.profile(name=text, description=text)
    project = make.project(name=text, description=text)
    ticket = make.ticket(project, title=text, body=text)
    comment = make.comment(ticket, body=text)
    label = make.label(project, name=text, description=text)
    milestone = make.milestone(project, title=text, description=text)

    pages = [
        f"/api/profiles/{profile['id']}",
        f"/api/projects/{project['id']}",
        "/api/tickets",
        ticket_path(ticket),
        f"/api/comments/{comment['id']}",
        f"/api/labels/{label['id']}",
        f"/api/milestones/{milestone['id']}",
        f"{ticket_path(ticket)}/timeline",
        "/api/events",
    ]

    for made in (profile, project, label):
        assert made["name"] == text
    for made in (ticket, milestone):
        assert made["title"] == text
    assert comment["body"] == ticket["body"] == text
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("text", PAYLOADS[:4])
def test_errors_that_repeat_input_are_data_as_well(client: TestClient, text: str) -> None:
    answers = [
        client.get("/api/profiles", params={"type": text}),
        client.post("/api/profiles", json={"type": text, "name": text}),
        client.get(f"/{text}"),
        client.post("/api/database/query", json={"sql": text}),
    ]

    for answer in answers:
        assert answer.status_code in (400, 404)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
