"""Every sample of a package does over the command line what it does over REST."""

from pathlib import Path
from typing import Any

import pytest
from tests.command_line import Ended
from tests.plugin_commands import Plugins
from tests.plugins.packages.conftest import SAMPLES
from tests.registry.hostile_archives import MARKER, archive, entry

INTEGRITY, REFUSED = 7, 1
COUNTERS = (
    *("agents_created", "labels_created", "labels_merged", "triggers_created"),
    *("files_imported", "files_preserved"),
)
GOOD = {
    "01-hello-minimal": (0, 0, 0, 0, 0, 0),
    "02-triage-kit": (2, 3, 0, 4, 2, 0),
    "03-triage-kit-upgrade": (2, 2, 0, 3, 2, 0),
    "04-yaml-forms": (2, 1, 0, 3, 0, 0),
    "05-nested-root": (0, 1, 0, 0, 0, 0),
    "05-nested-root.named-root": (0, 1, 0, 0, 0, 0),
    "06-files-only": (0, 0, 0, 0, 6, 0),
    "09-bad-version": (0, 0, 0, 0, 0, 0),
    "10-name-mismatch": (0, 0, 0, 0, 0, 0),
}
WARNINGS = {"04-yaml-forms": 1, "09-bad-version": 1, "10-name-mismatch": 1}
BAD = {
    "07-missing-plugin-json": (REFUSED, "No plugin.json found at"),
    "08-bad-second-agent": (REFUSED, "agents/b-bad.md"),
    "11-hostile-absolute": (INTEGRITY, "Invalid archive"),
    "11-hostile-dotdot": (INTEGRITY, "Invalid archive"),
    "11-hostile-duplicate": (INTEGRITY, "Invalid archive"),
    "11-hostile-fifo": (INTEGRITY, "Invalid archive"),
    "11-hostile-hardlink": (INTEGRITY, "Invalid archive"),
    "11-hostile-symlink": (INTEGRITY, "Invalid archive"),
    "11-hostile-symlink-write": (INTEGRITY, "Invalid archive"),
    "12-broken-bitflip": (INTEGRITY, "Invalid archive"),
    "12-broken-empty": (INTEGRITY, "Invalid archive"),
    "12-broken-gzip-of-text": (INTEGRITY, "Invalid archive"),
    "12-broken-not-gzip": (INTEGRITY, "Invalid archive"),
    "12-broken-truncated": (INTEGRITY, "Invalid archive"),
}


def forms(*names: str) -> list[str]:
    """Each sample as a folder and as an archive, where it has that form."""
    return [
        form
        for name in names
        for form in (name, f"{name}.tar.gz")
        if (SAMPLES / form).exists() and not (form == name and form.endswith(".named-root"))
    ]


def installed(ended: Ended) -> tuple[Any, ...]:
    assert (ended.code, ended.err) == (0, "")
    return tuple(ended.json[name] for name in COUNTERS)


def contents(plugins: Plugins) -> tuple[int, ...]:
    """What the project has of all that a package could leave behind."""
    http, project = plugins.server.http, plugins.project["id"]
    query = {"project_id": project}
    listed = (
        http.get("/api/plugins", params=query).json(),
        http.get("/api/agents", params=query).json(),
        http.get(f"/api/projects/{project}/labels").json(),
    )
    return tuple(map(len, listed))


@pytest.mark.parametrize("form", forms(*GOOD))
def test_a_good_sample_is_right_and_installed(plugins: Plugins, form: str) -> None:
    name = form.removesuffix(".tar.gz")
    checked = plugins("check", str(SAMPLES / form), "--json")
    tried = plugins.here("install", str(SAMPLES / form), "--dry-run", "--json")
    ended = plugins.here("install", str(SAMPLES / form), "--json")

    assert (checked.code, checked.err) == (0, "")
    assert installed(tried) == installed(ended) == GOOD[name]
    assert len(ended.json["warnings"]) == WARNINGS.get(name, 0)
    assert list(plugins.installed()) == [ended.json["plugin_name"]]


@pytest.mark.parametrize("form", forms(*BAD))
def test_a_bad_sample_is_refused_and_leaves_nothing(
    plugins: Plugins, form: str, tmp_path: Path
) -> None:
    code, text = BAD[form.removesuffix(".tar.gz")]
    before = contents(plugins)

    for ended in (
        plugins("check", str(SAMPLES / form)),
        plugins.here("install", str(SAMPLES / form)),
    ):
        assert (ended.code, ended.out) == (code, "")
        assert text in ended.err
    assert contents(plugins) == before
    assert not list(tmp_path.parent.rglob(MARKER))
    assert not list(plugins.server.home.rglob(MARKER))


def test_a_bomb_is_refused(plugins: Plugins, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(archive(entry(b"./files/zeros", bytes(64 << 20))))

    for ended in (plugins("check", str(bomb)), plugins.here("install", str(bomb))):
        assert ended.code == INTEGRITY
        assert "Archive too large" in ended.err


def test_the_same_again_needs_overwrite(plugins: Plugins) -> None:
    sample = str(SAMPLES / "02-triage-kit.tar.gz")
    assert plugins.here("install", sample).code == 0

    again = plugins.here("install", sample)
    over = plugins.here("install", sample, "--overwrite", "--json")
    sure = plugins.here("install", sample, "--yes", "--json")

    assert (again.code, again.out) == (REFUSED, "")
    assert "triage-kit is installed already: --overwrite" in again.err
    assert over.json["agents_updated"] == sure.json["agents_updated"] == 2
    assert installed(over) == (0, 0, 3, 0, 2, 0)


def test_an_upgrade_keeps_what_was_edited(plugins: Plugins) -> None:
    plugins.here("install", str(SAMPLES / "02-triage-kit"))
    plugin_id = plugins.installed()["triage-kit"]["id"]
    files = {
        file["path"]: file["id"]
        for file in plugins.server.http.get(f"/api/plugins/{plugin_id}/files").json()
    }
    path = f"/api/plugins/{plugin_id}/files/{files['preamble/shared.md']}"
    assert plugins.server.http.patch(path, json={"content": "mine"}).status_code == 200

    ended = plugins.here("install", str(SAMPLES / "03-triage-kit-upgrade"), "--overwrite", "--json")

    assert installed(ended)[-2:] == (1, 1)
    assert plugins.server.http.get(path).json()["content"] == "mine"
    info = plugins.here("info", "triage-kit")
    assert "triage-kit 2.0.0" in info.out
    assert "preamble/shared.md" in info.out
