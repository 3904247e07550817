"""Programs that backends run."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.e2e.agent_runs import is_alive, when

from kombuse_sdk.process import (
    ChildProcess,
    LineTooLong,
    child_environment,
    end_orphans,
    output,
    search_path,
)

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
ORPHAN = """
import subprocess, sys
child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def with_child(
    argv: list[str], scenario: Callable[[ChildProcess], Awaitable[None]], **options: object
) -> ChildProcess:
    async def run() -> ChildProcess:
        child = await ChildProcess.start(argv, **options)  # type: ignore[arg-type]
        try:
            await scenario(child)
        finally:
            await child.end(grace=0.2)
        return child

    return asyncio.run(run())


async def first_line(child: ChildProcess) -> bytes:
    async for line in child.lines():
        return line
    raise AssertionError("no line")


def test_lines_come_as_they_were_printed() -> None:
    async def scenario(child: ChildProcess) -> None:
        await child.write(b"in\n")
        lines = [line async for line in child.lines()]
        assert lines == [b"a", b"", b"b" * 200_000, b"got in", b"rest"]
        assert await child.wait() == 7

    code = "import sys; print('a\\n\\n' + 'b' * 200_000 + '\\ngot ' + input() + '\\nrest', end='')"
    with_child(python(code + "; sys.exit(7)"), scenario)


def test_a_line_beyond_the_limit_is_refused() -> None:
    async def scenario(child: ChildProcess) -> None:
        with pytest.raises(LineTooLong):
            async for _ in child.lines(limit=1000):
                pass

    with_child(python("while True: print('x' * 5000, end='')"), scenario)


def test_the_error_output_is_drained_and_its_end_is_kept() -> None:
    async def scenario(child: ChildProcess) -> None:
        assert await child.wait() == 0
        assert child.stderr.endswith("xxlast words") and len(child.stderr) == 8192

    code = "import sys; sys.stderr.write('x' * 5_000_000 + 'last words')"
    with_child(python(code), scenario)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system has no /proc")
def test_what_ignores_the_signal_and_left_the_group_is_killed_as_well() -> None:
    pids: list[int] = []

    async def scenario(child: ChildProcess) -> None:
        pids.extend([child.pid, int(await first_line(child))])
        assert all(map(is_alive, pids))

    with_child(python(STUBBORN), scenario)
    assert not any(map(is_alive, pids))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system has no /proc")
def test_what_a_program_leaves_behind_is_ended_after_it() -> None:
    pids: list[int] = []

    async def scenario(child: ChildProcess) -> None:
        pids.append(int(await first_line(child)))
        await child.wait()
        assert is_alive(pids[0])

    with_child(python(ORPHAN), scenario)
    assert not is_alive(pids[0])


STARTS_ONE = """
import asyncio, os, signal, sys
from kombuse_sdk.process import ChildProcess
async def main():
    child = await ChildProcess.start([sys.executable, "-c", sys.argv[1]])
    async for line in child.lines():
        print(child.pid, line.decode(), flush=True)
        if sys.argv[2:]:
            os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system has no /proc")
def test_what_a_killed_process_has_left_is_ended_and_nothing_else() -> None:
    def started(*arguments: str) -> tuple["subprocess.Popen[str]", list[int]]:
        argv = python(STARTS_ONE, STUBBORN, *arguments)
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, [int(pid) for pid in process.stdout.readline().split()]

    living, kept = started()
    killed, left = started("kill")
    assert killed.wait(10) == -signal.SIGKILL
    try:
        assert all(map(is_alive, kept + left))

        assert set(left) <= set(end_orphans())

        asyncio.run(when(lambda: not any(map(is_alive, left))))
        assert all(map(is_alive, kept))
    finally:
        living.kill()
        living.wait()
        end_orphans()
        for process in (living, killed):
            assert process.stdout is not None
            process.stdout.close()


def test_ending_is_not_undone_by_a_cancellation() -> None:
    async def run() -> int:
        child = await ChildProcess.start(python(STUBBORN))
        await first_line(child)
        ending = asyncio.create_task(child.end(grace=600))
        await asyncio.sleep(0)
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await when(lambda: child.exit_code is not None)
        return child.pid

    assert not is_alive(asyncio.run(run()))


def test_ending_may_be_repeated() -> None:
    async def scenario(child: ChildProcess) -> None:
        await child.end(grace=0.2)
        await child.end(grace=0.2)

    assert with_child(python("input()"), scenario).exit_code is not None


def test_a_polite_program_ends_by_itself_when_its_input_does() -> None:
    async def scenario(child: ChildProcess) -> None:
        await child.end(patience=10)

    code = "import sys; sys.stdin.read(); sys.exit(5)"
    assert with_child(python(code), scenario).exit_code == 5


def test_arguments_are_passed_as_they_are(tmp_path: Path) -> None:
    hostile = ["--flag=$(touch x)", "a b", "; touch x", "`touch x`", "two\nlines", "-", "", "'\""]

    async def run() -> str:
        code = "import sys, json; print(json.dumps(sys.argv[1:]))"
        return (await output(python(code, *hostile), seconds=30, cwd=tmp_path)).stdout

    import json

    assert json.loads(asyncio.run(run())) == hostile
    assert list(tmp_path.iterdir()) == []


def test_output_that_does_not_come_is_a_timeout() -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            await output(python("import time; time.sleep(600)"), seconds=0.2)

    asyncio.run(run())


def test_output_without_end_is_cut() -> None:
    async def run() -> int:
        printed = await output(python("while True: print('x' * 1000)"), seconds=30)
        return len(printed.stdout)

    assert asyncio.run(run()) < 1_100_000


def test_the_environment_has_no_secrets_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOMBUSE_TOKEN", "secret")
    monkeypatch.setenv("KOMBUSE_HOME", "/somewhere")
    monkeypatch.setenv("DROPPED", "x")

    env = child_environment("/opt/x/tool", {"EXTRA": "1"}, without=["DROPPED"])

    assert "KOMBUSE_TOKEN" not in env and "DROPPED" not in env
    assert (env["KOMBUSE_HOME"], env["EXTRA"]) == ("/somewhere", "1")


def test_the_path_begins_with_the_folder_of_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".local" / "bin").mkdir(parents=True)
    for version in ("v9.1.0", "v20.10.0"):
        (tmp_path / ".nvm/versions/node" / version / "bin").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.pathsep.join(["/a/node_modules/.bin", "/own", "/usr/bin", "rel"]))

    folders = search_path("/opt/x/tool").split(os.pathsep)

    assert folders[0] == "/opt/x"
    assert folders[1] == str(tmp_path / ".nvm/versions/node/v20.10.0/bin")
    assert str(tmp_path / ".local/bin") in folders
    assert folders[-1] == "/own" and folders.count("/usr/bin") == 1
    assert not {"/a/node_modules/.bin", "rel"} & set(folders)
