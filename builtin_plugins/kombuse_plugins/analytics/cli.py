"""`kombuse analytics`: the reports, against the running server."""

from enum import StrEnum
from typing import Annotated

import typer

from kombuse_sdk.console import Home, Json, print_json, print_table
from kombuse_sdk.current_project import Project, in_project

__all__ = ["app"]

app = typer.Typer(pretty_exceptions_enable=False)


class Report(StrEnum):
    SESSIONS_PER_DAY = "sessions-per-day"
    DURATION_PERCENTILES = "duration-percentiles"
    PIPELINE_STAGE_DURATION = "pipeline-stage-duration"
    MOST_FREQUENT_READS = "most-frequent-reads"
    TOOL_CALLS_PER_SESSION = "tool-calls-per-session"
    SLOWEST_TOOLS = "slowest-tools"
    TOOL_CALL_VOLUME = "tool-call-volume"
    TICKET_BURNDOWN = "ticket-burndown"
    AGENT_RUNTIME_PER_TICKET = "agent-runtime-per-ticket"
    COSTS = "costs"
    THROUGHPUT = "throughput"


@app.command()
def show(
    report: Annotated[Report, typer.Argument(metavar="REPORT", help="Which one.")],
    days: Annotated[int | None, typer.Option(min=1, help="How many; 30 unless given.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="The first day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last day.")] = None,
    group_by: Annotated[str | None, typer.Option(help="Of costs and throughput.")] = None,
    project: Project = None,
    home: Home = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")] = False,
) -> None:
    """A report on the agents and tickets of a project; times are in milliseconds, days in UTC."""
    query = {"days": days, "from": first, "to": last, "group_by": group_by}
    with in_project(home, project) as (api, project_id):
        rows = api.get(f"/api/analytics/{report}", project_id=project_id, **query)
    names = list(rows[0]) if rows else []
    if as_json:
        print_json(rows)
    elif as_csv:
        from kombuse_plugins.analytics.representation import to_csv

        typer.echo(to_csv(names, rows), nl=False)
    else:
        headings = [name.replace("_", " ").upper() for name in names]
        print_table(headings, [list(row.values()) for row in rows], empty="There is nothing yet.")
