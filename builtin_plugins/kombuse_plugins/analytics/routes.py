"""/api/analytics"""

from typing import Annotated, Any

from fastapi import Query, Request

from kombuse_plugins.analytics import queries, schemas, service, ticket_queries
from kombuse_sdk.http import Db, Router

router = Router(prefix="/analytics")
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/sessions-per-day", response_model=list[schemas.DayCount], responses=_CSV)
async def sessions_per_day(
    db: Db, request: Request, query: Annotated[schemas.WindowFilter, Query()]
) -> Any:
    return await service.run(db, request, query, queries.sessions_per_day, schemas.DayCount)


@router.get("/duration-percentiles", response_model=list[schemas.DurationRow], responses=_CSV)
async def duration_percentiles(
    db: Db, request: Request, query: Annotated[schemas.WindowFilter, Query()]
) -> Any:
    return await service.run(db, request, query, queries.duration_percentiles, schemas.DurationRow)


@router.get("/pipeline-stage-duration", response_model=list[schemas.StageRow], responses=_CSV)
async def pipeline_stage_duration(
    db: Db, request: Request, query: Annotated[schemas.WindowFilter, Query()]
) -> Any:
    return await service.run(db, request, query, queries.pipeline_stage_duration, schemas.StageRow)


@router.get("/most-frequent-reads", response_model=list[schemas.FileReads], responses=_CSV)
async def most_frequent_reads(
    db: Db, request: Request, query: Annotated[schemas.ReadFilter, Query()]
) -> Any:
    return await service.run(db, request, query, queries.most_frequent_reads, schemas.FileReads)


@router.get("/tool-calls-per-session", response_model=list[schemas.SessionCalls], responses=_CSV)
async def tool_calls_per_session(
    db: Db, request: Request, query: Annotated[schemas.SessionCallFilter, Query()]
) -> Any:
    return await service.run(
        db, request, query, queries.tool_calls_per_session, schemas.SessionCalls
    )


@router.get("/slowest-tools", response_model=list[schemas.ToolDurations], responses=_CSV)
async def slowest_tools(
    db: Db, request: Request, query: Annotated[schemas.WindowFilter, Query()]
) -> Any:
    return await service.run(db, request, query, queries.slowest_tools, schemas.ToolDurations)


@router.get("/tool-call-volume", response_model=list[schemas.ToolVolume], responses=_CSV)
async def tool_call_volume(
    db: Db, request: Request, query: Annotated[schemas.WindowFilter, Query()]
) -> Any:
    return await service.run(db, request, query, queries.tool_call_volume, schemas.ToolVolume)


@router.get("/ticket-burndown", response_model=list[schemas.BurndownRow], responses=_CSV)
async def ticket_burndown(
    db: Db, request: Request, query: Annotated[schemas.BurndownFilter, Query()]
) -> Any:
    return await service.run(
        db, request, query, ticket_queries.ticket_burndown, schemas.BurndownRow
    )


@router.get("/agent-runtime-per-ticket", response_model=list[schemas.RunTime], responses=_CSV)
async def agent_runtime_per_ticket(
    db: Db, request: Request, query: Annotated[schemas.RunTimeFilter, Query()]
) -> Any:
    return await service.run(
        db, request, query, ticket_queries.agent_runtime_per_ticket, schemas.RunTime
    )


@router.get("/costs", response_model=list[schemas.CostRow], responses=_CSV)
async def costs(db: Db, request: Request, query: Annotated[schemas.CostFilter, Query()]) -> Any:
    return await service.run(db, request, query, ticket_queries.costs, schemas.CostRow)


@router.get("/throughput", response_model=list[schemas.ThroughputRow], responses=_CSV)
async def throughput(
    db: Db, request: Request, query: Annotated[schemas.ThroughputFilter, Query()]
) -> Any:
    return await service.run(db, request, query, ticket_queries.throughput, schemas.ThroughputRow)
