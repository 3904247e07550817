"""/api/attachments, and the attachments of tickets and comments"""

from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import FileResponse

from kombuse_plugins.attachments import queries, service
from kombuse_plugins.attachments.schemas import Attachment, AttachmentFilter
from kombuse_sdk.http import App, ProjectId, Read, Router, TicketNumber, Write, integer_id

router = Router()
AttachmentId = Annotated[int, integer_id("Invalid attachment ID")]
CommentId = Annotated[int, integer_id("Invalid comment ID")]
_OF_TICKET = "/projects/{project_id}/tickets/by-number/{number}/attachments"
_OF_COMMENT = "/comments/{comment_id}/attachments"
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "uploaded_by_id"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "uploaded_by_id": {"type": "string"},
                    },
                }
            }
        },
    }
}


@router.post(_OF_TICKET, status_code=201, response_model=Attachment, openapi_extra=_FORM)
async def upload_to_ticket(
    kernel: App, request: Request, project_id: ProjectId, number: TicketNumber
) -> Any:
    return await service.upload(kernel, request, lambda tx: service.ticket(tx, project_id, number))


@router.post(_OF_COMMENT, status_code=201, response_model=Attachment, openapi_extra=_FORM)
async def upload_to_comment(kernel: App, request: Request, comment_id: CommentId) -> Any:
    return await service.upload(kernel, request, lambda tx: service.comment(tx, comment_id))


@router.get(_OF_TICKET, response_model=list[Attachment])
def list_of_ticket(
    tx: Read,
    project_id: ProjectId,
    number: TicketNumber,
    query: Annotated[AttachmentFilter, Query()],
) -> Any:
    owner = service.ticket(tx, project_id, number)
    return queries.page(tx, query, ticket_id=owner.ticket_id)


@router.get(_OF_COMMENT, response_model=list[Attachment])
def list_of_comment(
    tx: Read, comment_id: CommentId, query: Annotated[AttachmentFilter, Query()]
) -> Any:
    owner = service.comment(tx, comment_id)
    return queries.page(tx, query, comment_id=owner.comment_id)


@router.get("/attachments/{attachment_id}", response_model=Attachment)
def get_attachment(tx: Read, attachment_id: AttachmentId) -> Any:
    return service.get(tx, attachment_id)


@router.get("/attachments/{attachment_id}/download", response_class=FileResponse)
def download_attachment(tx: Read, attachment_id: AttachmentId) -> FileResponse:
    return service.download(tx, attachment_id)


@router.delete("/attachments/{attachment_id}", status_code=204)
def delete_attachment(tx: Write, attachment_id: AttachmentId) -> None:
    service.delete(tx, attachment_id)
