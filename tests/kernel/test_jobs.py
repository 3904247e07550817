"""Periodic jobs."""

import logging
import threading
from typing import Any, cast

import pytest

from kombuse_kernel.jobs import JobRunner
from kombuse_sdk.types import Job, Kernel

KERNEL = cast(Kernel, object())


def test_a_job_that_fails_is_logged_by_name_and_runs_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs: list[Any] = []
    enough = threading.Event()

    def work(kernel: Kernel) -> None:
        runs.append(kernel)
        if len(runs) == 3:
            enough.set()
        raise RuntimeError("broken pipe")

    runner = JobRunner([Job(name="sweep", every=0.001, run=work)], KERNEL)
    with caplog.at_level(logging.ERROR, "kombuse.jobs"):
        runner.start()
        assert enough.wait(5)
        runner.stop()

    assert runs[0] is KERNEL
    assert "job sweep failed" in caplog.text
    assert "broken pipe" in caplog.text


def test_a_failing_job_stops_no_other() -> None:
    done = threading.Event()
    jobs = [
        Job(name="bad", every=0.001, run=lambda kernel: 1 // 0),  # type: ignore[arg-type]
        Job(name="good", every=0.001, run=lambda kernel: done.set()),
    ]
    runner = JobRunner(jobs, KERNEL)

    runner.start()

    assert done.wait(5)
    runner.stop()


def test_a_job_waits_one_period_and_a_stop_does_not_wait_for_it() -> None:
    runs: list[Any] = []
    runner = JobRunner([Job(name="rare", every=3600, run=runs.append)], KERNEL)

    runner.start()
    runner.stop()

    assert runs == []
