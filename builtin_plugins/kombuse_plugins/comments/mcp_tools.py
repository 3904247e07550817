"""Comments for agents."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from kombuse_plugins.comments import queries, service
from kombuse_sdk.contracts import Attachments, Projects, Tickets
from kombuse_sdk.contracts.comments import Comment
from kombuse_sdk.contracts.profiles import marked
from kombuse_sdk.errors import Forbidden, NotFound
from kombuse_sdk.mcp import Caller, Tool, ToolInput, ToolResult
from kombuse_sdk.schemas import LooseInt, NonEmpty
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = ["TOOLS"]

PositiveInt = Annotated[
    LooseInt, Field(gt=0), WithJsonSchema({"type": "integer", "exclusiveMinimum": 0})
]


class GetCommentConfig(ToolInput):
    images: bool = Field(False, description="Add paths of image files")


class GetComment(ToolInput):
    comment_id: PositiveInt
    config: GetCommentConfig | None = None
    kombuse_session_id: str | None = None


class AddComment(ToolInput):
    project_id: NonEmpty
    ticket_number: PositiveInt
    body: NonEmpty = Field(description="Markdown; @[Name](profile-id), @name and #12 mention")
    parent_id: PositiveInt | None = Field(None, description="Comment to reply to")
    kombuse_session_id: str | None = None


class UpdateComment(ToolInput):
    comment_id: PositiveInt
    body: NonEmpty
    kombuse_session_id: str | None = None


def get_ticket_comment(tx: ReadTx, caller: Caller, arguments: GetComment) -> ToolResult:
    row = _require_row(tx, arguments.comment_id)
    names = ("id", "ticket_id", "author_id", "author_name", "actor_type")
    answer: dict[str, Any] = {name: row[name] for name in names}
    answer |= {
        "agent_type": None,
        "parent_id": row["parent_id"],
        "is_edited": bool(row["is_edited"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        **marked(tx, [{}], [row])[0],
        "body": row["body"],
        "body_truncated": False,
    }
    if arguments.config and arguments.config.images:
        answer["attachments"] = _images(tx, row["id"])
    return ToolResult(data=answer, compact=True)


def add_comment(tx: WriteTx, caller: Caller, arguments: AddComment) -> JsonText:
    project_id = tx.services.get(Projects).resolve(tx, arguments.project_id)
    number = arguments.ticket_number
    ticket = project_id and tx.services.get(Tickets).find(tx, project_id, number)
    if not ticket:
        raise NotFound(f"Ticket #{number} not found in project {arguments.project_id}")
    comment_id = service.add(
        tx,
        ticket,
        author_id=caller.profile_id,
        body=arguments.body,
        parent_id=arguments.parent_id,
        kombuse_session_id=arguments.kombuse_session_id,
    )
    return service.get(tx, comment_id)


def update_comment(tx: WriteTx, caller: Caller, arguments: UpdateComment) -> JsonText:
    row = _require_row(tx, arguments.comment_id)
    if row["author_id"] != caller.profile_id:
        raise Forbidden("Permission denied: Can only update own comments")
    return service.edit(tx, row["id"], arguments.body)


def _require_row(tx: ReadTx, comment_id: int) -> Row:
    row = queries.row(tx, comment_id)
    if row is None:
        raise NotFound(f"Comment {comment_id} not found")
    return row


def _images(tx: ReadTx, comment_id: int) -> list[Row]:
    attachments = tx.services.find(Attachments)
    found = attachments.images_of_comments(tx, [comment_id]) if attachments else {}
    return found.get(comment_id, [])


TOOLS = (
    Tool(
        name="get_ticket_comment",
        title="Get a comment",
        description="Read one comment in full, with the paths of its images if asked for.",
        input=GetComment,
        output=dict[str, Any],
        run=get_ticket_comment,
        order=20,
    ),
    Tool(
        name="add_comment",
        title="Add a comment",
        description="Comment on a ticket, or reply to a comment of it. Mentions may start agents.",
        input=AddComment,
        output=Comment,
        run=add_comment,
        is_write=True,
        order=30,
    ),
    Tool(
        name="update_comment",
        title="Edit a comment",
        description="Replace the text of a comment that you wrote.",
        input=UpdateComment,
        output=Comment,
        run=update_comment,
        is_write=True,
        is_idempotent=True,
        order=50,
    ),
)
