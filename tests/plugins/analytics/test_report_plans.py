"""Every report is one statement, and reads what it needs through an index."""

from typing import Any

import pytest
from tests.plans import Planner

from kombuse_plugins.analytics import queries, schemas, ticket_queries
from kombuse_plugins.analytics.windows import Scope
from kombuse_sdk.types import Kernel

SCOPE = Scope(project_id="p", first="2025-03-01", last="2025-03-31")
OF_P = {"project_id": "p"}
DAYS = schemas.WindowFilter.model_validate(OF_P)
# Under the names that the statements give them.
_TABLES = {"s", "t", "c", "f", "u", "m", "p", "sessions", "tickets", "agent_invocations"}
_TABLES |= {"tool_durations", "ticket_labels"}


@pytest.mark.parametrize(
    ("select", "query", "indexes"),
    [
        (queries.sessions_per_day, DAYS, ["sessions_project_id_created_at"]),
        (queries.duration_percentiles, DAYS, ["sessions_completed"]),
        (queries.pipeline_stage_duration, DAYS, ["agent_invocations_completed"]),
        (queries.tool_call_volume, DAYS, ["c USING PRIMARY KEY"]),
        (
            queries.slowest_tools,
            DAYS,
            ["tool_durations USING PRIMARY KEY", "tool_calls_duration"],
        ),
        (
            queries.most_frequent_reads,
            schemas.ReadFilter.model_validate(OF_P),
            ["f USING PRIMARY KEY"],
        ),
        (
            queries.tool_calls_per_session,
            schemas.SessionCallFilter.model_validate(OF_P | {"agent_id": "a"}),
            ["c USING PRIMARY KEY", "sqlite_autoindex_sessions_1"],
        ),
        (
            ticket_queries.ticket_burndown,
            schemas.BurndownFilter.model_validate(OF_P),
            ["tickets_project_created_at", "tickets_project_closed_at"],
        ),
        (
            ticket_queries.ticket_burndown,
            schemas.BurndownFilter.model_validate(OF_P | {"milestone_id": 1}),
            ["tickets_milestone"],
        ),
        (
            ticket_queries.ticket_burndown,
            schemas.BurndownFilter.model_validate(OF_P | {"label_id": 1}),
            ["ticket_labels_label"],
        ),
        (
            ticket_queries.agent_runtime_per_ticket,
            schemas.RunTimeFilter.model_validate(OF_P),
            ["tickets_project_closed_at", "sessions_ticket_id_created_at"],
        ),
        (ticket_queries.costs, schemas.CostFilter.model_validate(OF_P), ["session_usage_project"]),
        (
            ticket_queries.throughput,
            schemas.ThroughputFilter.model_validate(OF_P),
            ["tickets_project_created_at", "tickets_cycle"],
        ),
    ],
)
def test_reports_find_their_rows_by_an_index(
    kernel: Kernel, select: Any, query: Any, indexes: list[str]
) -> None:
    with kernel.db.read() as tx:
        planner = Planner(tx)
        select(planner, SCOPE, query)

    plan = "\n".join(planner.plan)
    assert [name for name in indexes if name not in plan] == []
    assert _scanned(planner) == []


@pytest.mark.parametrize(
    ("select", "query"),
    [
        (ticket_queries.costs, schemas.CostFilter.model_validate({})),
        (ticket_queries.throughput, schemas.ThroughputFilter.model_validate({})),
    ],
)
def test_reports_on_all_projects_read_the_days_they_are_about(
    kernel: Kernel, select: Any, query: Any
) -> None:
    scope = Scope(first="2025-03-01", last="2025-03-31")
    with kernel.db.read() as tx:
        planner = Planner(tx)
        select(planner, scope, query)

    assert _scanned(planner) == []


def _scanned(planner: Planner) -> list[str]:
    """Tables that are read from end to end; what a statement makes itself does not count."""
    names = {line.split()[1] for line in planner.plan if line.startswith("SCAN ")}
    return sorted(names & _TABLES)
