"""Claude Code and Codex for tests: the real programs where they are installed, and stand-ins.

Each comes with the model endpoint that it talks to, and with settings that keep it on this machine
and in a home of its own.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.anthropic_messages import AnthropicMessages
from tests.e2e.model_server import Answer, Speak, use
from tests.e2e.openai_responses import OpenAiResponses

__all__ = ["CLAUDE", "CODEX", "Program"]

_STAND_INS = Path(__file__).with_name("stand_ins")
_SILENT = (
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "DISABLE_AUTOUPDATER",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_TELEMETRY",
    "IS_SANDBOX",
)
_CODEX_CONFIG = """
model = "scripted"
model_provider = "test"
approval_policy = "on-request"
sandbox_mode = "workspace-write"

[model_providers.test]
name = "test"
base_url = "{url}/v1"
wire_api = "responses"
requires_openai_auth = false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`command` makes the model's wish to run a shell command, `settle` the program's home and its
    environment for a model at this address."""

    name: str
    backend_type: str
    package: str
    place: str
    speak: Speak
    command: Callable[[str], Answer]
    settle: Callable[[Path, str], dict[str, str]]

    @property
    def stand_in(self) -> Path:
        return _STAND_INS / self.name

    @property
    def real(self) -> Path | None:
        """The program that a Python package brings; None where that is not installed."""
        spec = importlib.util.find_spec(self.package)
        folders = (spec.submodule_search_locations if spec else None) or ()
        return next((Path(f, self.place) for f in folders if Path(f, self.place).is_file()), None)


def _claude_command(text: str) -> Answer:
    return use("Bash", command=text)


def _codex_command(text: str) -> Answer:
    why = "the test wants it"
    return use("exec_command", cmd=text, sandbox_permissions="require_escalated", justification=why)


def _settle_claude(home: Path, url: str) -> dict[str, str]:
    home.mkdir()
    settings = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none", "HOME": str(home)}
    return dict.fromkeys(_SILENT, "1") | settings


def _settle_codex(home: Path, url: str) -> dict[str, str]:
    (home / ".codex").mkdir(parents=True)
    (home / ".codex" / "config.toml").write_text(_CODEX_CONFIG.format(url=url), encoding="utf-8")
    return {"HOME": str(home), "CODEX_HOME": ""}


CLAUDE = Program(
    name="claude",
    backend_type="claude-code",
    package="claude_agent_sdk",
    place="_bundled/claude",
    speak=AnthropicMessages(),
    command=_claude_command,
    settle=_settle_claude,
)
CODEX = Program(
    name="codex",
    backend_type="codex",
    package="codex_cli_bin",
    place="bin/codex",
    speak=OpenAiResponses(),
    command=_codex_command,
    settle=_settle_codex,
)
