"""/api/projects/{project_id}/tickets/by-number/{number}/comments and /api/comments"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.comments import queries, service
from kombuse_plugins.comments.schemas import (
    CommentCreate,
    CommentFilter,
    CommentUpdate,
    Mention,
)
from kombuse_sdk.contracts import Tickets
from kombuse_sdk.contracts.comments import Comment
from kombuse_sdk.http import ProjectId, Read, Router, TicketNumber, Write, integer_id

router = Router()

_OF_TICKET = "/projects/{project_id}/tickets/by-number/{number}/comments"
CommentId = Annotated[int, integer_id("Invalid comment ID")]


@router.get(_OF_TICKET, response_model=list[Comment])
def list_comments(
    tx: Read,
    project_id: ProjectId,
    number: TicketNumber,
    query: Annotated[CommentFilter, Query()],
) -> Any:
    ticket = tx.services.get(Tickets).require(tx, project_id, number)
    return queries.page(tx, ticket.id, query)


@router.post(_OF_TICKET, status_code=201, response_model=Comment)
def create_comment(
    tx: Write, project_id: ProjectId, number: TicketNumber, body: CommentCreate
) -> Any:
    ticket = tx.services.get(Tickets).require(tx, project_id, number)
    return service.get(tx, service.add(tx, ticket, **body.changes()))


@router.get("/comments/{comment_id}", response_model=Comment)
def get_comment(tx: Read, comment_id: CommentId) -> Any:
    return service.get(tx, comment_id)


@router.patch("/comments/{comment_id}", response_model=Comment)
def update_comment(tx: Write, comment_id: CommentId, body: CommentUpdate) -> Any:
    return service.edit(tx, comment_id, body.body)


@router.delete("/comments/{comment_id}", status_code=204)
def delete_comment(tx: Write, comment_id: CommentId) -> None:
    service.delete(tx, comment_id)


@router.get("/comments/{comment_id}/mentions", response_model=list[Mention])
def list_mentions(tx: Read, comment_id: CommentId) -> Any:
    return service.mentions(tx, comment_id)
