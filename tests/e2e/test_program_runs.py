"""Claude Code and Codex as backends: the real programs and stand-ins, against a scripted model."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.agent_runs import allow, deny, is_alive, opened, take_turn, when
from tests.e2e.model_server import ModelServer, running, say, wait
from tests.e2e.programs import CLAUDE, CODEX, Program

from kombuse_sdk.agents import AgentBackend, BackendFailed, Image, ResumeFailed

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
UNKNOWN = "00000000-0000-4000-8000-000000000000"

only_claude = pytest.mark.parametrize("program", [CLAUDE], ids=["claude"])
only_codex = pytest.mark.parametrize("program", [CODEX], ids=["codex"])
only_real = pytest.mark.parametrize("binary", ["real"], indirect=True)


def misbehaves(mood: str) -> pytest.MarkDecorator:
    """The stand-in in one of its moods."""
    return pytest.mark.parametrize(
        ("binary", "mood"), [("stand-in", mood)], indirect=["binary"], ids=[mood]
    )


@pytest.fixture(params=[CLAUDE, CODEX], ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    found: Program = request.param
    return found


@pytest.fixture(params=["real", "stand-in"])
def binary(request: pytest.FixtureRequest, program: Program) -> Path:
    if program is CLAUDE:
        pytest.importorskip("claude_agent_sdk", reason="claude-agent-sdk is not installed")
    found = program.real if request.param == "real" else program.stand_in
    if found is None:
        pytest.skip(f"{program.name} is not installed ({program.package})")
    return found


@pytest.fixture
def mood() -> str:
    return ""


@pytest.fixture
def model(program: Program) -> Iterator[ModelServer]:
    with running(program.speak) as server:
        yield server


@pytest.fixture
def agent_home(tmp_path: Path) -> Path:
    return tmp_path / "agent-home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def kombuse_config(
    program: Program, binary: Path, model: ModelServer, agent_home: Path, mood: str
) -> dict[str, Any]:
    environment = program.settle(agent_home, model.url) | {"STAND_IN": mood}
    return {
        "binaries": {program.name: str(binary)},
        "backends": {program.backend_type: {"env": environment}},
    }


@pytest.fixture
def backend(kernel: Any, program: Program) -> AgentBackend:
    offers = {value.name: value for _, value in kernel.offers("kombuse_agent_backends")}
    found: AgentBackend = offers[program.backend_type]
    return found


def test_a_turn_of_text(backend: AgentBackend, model: ModelServer, folder: Path) -> None:
    model.play(say("It is done."))

    async def scenario() -> None:
        async with opened(backend, folder, system_prompt="- You file tickets.") as (run, asked):
            turn = await take_turn(run, "Do it")
            assert turn.said == "It is done."
            assert turn.end is not None and turn.end.success and turn.end.is_alive
            assert turn.end.usage is not None and turn.end.usage.output_tokens == 5
            assert run.backend_session_id and asked == []
            assert "Do it" in model.said()

    asyncio.run(scenario())


@only_claude
@only_real
def test_a_system_prompt_may_be_longer_than_an_argument(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(say("read"))

    async def scenario() -> None:
        async with opened(backend, folder, system_prompt="4711 " * 60_000) as (run, _):
            assert (await take_turn(run, "Go")).said == "read"
        assert model.said().count("4711 ") > 50_000

    asyncio.run(scenario())


@only_codex
@only_real
def test_a_configuration_that_is_refused_is_told_in_the_words_of_the_program(
    backend: AgentBackend, folder: Path, agent_home: Path
) -> None:
    config = agent_home / ".codex" / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('"on-request"', '"sometimes"'), encoding="utf-8")

    async def scenario() -> None:
        async with opened(backend, folder):
            pass

    with pytest.raises(BackendFailed, match="sometimes"):
        asyncio.run(scenario())


def test_an_allowed_command_runs(
    backend: AgentBackend, program: Program, model: ModelServer, folder: Path
) -> None:
    model.play(program.command("touch made; echo from-the-command"), say("done"))

    async def scenario() -> None:
        async with opened(backend, folder, allow) as (run, asked):
            turn = await take_turn(run, "Make it")
            (request,) = asked
            assert request.tool_name == "Bash"
            assert request.input["command"] == "touch made; echo from-the-command"
            (tool_use,) = turn.of("tool_use")
            assert tool_use["id"] == request.tool_use_id
            assert request.request_id == request.tool_use_id or program is CODEX
            (tool_result,) = turn.of("tool_result")
            assert "from-the-command" in str(tool_result["content"])
            assert (folder / "made").exists()

    asyncio.run(scenario())


def test_a_denied_command_does_not_run(
    backend: AgentBackend, program: Program, model: ModelServer, folder: Path
) -> None:
    """Claude's agent is told why; Codex has no place for that."""
    model.play(program.command("touch made"), say("a pity"))

    async def scenario() -> None:
        async with opened(backend, folder, deny) as (run, _):
            turn = await take_turn(run, "Make it")
            assert turn.said == "a pity"
            (tool_result,) = turn.of("tool_result")
            assert tool_result["isError"]
            assert not (folder / "made").exists()
            for told in (str(tool_result["content"]), model.said()):
                assert "not on my machine" in told or program is CODEX

    asyncio.run(scenario())


