"""Table classes against the tables that the migrations made."""

import importlib
import inspect
from types import NoneType
from typing import get_args

import pytest
from sqlmodel import SQLModel
from tests.architecture.test_imports import GROUPS, SOURCES

from kombuse_sdk.types import Kernel

WITH_MODELS = [
    group for group in GROUPS if (SOURCES["kombuse_plugins"] / group / "models.py").exists()
]


def classes(group: str) -> list[type[SQLModel]]:
    module = importlib.import_module(f"kombuse_plugins.{group}.models")
    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, SQLModel) and hasattr(value, "__table__")
    ]


@pytest.mark.parametrize("group", WITH_MODELS)
def test_table_classes_have_the_columns_of_their_tables(group: str, kernel: Kernel) -> None:
    """Columns that SQLite itself keeps (generated, or counters of triggers) may be left out."""
    assert classes(group), f"{group}/models.py declares no table"
    for model in classes(group):
        with kernel.db.read() as tx:
            columns = tx.all("SELECT * FROM pragma_table_xinfo(?)", (model.__tablename__,))
        found = {
            column["name"]: not (column["notnull"] or column["pk"])
            for column in columns
            if not column["hidden"]
            and (column["name"] in model.model_fields or column["dflt_value"] is None)
        }
        declared = {
            name: NoneType in get_args(info.annotation) and not _is_key(model, name)
            for name, info in model.model_fields.items()
        }

        assert declared == found, f"{model.__name__}: True stands for a column that may be NULL"


def _is_key(model: type[SQLModel], name: str) -> bool:
    return name in model.__table__.primary_key.columns  # type: ignore[attr-defined]


@pytest.mark.parametrize("group", WITH_MODELS)
def test_each_plugin_has_metadata_of_its_own(group: str) -> None:
    others = {id(SQLModel.metadata)} | {
        id(model.metadata) for other in WITH_MODELS if other != group for model in classes(other)
    }

    assert not {id(model.metadata) for model in classes(group)} & others


def test_every_foreign_key_has_an_index_that_serves_it(kernel: Kernel) -> None:
    """Without one, each delete of a parent reads all its children. Profiles are never deleted."""
    sql = """
        SELECT t.name AS tbl, f."from" AS col
        FROM sqlite_master t, pragma_foreign_key_list(t.name) f
        WHERE t.type = 'table' AND f."table" != 'profiles'
    """
    indexed = """
        SELECT 1 FROM pragma_index_list(:tbl) i, pragma_index_info(i.name) c
        WHERE c.seqno = 0 AND c.name = :col
        UNION ALL SELECT 1 FROM pragma_table_info(:tbl) WHERE name = :col AND pk = 1
    """
    with kernel.db.read() as tx:
        missing = [tuple(row) for row in tx.all(sql) if not tx.value(indexed, dict(row))]

    assert missing == []
