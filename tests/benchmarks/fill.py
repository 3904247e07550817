"""Projects full of tickets and comments, created over the REST API at a measured rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from words import RARE_WORD, Writer

from api import Api
from load import LoadError, Result, encode_request, run

LOCAL_USER = "user-1"
COMMENTS_PER_TICKET = 2.1
BUSY_NUMBER = 1
BUSY_COMMENTS = 300

_FILL_SECONDS = 3600.0
_CLAIM_EVERY = 40
_RARE_NUMBERS = frozenset({17, 1009, 2003})
_PROFILES = (
    ("user", "Ada Berg"),
    ("user", "Bruno Costa"),
    ("user", "Chen Li"),
    ("user", "Dana Novak"),
    ("user", "Emil Friis"),
    ("user", "Farah Haddad"),
    ("user", "Goran Petrov"),
    ("agent", "Reviewer"),
    ("agent", "Coder"),
)
_LABELS = (
    "bug",
    "feature",
    "docs",
    "backend",
    "frontend",
    "database",
    "performance",
    "security",
    "design",
    "question",
    "regression",
    "good first issue",
)
_MILESTONES = ("Alpha", "Beta", "1.0", "1.1")
_STATUSES = ("open", "in_progress", "blocked", "closed")
_STATUS_WEIGHTS = (45, 15, 6, 34)
_PRIORITIES = (None, 0, 1, 2, 3, 4)
_PRIORITY_WEIGHTS = (20, 8, 20, 28, 16, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The project under measurement and the ids that its tickets refer to."""

    project_id: str
    profile_ids: tuple[str, ...]
    label_ids: tuple[int, ...]
    milestone_ids: tuple[int, ...]

    @property
    def claimer_id(self) -> str:
        return self.profile_ids[0]

    def ticket_path(self, number: int) -> str:
        return f"/api/projects/{self.project_id}/tickets/by-number/{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How fast the tickets and the comments were created."""

    tickets: Result
    comments: Result


def create_workspace(api: Api) -> Workspace:
    """A new project with 9 new profiles, 12 labels and 4 milestones."""
    project_id = api.post("/api/projects", {"name": "Benchmark", "owner_id": LOCAL_USER})["id"]
    project = f"/api/projects/{project_id}"
    profiles = [api.post("/api/profiles", {"type": t, "name": n}) for t, n in _PROFILES]
    labels = [
        api.post(f"{project}/labels", {"name": name, "color": f"#{position * 20:02x}8080"})
        for position, name in enumerate(_LABELS)
    ]
    milestones = [
        api.post(f"{project}/milestones", {"title": title, "due_date": f"2030-0{position + 1}-01"})
        for position, title in enumerate(_MILESTONES)
    ]
    return Workspace(
        project_id=project_id,
        profile_ids=tuple(profile["id"] for profile in profiles),
        label_ids=tuple(label["id"] for label in labels),
        milestone_ids=tuple(milestone["id"] for milestone in milestones),
    )


def add_tickets(port: int, workspace: Workspace, numbers: range, *, connections: int) -> Fill:
    """Create the tickets of these numbers, their comments and some claims.

    The range has to begin with the next number of the project. 1 in 40 tickets is claimed (not
    measured). Raises LoadError when a create fails or the project does not hold the tickets.
    """
    tickets = _post_all(port, _ticket_requests(port, workspace, numbers), connections, 201)
    comments = _post_all(port, _comment_requests(port, workspace, numbers), connections, 201)
    claims = _claim_requests(port, workspace, numbers)
    if claims:
        _post_all(port, claims, connections, 200)
    _check_count(port, workspace, numbers[-1])
    return Fill(tickets=tickets, comments=comments)


def _post_all(port: int, requests: Sequence[bytes], connections: int, expected: int) -> Result:
    result = run(port, requests, connections=connections, expected=expected, seconds=_FILL_SECONDS)
    if result.count != len(requests):
        raise LoadError(f"only {result.count} of {len(requests)} were written in time")
    return result


def _ticket_requests(port: int, workspace: Workspace, numbers: range) -> list[bytes]:
    random = Random(f"tickets {numbers.start}")
    writer = Writer(f"ticket text {numbers.start}")
    return [
        encode_request(port, "POST", "/api/tickets", _ticket(workspace, number, random, writer))
        for number in numbers
    ]


def _ticket(workspace: Workspace, number: int, random: Random, writer: Writer) -> dict[str, Any]:
    body = writer.paragraph(2, 4)
    ticket: dict[str, Any] = {
        "project_id": workspace.project_id,
        "author_id": random.choice((LOCAL_USER, *workspace.profile_ids)),
        "title": writer.title(),
        "body": f"{body} {RARE_WORD}." if number in _RARE_NUMBERS else body,
        "status": random.choices(_STATUSES, _STATUS_WEIGHTS)[0],
        "label_ids": random.sample(workspace.label_ids, random.randint(0, 3)),
    }
    priority = random.choices(_PRIORITIES, _PRIORITY_WEIGHTS)[0]
    if priority is not None:
        ticket["priority"] = priority
    if random.random() < 0.6 and not _is_claimed(number):
        ticket["assignee_id"] = random.choice(workspace.profile_ids)
    if random.random() < 0.6:
        ticket["milestone_id"] = random.choice(workspace.milestone_ids)
    return ticket


def _comment_requests(port: int, workspace: Workspace, numbers: range) -> list[bytes]:
    random = Random(f"comments {numbers.start}")
    writer = Writer(f"comment text {numbers.start}")
    authors = (LOCAL_USER, *workspace.profile_ids)
    return [
        encode_request(
            port,
            "POST",
            f"{workspace.ticket_path(number)}/comments",
            {"author_id": random.choice(authors), "body": writer.paragraph(1, 3)},
        )
        for number in _commented(numbers, random)
    ]


def _commented(numbers: range, random: Random) -> list[int]:
    """One ticket number per comment, in random order; the busy ticket has exactly its share."""
    total = round(COMMENTS_PER_TICKET * len(numbers))
    busy = [BUSY_NUMBER] * BUSY_COMMENTS if BUSY_NUMBER in numbers else []
    others = [number for number in numbers if number != BUSY_NUMBER]
    commented = busy + random.choices(others, k=max(0, total - len(busy)))
    random.shuffle(commented)
    return commented


def _claim_requests(port: int, workspace: Workspace, numbers: range) -> list[bytes]:
    body = {"claimer_id": workspace.claimer_id}
    return [
        encode_request(port, "POST", f"{workspace.ticket_path(number)}/claim", body)
        for number in numbers
        if _is_claimed(number)
    ]


def _is_claimed(number: int) -> bool:
    return number % _CLAIM_EVERY == 0


def _check_count(port: int, workspace: Workspace, expected: int) -> None:
    with Api(port) as api:
        counts = api.get(f"/api/tickets/counts?project_id={workspace.project_id}")
        api.get(workspace.ticket_path(expected))
    if sum(counts.values()) != expected:
        raise LoadError(f"expected {expected} tickets, the counts say {counts}")
