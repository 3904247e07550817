"""Files of tickets and comments."""

from collections.abc import Sequence
from typing import Protocol

from kombuse_sdk.storage import ReadTx, Row

__all__ = ["Attachments"]


class Attachments(Protocol):
    def count(self, tx: ReadTx, ticket_id: int) -> tuple[int, int]:
        """How many files hang on the ticket itself, and how many of them are images."""
        ...

    def images_of_ticket(self, tx: ReadTx, ticket_id: int) -> list[Row]:
        """Images of the ticket: id, filename, mime_type, size_bytes, file_path (absolute)."""
        ...

    def images_of_comments(self, tx: ReadTx, comment_ids: Sequence[int]) -> dict[int, list[Row]]:
        """The same for comments that have images."""
        ...
