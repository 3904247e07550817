"""Packages on disk, and installing them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

Install = Callable[..., Any]
MakePackage = Callable[..., Path]
Rows = Callable[[], dict[str, int]]

SAMPLES = Path(__file__).parents[2] / "data" / "packages"
_TABLES = (
    "plugins",
    "plugin_files",
    "orphaned_files",
    "agents",
    "agent_triggers",
    "labels",
    "profiles",
    "events",
)


@pytest.fixture
def samples() -> Path:
    """Packages as folders and as archives: 01 to 06 are good, 07 to 12 are not."""
    return SAMPLES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the project."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def project(make: Factory, folder: Path) -> Any:
    return make.project(name="Work", local_path=str(folder))


@pytest.fixture
def install(client: TestClient, project: Any) -> Install:
    """Installs into the project, or into `project_id`; the answer must have the `status`."""

    def installing(path: Path | str, *, status: int = 201, **body: Any) -> Any:
        body = {"package_path": str(path), "project_id": project["id"]} | body
        answer = client.post("/api/plugins/install", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    return installing


@pytest.fixture
def make_package(tmp_path: Path) -> MakePackage:
    """`make_package("name", {"files/a.md": "text"}, version="1.0.0", labels=[...])`: a folder."""
    count = 0

    def making(
        name: str = "kit", files: Mapping[str, str | bytes] | None = None, **manifest: Any
    ) -> Path:
        nonlocal count
        count += 1
        kombuse = {
            "plugin_system_version": "kombuse-plugin-v1",
            "exported_at": "2026-01-02T03:04:05.000Z",
            "labels": manifest.pop("labels", []),
        }
        described = {"name": name, "version": "1.0.0"} | manifest | {"kombuse": kombuse}
        root = tmp_path / f"package{count}" / name
        texts = {".kombuse-plugin/plugin.json": json.dumps(described), **(files or {})}
        for path, text in texts.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return root

    return making


@pytest.fixture
def rows(kernel: Kernel) -> Rows:
    """How many rows each table has that an installation writes to."""

    def counting() -> dict[str, int]:
        with kernel.db.read() as tx:
            return {name: tx.value(f"SELECT count(*) FROM {name}") for name in _TABLES}

    return counting
