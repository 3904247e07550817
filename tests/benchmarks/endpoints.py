"""The paths that are measured, with their reference rates where there are any."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from fill import BUSY_NUMBER, LOCAL_USER, Workspace
from words import COMMON_WORD, RARE_WORD, TWO_WORDS, VERY_COMMON_WORD

VERY_COMMON_SEARCH = "search, very common word"

_SORTS = ("last_activity_at", "created_at", "updated_at", "priority", "opened_at", "closed_at")
_TICKETS_READ = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A measured endpoint; its requests take the paths in turn. Rates are answers per second."""

    name: str
    paths: tuple[str, ...]
    reference: float
    times: float = 2.0
    fewest_rows: int = 0

    @property
    def target(self) -> float:
        return self.reference * self.times


def rated(workspace: Workspace, tickets: int) -> list[Endpoint]:
    """The endpoints of the throughput table, for a project with so many tickets."""
    project = f"/api/projects/{workspace.project_id}"
    listed = f"/api/tickets?project_id={workspace.project_id}"
    filtered = f"{listed}&status=open&priority=2&sort_by=created_at&sort_order=desc&limit=50"
    busy = workspace.ticket_path(BUSY_NUMBER)
    step = max(1, tickets // _TICKETS_READ)
    return [
        _endpoint("tickets, 50", f"{listed}&limit=50", 620, 50),
        _endpoint("tickets, filtered and sorted, 50", filtered, 875, 1),
        _endpoint(
            "tickets with viewer_id, 50", f"{listed}&viewer_id={LOCAL_USER}&limit=50", 619, 50
        ),
        Endpoint(
            name="ticket counts",
            paths=(f"/api/tickets/counts?project_id={workspace.project_id}",),
            reference=4036,
            times=1,
        ),
        Endpoint(
            name="ticket by number",
            paths=tuple(workspace.ticket_path(n) for n in range(1, tickets + 1, step)),
            reference=3354,
        ),
        _endpoint("timeline with 300 comments", f"{busy}/timeline", 97),
        Endpoint(
            name="profiles",
            paths=("/api/profiles?limit=50",),
            reference=8291,
            times=1,
            fewest_rows=10,
        ),
        _endpoint(
            "events, 50", f"/api/events?project_id={workspace.project_id}&limit=50", 1330, 50
        ),
        _endpoint("comments, 50", f"{busy}/comments?limit=50", 990, 50),
        _endpoint("labels by usage", f"{project}/labels?sort=usage", 372, 12),
        _endpoint("milestones", f"{project}/milestones", 620, 4),
    ]


def _endpoint(name: str, path: str, reference: float, fewest_rows: int = 0) -> Endpoint:
    return Endpoint(name=name, paths=(path,), reference=reference, fewest_rows=fewest_rows)


def searches(workspace: Workspace) -> dict[str, str]:
    """Paths of full-text searches by name."""
    words = {
        "search, rare word": RARE_WORD,
        "search, common word": COMMON_WORD,
        "search, two words": TWO_WORDS,
    }
    return {name: _search(workspace, text) for name, text in words.items()}


def first_pages(workspace: Workspace, busy_ticket_id: int) -> dict[str, str]:
    """Paths of the first page of every list by name: each sort order, each filter, each search."""
    pages = dict(_sorted_tickets(workspace)) | _filtered_tickets(workspace)
    pages |= searches(workspace)
    pages[VERY_COMMON_SEARCH] = very_common = _search(workspace, VERY_COMMON_WORD)
    pages["search, very common word, open"] = f"{very_common}&status=open"
    pages["search, very common word, by created_at"] = f"{very_common}&sort_by=created_at"
    return pages | _events(workspace, busy_ticket_id) | _others(workspace)


def _search(workspace: Workspace, text: str) -> str:
    return f"/api/tickets?project_id={workspace.project_id}&limit=50&search={quote(text)}"


def _sorted_tickets(workspace: Workspace) -> Iterator[tuple[str, str]]:
    listed = f"/api/tickets?project_id={workspace.project_id}&limit=50"
    for sort in _SORTS:
        for order in ("desc", "asc"):
            yield f"tickets by {sort} {order}", f"{listed}&sort_by={sort}&sort_order={order}"
    for sort in _SORTS:
        path = f"{listed}&status=open&sort_by={sort}&sort_order=desc"
        yield f"tickets, open, by {sort} desc", path


def _filtered_tickets(workspace: Workspace) -> dict[str, str]:
    listed = f"/api/tickets?project_id={workspace.project_id}&limit=50"
    first, second = workspace.label_ids[:2]
    filters = {
        "no filter": "",
        "in_progress": "&status=in_progress",
        "blocked": "&status=blocked",
        "closed": "&status=closed",
        "priority": "&priority=2",
        "open and priority, by created_at": "&status=open&priority=2&sort_by=created_at",
        "author": f"&author_id={workspace.profile_ids[1]}",
        "assignee": f"&assignee_id={workspace.profile_ids[1]}",
        "claimed by": f"&claimed_by_id={workspace.claimer_id}",
        "unclaimed": "&unclaimed=true",
        "expired claims": "&expired_claims=true",
        "milestone": f"&milestone_id={workspace.milestone_ids[0]}",
        "one label": f"&label_ids={first}",
        "two labels": f"&label_ids={first},{second}",
        "viewer": f"&viewer_id={LOCAL_USER}",
    }
    pages = {f"tickets, {name}": listed + query for name, query in filters.items()}
    return pages | {"tickets of all projects": "/api/tickets?limit=50"}


def _events(workspace: Workspace, busy_ticket_id: int) -> dict[str, str]:
    filters = {
        "of all projects": "",
        "of the project": f"&project_id={workspace.project_id}",
        "of a type": "&event_type=comment.added",
        "of a ticket": f"&ticket_id={busy_ticket_id}",
        "of an actor": f"&actor_id={workspace.profile_ids[1]}",
        "of an actor type": "&actor_type=agent",
        "since a time": "&since=2020-01-01T00:00:00Z",
    }
    return {f"events {name}": f"/api/events?limit=50{query}" for name, query in filters.items()}


def _others(workspace: Workspace) -> dict[str, str]:
    project = f"/api/projects/{workspace.project_id}"
    busy = workspace.ticket_path(BUSY_NUMBER)
    return {
        "events by ticket path": f"{busy}/events",
        "comments": f"{busy}/comments?limit=50",
        "comments of an author": f"{busy}/comments?limit=50&author_id={LOCAL_USER}",
        "timeline": f"{busy}/timeline",
        "ticket counts": f"/api/tickets/counts?project_id={workspace.project_id}",
        "labels": f"{project}/labels",
        "labels by usage": f"{project}/labels?sort=usage",
        "labels by usage, open": f"{project}/labels?sort=usage&usage_scope=open",
        "milestones": f"{project}/milestones",
        "milestones, open": f"{project}/milestones?status=open",
        "profiles": "/api/profiles?limit=50",
        "projects": "/api/projects?limit=50",
    }
