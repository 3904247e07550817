"""The explorer for agents."""

from typing import Any

from pydantic import BaseModel, Field

from kombuse_plugins.database.schemas import QueryParam, QueryRows, Sql, Tables
from kombuse_plugins.database.service import Queries
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.schemas import NonEmpty
from kombuse_sdk.types import Kernel

__all__ = ["TOOLS"]

_MAX_ROWS = 100


class QueryInput(ToolInput):
    sql: Sql = Field(description="One read-only SQLite statement")
    params: list[QueryParam] = Field([], description="Values of its `?`, in order")


class NoInput(ToolInput):
    pass


class DescribeInput(ToolInput):
    table_name: NonEmpty = Field(description="Exact name")


class TableDescription(BaseModel):
    table: str
    columns: list[dict[str, Any]]
    foreign_keys: list[dict[str, Any]]
    indexes: list[dict[str, Any]]


async def query_db(kernel: Kernel, caller: Caller, arguments: QueryInput) -> Any:
    found = await kernel.services.get(Queries).query(arguments.sql, arguments.params, _MAX_ROWS)
    return {"rows": found.rows, "count": found.count, "sql": found.sql}


async def list_tables(kernel: Kernel, caller: Caller, arguments: NoInput) -> Any:
    return {"tables": await kernel.services.get(Queries).tables()}


async def describe_table(kernel: Kernel, caller: Caller, arguments: DescribeInput) -> Any:
    return await kernel.services.get(Queries).describe(arguments.table_name)


TOOLS = (
    Tool(
        name="query_db",
        title="Query the database",
        description=(
            "Run one read-only SQL statement on the tracker's SQLite database."
            f" At most {_MAX_ROWS} rows and 5 seconds."
        ),
        input=QueryInput,
        output=QueryRows,
        run=query_db,
        order=110,
    ),
    Tool(
        name="list_tables",
        title="List tables",
        description="List the tables and views of the database.",
        input=NoInput,
        output=Tables,
        run=list_tables,
        order=120,
    ),
    Tool(
        name="describe_table",
        title="Describe a table",
        description="Columns, foreign keys and indexes of a table or view.",
        input=DescribeInput,
        output=TableDescription,
        run=describe_table,
        order=130,
    ),
)
