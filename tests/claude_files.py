"""Session files as Claude Code writes them, in a home of the test's own."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["TIME", "ClaudeFiles"]

TIME = "2026-03-04T05:06:07.000Z"


class ClaudeFiles:
    """What is below `.claude/projects` of a home."""

    def __init__(self, home: Path) -> None:
        self.root = home / ".claude" / "projects"
        self.root.mkdir(parents=True)

    def folder(self, path: str) -> Path:
        made = self.root / path.replace("/", "-")
        made.mkdir(exist_ok=True)
        return made

    def session(self, path: str, lines: Sequence[Any] = (), *, name: str | None = None) -> str:
        """A file with the lines, which are bytes or values; its session id."""
        session_id = name or str(uuid.uuid4())
        data = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        (self.folder(path) / f"{session_id}.jsonl").write_bytes(b"".join(d + b"\n" for d in data))
        return session_id

    def index(self, path: str, content: Any) -> None:
        file = self.folder(path) / "sessions-index.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")

    def user(self, content: Any = "hello", **more: Any) -> dict[str, Any]:
        return self._line("user", message={"role": "user", "content": content}) | more

    def assistant(self, *blocks: Any, **more: Any) -> dict[str, Any]:
        message = {"role": "assistant", "content": list(blocks)}
        return self._line("assistant", message=message) | more

    def text(self, text: str = "hi") -> dict[str, Any]:
        return {"type": "text", "text": text}

    def _line(self, kind: str, **more: Any) -> dict[str, Any]:
        stamps = {"sessionId": "s", "uuid": str(uuid.uuid4()), "timestamp": TIME}
        return {"type": kind, **stamps, "cwd": "/srv/app", "gitBranch": "main", **more}
