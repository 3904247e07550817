"""Our server in the settings of an MCP client.

Clients are told to start `kombuse mcp`, which finds the running server: an address would be wrong
as soon as the server listens elsewhere.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kombuse_sdk import config_files
from kombuse_sdk.contracts.sessions import Sessions
from kombuse_sdk.errors import Conflict, Forbidden
from kombuse_sdk.home import TOKEN_VARIABLE
from kombuse_sdk.schemas import Body, Output

if TYPE_CHECKING:
    from kombuse_sdk.types import Kernel

__all__ = [
    "Bridge",
    "McpStatus",
    "McpSwitch",
    "McpSwitched",
    "Server",
    "bridge_path",
    "editing",
    "our_server",
    "stop_sessions",
    "with_claude_server",
    "with_codex_server",
]

_MODULE = "kombuse_kernel.cli"
_OUR_ADDRESS = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?/mcp/?")
_CLAUDE_KEYS = {"type", "url", "headers", "command", "args"}
_CODEX_KEYS = {"url", "bearer_token_env_var", "command", "args", "env_vars"}


class McpStatus(Output):
    """`url` is set for a server that is reached over HTTP, `command` for one that is started.

    `config_path` is the file that the API names, `client_config_path` the one that the client
    really reads, `bridge_path` the program that an entry of ours starts.
    """

    enabled: bool
    configured: bool
    config_path: str
    client_config_path: str
    url: str | None
    command: str | None
    args: list[str]
    bridge_path: str | None


class McpSwitched(McpStatus):
    stopped_sessions: int


class McpSwitch(Body):
    enabled: Annotated[bool, Field(strict=True)]


@dataclass(frozen=True, slots=True)
class Server:
    """Our server at an address, as an entry of a client's configuration: for agents of ours.

    The client itself fills in the variable with the token: so that is in no file and no argument,
    and an agent, which has a token of its own there, does not come with the person's.
    """

    url: str
    with_token: bool = False

    @property
    def for_claude(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer ${{{TOKEN_VARIABLE}}}"}
        return {"type": "http", "url": self.url} | ({"headers": headers} if self.with_token else {})

    @property
    def for_codex(self) -> dict[str, Any]:
        variable = {"bearer_token_env_var": TOKEN_VARIABLE}
        return {"url": self.url} | (variable if self.with_token else {})


@dataclass(frozen=True, slots=True)
class Bridge:
    """Our server as an entry that starts `kombuse mcp`; `arguments` begin with the program."""

    arguments: tuple[str, ...]

    @property
    def for_claude(self) -> dict[str, Any]:
        return {"type": "stdio", **self._command}

    @property
    def for_codex(self) -> dict[str, Any]:
        """Codex hides its variables from servers: an agent's own token has to be named."""
        return {**self._command, "env_vars": [TOKEN_VARIABLE]}

    @property
    def _command(self) -> dict[str, Any]:
        return {"command": self.arguments[0], "args": list(self.arguments[1:])}


def our_server(kernel: "Kernel") -> Bridge:
    """Clients do not pass KOMBUSE_HOME on, so a home that is not the usual one is named."""
    home = kernel.config.home
    is_usual = home == Path("~/.kombuse").expanduser()
    return Bridge((*_program(), "mcp", *(() if is_usual else ("--home", str(home)))))


def bridge_path() -> str:
    return _program()[0]


def with_claude_server(entry: Any, server: Mapping[str, Any]) -> dict[str, Any] | None:
    """An entry with our server in it; None when it has it, or has one of the person's own."""
    if not isinstance(entry, dict):
        return dict(server)
    if _is_of_the_person(entry):
        return None
    kept = {key: value for key, value in entry.items() if key not in _CLAUDE_KEYS}
    new = kept | dict(server)
    return None if new == entry else new


def with_codex_server(entry: Mapping[str, Any], server: Mapping[str, Any]) -> dict[str, Any]:
    """What to change in an entry; None stands for a key that must go."""
    if _is_of_the_person(entry):
        return {}
    return dict(server) | dict.fromkeys(sorted(entry.keys() & (_CODEX_KEYS - server.keys())))


def _program() -> Sequence[str]:
    """What starts this Kombuse from any folder, with any PATH."""
    script = Path(sys.executable).with_name("kombuse")
    return [str(script)] if script.is_file() else [sys.executable, "-m", _MODULE]


def _is_of_the_person(entry: Mapping[str, Any]) -> bool:
    """Whether an entry leads to a server that we did not write there, now or formerly."""
    command, args, url = entry.get("command"), entry.get("args"), entry.get("url")
    if isinstance(command, str) and command:
        args = args if isinstance(args, list) else []
        return args[:3] != ["-m", _MODULE, "mcp"] and (Path(command).name, args[:1]) != (
            "kombuse",
            ["mcp"],
        )
    return isinstance(url, str) and url != "" and not _OUR_ADDRESS.fullmatch(url)


def stop_sessions(kernel: "Kernel", backend_type: str) -> int:
    """A live agent keeps the servers that it started with, so a change ends it."""
    sessions = kernel.services.find(Sessions)
    return sessions.stop_backend(backend_type) if sessions else 0


@contextmanager
def editing() -> Iterator[None]:
    """Failures of a configuration file as answers: 403 if it may not be written, else 409."""
    try:
        yield
    except PermissionError as error:
        raise Forbidden(config_files.reason(error)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise Conflict(config_files.reason(error)) from None
