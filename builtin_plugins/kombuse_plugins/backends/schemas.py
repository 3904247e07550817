"""Wire shapes of backends and their models."""

from pydantic import Field

from kombuse_sdk.schemas import Output, Query

__all__ = ["BackendState", "Catalogue", "CatalogueFilter", "ModelItem", "StateFilter"]


class BackendState(Output):
    """`hint` says how to make an unavailable backend available."""

    backend_type: str = Field(serialization_alias="backendType")
    available: bool
    version: str | None
    path: str | None
    meets_minimum: bool = Field(serialization_alias="meetsMinimum")
    minimum_version: str | None = Field(serialization_alias="minimumVersion")
    node_version: str | None = Field(serialization_alias="nodeVersion")
    meets_node_minimum: bool = Field(serialization_alias="meetsNodeMinimum")
    minimum_node_version: str | None = Field(serialization_alias="minimumNodeVersion")
    hint: str | None


class StateFilter(Query):
    project_id: str | None = Field(default=None, alias="projectId")


class ModelItem(Output):
    id: str
    name: str
    description: str = ""


class Catalogue(Output):
    backend_type: str
    supports_model_selection: bool
    models: list[ModelItem]
    default_model_id: str = ""


class CatalogueFilter(Query):
    backend_type: str | None = None
