"""Periodic jobs, each in a thread of its own."""

import logging
import threading
from collections.abc import Sequence

from kombuse_sdk.types import Job, Kernel

__all__ = ["JobRunner"]

log = logging.getLogger("kombuse.jobs")


class JobRunner:
    """Runs each job first after one period, then every period until `stop`."""

    def __init__(self, jobs: Sequence[Job], kernel: Kernel) -> None:
        self._kernel = kernel
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(job,), name=f"job-{job.name}", daemon=True)
            for job in jobs
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _run(self, job: Job) -> None:
        while not self._stopping.wait(job.every):
            try:
                job.run(self._kernel)
            except Exception:
                log.exception("job %s failed; it runs again in %s s", job.name, job.every)
