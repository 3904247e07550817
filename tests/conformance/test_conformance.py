"""The recorded examples of the API, replayed against a real server process."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kombuse_sdk.processes import ServerProcess

HERE = Path(__file__).parent
GOLDEN = {path.stem: path for path in sorted((HERE / "golden").glob("*.json"))}


@pytest.fixture(scope="module")
def kit() -> Any:
    """The kit with every scenario registered; its modules import one another by plain name."""
    sys.path.insert(0, str(HERE))
    try:
        module = importlib.import_module("kit")
        for scenario in sorted((HERE / "scenarios").glob("s*.py")):
            importlib.import_module(f"scenarios.{scenario.stem}")
    finally:
        sys.path.remove(str(HERE))
    return module


@pytest.mark.parametrize("name", GOLDEN)
def test_the_server_answers_as_recorded(
    name: str, kit: Any, server: ServerProcess, tmp_path: Path
) -> None:
    (group,) = [group for group in kit.REGISTRY if group.name == name]
    steps = {step["name"]: step for step in json.loads(GOLDEN[name].read_text("utf-8"))["steps"]}
    context = kit.Ctx(server.url, tmp_path, server.home)
    context.reset(group)

    failed = []
    for step in group.steps:
        result = kit.perform(step, context)
        kit.capture(step, context, result)
        differences = kit.judge(step, steps[step.name]["expect"], context, result)
        failed += [f"{step.name}: {difference}" for difference in differences]
    context.http.close()

    assert not failed, "\n".join(failed)
