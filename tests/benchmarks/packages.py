"""Packages: how long a large one takes to install and to export, and what many cost at start."""

import argparse
import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from api import Api
from load import LoadError
from server_process import serve, temporary_home
from table import number, print_table

_SECONDS = 0.5
_START_SECONDS = 0.3
_STARTS = 5
_AGENTS, _TRIGGERS, _LABELS, _FILES = 50, 2, 50, 200
_INSTALLED = 30
_WORDS = "Look at what is asked, then say in one sentence what is to be done about it. " * 12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="kombuse-packages-") as folder:
            figures = _work(Path(folder), options.rounds) | _start(Path(folder))
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    rows = [
        [
            name,
            number(seconds, 3),
            number(target, 1),
            number(target / seconds, 2) if seconds > 0 else "",
        ]
        for name, (seconds, target) in figures.items()
    ]
    print_table(["", "seconds", "target", "factor"], rows)
    if options.json is not None:
        values = {name: seconds for name, (seconds, _) in figures.items()}
        options.json.write_text(json.dumps(values, indent=2), encoding="utf-8")
    return 0


def _work(folder: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """The middle of some rounds, in seconds, with the target."""
    package = _package(folder / "large", "large", _AGENTS, _LABELS, _FILES)
    archive = _archive(package)
    taken: dict[str, list[float]] = {}

    def time(name: str, step: Callable[..., None], *arguments: Any) -> None:
        started = perf_counter()
        step(*arguments)
        taken.setdefault(name, []).append(perf_counter() - started)

    with temporary_home() as home, serve(home) as server, Api(server.port) as api:
        for turn in range(rounds):
            first = _project(api, folder / f"first{turn}")
            second = _project(api, folder / f"second{turn}")
            time("install from a folder", _install, api, first, package)
            time("install from an archive", _install, api, second, archive)
            time("overwrite", _install, api, first, archive, True)
            time("export", _export, api, first)
            time("export again", _export, api, first, True)
    return {name: (sorted(times)[len(times) // 2], _SECONDS) for name, times in taken.items()}


def _start(folder: Path) -> dict[str, tuple[float, float]]:
    """What installed packages add to the best of some starts."""
    with temporary_home() as home:
        without = _best_start(home)
        with serve(home) as server, Api(server.port) as api:
            project = _project(api, folder / "started")
            for count in range(_INSTALLED):
                name = f"small-{count}"
                _install(api, project, _archive(_package(folder / name, name, 4, 4, 10)))
        added = _best_start(home) - without
    return {f"start with {_INSTALLED} packages, more than without": (added, _START_SECONDS)}


def _best_start(home: Path) -> float:
    times = []
    for _ in range(_STARTS):
        with serve(home) as server:
            times.append(server.start_seconds or 0.0)
    return min(times)


def _project(api: Api, folder: Path) -> str:
    folder.mkdir()
    body = {"name": folder.name, "owner_id": "user-1", "local_path": str(folder)}
    project_id: str = api.post("/api/projects", body)["id"]
    return project_id


def _install(api: Api, project: str, path: Path, overwrite: bool = False) -> None:
    body = {"package_path": str(path), "project_id": project, "overwrite": overwrite}
    result = api.post("/api/plugins/install", body)
    if result["warnings"]:
        raise LoadError(f"{path}: {result['warnings']}")


def _export(api: Api, project: str, overwrite: bool = False) -> None:
    body = {"package_name": "large", "project_id": project, "overwrite": overwrite}
    made = api.post("/api/plugins/export", body, 200)
    found = tuple(made[f"{kind}_count"] for kind in ("agent", "label", "file"))
    if found != (_AGENTS, _LABELS, _FILES):
        raise LoadError(f"the export has {found} agents, labels and files")


def _package(folder: Path, name: str, agents: int, labels: int, files: int) -> Path:
    kombuse = {
        "plugin_system_version": "kombuse-plugin-v1",
        "exported_at": "2026-01-02T03:04:05.000Z",
        "labels": [{"name": f"{name} label {n}", "color": "#d73a4a"} for n in range(labels)],
    }
    texts = {
        ".kombuse-plugin/plugin.json": json.dumps(
            {"name": name, "version": "1.0.0", "kombuse": kombuse}
        )
    }
    texts |= {f"agents/{name}-{n}.md": _agent(f"{name} {n}", n, labels) for n in range(agents)}
    texts |= {f"files/notes/{n}.md": f"{n}\n{_WORDS}" for n in range(files)}
    for path, text in texts.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def _agent(name: str, count: int, labels: int) -> str:
    triggers = "".join(
        f"  - event_type: label.added\n    slug: on-{number}\n    conditions:\n"
        f"      label_name: {name.rpartition(' ')[0]} label {(count + number) % labels}\n"
        for number in range(_TRIGGERS)
    )
    return (
        f"---\nname: {name}\ndescription: Does one thing\ntype: generic\nbackend_type: mock\n"
        f"triggers:\n{triggers}---\n\n{_WORDS}\n"
    )


def _archive(folder: Path) -> Path:
    path = folder.with_name(f"{folder.name}.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, arcname=".")
    return path


if __name__ == "__main__":
    sys.exit(main())
