"""The two descriptions in a package: plugin.json, for installing, and manifest.json, for feeds."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from kombuse_registry import names
from kombuse_registry.errors import InvalidPackage
from kombuse_sdk.errors import issue
from kombuse_sdk.failures import issues_of
from kombuse_sdk.hooks import BEHAVIOUR_HOOKS, REGISTRATION_HOOKS
from kombuse_sdk.schemas import NonEmpty, Text, issue_error, timestamp

__all__ = [
    "CAPABILITIES",
    "DEFAULT_VERSION",
    "MANIFEST_JSON",
    "PLUGIN_SYSTEM_VERSION",
    "KombuseTable",
    "PackageLabel",
    "PackageMetadata",
    "PluginManifest",
    "from_pyproject",
    "json_bytes",
]

MANIFEST_JSON = "manifest.json"
PLUGIN_SYSTEM_VERSION = "kombuse-plugin-v1"
DEFAULT_VERSION = "1.0.0"
# The hook `kombuse_x` needs the capability `x`. No hook stands for the last three: they are told
# to people before they allow the code.
CAPABILITIES = frozenset(
    {name.removeprefix("kombuse_") for name in REGISTRATION_HOOKS | BEHAVIOUR_HOOKS}
    - {"plugin", "plugin_sources"}
    | {"startup", "shutdown"}
    | {"filesystem", "network", "processes"}
)
_OPTIONAL = ("author", "description", "channel", "entry_point")


def _check(fits: Callable[[str], bool], message: str) -> AfterValidator:
    def checked(value: str) -> str:
        if not fits(value):
            raise issue_error("invalid_format", message)
        return value

    return AfterValidator(checked)


_PackageName = Annotated[
    Text, _check(names.is_package, "Expected lower-case words joined by hyphens")
]
_Channel = Annotated[Text, _check(names.is_channel, "Expected lower-case letters and hyphens")]
_Version = Annotated[
    Text, _check(names.is_version_name, "Expected a version without blanks and slashes")
]
_Color = Annotated[Text, Field(pattern="^#[0-9a-fA-F]{6}$")]
_WebAddress = Annotated[Text, Field(pattern=r"^https?://[^\s\x00-\x1f<>\"]+$", max_length=2000)]
_Module = Annotated[
    Text, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", max_length=200)
]
_Capability = Annotated[
    Text,
    _check(CAPABILITIES.__contains__, f"Expected one of {', '.join(sorted(CAPABILITIES))}"),
]
_Author = Annotated[NonEmpty, Field(max_length=200)]


class _Open(BaseModel):
    """Keys that are not known are kept."""

    model_config = ConfigDict(extra="allow")


class PackageLabel(_Open):
    name: NonEmpty
    color: _Color = "#808080"
    description: Text | None = None


class KombuseTable(_Open):
    plugin_system_version: Literal["kombuse-plugin-v1"]
    exported_at: Text | None = None
    labels: list[PackageLabel] = Field(default=[])


class PluginManifest(_Open):
    """plugin.json. `entry_point` names the module below `python/` that implements hooks."""

    name: _PackageName
    version: _Version = DEFAULT_VERSION
    author: _Author | None = None
    description: Text | None = None
    channel: _Channel | None = None
    entry_point: _Module | None = None
    capabilities: list[_Capability] = Field(default=[])
    kombuse: KombuseTable

    @classmethod
    def from_json(cls, data: bytes) -> "PluginManifest":
        """InvalidPackage says what is wrong, in the words that clients of the API know."""
        try:
            given = _parsed(data)
        except ValueError as error:
            raise InvalidPackage(f"Failed to parse plugin.json: {error}") from None
        return cls.from_dict(given)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "PluginManifest":
        table = given.get("kombuse")
        system = table.get("plugin_system_version") if isinstance(table, Mapping) else None
        for field, value in (
            ("name", given.get("name")),
            ("kombuse.plugin_system_version", system),
        ):
            if not value:
                raise InvalidPackage(
                    f"Manifest missing required field: {field}",
                    [issue("invalid_type", field.split("."), "Required")],
                )
        if system != PLUGIN_SYSTEM_VERSION:
            raise InvalidPackage(f"Unsupported plugin_system_version: {system}")
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            _refuse("plugin.json", error)

    def stored(self) -> dict[str, Any]:
        """All keys with their defaults filled in; what the file leaves out stays out."""
        table = self.kombuse.model_dump()
        table["exported_at"] = self.kombuse.exported_at or timestamp()
        whole = self.model_dump() | {"kombuse": table}
        for name in _OPTIONAL:
            if whole[name] is None:
                del whole[name]
        if not self.capabilities:
            del whole["capabilities"]
        return whole


class PackageMetadata(_Open):
    """manifest.json: what feeds tell of a package."""

    name: _PackageName
    version: _Version
    type: Literal["app", "plugin"]
    author: _Author | None = None
    description: Text | None = None
    channel: _Channel | None = None
    checksum: Text | None = None
    release_notes: Text | None = None
    min_runtime_version: Text | None = Field(None, alias="minRuntimeVersion")
    keywords: list[NonEmpty] = Field(default=[])
    homepage: _WebAddress | None = None
    repository: _WebAddress | None = None
    license: Text | None = None
    metadata: dict[str, Any] = Field(default={})

    @classmethod
    def from_json(cls, data: bytes) -> "PackageMetadata":
        """InvalidPackage with the issues of single fields."""
        try:
            return cls.model_validate(_parsed(data))
        except ValidationError as error:
            _refuse(MANIFEST_JSON, error)
        except ValueError as error:
            raise InvalidPackage(
                f"Failed to parse {MANIFEST_JSON}: {error}", [issue("custom", [], str(error))]
            ) from None


class _Label(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: NonEmpty
    color: _Color = "#808080"
    description: Text | None = None


class _Pyproject(BaseModel):
    """`[tool.kombuse]`; a key that is not known is a mistake in writing."""

    model_config = ConfigDict(extra="forbid")

    name: _PackageName
    version: _Version = DEFAULT_VERSION
    type: Literal["app", "plugin"] = "plugin"
    author: _Author | None = None
    description: Text | None = None
    channel: _Channel | None = None
    entry_point: _Module | None = None
    capabilities: list[_Capability] = Field(default=[])
    keywords: list[NonEmpty] = Field(default=[])
    homepage: _WebAddress | None = None
    repository: _WebAddress | None = None
    license: Text | None = None
    min_runtime_version: Text | None = None
    labels: list[_Label] = Field(default=[])


def from_pyproject(data: bytes) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """plugin.json and manifest.json as `[tool.kombuse]` describes them; None without that table.

    What it leaves out of name, version, description and keywords is taken from `[project]`.
    """
    import tomli

    try:
        document = tomli.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidPackage(f"Failed to parse pyproject.toml: {error}") from None
    tables, project = _table(document, "tool"), _table(document, "project")
    if "kombuse" not in tables:
        return None
    shared = {
        key: project[key]
        for key in ("name", "version", "description", "keywords")
        if key in project
    }
    try:
        described = _Pyproject.model_validate(shared | _table(tables, "kombuse"))
    except ValidationError as error:
        _refuse("pyproject.toml", error, "tool.kombuse.")
    given = described.model_dump(exclude_none=True)
    plugin = {
        key: given[key] for key in ("name", "version", *_OPTIONAL, "capabilities") if given.get(key)
    }
    labels = [label.model_dump() for label in described.labels]
    plugin["kombuse"] = {"plugin_system_version": PLUGIN_SYSTEM_VERSION, "labels": labels}
    metadata = {
        key: value
        for key, value in given.items()
        if key not in ("labels", "entry_point", "capabilities") and value != []
    }
    if described.min_runtime_version:
        metadata["minRuntimeVersion"] = metadata.pop("min_runtime_version")
    return plugin, metadata


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A table of a TOML document, empty if there is none of that name."""
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """The form in which manifests are written: two blanks of indentation, no final newline."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def _parsed(data: bytes) -> dict[str, Any]:
    """ValueError for what is no JSON object that can be written again as UTF-8."""
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _refuse(file: str, error: ValidationError, prefix: str = "") -> NoReturn:
    issues = issues_of(error)
    where = ".".join(map(str, issues[0]["path"]))
    place = f"{prefix}{where}: " if where else ""
    raise InvalidPackage(f"Invalid {file}: {place}{issues[0]['message']}", issues) from None
