"""T21: an approval counts once, for the request that it was given for, and for nothing else."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import fake_plugin
from tests.plugins.permissions.asking import (
    SESSION,
    Asking,
    Heard,
    Recorded,
    allow,
    bash,
    deny,
)

from kombuse_kernel.app import kernel_for_tests
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk import Service
from kombuse_sdk.agents import Decision
from kombuse_sdk.contracts import Live, Sessions
from kombuse_sdk.contracts.permissions import PermissionOutcome
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.errors import Conflict, NotFound

OTHER = "chat-00000000-0000-0000-0000-000000000002"


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["sessions", "realtime", "sync"]}


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def plugins_under_test(heard: Heard, recorded: Recorded) -> list[object]:
    return [
        fake_plugin("fake-live", services=lambda kernel: [Service(Live, heard)]),
        fake_plugin("fake-sessions", services=lambda kernel: [Service(Sessions, recorded)]),
    ]


@pytest.fixture
def asking(kernel: Any, heard: Heard, recorded: Recorded) -> Asking:
    return Asking(kernel, heard, recorded)


def test_of_many_answers_the_first_counts(asking: Asking) -> None:
    async def scenario() -> tuple[Decision, list[Any]]:
        asked = await asking.start(bash("rm x"))
        replies = [allow() if n % 2 else deny(str(n)) for n in range(8)]
        answers = await asyncio.gather(*map(asking.reply, replies), return_exceptions=True)
        return await asked, answers

    decision, answers = asking.run(scenario)

    (first,) = [item for item in answers if isinstance(item, PermissionOutcome)]
    refusals = [item for item in answers if isinstance(item, Conflict)]
    assert first.behavior == decision.behavior
    assert len(refusals) == 7
    assert {str(error) for error in refusals} == {"The permission request is already answered"}
    assert asking.heard.types().count("agent.permission_resolved") == 1


def test_an_answer_after_the_end_is_refused(asking: Asking) -> None:
    async def scenario() -> None:
        asked = await asking.start(bash("rm x"))
        await asking.withdraw(asked)
        with pytest.raises(Conflict, match="withdrawn"):
            await asking.reply(allow())

    asking.run(scenario)
    assert [row["status"] for row in asking.rows()] == ["withdrawn"]


def test_an_answer_to_what_was_never_asked_is_refused_and_told_to_nobody(asking: Asking) -> None:
    async def scenario() -> None:
        asked = await asking.start(bash("rm x"))
        told = len(asking.heard.messages), len(asking.recorded.events)
        for session_id, request_id in ((SESSION, "r2"), (OTHER, "r1"), ("", "")):
            with pytest.raises(NotFound):
                await asking.reply(allow(), request_id, session_id)
        assert (len(asking.heard.messages), len(asking.recorded.events)) == told
        assert not asked.done()
        await asking.reply(deny())
        await asked

    asking.run(scenario)


def test_an_answer_does_not_count_for_the_same_request_of_another_session(asking: Asking) -> None:
    async def scenario() -> None:
        mine = await asking.start(bash("rm x"), SessionRef(id=SESSION))
        other = await asking.start(bash("rm x"), SessionRef(id=OTHER))
        await asking.reply(allow())
        assert (await mine).behavior == "allow"
        assert [item["sessionId"] for item in asking.pending()] == [OTHER]
        await asking.reply(deny(), session_id=OTHER)
        assert (await other).behavior == "deny"

    asking.run(scenario)


def test_changed_arguments_are_another_request(asking: Asking) -> None:
    assert asking.once(bash("rm x"), allow()) is not None
    assert asking.once(bash("rm y", "r2")) is None
    assert asking.once(bash("rm x", "r3")) is None


def test_an_identical_request_waits_for_the_same_answer(asking: Asking) -> None:
    async def scenario() -> list[Decision]:
        first = await asking.start(bash("rm x"))
        second = await asking.start(bash("rm x", "r2"), joins=True)
        assert [item["requestId"] for item in asking.pending()] == ["r1"]
        await asking.reply(allow())
        return [await first, await second]

    assert asking.run(scenario) == [Decision(behavior="allow")] * 2
    assert asking.heard.types().count("agent.permission_pending") == 1


def test_a_request_that_two_wait_for_stays_when_one_leaves(asking: Asking) -> None:
    async def scenario() -> Decision:
        first = await asking.start(bash("rm x"))
        second = await asking.start(bash("rm x", "r2"), joins=True)
        first.cancel()
        await asyncio.wait((first,))
        await asyncio.sleep(0.02)
        await asking.reply(allow())
        return await second

    assert asking.run(scenario).behavior == "allow"


def test_what_was_denied_is_not_asked_again_in_the_same_turn(asking: Asking) -> None:
    asking.once(bash("rm x"), deny("no"))

    again = asking.once(bash("rm x", "r2"))

    assert again == Decision(behavior="deny", message="no")
    assert asking.heard.types().count("agent.permission_pending") == 1
    assert [row["status"] for row in asking.rows()] == ["denied", "denied"]
    asking.permissions.end_turn(SESSION)
    assert asking.once(bash("rm x", "r3")) is None


def test_a_turn_that_is_cancelled_while_it_asks_leaves_nothing_open(asking: Asking) -> None:
    async def scenario() -> None:
        for n in range(30):
            asked = asyncio.create_task(_ask(asking, n))
            await asyncio.sleep(n * 0.0002)
            asked.cancel()
            await asyncio.wait((asked,))
        while asking.pending():
            await asyncio.sleep(0.001)

    asking.run(scenario)
    assert {row["status"] for row in asking.rows()} <= {"withdrawn"}


async def _ask(asking: Asking, n: int) -> Decision:
    return await asking.permissions.ask(SessionRef(id=SESSION), bash(f"rm {n}", f"r{n}"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "restarted"
    made.mkdir()
    return made


@pytest.fixture
def kernels() -> Iterator[list[RunningKernel]]:
    running: list[RunningKernel] = []
    yield running
    for kernel in running:
        kernel.stop()


def test_answers_survive_a_restart_and_nobody_waits_after_it(
    home: Path, kernels: list[RunningKernel]
) -> None:
    def started() -> Asking:
        kernel = kernel_for_tests(home, [])
        kernel.start()
        kernels.append(kernel)
        return Asking(kernel, Heard(), Recorded())

    before = started()
    before.once(bash("rm x"), allow())
    with before.kernel.db.write() as tx:
        tx.execute(
            """
            INSERT INTO permission_requests (kombuse_session_id, request_id, tool_name, input,
                argument_hash, description, requested_at)
            VALUES (?, 'r2', 'Bash', '{}', 'h', 'd', ?)
            """,
            (SESSION, tx.now),
        )
    kernels.pop().stop()

    after = started()

    assert [row["status"] for row in after.rows()] == ["allowed", "withdrawn"]
    assert after.pending() == []
    for request_id, reason in (("r1", "already answered"), ("r2", "withdrawn")):
        with pytest.raises(Conflict, match=reason):
            after.permissions.answer(SESSION, request_id, allow())
