"""T23: a server killed while it installs or removes a package did all of it or nothing."""

import json
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from kombuse_sdk.processes import ServerProcess, running_server

KILLS = 8
SAMPLES = Path(__file__).parents[1] / "data" / "packages"
_STATE = {
    "plugins": "SELECT name, version, checksum FROM plugins",
    "files": "SELECT path, content_hash FROM plugin_files ORDER BY path",
    "agents": """
        SELECT slug, system_prompt, config, plugin_id IS NOT NULL FROM agents ORDER BY slug
    """,
    "triggers": """
        SELECT a.slug, t.slug, t.priority, t.plugin_id IS NOT NULL
        FROM agent_triggers t JOIN agents a ON a.id = t.agent_id ORDER BY a.slug, t.slug
    """,
    "labels": "SELECT name FROM labels WHERE plugin_id IS NOT NULL ORDER BY name",
    "profiles": "SELECT name FROM profiles WHERE plugin_id IS NOT NULL ORDER BY name",
    "orphans": "SELECT path FROM orphaned_files",
}
_HALF_OWNED = """
    SELECT count(*) FROM (
        SELECT plugin_id FROM agents UNION ALL SELECT plugin_id FROM agent_triggers
        UNION ALL SELECT plugin_id FROM labels UNION ALL SELECT plugin_id FROM profiles
    ) WHERE plugin_id IS NOT NULL AND plugin_id NOT IN (SELECT id FROM plugins)
"""
_LOGGED = """
    SELECT (SELECT count(*) FROM events WHERE event_type = 'plugin.installed')
         - (SELECT count(*) FROM events WHERE event_type = 'plugin.uninstalled')
         - (SELECT count(*) FROM plugins)
"""
State = dict[str, list[tuple[Any, ...]]]


def state_of(home: Path) -> State:
    with closing(sqlite3.connect(home / "data.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute(_HALF_OWNED).fetchone() == (0,)
        assert database.execute(_LOGGED).fetchone() == (0,)
        return {name: database.execute(sql).fetchall() for name, sql in _STATE.items()}


class Cycle:
    """Installs, overwrites and removes one package, over and over, until the server is gone."""

    def __init__(self, project: str, archives: Path) -> None:
        self.project = project
        self.archives = archives

    def install(self, client: httpx.Client, name: str) -> str:
        body = {
            "package_path": str(self.archives / f"{name}.tar.gz"),
            "project_id": self.project,
            "overwrite": True,
        }
        answer = client.post("/api/plugins/install", json=body)
        assert answer.status_code == 201, answer.text
        plugin_id: str = answer.json()["plugin_id"]
        return plugin_id

    def steps(self, client: httpx.Client) -> Iterator[str]:
        self.install(client, "02-triage-kit")
        yield "installed"
        plugin_id = self.install(client, "03-triage-kit-upgrade")
        yield "overwritten"
        client.delete(f"/api/plugins/{plugin_id}", params={"mode": "delete"}).raise_for_status()
        yield "removed"

    def run(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            try:
                while True:
                    for _ in self.steps(client):
                        continue
            except httpx.TransportError:
                return

    def clear(self, client: httpx.Client) -> None:
        for plugin in client.get("/api/plugins").json():
            url = f"/api/plugins/{plugin['id']}"
            client.delete(url, params={"mode": "delete"}).raise_for_status()


def kill_in_the_middle(server: ServerProcess, cycle: Cycle, seconds: float) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            cycle.run(server.url)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(seconds)  # the moment of the kill is what is tried out
    server.kill()
    thread.join()
    assert errors == []


def unpacked(home: Path) -> set[str]:
    """The checksums that the cache has folders of; nothing half done may lie beside them."""
    cache = home / "cache" / "packages"
    assert list((cache / "tmp").iterdir()) == []
    names = {path.name for path in (cache / "trees" / "sha256").iterdir()}
    assert not any(name.startswith(".") for name in names)
    return {name.removesuffix(".json") for name in names}


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    folder.mkdir()
    for path in SAMPLES.glob("0[23]-*.tar.gz"):
        shutil.copy(path, folder)
    return folder


def test_a_killed_server_leaves_all_of_a_package_or_nothing(tmp_path: Path, archives: Path) -> None:
    home = tmp_path / "home"
    whole: dict[str, State] = {}
    with running_server(home) as server:
        body = {"name": "Crashes", "owner_id": "user-1"}
        project = server.http.post("/api/projects", json=body).json()["id"]
        cycle = Cycle(project, archives)
        for step in cycle.steps(server.http):
            whole[step] = state_of(home)
        kill_in_the_middle(server, cycle, 0.2)
    seen = set()
    for number in range(KILLS):
        with running_server(home) as server:
            found = state_of(home)
            assert found in whole.values(), json.dumps(found, indent=1)
            assert unpacked(home) == {checksum for _, _, checksum in found["plugins"]}
            seen |= {step for step, state in whole.items() if state == found}
            cycle.clear(server.http)
            if number < KILLS - 1:
                kill_in_the_middle(server, cycle, random.uniform(0.005, 0.5))

    assert len(seen) > 1, "the kills all came at one place"
