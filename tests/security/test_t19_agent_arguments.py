"""T19: what people and agents write never becomes a flag or a command of an agent's program."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kombuse_sdk.agents import AgentBackend, BackendFailed, Decision, PermissionRequest, RunOptions

RECORDER = """#!{python}
import json, sys
if "--version" in sys.argv:
    print("9.9.9")
    sys.exit()
with open({log!r}, "w") as log:
    json.dump(sys.argv[1:], log)
    log.write("\\n" + sys.stdin.readline())
"""
HOSTILE = [
    "--upload-pack=touch pwned",
    "-c core.pager=touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "two\nlines\r\n-x",
    "quotes ' \" \\",
    "--",
    "\u2028\u00a0--model\u200bx",
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def kombuse_config(tmp_path: Path, log: Path) -> dict[str, Any]:
    program = tmp_path / "recorder"
    program.write_text(RECORDER.format(python=sys.executable, log=str(log)), encoding="utf-8")
    program.chmod(0o755)
    return {"binaries": {"claude": str(program), "codex": str(program)}}


@pytest.fixture
def run(kernel: Any, tmp_path: Path, log: Path) -> Callable[..., tuple[list[str], Any]]:
    """Starts a backend for one turn; what its program was started with and told."""
    folder = tmp_path / "project"
    folder.mkdir()

    async def ask(request: PermissionRequest) -> Decision:
        raise AssertionError("nothing is asked")

    async def turn(name: str, message: str, values: dict[str, Any]) -> None:
        offers = {value.name: value for _, value in kernel.offers("kombuse_agent_backends")}
        backend: AgentBackend = offers[name]
        options = RunOptions(session_id="s", cwd=folder, ask=ask, **values)
        with pytest.raises(BackendFailed):
            opened = await backend.open(options)
            try:
                async for _ in opened.turn(message, ()):
                    pass
            finally:
                await opened.close()

    def start(name: str, message: str, **values: Any) -> tuple[list[str], Any]:
        asyncio.run(turn(name, message, values))
        argv, _, told = log.read_text(encoding="utf-8").partition("\n")
        assert list(folder.iterdir()) == []
        return json.loads(argv), json.loads(told or "null")

    return start


@pytest.mark.parametrize("text", HOSTILE)
def test_claude_is_given_each_text_as_the_value_of_its_flag(
    run: Callable[..., Any], text: str
) -> None:
    pytest.importorskip("claude_agent_sdk", reason="claude-agent-sdk is not installed")
    values = {"model": text, "system_prompt": text, "resume_id": text, "permission_mode": text}

    argv, _ = run("claude-code", text, mcp_url="http://127.0.0.1:1/mcp", **values)

    servers = {"kombuse": {"type": "http", "url": "http://127.0.0.1:1/mcp"}}
    resumed = [f"--resume={text}"] if text.startswith("-") else ["--resume", text]
    assert argv == [
        *("--output-format", "stream-json", "--input-format", "stream-json"),
        *("--permission-prompt-tool", "stdio", "--verbose", "--setting-sources=user,project"),
        *resumed,
        *("--model", text),
        *("--permission-mode", text),
        *("--append-system-prompt", text),
        *("--mcp-config", json.dumps({"mcpServers": servers})),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_codex_is_given_nothing_of_it_on_its_command_line(
    run: Callable[..., Any], text: str
) -> None:
    argv, told = run(
        "codex", text, model=text, system_prompt=text, mcp_url='http://127.0.0.1:1/"\nx=1'
    )

    assert argv == [
        *("app-server", "--listen", "stdio://"),
        *("-c", 'mcp_servers.kombuse.url="http://127.0.0.1:1/\\"\\nx=1"'),
        *("-c", "mcp_servers.kombuse.enabled=true"),
    ]
    assert told["method"] == "initialize"


def test_a_nul_does_not_keep_claude_from_starting(run: Callable[..., Any]) -> None:
    pytest.importorskip("claude_agent_sdk", reason="claude-agent-sdk is not installed")

    argv, _ = run("claude-code", "go", system_prompt="a\0b")

    assert argv[-1] == "ab"
