"""Projects as the scope of everything else."""

from typing import Protocol

from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["Projects"]


class Projects(Protocol):
    def resolve(self, tx: ReadTx, reference: str) -> str | None:
        """The id for an id (any case) or a slug; None when there is no such project."""
        ...

    def require(self, tx: ReadTx, reference: str, field: str = "project_id") -> str:
        """`resolve`, or Unprocessable naming the body's field."""
        ...

    def get(self, tx: ReadTx, project_id: str) -> JsonText:
        """The project as the API answers it; NotFound."""
        ...

    def local_path(self, tx: ReadTx, reference: str) -> str | None:
        """The folder of a project, if it has one; NotFound."""
        ...

    def at_path(self, tx: ReadTx, local_path: str) -> str | None:
        """The id of the project with exactly this folder."""
        ...

    def add(self, tx: WriteTx, *, name: str, owner_id: str, local_path: str) -> JsonText:
        """A new project with a folder, into which nothing is written; as the API answers it.

        Raises Conflict when another project has the folder.
        """
        ...

    def next_ticket_number(self, tx: WriteTx, project_id: str) -> int:
        """Take the next ticket number of a project; numbers are never given out twice."""
        ...
