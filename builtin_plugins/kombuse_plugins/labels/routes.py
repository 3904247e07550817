"""/api/projects/{project_id}/labels, /api/labels and the labels of a ticket"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.labels import queries, service
from kombuse_plugins.labels.schemas import (
    Attached,
    LabelAdd,
    LabelCreate,
    LabelFilter,
    LabelRemove,
    LabelUpdate,
    ListedLabel,
)
from kombuse_sdk.contracts import Tickets
from kombuse_sdk.contracts.labels import Label
from kombuse_sdk.errors import NotFound
from kombuse_sdk.http import (
    PathParam,
    ProjectId,
    Read,
    Router,
    TicketNumber,
    Write,
    integer_id,
    integer_path,
)

router = Router()

_TICKET = "/projects/{project_id}/tickets/by-number/{number}/labels"
_NEITHER = "Invalid ticket number or label ID"
LabelId = Annotated[int, integer_id("Invalid label ID")]
EitherNumber = Annotated[int, PathParam(lambda tx, text: integer_path(text, _NEITHER, minimum=1))]
EitherLabelId = Annotated[int, integer_id(_NEITHER)]


@router.get("/projects/{project_id}/labels", response_model=list[ListedLabel])
def list_labels(tx: Read, project_id: ProjectId, query: Annotated[LabelFilter, Query()]) -> Any:
    return queries.page(tx, project_id, query)


@router.post("/projects/{project_id}/labels", status_code=201, response_model=Label)
def create_label(tx: Write, project_id: ProjectId, body: LabelCreate) -> Any:
    return service.create(tx, project_id, body)


@router.get("/labels/{label_id}", response_model=Label)
def get_label(tx: Read, label_id: LabelId) -> Any:
    return service.get(tx, label_id)


@router.patch("/labels/{label_id}", response_model=Label)
def update_label(tx: Write, label_id: LabelId, body: LabelUpdate) -> Any:
    return service.update(tx, label_id, body)


@router.delete("/labels/{label_id}", status_code=204)
def delete_label(tx: Write, label_id: LabelId) -> None:
    service.delete(tx, label_id)


@router.get(_TICKET, response_model=list[Label])
def list_labels_of_ticket(tx: Read, project_id: ProjectId, number: TicketNumber) -> Any:
    ticket = tx.services.get(Tickets).require(tx, project_id, number)
    return queries.attached(tx, ticket.id)


@router.post(_TICKET + "/{label_id}", status_code=201, response_model=Attached)
def add_label(
    tx: Write,
    project_id: ProjectId,
    number: EitherNumber,
    label_id: EitherLabelId,
    body: LabelAdd | None = None,
) -> Any:
    ticket = tx.services.get(Tickets).require(tx, project_id, number)
    service.add(tx, ticket, label_id, body.added_by_id if body else None)
    return {"success": True}


@router.delete(_TICKET + "/{label_id}", status_code=204)
def remove_label(
    tx: Write,
    project_id: ProjectId,
    number: EitherNumber,
    label_id: EitherLabelId,
    body: LabelRemove | None = None,
) -> None:
    ticket = tx.services.get(Tickets).require(tx, project_id, number)
    if not service.remove(tx, ticket, label_id, body.removed_by_id if body else None):
        raise NotFound("Label not attached to ticket")
