"""The switch in the settings of an MCP client: whether it knows the server on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kombuse_sdk import config_files
from kombuse_sdk.contracts.sessions import Sessions
from kombuse_sdk.errors import Conflict, Forbidden
from kombuse_sdk.schemas import Body, Output

if TYPE_CHECKING:
    from kombuse_sdk.types import Kernel

__all__ = ["McpStatus", "McpSwitch", "McpSwitched", "editing", "server_url", "stop_sessions"]


class McpStatus(Output):
    """`url` is set for a server that is reached over HTTP, `command` for one that is started.

    `config_path` is the file that the API names, `client_config_path` the one that the client
    really reads.
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


def server_url(kernel: "Kernel") -> str:
    return f"http://127.0.0.1:{kernel.config.port}/mcp"


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
