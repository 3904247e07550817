"""The provider of the Sessions contract: what is stored, and the runner of what is live."""

from collections.abc import Mapping
from typing import Any, cast

from kombuse_plugins.sessions import cleanup, payloads, queries, service, states
from kombuse_plugins.sessions.runner import Runner
from kombuse_plugins.sessions.service import Chat
from kombuse_plugins.sessions.turns import reference
from kombuse_sdk.contracts.sessions import SessionRef, Sessions
from kombuse_sdk.errors import NotFound
from kombuse_sdk.retention import oldest_kept
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = ["LiveSessions", "live_sessions"]

_MOST_EXPIRED = 1000  # in one go of the job
_EXPIRED_AT_ONCE = 20


class LiveSessions:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.runner = Runner(kernel)

    def start(self) -> None:
        """Mend what a crash left, then run."""
        with self._kernel.db.write() as tx:
            cleanup.abort_all(tx, cleanup.RECOVERY)
        self.runner.start()

    def ref(self, tx: ReadTx, session_id: str) -> SessionRef | None:
        row = queries.ref_row(tx, session_id)
        return None if row is None else reference(row)

    def is_running(self, tx: ReadTx, session_id: str) -> bool:
        sql = "SELECT 1 FROM sessions WHERE kombuse_session_id = ? AND status = 'running'"
        return tx.value(sql, (session_id,)) is not None

    def record(self, session_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
        backend = self.runner.backend_type(session_id)
        item = payloads.entry(event_type, payload, backend=backend)
        if item is not None:
            self.runner.record(session_id, item)

    def wake(self) -> None:
        self.runner.wake()

    def stop(self, session_id: str, reason: str = "user_stop") -> bool:
        ending = states.stopped_by_user(reason)
        return self.runner.stop_where(lambda live: live.session_id == session_id, ending) > 0

    def stop_backend(self, backend_type: str) -> int:
        ending = states.stopped_by_user()
        return self.runner.stop_where(lambda live: live.backend_type == backend_type, ending)

    def stop_agent(self, agent_id: str) -> int:
        ending = states.stopped_by_user()
        return self.runner.stop_where(lambda live: live.agent_id == agent_id, ending)

    def active(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        rows = [dict(row) for row in queries.active(tx, project_id)]
        named = [row | {"agentName": row["agentName"] or "Agent"} for row in rows]
        return [{k: v for k, v in row.items() if v is not None} for row in named]

    def ticket_statuses(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        return [dict(row) for row in queries.ticket_statuses(tx, project_id)]

    async def send(self, chat: Chat) -> str:
        """Hand a message to its session, which is made if need be; its id."""
        turn = await self._kernel.db.write_async(lambda tx: service.accept(tx, chat))
        self.runner.submit(turn)
        return turn.session_id

    async def delete(self, session_id: str) -> None:
        """Stop it first, so that nothing goes on behind a session that is gone."""

        def check(tx: ReadTx) -> None:
            service.require(tx, session_id)

        await self._kernel.db.read_async(check)
        if self.stop(session_id):
            await self.runner.ended(session_id)
        await self._kernel.db.write_async(lambda tx: service.delete(tx, session_id))

    async def halt(self, session_id: str) -> None:
        """Stop what is live; NotFound when nothing is."""
        if not self.stop(session_id):
            raise NotFound("No active agent to stop for this session")

    def sweep(self) -> None:
        live = self.runner.live_ids()
        with self._kernel.db.read() as reader:
            if not queries.running(reader):
                return
        with self._kernel.db.write() as tx:
            ended = cleanup.sweep(tx, live)
        for ref, resume_id in ended:
            self.runner.announce.ended_session(ref, cleanup.UNAVAILABLE, resume_id)
            self.runner.announce.ticket_status(ref.ticket_id)

    def expire(self) -> None:
        """Delete sessions that ended longer ago than they are kept, a few in a transaction."""
        live = self.runner.live_ids()
        with self._kernel.db.read() as reader:
            oldest = oldest_kept(reader, "sessions")
            found = queries.finished_before(reader, oldest, _MOST_EXPIRED) if oldest else []
        for start in range(0, len(found), _EXPIRED_AT_ONCE):
            with self._kernel.db.write() as tx:
                for session_id in found[start : start + _EXPIRED_AT_ONCE]:
                    if session_id not in live and not self.is_running(tx, session_id):
                        service.delete(tx, session_id)


def live_sessions(kernel: Kernel) -> LiveSessions:
    """The one of this kernel."""
    return cast(LiveSessions, kernel.services.get(Sessions))
