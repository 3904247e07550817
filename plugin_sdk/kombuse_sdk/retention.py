"""How long records are kept: for ever, unless `retention` of the configuration names days."""

from datetime import datetime, timedelta

from kombuse_sdk.schemas import timestamp
from kombuse_sdk.storage import ReadTx

__all__ = ["oldest_kept"]


def oldest_kept(tx: ReadTx, kind: str) -> str | None:
    """The time before which records of a kind may go, by `retention.<kind>_days`; None for never.

    Days are a whole number from 1 on; anything else keeps all.
    """
    retention = tx.kernel.config.values.get("retention")
    days = retention.get(f"{kind}_days") if isinstance(retention, dict) else None
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 100_000:
        return None
    return timestamp(datetime.fromisoformat(tx.now) - timedelta(days=days))
