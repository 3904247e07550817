"""Claude Code as a backend: the real program and a stand-in, against a scripted model."""

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.agent_runs import allow, deny, is_alive, opened, take_turn, when
from tests.e2e.anthropic_messages import AnthropicMessages
from tests.e2e.model_server import ModelServer, running, say, use, wait

from kombuse_sdk.agents import AgentBackend, BackendFailed, Image, ResumeFailed

STAND_IN = Path(__file__).with_name("stand_ins") / "claude"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)

pytest.importorskip("claude_agent_sdk", reason="claude-agent-sdk is not installed")


def real_program() -> Path | None:
    spec = importlib.util.find_spec("claude_agent_sdk")
    folders = spec.submodule_search_locations if spec else None
    path = Path((folders or [""])[0], "_bundled", "claude")
    return path if path.is_file() else None


@pytest.fixture(params=["real", "stand-in"])
def program(request: pytest.FixtureRequest) -> Path:
    found = real_program() if request.param == "real" else STAND_IN
    if found is None:
        pytest.skip("the claude program is not installed; the stand-in runs instead")
    return found


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with running(AnthropicMessages()) as server:
        yield server


@pytest.fixture
def agent_home(tmp_path: Path) -> Path:
    (tmp_path / "agent-home").mkdir()
    return tmp_path / "agent-home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def environment(model: ModelServer, agent_home: Path) -> dict[str, str]:
    switches = ("DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING", "DISABLE_AUTOUPDATER", "IS_SANDBOX")
    return dict.fromkeys(switches, "1") | {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "none",
        "HOME": str(agent_home),
    }


@pytest.fixture
def kombuse_config(program: Path, environment: dict[str, str]) -> dict[str, Any]:
    return {
        "binaries": {"claude": str(program)},
        "backends": {"claude-code": {"env": environment}},
    }


@pytest.fixture
def backend(kernel: Any) -> AgentBackend:
    offers = {value.name: value for _, value in kernel.offers("kombuse_agent_backends")}
    found: AgentBackend = offers["claude-code"]
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


def test_a_system_prompt_may_be_longer_than_an_argument(
    model: ModelServer, folder: Path, kernel: Any, environment: dict[str, str]
) -> None:
    program = real_program()
    if program is None:
        pytest.skip("the claude program is not installed; the stand-in knows no system prompt")
    kernel.config.values["binaries"]["claude"] = str(program)
    backend = {v.name: v for _, v in kernel.offers("kombuse_agent_backends")}["claude-code"]
    model.play(say("read"))

    async def scenario() -> None:
        async with opened(backend, folder, system_prompt="4711 " * 60_000) as (run, _):
            assert (await take_turn(run, "Go")).said == "read"
        assert model.said().count("4711 ") > 50_000

    asyncio.run(scenario())


def test_an_allowed_command_runs(backend: AgentBackend, model: ModelServer, folder: Path) -> None:
    model.play(use("Bash", command="touch made; echo from-the-command"), say("done"))

    async def scenario() -> None:
        async with opened(backend, folder, allow) as (run, asked):
            turn = await take_turn(run, "Make it")
            (request,) = asked
            assert request.tool_name == "Bash"
            assert request.input["command"] == "touch made; echo from-the-command"
            (tool_use,) = turn.of("tool_use")
            assert tool_use["id"] == request.request_id == request.tool_use_id
            (tool_result,) = turn.of("tool_result")
            assert "from-the-command" in str(tool_result["content"])
            assert (folder / "made").exists()

    asyncio.run(scenario())