def test_an_interrupted_turn_ends_and_the_next_one_works(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(wait())

    async def scenario() -> None:
        async with opened(backend, folder) as (run, _):
            taking = asyncio.create_task(take_turn(run, "Think for ever"))
            await asyncio.to_thread(model.waiting.wait, 30)
            await run.interrupt()
            turn = await taking
            assert turn.end is not None and not turn.end.success
            assert turn.end.reason == "stopped" and turn.end.is_alive
            model.play(say("Back again."))
            assert (await take_turn(run, "Go on")).said == "Back again."

    asyncio.run(scenario())


def test_an_interrupt_withdraws_the_question(
    backend: AgentBackend, program: Program, model: ModelServer, folder: Path
) -> None:
    model.play(program.command("touch made"), say("done"))
    withdrawn = []

    async def scenario() -> None:
        async with opened(backend, folder) as (run, _):
            asking = asyncio.Event()

            async def never(request: object) -> None:
                asking.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    withdrawn.append(request)
                    raise

            object.__setattr__(run._options, "ask", never)  # type: ignore[attr-defined]
            taking = asyncio.create_task(take_turn(run, "Make it"))
            await asyncio.wait_for(asking.wait(), 30)
            await run.interrupt()
            turn = await taking
            assert turn.end is not None and not turn.end.success

    asyncio.run(scenario())
    assert len(withdrawn) == 1 and not (folder / "made").exists()


def test_a_session_goes_on_in_a_new_process(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(say("I shall remember 4711."))

    async def scenario() -> None:
        async with opened(backend, folder) as (first, _):
            await take_turn(first, "Remember 4711")
        model.play(say("It was 4711."))
        async with opened(backend, folder, resume_id=first.backend_session_id) as (run, _):
            turn = await take_turn(run, "What was it?")
            assert turn.said == "It was 4711."
            assert run.backend_session_id == first.backend_session_id
            assert run.pid != first.pid
        assert "I shall remember 4711." in str(model.requests[-1])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("program", "words"), [(CLAUDE, "No conversation found"), (CODEX, "no rollout found")]
)
def test_an_unknown_session_is_told_as_such(
    backend: AgentBackend, folder: Path, words: str
) -> None:
    async def scenario() -> None:
        async with opened(backend, folder, resume_id=UNKNOWN) as (run, _):
            await take_turn(run, "Go on")

    with pytest.raises(ResumeFailed, match=words):
        asyncio.run(scenario())


def test_an_image_reaches_the_model(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(say("A pixel."))

    async def scenario() -> None:
        async with opened(backend, folder) as (run, _):
            await take_turn(run, "What is it?", Image(data=PIXEL, media_type="image/png"))
        assert PIXEL in model.said()

    asyncio.run(scenario())


def test_closing_ends_the_program_and_what_it_started(
    backend: AgentBackend, program: Program, model: ModelServer, folder: Path
) -> None:
    script = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    model.play(program.command(f'python3 -c "{script}"'), say("done"))

    async def scenario() -> tuple[int, int]:
        async with opened(backend, folder) as (run, _):
            taking = asyncio.create_task(take_turn(run, "Start it"))
            grandchild = await written(folder, "pid")
            assert run.pid is not None and is_alive(run.pid) and is_alive(grandchild)
        turn = await taking
        assert turn.end is not None and not turn.end.is_alive
        return run.pid, grandchild

    program_pid, grandchild = asyncio.run(scenario())
    assert not is_alive(program_pid) and not is_alive(grandchild)


@misbehaves("crash")
def test_a_crash_is_told_with_its_last_words(backend: AgentBackend, folder: Path) -> None:
    async def scenario() -> None:
        async with opened(backend, folder) as (run, _):
            with pytest.raises(BackendFailed, match=r"exited with code 3\nout of luck") as info:
                await take_turn(run, "Go")
            assert info.value.cause == "process_exit"

    asyncio.run(scenario())


@misbehaves("garbage")
@pytest.mark.parametrize(
    ("program", "first"), [(CLAUDE, "process_spawn"), (CODEX, "thread_created")]
)
def test_garbage_is_kept_and_ends_as_a_failure(
    backend: AgentBackend, folder: Path, first: str
) -> None:
    async def scenario() -> None:
        seen: list[Any] = []
        async with opened(backend, folder) as (run, _):
            with pytest.raises(BackendFailed, match="exited with code 0"):
                await take_turn(run, "Go", on_event=seen.append)
        assert {event.payload["sourceType"] for event in seen} == {first, "raw"}

    asyncio.run(scenario())


@misbehaves("hang")
def test_a_program_that_hangs_can_be_closed_with_its_children(
    backend: AgentBackend, folder: Path, agent_home: Path
) -> None:
    async def scenario() -> tuple[int, int]:
        async with opened(backend, folder) as (run, _):
            taking = asyncio.create_task(take_turn(run, "Go"))
            child = await written(agent_home, "child")
        turn = await taking
        assert turn.end is not None and turn.end.reason == "stopped"
        return run.pid or 0, child

    program_pid, child = asyncio.run(scenario())
    assert not is_alive(program_pid) and not is_alive(child)


@misbehaves("mute")
def test_a_program_that_ignores_an_interrupt_is_ended(
    backend: AgentBackend,
    program: Program,
    folder: Path,
    agent_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin = program.backend_type.replace("-", "_")
    monkeypatch.setattr(f"kombuse_plugins.{plugin}.run._INTERRUPT_SECONDS", 0.1)

    async def scenario() -> None:
        async with opened(backend, folder) as (run, _):
            taking = asyncio.create_task(take_turn(run, "Go"))
            await written(agent_home, "child")
            await run.interrupt()
            turn = await taking
            assert turn.end is not None and not turn.end.success and not turn.end.is_alive

    asyncio.run(scenario())


async def written(folder: Path, name: str) -> int:
    """The number in a file below a folder, once it is there."""

    def found() -> str:
        return "".join(path.read_text(encoding="utf-8") for path in folder.rglob(name))

    await when(lambda: found() != "")
    return int(found())
