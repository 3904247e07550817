"""Programs that a backend runs: each in a process group of its own, ended with all it started.

The group alone is not enough: both Claude Code and Codex put the commands of an agent into sessions
of their own, and those outlive a killed parent. So every program gets a mark in its environment,
which its descendants inherit, and `end` finds them by it (where /proc shows environments; elsewhere
the group is all that is reached). The mark also tells whose they are, so that `end_orphans` finds
those of a server that was killed.
"""

import asyncio
import contextlib
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kombuse_sdk.home import PROCESS_VARIABLE

__all__ = [
    "MOST_GARBAGE",
    "ChildProcess",
    "LineTooLong",
    "NoMessages",
    "Output",
    "child_environment",
    "end_orphans",
    "output",
    "search_path",
]

_MARK = PROCESS_VARIABLE
MOST_GARBAGE = 1000
_CHUNK = 65536
_MAX_LINE = 16 * 1024 * 1024
_MAX_OUTPUT = 1024 * 1024
_STDERR_TAIL = 8192
_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LEFT_SECONDS = 0.5
_MARKED = re.compile(rf"(?:^|\0){_MARK}=(\d+\.\d+\.\d+)-".encode())
_SECRET = re.compile(r"^KOMBUSE_.*(TOKEN|SECRET|PASSWORD|KEY)")
_TOOL_FOLDERS = (
    "~/.local/bin",
    "~/.npm-global/bin",
    "~/.volta/bin",
    "~/.asdf/shims",
    "~/.local/share/mise/shims",
    "~/.local/share/fnm/aliases/default/bin",
    "~/.bun/bin",
    "~/.nix-profile/bin",
    "/nix/var/nix/profiles/default/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
)


class LineTooLong(Exception):
    """The program printed a line beyond the limit."""


class NoMessages(Exception):
    """The program printed nothing but lines that are no messages, `MOST_GARBAGE` in a row."""

    def __init__(self) -> None:
        super().__init__(f"{MOST_GARBAGE} lines in a row that are no messages")


class _Pipes(asyncio.subprocess.SubprocessStreamProtocol):
    """asyncio counts a program as ended only when its pipes are, which a grandchild may hold."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_CHUNK, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class ChildProcess:
    """A running program with three pipes. Made by `start`; `end` must be called at last.

    Its error output is read all the time, so that the program never waits for it; only the end of
    it is kept. `argv` is passed as it is, without a shell.
    """

    def __init__(
        self,
        transport: asyncio.SubprocessTransport,
        pipes: _Pipes,
        mark: str,
        on_stderr: Callable[[str], None] | None = None,
    ) -> None:
        self._transport = transport
        self._pipes = pipes
        self._mark = mark
        self._on_stderr = on_stderr
        self._stderr = ""
        self._draining = asyncio.create_task(self._drain())
        self._exiting = asyncio.create_task(pipes.exited.wait())

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        on_stderr: Callable[[str], None] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> "ChildProcess":
        """Raises OSError when it cannot be started. `env` None means `child_environment`.

        `pass_fds` are descriptors that it gets beside the pipes, under the same numbers.
        """
        mark = f"{_identity()}-{secrets.token_hex(16)}"
        environment = child_environment(argv[0]) if env is None else env
        loop = asyncio.get_running_loop()
        transport, pipes = await loop.subprocess_exec(
            lambda: _Pipes(loop),
            *argv,
            cwd=cwd,
            env={**environment, _MARK: mark},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        return cls(transport, pipes, mark, on_stderr)

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._transport.get_returncode()

    @property
    def stderr(self) -> str:
        """The last that it printed as errors, up to 8 KiB."""
        return self._stderr

    async def write(self, data: bytes) -> None:
        """Raises BrokenPipeError or ConnectionResetError when it reads no more."""
        assert self._pipes.stdin is not None
        self._pipes.stdin.write(data)
        await self._pipes.stdin.drain()

    def close_input(self) -> None:
        assert self._pipes.stdin is not None
        self._pipes.stdin.close()

    async def lines(self, limit: int = _MAX_LINE) -> AsyncIterator[bytes]:
        """What it prints, line by line without line ends; LineTooLong beyond `limit` bytes."""
        pending = bytearray()
        while chunk := await self._chunk():
            *complete, rest = chunk.split(b"\n")
            for part in complete:
                pending += part
                _refuse_longer(pending, limit)
                yield bytes(pending)
                pending.clear()
            pending += rest
            _refuse_longer(pending, limit)
        if pending:
            yield bytes(pending)

    async def wait(self) -> int:
        """Its exit code, once all of its error output is read."""
        await asyncio.shield(self._exiting)
        await asyncio.wait({self._draining}, timeout=_LEFT_SECONDS)
        code = self.exit_code
        assert code is not None
        return code

    async def end(self, *, patience: float = 0.0, grace: float = _GRACE_SECONDS) -> None:
        """End it and its descendants; may be repeated.

        Its input is closed, which is all that it is told for `patience` seconds; then SIGTERM;
        whoever is there `grace` seconds later is killed. A cancellation does not keep it from
        killing.
        """
        try:
            self.close_input()
            if patience:
                await asyncio.wait({self._exiting}, timeout=patience)
            self._signal(signal.SIGTERM, await asyncio.to_thread(_marked, self._mark))
            await self._family_gone(grace)
        finally:
            self._signal(signal.SIGKILL, _marked(self._mark))
        await self._family_gone(_GRACE_SECONDS)
        self._draining.cancel()
        self._exiting.cancel()
        self._transport.close()

    async def _chunk(self) -> bytes:
        """Nothing at the end, be it that another process holds the pipe of a program that ended."""
        assert self._pipes.stdout is not None
        reading = asyncio.create_task(self._pipes.stdout.read(_CHUNK))
        try:
            await asyncio.wait({reading, self._exiting}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait({reading}, timeout=_LEFT_SECONDS)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()

    async def _family_gone(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() <= deadline:
            family = await asyncio.to_thread(_marked, self._mark)
            if self.exit_code is not None and not family:
                return
            await asyncio.sleep(_POLL_SECONDS)

    def _signal(self, number: signal.Signals, family: Sequence[int]) -> None:
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    async def _drain(self) -> None:
        assert self._pipes.stderr is not None
        while chunk := await self._pipes.stderr.read(_CHUNK):
            text = chunk.decode(errors="replace")
            self._stderr = (self._stderr + text)[-_STDERR_TAIL:]
            if self._on_stderr is not None:
                self._on_stderr(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a program has printed; one that prints more than 1 MiB is ended (exit code -1)."""

    exit_code: int
    stdout: str
    stderr: str


