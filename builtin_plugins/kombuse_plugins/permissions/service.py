"""Requests that wait for a person: asked on the runner's loop, answered from anywhere.

The table is the record and decides which answer counts; what is in memory only wakes the agent
that waits. A request whose agent is gone is withdrawn, at the next start at the latest. Inputs of
tools may hold secrets and never get into the log of the server.
"""

import asyncio
import json
import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from kombuse_plugins.permissions import description, judgement, queries, remembering
from kombuse_plugins.permissions.announcements import Announcements, pending
from kombuse_plugins.permissions.inputs import fingerprint, storable
from kombuse_plugins.permissions.models import PermissionRequestRow
from kombuse_plugins.permissions.remembering import Remembered
from kombuse_plugins.permissions.rule_files import PermissionFiles
from kombuse_sdk.agents import Decision, PermissionRequest
from kombuse_sdk.contracts import Settings
from kombuse_sdk.contracts.permissions import PermissionOutcome, PermissionReply
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.errors import Conflict, NotFound
from kombuse_sdk.storage import ReadTx, Row, WriteTx
from kombuse_sdk.types import Kernel

__all__ = ["TIMEOUT_SETTING", "PendingPermissions", "withdraw_leftovers"]

log = logging.getLogger("kombuse.permissions")
TIMEOUT_SETTING = "agent.permission_timeout_minutes"
_ALLOW = Decision(behavior="allow")
_MAX_SESSIONS = 1000
_WITHDRAWN = "The request was withdrawn: the agent no longer waits for it"


