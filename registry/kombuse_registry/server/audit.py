"""The audit log: who did what from where. No token is ever written into it."""

import json
from dataclasses import dataclass
from typing import Any

from kombuse_registry.server.database import Tx
from kombuse_registry.server.tokens import Caller

__all__ = ["Origin", "record"]

_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request comes from."""

    caller: Caller | None = None
    address: str | None = None
    user_agent: str | None = None
    actor: str | None = None


def record(
    tx: Tx,
    origin: Origin,
    action: str,
    author: str | None = None,
    name: str | None = None,
    version: str | None = None,
    **detail: Any,
) -> None:
    """In the transaction of what it tells about."""
    caller = origin.caller
    tx.insert(
        "audit",
        at=tx.now,
        actor=caller.account if caller else origin.actor,
        token_id=caller.token_id if caller else None,
        ip=origin.address,
        user_agent=origin.user_agent[:_LONGEST] if origin.user_agent else None,
        action=action,
        author=author,
        name=name,
        version=version,
        detail=json.dumps(detail, ensure_ascii=False),
    )
