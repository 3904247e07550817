"""Where everything is: resolved once at start, then frozen."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kombuse_sdk.home import DEFAULT_PORT, PORT_FILE, default_home

__all__ = ["DEFAULT_PORT", "Config", "default_home", "load_config"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`home` holds all that the server writes: database, uploads, backups, logs, lock, port.

    `fault` says why `config.json` cannot be read, if it cannot: then all is as if there were none.
    """

    home: Path
    port: int = DEFAULT_PORT
    database_path: Path
    disabled_plugins: frozenset[str] = frozenset()
    allowed_origins: tuple[str, ...] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    fault: str | None = None

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    @property
    def port_file(self) -> Path:
        return self.home / PORT_FILE

    @property
    def lock_file(self) -> Path:
        return self.home / "server.lock"


def load_config(home: Path | None = None, *, port: int | None = None) -> Config:
    """Read `<home>/config.json`, which need not exist."""
    home = (home or default_home()).expanduser().absolute()
    values, fault = _read(home / "config.json")
    database = values.get("database")
    path = database.get("path") if isinstance(database, dict) else None
    origins = values.get("allowed_origins")
    return Config(
        home=home,
        port=DEFAULT_PORT if port is None else port,
        database_path=home / (path if isinstance(path, str) and path else "data.db"),
        disabled_plugins=frozenset(_strings(values.get("disabled_plugins"))),
        allowed_origins=tuple(_strings(origins)) if isinstance(origins, list) else None,
        values=values,
        fault=fault,
    )


def _read(path: Path) -> tuple[dict[str, Any], str | None]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}, None
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{path} cannot be read: {error}"
    if not isinstance(loaded, dict):
        return {}, f"{path} is no JSON object"
    return loaded, None


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
