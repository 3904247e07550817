"""The README's tour, run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

from kombuse_sdk.processes import running_server

README = Path(__file__).parents[1] / "README.md"


def _steps() -> list[tuple[str, list[str]]]:
    """(command, lines that its output must contain) of every console block."""
    steps: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", README.read_text("utf-8"), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def test_the_five_minute_tour_works_as_written(tmp_path: Path) -> None:
    """All in one shell, as a reader would; a marker line tells the outputs apart."""
    steps = _steps()
    script = "\n".join(f"{command}\necho '--- {n} ---'" for n, (command, _) in enumerate(steps))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    home = tmp_path / ".kombuse"
    home.mkdir(mode=0o700)
    (home / "config.json").write_text('{"plugins": {"default_registry": false}}')
    with running_server(home):
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            env=os.environ | {"HOME": str(tmp_path), "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    outputs = re.split(r"--- \d+ ---\n", done.stdout)
    for (command, expected), output in zip(steps, outputs, strict=False):
        for line in expected:
            assert " ".join(line.split()) in " ".join(output.split()), f"{command}: {output}"
