"""The files that a project's folder gets: MCP configuration, AGENTS.md, .kombuse/, .gitignore."""

from collections.abc import Callable, Iterator
from pathlib import Path

from kombuse_plugins.projects.schemas import InitOptions
from kombuse_sdk import config_files, json_files
from kombuse_sdk.mcp_clients import Bridge, with_claude_server

__all__ = ["run"]

_EXISTS = "already exists"
_IGNORED = b".kombuse/"
_BOM = b"\xef\xbb\xbf"
Step = Callable[[], str | None]


def run(folder: Path, server: Bridge, options: InitOptions) -> list[dict[str, str]]:
    """Do every step that is not left out; one that fails does not keep the others from running."""
    return [_outcome(name, step) for name, step in _steps(folder, server, options)]


def _steps(folder: Path, server: Bridge, options: InitOptions) -> Iterator[tuple[str, Step]]:
    """Name and function of each step; it returns why there was nothing to do, None if it did it."""
    if not options.skip_mcp_json:
        for name in (".mcp.json", ".claude/mcp.json"):
            yield name, lambda name=name: _mcp_json(folder, name, server)  # type: ignore[misc]
    if not options.skip_agents_md:
        yield "AGENTS.md", lambda: _agents_md(folder)
    if not options.skip_kombuse_dir:
        yield ".kombuse/", lambda: _kombuse_dir(folder)
    if not options.skip_gitignore:
        yield ".gitignore", lambda: _gitignore(folder)


def _outcome(name: str, step: Step) -> dict[str, str]:
    try:
        skipped = step()
    except (OSError, ValueError, RecursionError) as error:
        return {"file": name, "action": "error", "reason": config_files.reason(error)}
    if skipped is not None:
        return {"file": name, "action": "skipped", "reason": skipped}
    return {"file": name, "action": "created"}


def _mcp_json(folder: Path, name: str, server: Bridge) -> str | None:
    skipped: str | None = None

    def change(data: bytes | None) -> bytes | None:
        nonlocal skipped
        new = _with_server(data, server)
        skipped = _EXISTS if new is None else None
        return new

    config_files.edit(folder / name, change, inside=folder)
    return skipped


def _with_server(data: bytes | None, server: Bridge) -> bytes | None:
    """The configuration with our server in it; None if it has it, or one of the person's own."""
    config = json_files.parse(data)
    servers = config.setdefault("mcpServers", {})
    if not isinstance(servers, dict):
        raise ValueError("left as it is: mcpServers is not an object")
    entry = servers.get("kombuse")
    new = with_claude_server(entry, server.for_claude)
    if new is None or (isinstance(entry, dict) and not ("url" in entry or "command" in entry)):
        return None
    servers["kombuse"] = new
    return json_files.render(config, data)


def _agents_md(folder: Path) -> str | None:
    return None if config_files.create_empty(folder / "AGENTS.md") else _EXISTS


def _kombuse_dir(folder: Path) -> str | None:
    return None if config_files.make_folder(folder / ".kombuse" / "plugins", folder) else _EXISTS


def _gitignore(folder: Path) -> str | None:
    skipped: str | None = None

    def change(data: bytes | None) -> bytes | None:
        nonlocal skipped
        lines = (data or b"").removeprefix(_BOM).splitlines()
        if any(line.strip() == _IGNORED for line in lines):
            skipped = "already contains .kombuse/"
            return None
        line_end = b"\r\n" if b"\r\n" in (data or b"") else b"\n"
        if data is not None and not data.endswith(b"\n"):
            data += line_end
        return (data or b"") + _IGNORED + line_end

    config_files.edit(folder / ".gitignore", change, inside=folder)
    return skipped
