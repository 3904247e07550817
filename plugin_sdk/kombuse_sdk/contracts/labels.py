"""Labels on tickets."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import Field

from kombuse_sdk.contracts.tickets import TicketRef
from kombuse_sdk.schemas import Output
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = ["Label", "Labels"]


class Label(Output):
    """A coloured tag of a project."""

    id: int
    project_id: str
    name: str
    slug: str | None
    color: str = Field(description="#rrggbb")
    description: str | None
    plugin_id: str | None
    is_enabled: bool
    created_at: str


class Labels(Protocol):
    def attach_initial(
        self, tx: WriteTx, ticket: TicketRef, label_ids: Sequence[int], added_by_id: str
    ) -> None:
        """Put labels on a new ticket, without events.

        Raises BadRequest when one does not belong to the ticket's project.
        """
        ...

    def add(
        self,
        tx: WriteTx,
        ticket: TicketRef,
        label_id: int,
        added_by_id: str | None,
        kombuse_session_id: str | None = None,
    ) -> bool:
        """Put a label on a ticket with its event; False when it was there already.

        Raises NotFound, BadRequest (label of another project), Unprocessable (unknown profile).
        """
        ...

    def remove(
        self,
        tx: WriteTx,
        ticket: TicketRef,
        label_id: int,
        removed_by_id: str | None,
        kombuse_session_id: str | None = None,
    ) -> bool:
        """Take a label off a ticket with its event; False when it was not there.

        Raises Unprocessable (unknown profile).
        """
        ...

    def project_id(self, tx: ReadTx, label_id: int) -> str | None:
        """The project of a label, enabled or not; None when there is no such label."""
        ...

    def enabled_among(self, tx: ReadTx, project_id: str, label_ids: Sequence[int]) -> list[int]:
        """Those of the labels that belong to the project and are enabled, in order of id."""
        ...

    def of_ticket(self, tx: ReadTx, ticket_id: int) -> list[Row]:
        """The labels of a ticket in name order: the fields of `Label`, `is_enabled` as 0 or 1."""
        ...

    def of_project(self, tx: ReadTx, project_id: str) -> dict[int, Row]:
        """All labels of a project by id, in name order: the fields of `Label`."""
        ...
