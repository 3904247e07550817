"""Codex as a backend: the real program and a stand-in, against a scripted model."""

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.agent_runs import allow, deny, is_alive, opened, take_turn, when
from tests.e2e.model_server import Answer, ModelServer, running, say, use, wait
from tests.e2e.openai_responses import OpenAiResponses

from kombuse_sdk.agents import AgentBackend, BackendFailed, Image, ResumeFailed

STAND_IN = Path(__file__).with_name("stand_ins") / "codex"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)

CONFIG = """
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


def real_program() -> Path | None:
    spec = importlib.util.find_spec("codex_cli_bin")
    folders = spec.submodule_search_locations if spec else None
    path = Path((folders or [""])[0], "bin", "codex")
    return path if path.is_file() else None


def command(text: str) -> Answer:
    """The use of a shell that Codex must ask for."""
    why = "the test wants it"
    return use("exec_command", cmd=text, sandbox_permissions="require_escalated", justification=why)


@pytest.fixture(params=["real", "stand-in"])
def program(request: pytest.FixtureRequest) -> Path:
    found = real_program() if request.param == "real" else STAND_IN
    if found is None:
        pytest.skip("the codex program is not installed; the stand-in runs instead")
    return found


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with running(OpenAiResponses()) as server:
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
def mood() -> str:
    return ""


@pytest.fixture
def environment(model: ModelServer, agent_home: Path, mood: str) -> dict[str, str]:
    (agent_home / ".codex").mkdir()
    config = CONFIG.format(url=model.url)
    (agent_home / ".codex" / "config.toml").write_text(config, encoding="utf-8")
    return {"HOME": str(agent_home), "CODEX_HOME": "", "STAND_IN": mood}


@pytest.fixture
def kombuse_config(program: Path, environment: dict[str, str]) -> dict[str, Any]:
    return {"binaries": {"codex": str(program)}, "backends": {"codex": {"env": environment}}}


@pytest.fixture
def backend(kernel: Any) -> AgentBackend:
    offers = {value.name: value for _, value in kernel.offers("kombuse_agent_backends")}
    found: AgentBackend = offers["codex"]
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


@pytest.mark.parametrize("program", [real_program()])
def test_a_configuration_that_codex_refuses_is_told_in_its_words(
    backend: AgentBackend, folder: Path, agent_home: Path
) -> None:
    config = agent_home / ".codex" / "config.toml"
    config.write_text(
        config.read_text(encoding="utf-8").replace('"on-request"', '"sometimes"'), "utf-8"
    )
    if real_program() is None:
        pytest.skip("the codex program is not installed; the stand-in checks no configuration")

    async def scenario() -> None:
        async with opened(backend, folder):
            pass

    with pytest.raises(BackendFailed, match="sometimes"):
        asyncio.run(scenario())


def test_an_allowed_command_runs(backend: AgentBackend, model: ModelServer, folder: Path) -> None:
    model.play(command("touch made; echo from-the-command"), say("done"))

    async def scenario() -> None:
        async with opened(backend, folder, allow) as (run, asked):
            turn = await take_turn(run, "Make it")
            (request,) = asked
            assert request.tool_name == "Bash"
            assert request.input["command"] == "touch made; echo from-the-command"
            (tool_use,) = turn.of("tool_use")
            assert tool_use["id"] == request.tool_use_id
            (tool_result,) = turn.of("tool_result")
            assert "from-the-command" in str(tool_result["content"])
            assert (folder / "made").exists()

    asyncio.run(scenario())


def test_a_denied_command_does_not_run(
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    model.play(command("touch made"), say("a pity"))

    async def scenario() -> None:
        async with opened(backend, folder, deny) as (run, _):
            turn = await take_turn(run, "Make it")
            assert turn.said == "a pity"
            (tool_result,) = turn.of("tool_result")
            assert tool_result["isError"]
            assert not (folder / "made").exists()

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
    model.play(command("touch made"), say("done"))
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
        assert "I shall remember 4711." in str(model.requests[-1]["input"])

    asyncio.run(scenario())


def test_an_unknown_session_is_told_as_such(backend: AgentBackend, folder: Path) -> None:
    async def scenario() -> None:
        unknown = "00000000-0000-4000-8000-000000000000"
        with pytest.raises(ResumeFailed, match="no rollout found"):
            async with opened(backend, folder, resume_id=unknown):
                pass

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
    backend: AgentBackend, model: ModelServer, folder: Path
) -> None:
    script = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    model.play(command(f'python3 -c "{script}"'), say("done"))

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

    moods = ""

    @pytest.fixture
    def mood(self) -> str:
        return self.moods

    @pytest.fixture
    def program(self) -> Path:
        return STAND_IN


class TestCrash(Misbehaving):
    moods = "crash"

    def test_a_crash_is_told_with_its_last_words(self, backend: AgentBackend, folder: Path) -> None:
        async def scenario() -> None:
            async with opened(backend, folder) as (run, _):
                with pytest.raises(BackendFailed, match=r"exited with code 3\nout of luck") as info:
                    await take_turn(run, "Go")
                assert info.value.cause == "process_exit"

        asyncio.run(scenario())


class TestGarbage(Misbehaving):
    moods = "garbage"

    def test_garbage_is_kept_and_ends_as_a_failure(
        self, backend: AgentBackend, folder: Path
    ) -> None:
        async def scenario() -> None:
            seen: list[Any] = []
            async with opened(backend, folder) as (run, _):
                with pytest.raises(BackendFailed, match="exited with code 0"):
                    await take_turn(run, "Go", on_event=seen.append)
            sources = {event.payload["sourceType"] for event in seen}
            assert sources == {"thread_created", "raw"}

        asyncio.run(scenario())


class TestHang(Misbehaving):
    moods = "hang"

    def test_a_program_that_hangs_can_be_closed_with_its_children(
        self, backend: AgentBackend, folder: Path, agent_home: Path
    ) -> None:
        child = agent_home / "child"

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
    moods = "mute"

    def test_a_program_that_ignores_an_interrupt_is_ended(
        self,
        backend: AgentBackend,
        folder: Path,
        agent_home: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("kombuse_plugins.codex.run._INTERRUPT_SECONDS", 0.1)

        async def scenario() -> None:
            async with opened(backend, folder) as (run, _):
                taking = asyncio.create_task(take_turn(run, "Go"))
                await when((agent_home / "child").exists)
                await run.interrupt()
                turn = await taking
                assert turn.end is not None and not turn.end.success and not turn.end.is_alive

        asyncio.run(scenario())