def test_a_denied_command_does_not_run_and_the_agent_is_told_why(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(use("Bash", command="touch made"), say("a pity"))

    async def scenario() -> None:
        async with opened(backend, folder, deny) as (run, _):
            turn = await take_turn(run, "Make it")
            assert turn.said == "a pity"
            (tool_result,) = turn.of("tool_result")
            assert tool_result["isError"] and "not on my machine" in str(tool_result["content"])
            assert not (folder / "made").exists()
            assert "not on my machine" in model.said()

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
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(use("Bash", command="touch made"), say("done"))
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
        assert "I shall remember 4711." in str(model.requests[-1]["messages"])

    asyncio.run(scenario())


def test_an_unknown_session_is_told_as_such(backend: AgentBackend, folder: Path) -> None:
    async def scenario() -> None:
        unknown = "00000000-0000-4000-8000-000000000000"
        async with opened(backend, folder, resume_id=unknown) as (run, _):
            with pytest.raises(ResumeFailed):
                await take_turn(run, "Go on")

    asyncio.run(scenario())


def test_an_image_reaches_the_model(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(say("A pixel."))

    async def scenario() -> None:
        async with opened(backend, folder) as (run, _):
            await take_turn(run, "What is it?", Image(data=PIXEL, media_type="image/png"))
        assert '"type": "image"' in model.said()

    asyncio.run(scenario())


def test_closing_ends_the_program_and_what_it_started(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    script = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    model.play(use("Bash", command=f'python3 -c "{script}"'), say("done"))

    async def scenario() -> tuple[int, int]:
        written = folder / "pid"
        async with opened(backend, folder) as (run, _):
            taking = asyncio.create_task(take_turn(run, "Start it"))
            await when(lambda: written.exists() and written.read_text(encoding="utf-8") != "")
            grandchild = int(written.read_text(encoding="utf-8"))
            assert run.pid is not None and is_alive(run.pid) and is_alive(grandchild)
        turn = await taking
        assert turn.end is not None and not turn.end.is_alive
        return run.pid, grandchild

    program_pid, grandchild = asyncio.run(scenario())
    assert not is_alive(program_pid) and not is_alive(grandchild)


class Misbehaving:
    """The stand-in in one of its moods."""

    mood = ""

    @pytest.fixture
    def program(self) -> Path:
        return STAND_IN

    @pytest.fixture
    def environment(self, model: ModelServer, agent_home: Path) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": model.url, "HOME": str(agent_home), "STAND_IN": self.mood}


class TestCrash(Misbehaving):
    mood = "crash"

    def test_a_crash_is_told_with_its_last_words(self, backend: AgentBackend, folder: Path) -> None:
        async def scenario() -> None:
            async with opened(backend, folder) as (run, _):
                with pytest.raises(BackendFailed, match=r"exited with code 3\nout of luck") as info:
                    await take_turn(run, "Go")
                assert info.value.cause == "process_exit"

        asyncio.run(scenario())


class TestGarbage(Misbehaving):
    mood = "garbage"

    def test_garbage_is_kept_and_ends_as_a_failure(
        self, backend: AgentBackend, folder: Path
    ) -> None:
        async def scenario() -> None:
            seen: list[Any] = []
            async with opened(backend, folder) as (run, _):
                with pytest.raises(BackendFailed, match="exited with code 0"):
                    await take_turn(run, "Go", on_event=seen.append)
            sources = {event.payload["sourceType"] for event in seen}
            assert sources == {"process_spawn", "raw"}

        asyncio.run(scenario())


class TestHang(Misbehaving):
    mood = "hang"

    def test_a_program_that_hangs_can_be_closed_with_its_children(
        self, backend: AgentBackend, folder: Path, agent_home: Path
    ) -> None:
        child = agent_home / ".stand-in" / "child"

        async def scenario() -> int:
            async with opened(backend, folder) as (run, _):
                taking = asyncio.create_task(take_turn(run, "Go"))
                await when(child.exists)
                await when(lambda: child.read_text(encoding="utf-8") != "")
            turn = await taking
            assert turn.end is not None and turn.end.reason == "stopped"
            return run.pid or 0

        pid = asyncio.run(scenario())
        assert not is_alive(pid) and not is_alive(int(child.read_text(encoding="utf-8")))


class TestMute(Misbehaving):
    mood = "mute"

    def test_a_program_that_ignores_an_interrupt_is_ended(
        self,
        backend: AgentBackend,
        folder: Path,
        agent_home: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("kombuse_plugins.claude_code.run._INTERRUPT_SECONDS", 0.1)

        async def scenario() -> None:
            async with opened(backend, folder) as (run, _):
                taking = asyncio.create_task(take_turn(run, "Go"))
                await when((agent_home / ".stand-in" / "child").exists)
                await run.interrupt()
                turn = await taking
                assert turn.end is not None and not turn.end.success and not turn.end.is_alive

        asyncio.run(scenario())
