"""What a start of the server brings into memory."""

import subprocess
import sys
from pathlib import Path

from kombuse_sdk.processes import environment

PROGRAM = """
import sys
from kombuse_kernel.app import build_app, build_kernel
from kombuse_kernel.config import load_config

kernel = build_kernel(load_config())
build_app(kernel)
print(*[name for name in sys.argv[1:] if name in sys.modules])
"""
# pydantic.v1 comes with routers that FastAPI analyses at once: see `kombuse_sdk.http.Router`.
COSTLY = ["claude_agent_sdk", "httpx", "jinja2", "mcp", "pydantic.v1", "rich", "tomlkit", "yaml"]


def test_the_start_imports_nothing_costly_that_can_wait_for_its_first_use(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *COSTLY],
        env=environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.stdout, ended.stderr, ended.returncode) == ("\n", "", 0)
