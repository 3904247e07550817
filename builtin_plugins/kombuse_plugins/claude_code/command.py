"""The command line and the environment of the claude program.

The flags are those of the SDK's own transport for the same options. Values are arguments of their
own behind flags that always take one, so that none of them is ever read as a flag.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kombuse_sdk.agents import RunOptions
from kombuse_sdk.binaries import Found, meets_minimum
from kombuse_sdk.mcp_clients import Server
from kombuse_sdk.process import child_environment

__all__ = ["command_line", "environment", "prompt_file"]

# The person's own and the project's instructions apply; permissions that somebody granted to an
# interactive session in this folder (source "local") are not those of an agent.
_SOURCES = "--setting-sources=user,project"
_SOURCES_SINCE = "2.0.0"
_MAX_ARGUMENT = 100_000
# The program uses its own login, not a key that the server happens to have; and it must not take
# itself for one that runs inside another.
_HIDDEN = ("ANTHROPIC_API_KEY", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT")


def prompt_file(options: RunOptions) -> Path | None:
    """A private file with a system prompt that is too long for an argument (128 KiB on Linux)."""
    prompt = (options.system_prompt or "").encode()
    if len(prompt) < _MAX_ARGUMENT:
        return None
    descriptor, path = tempfile.mkstemp(prefix="kombuse-prompt-", suffix=".md")
    with os.fdopen(descriptor, "wb") as file:
        file.write(prompt)
    return Path(path)


def command_line(program: Found, options: RunOptions, prompt_path: Path | None = None) -> list[str]:
    line = [program.command, "--output-format", "stream-json", "--input-format", "stream-json"]
    line += ["--permission-prompt-tool", "stdio", "--verbose"]
    if meets_minimum(program.version, _SOURCES_SINCE):
        line.append(_SOURCES)
    if options.resume_id:
        # The value of this flag is optional: one that begins with a dash would be a flag.
        is_flag = options.resume_id.startswith("-")
        line += [f"--resume={options.resume_id}"] if is_flag else ["--resume", options.resume_id]
    if options.model:
        line += ["--model", options.model]
    if options.permission_mode and options.permission_mode != "default":
        line += ["--permission-mode", options.permission_mode]
    if prompt_path is not None:
        line += ["--append-system-prompt-file", str(prompt_path)]
    elif options.system_prompt:
        line += ["--append-system-prompt", options.system_prompt]
    if options.mcp_url:
        server = Server(options.mcp_url, options.mcp_token is not None).for_claude
        line += ["--mcp-config", json.dumps({"mcpServers": {"kombuse": server}})]
    return [part.replace("\0", "") for part in line]


def environment(
    program: Found, options: RunOptions, configured: Mapping[str, str]
) -> dict[str, str]:
    extra = {"CLAUDE_CODE_ENTRYPOINT": "sdk-py"}
    if options.thinking_tokens is not None:
        extra["MAX_THINKING_TOKENS"] = str(options.thinking_tokens)
    own = extra | dict(configured) | options.environment
    return child_environment(program.command, own, without=_HIDDEN)
