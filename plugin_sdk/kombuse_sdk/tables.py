"""The base of a plugin's tables."""

from sqlmodel import SQLModel

__all__ = ["Table"]


class Table(SQLModel):
    """`class TicketRow(Table, table=True)`. Plain `SQLModel` serves as well.

    Values of tables are not validated, so pydantic's validators, a third of what such a class costs
    at every start, are left for when somebody should want them.
    """

    model_config = {"defer_build": True}