async def output(
    argv: Sequence[str],
    *,
    seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Output:
    """Run a program that ends by itself. Raises OSError, or TimeoutError after killing it."""
    child = await ChildProcess.start(argv, cwd=cwd, env=env)
    try:
        child.close_input()
        async with asyncio.timeout(seconds):
            printed = bytearray()
            async for line in child.lines(_MAX_OUTPUT):
                printed += line + b"\n"
                if len(printed) > _MAX_OUTPUT:
                    break
            else:
                await child.wait()
        code = -1 if child.exit_code is None else child.exit_code
        return Output(exit_code=code, stdout=printed.decode(errors="replace"), stderr=child.stderr)
    except LineTooLong:
        return Output(exit_code=-1, stdout="", stderr=child.stderr)
    finally:
        await child.end(grace=0)


def child_environment(
    program: str, extra: Mapping[str, str] | None = None, *, without: Sequence[str] = ()
) -> dict[str, str]:
    """The server's environment for a program: a full PATH, none of our secrets, then `extra`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not _SECRET.match(name) and name not in without
    }
    return kept | {"PATH": search_path(program)} | dict(extra or {})


def search_path(program: str) -> str:
    """A PATH on which a program finds its tools, though the server was started from a desktop.

    First the program's own folder, the places of Node and package managers, the system's, then what
    is in our PATH but for `node_modules/.bin`.
    """
    own = [str(Path(program).parent)] if Path(program).is_absolute() else []
    usual = [str(Path(folder).expanduser()) for folder in ("~/.nvm/current/bin", *_TOOL_FOLDERS)]
    versions = Path("~/.nvm/versions/node").expanduser()
    nvm = sorted((str(path) for path in versions.glob("*/bin")), key=_numbers, reverse=True)[:1]
    ours = [
        folder
        for folder in os.environ.get("PATH", "").split(os.pathsep)
        if Path(folder).is_absolute() and not folder.rstrip("/").endswith("node_modules/.bin")
    ]
    existing = [folder for folder in usual if Path(folder).is_dir()]
    return os.pathsep.join(dict.fromkeys([*own, *nvm, *existing, *ours]))


def end_orphans() -> list[int]:
    """Kill what processes that are gone have started and not ended; their ids.

    The program of a killed server goes on by itself, beside the one that the next server starts for
    the same work.
    """
    found = []
    spared = _ancestors()
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and _is_orphan(entry) and int(entry.name) not in spared:
                found.append(int(entry.name))
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return found


def _is_orphan(entry: "os.DirEntry[str]") -> bool:
    """Process ids mean something only within one namespace: what is from another one stays."""
    mark = _MARKED.search(_environment_of(entry.path))
    if mark is None:
        return False
    namespace, owner, start = mark[1].decode().split(".")
    status = _status(owner)
    return namespace == _namespace() and (status[19] != start or status[0] in "ZX")


def _ancestors() -> set[int]:
    """This process and those that it was started by, which may be orphans of another server."""
    found, pid = set(), os.getpid()
    while pid and pid not in found:
        found.add(pid)
        pid = int(_status(str(pid))[1])
    return found


def _identity() -> str:
    """This process, as no other one is called: namespace, id, and when it was started."""
    pid = os.getpid()
    return f"{_namespace()}.{pid}.{_status(str(pid))[19]}"


def _namespace() -> str:
    try:
        return "".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid")))  # noqa: PTH115
    except OSError:
        return "0"


def _status(pid: str) -> list[str]:
    """The fields of /proc/PID/stat from the state on, zeros where there are none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ["0"] * 50


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def _refuse_longer(pending: bytearray, limit: int) -> None:
    if len(pending) > limit:
        raise LineTooLong(f"a line of more than {limit} bytes")


def _marked(mark: str) -> list[int]:
    """Live processes with the mark in their environment, as far as the system shows them."""
    wanted = f"{_MARK}={mark}".encode()
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and wanted in _environment_of(entry.path):
                found.append(int(entry.name))
    return found


def _environment_of(folder: str) -> bytes:
    try:
        return Path(folder, "environ").read_bytes()
    except OSError:
        return b""
