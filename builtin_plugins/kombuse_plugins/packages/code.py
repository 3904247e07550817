"""Python in packages: it runs with the server's rights, so a person must have allowed it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kombuse_plugins.packages import code_states, queries, tool_review
from kombuse_plugins.packages.models import PluginRow
from kombuse_sdk.errors import Conflict, NotFound
from kombuse_sdk.storage import ReadTx, Row, WriteTx
from kombuse_sdk.types import Kernel

if TYPE_CHECKING:
    from kombuse_registry.package import Package

__all__ = ["accept_tools", "permitted", "remember_tools", "status", "stop_soon"]


def permitted(
    package: "Package",
    *,
    is_allowed: bool,
    allowed_sha256: str | None = None,
    installed: Row | None,
    home: Path,
) -> str | None:
    """The digest of the code that may run; None when the package has none.

    What was allowed before is allowed again as long as not a byte of it is another. With
    `allowed_sha256` no other code than that is allowed. Raises CodeNotAllowed, saying what the
    code is and what to do.
    """
    from kombuse_plugins.packages import code_review, digests

    if package.code is None:
        return None
    digest = digests.of_code(package.code)
    before = installed["code_sha256"] if installed else None
    if digest == before or (is_allowed and allowed_sha256 in (None, digest)):
        return digest
    name = package.manifest.name
    review = code_review.review(package, digest, installed, home)
    if is_allowed:
        raise code_review.CodeNotAllowed(f'"{name}" holds other code than was allowed', review)
    changed = "runs other Python code than before" if before else "runs Python code"
    asks_for = ", ".join(package.code.capabilities) or "nothing"
    raise code_review.CodeNotAllowed(
        f'"{name}" {changed}, with all rights of the server: {package.code.entry_point},'
        f" declared capabilities: {asks_for}. If you trust it, install it with allow_code: true",
        review,
    )


def status(tx: ReadTx, plugin_id: str) -> dict[str, Any]:
    """What became of the Python of a plugin; NotFound when there is no such plugin."""
    row = _row(tx, plugin_id)
    manifest = json.loads(row["manifest"])
    found: dict[str, Any] = {
        "status": "none",
        "reason": None,
        "code_sha256": row["code_sha256"],
        "entry_point": manifest.get("entry_point"),
        "capabilities": manifest.get("capabilities", []),
        "tool_changes": [],
    }
    if row["code_sha256"] is None:
        return found
    state = code_states.of(tx.kernel.config.home, row["name"], row["code_sha256"])
    if state is None:
        return found | {"status": "restart_required" if row["is_enabled"] else "stopped"}
    left_out = [
        item.reason
        for item in tx.kernel.plugins
        if item.name == row["name"] and item.state == "failed"
    ]
    if left_out:
        return found | {"status": "failed", "reason": left_out[0]}
    found |= {"status": state.status, "reason": state.failure}
    if state.needs_review:
        changes = tool_review.differences(state.accepted_tools, state.offered_tools)
        found |= {"tool_changes": changes, "reason": "its tools are not those that were accepted"}
    return found


def accept_tools(tx: WriteTx, plugin_id: str) -> dict[str, Any]:
    """Offer the tools as they are now, from the next start on."""
    row = _row(tx, plugin_id)
    state = code_states.of(tx.kernel.config.home, row["name"], row["code_sha256"])
    if state is None or not state.needs_review:
        raise Conflict("There are no changed tools to accept")
    for installed in queries.with_code(tx, row["name"], row["code_sha256"]):
        tx.update(PluginRow, installed["id"], tools=state.offered_tools)
    return status(tx, plugin_id)


def remember_tools(kernel: Kernel) -> None:
    """The tools that code offers for the first time since it was allowed are those allowed."""
    with kernel.db.write() as tx:
        for row in queries.with_code(tx):
            state = code_states.of(kernel.config.home, row["name"], row["code_sha256"])
            if row["tools"] is None and state is not None and state.offered_tools is not None:
                tx.update(PluginRow, row["id"], tools=state.offered_tools)


def stop_soon(tx: WriteTx, row: Row) -> None:
    """With the commit, unless another project still has this code enabled."""
    others = queries.with_code(tx, row["name"], row["code_sha256"])
    if row["code_sha256"] is not None and not any(other["is_enabled"] for other in others):
        home = tx.kernel.config.home
        tx.after_commit(lambda: code_states.stop(home, row["name"]))


def _row(tx: ReadTx, plugin_id: str) -> Row:
    return NotFound.unless(queries.row(tx, plugin_id), "Plugin")