@dataclass(slots=True)
class _Waiting:
    """The agents that wait for one answer."""

    answer: "Future[Decision]" = field(default_factory=Future)
    waiters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request with all that is made of it before the transaction."""

    session: SessionRef
    request: PermissionRequest
    argument_hash: str
    input: dict[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class _Opened:
    """Decided already, or waiting."""

    row_id: int
    outcome: Decision | _Waiting


class PendingPermissions:
    """The provider of the Permissions contract."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._announce = Announcements(kernel)
        self._files = PermissionFiles()
        self._lock = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._denied: dict[str, dict[str, str | None]] = {}

    async def ask(self, session: SessionRef, request: PermissionRequest) -> Decision:
        asked, is_approved, timeout = await self._kernel.db.read_async(
            lambda tx: self._examine(tx, session, request)
        )
        opening = asyncio.ensure_future(
            self._kernel.db.write_async(lambda tx: self._open(tx, asked, is_approved))
        )
        try:
            opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._abandon)
            raise
        if isinstance(opened.outcome, Decision):
            return opened.outcome
        try:
            return await self._wait(opened.row_id, opened.outcome, timeout)
        except asyncio.CancelledError:
            self._leave(opened.row_id, opened.outcome)
            raise

    def end_turn(self, session_id: str) -> None:
        with self._lock:
            self._denied.pop(session_id, None)

    def answer(self, session_id: str, request_id: str, reply: PermissionReply) -> PermissionOutcome:
        rule, note = _rule(self._kernel, session_id, request_id, reply)
        decision = Decision(
            behavior=reply.behavior,
            updated_input=reply.updated_input or None,
            message=reply.message if reply.behavior == "deny" else None,
        )
        with self._kernel.db.write() as tx:
            row = self._require_open(tx, session_id, request_id)
            is_saved = rule is not None and remembering.in_agent(tx, row["agent_id"], rule)
            always = rule.entry if rule is not None and is_saved else None
            self._close(tx, row["id"], decision, always_allow=always)
            folder = judgement.folder_of(tx, row["project_id"])
        try:
            if rule is not None and folder is not None:
                note = remembering.in_file(self._files, folder, rule)
                if note is None and always is None:
                    always = rule.entry
                    self._note_rule(row["id"], always)
            elif rule is not None and always is None:
                note = "not remembered: there is neither an agent nor a project with a folder"
        finally:
            self._deliver(row, decision, always)
        return PermissionOutcome(behavior=reply.behavior, remembered=always, note=note)

    def pending(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        rows = queries.pending(tx, project_id)
        return [pending(row, json.loads(row["input"]), row["ticket_number"]) for row in rows]

    def _examine(
        self, tx: ReadTx, session: SessionRef, request: PermissionRequest
    ) -> tuple[_Asked, bool, float | None]:
        asked = _Asked(
            session=session,
            request=request,
            argument_hash=fingerprint(session.id, request.tool_name, request.input),
            input=storable(request.input),
            description=description.describe(request.tool_name, request.input),
        )
        is_approved = judgement.is_approved(tx, self._files, session, request)
        return asked, is_approved, None if is_approved else _timeout(tx)

    def _open(self, tx: WriteTx, asked: _Asked, is_approved: bool) -> _Opened:
        session_id, argument_hash = asked.session.id, asked.argument_hash
        if is_approved:
            return _Opened(self._insert(tx, asked, "auto_approved"), _ALLOW)
        with self._lock:
            denials = self._denied.get(session_id, {})
        if argument_hash in denials:
            message = denials[argument_hash]
            row_id = self._insert(tx, asked, "denied", message)
            return _Opened(row_id, Decision(behavior="deny", message=message))
        same = queries.same_pending(tx, session_id, argument_hash)
        row_id = self._insert(tx, asked, "pending") if same is None else same
        with self._lock:
            # A row that was rolled back leaves its number, and what waits for it, to the next.
            if same is None:
                self._waiting.pop(row_id, None)
            waiting = self._waiting.setdefault(row_id, _Waiting())
            waiting.waiters += 1
        return _Opened(row_id, waiting)

    def _insert(self, tx: WriteTx, asked: _Asked, status: str, message: str | None = None) -> int:
        session = asked.session
        row_id: int = tx.insert(
            PermissionRequestRow,
            kombuse_session_id=session.id,
            request_id=_free_id(tx, session.id, asked.request.request_id),
            tool_name=asked.request.tool_name,
            input=json.dumps(asked.input, ensure_ascii=False, separators=(",", ":")),
            argument_hash=asked.argument_hash,
            description=asked.description,
            status=status,
            message=message,
            agent_id=session.agent_id,
            project_id=tx.value("SELECT id FROM projects WHERE id = ?", (session.project_id,)),
            ticket_id=session.ticket_id,
            requested_at=tx.now,
            resolved_at=None if status == "pending" else tx.now,
        )
        row = tx.one("SELECT * FROM permission_requests WHERE id = ?", (row_id,))
        assert row is not None
        tx.after_commit(partial(self._tell, row, asked))
        return row_id

    def _tell(self, row: Row, asked: _Asked) -> None:
        announce = self._announce
        announce.asked(row, asked.input, asked.request.tool_use_id)
        if row["status"] == "pending":
            announce.waits(row, asked.input, asked.session.ticket_number)
            return
        if row["status"] == "denied":
            announce.answered(row, "deny", row["message"])
        announce.resolved(row)

    async def _wait(self, row_id: int, waiting: _Waiting, timeout: float | None) -> Decision:
        try:
            answer = asyncio.shield(asyncio.wrap_future(waiting.answer))
            return await asyncio.wait_for(answer, timeout)
        except TimeoutError:
            await asyncio.to_thread(self._expire, row_id)
            return await asyncio.wrap_future(waiting.answer)

    def _expire(self, row_id: int) -> None:
        """Deny what nobody answered in time, unless somebody does so right now."""
        decision = Decision(behavior="deny", message="Nobody answered the request in time")
        with self._kernel.db.write() as tx:
            row = tx.one("SELECT * FROM permission_requests WHERE id = ?", (row_id,))
            if row is None or row["status"] != "pending":
                return
            self._close(tx, row_id, decision)
        self._deliver(row, decision, None)

    def _abandon(self, opening: "asyncio.Future[_Opened]") -> None:
        if opening.cancelled() or opening.exception() is not None:
            return
        opened = opening.result()
        if isinstance(opened.outcome, _Waiting):
            self._leave(opened.row_id, opened.outcome)

    def _leave(self, row_id: int, waiting: _Waiting) -> None:
        """One agent waits no longer; without any the request is withdrawn, in its own time."""
        with self._lock:
            waiting.waiters -= 1
            if waiting.waiters > 0:
                return
        try:
            withdrawing = asyncio.ensure_future(
                self._kernel.db.write_async(lambda tx: self._withdraw(tx, row_id))
            )
        except RuntimeError:
            return
        withdrawing.add_done_callback(_report_failure)

    def _withdraw(self, tx: WriteTx, row_id: int) -> None:
        with self._lock:
            waiting = self._waiting.get(row_id)
            if waiting is None or waiting.waiters > 0:
                return
        row = tx.one("SELECT * FROM permission_requests WHERE id = ?", (row_id,))
        if row is not None and row["status"] == "pending":
            tx.update(PermissionRequestRow, row_id, status="withdrawn", resolved_at=tx.now)
            tx.after_commit(partial(self._tell_withdrawal, row))

    def _tell_withdrawal(self, row: Row) -> None:
        with self._lock:
            self._waiting.pop(row["id"], None)
        self._announce.answered(row, "deny", _WITHDRAWN)
        self._announce.resolved(row)

    def _require_open(self, tx: ReadTx, session_id: str, request_id: str) -> Row:
        row = NotFound.unless(queries.by_request(tx, session_id, request_id), "Permission request")
        with self._lock:
            is_awaited = row["id"] in self._waiting
        if row["status"] == "withdrawn" or (row["status"] == "pending" and not is_awaited):
            raise Conflict(_WITHDRAWN)
        if row["status"] != "pending":
            raise Conflict("The permission request is already answered")
        return row

    def _close(
        self, tx: WriteTx, row_id: int, decision: Decision, always_allow: str | None = None
    ) -> None:
        tx.update(
            PermissionRequestRow,
            row_id,
            status="allowed" if decision.behavior == "allow" else "denied",
            message=decision.message,
            always_allow=always_allow,
            resolved_at=tx.now,
        )

    def _note_rule(self, row_id: int, always_allow: str) -> None:
        with self._kernel.db.write() as tx:
            tx.update(PermissionRequestRow, row_id, always_allow=always_allow)

    def _deliver(self, row: Row, decision: Decision, remembered: str | None) -> None:
        """After the answer is stored: record it, tell everybody, and wake who waits for it."""
        session_id = row["kombuse_session_id"]
        self._announce.answered(row, decision.behavior, decision.message, remembered)
        with self._lock:
            waiting = self._waiting.pop(row["id"], None)
            if decision.behavior == "deny":
                while session_id not in self._denied and len(self._denied) >= _MAX_SESSIONS:
                    self._denied.pop(next(iter(self._denied)))
                denials = self._denied.setdefault(session_id, {})
                denials[row["argument_hash"]] = decision.message
        self._announce.resolved(row, remembered)  # first: the agent may ask again at once
        if waiting is not None:
            waiting.answer.set_result(decision)
        log.info("%s of %s: %s", row["tool_name"], session_id, decision.behavior)


def withdraw_leftovers(tx: WriteTx) -> None:
    """At start no agent waits for anything."""
    sql = """
        UPDATE permission_requests SET status = 'withdrawn', resolved_at = ?
        WHERE status = 'pending'
    """
    tx.execute(sql, (tx.now,))


def _rule(
    kernel: Kernel, session_id: str, request_id: str, reply: PermissionReply
) -> tuple[Remembered | None, str | None]:
    """What is to be remembered of the answer; without a rule, why there is none."""
    if reply.behavior != "allow" or not reply.always_allow:
        return None, None
    with kernel.db.read() as tx:
        row = queries.by_request(tx, session_id, request_id)
    if row is None:
        return None, None
    arguments = reply.updated_input or json.loads(row["input"])
    try:
        return remembering.worth_remembering(row["tool_name"], arguments), None
    except ValueError as error:
        return None, f"allowed once, and not remembered: {error}"


def _timeout(tx: ReadTx) -> float | None:
    settings = tx.services.find(Settings)
    text = (settings.value(tx, TIMEOUT_SETTING) if settings else None) or ""
    is_number = text.isascii() and text.isdigit() and len(text) < 7
    return int(text) * 60.0 or None if is_number else None


def _free_id(tx: ReadTx, session_id: str, request_id: str) -> str:
    """Backends that count their requests begin anew when a session is resumed."""
    taken = queries.taken_ids(tx, session_id, request_id)
    numbered = (request_id if n == 1 else f"{request_id}~{n}" for n in count(1))
    return next(candidate for candidate in numbered if candidate not in taken)


def _report_failure(done: "asyncio.Future[None]") -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        log.error("a permission request was not withdrawn", exc_info=error)
