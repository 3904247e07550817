"""SQL that several reports have in common.

A p-quantile of n values in ascending order is the one at position floor(n * p) + 1.
"""

__all__ = ["AVERAGE", "agent_name", "quantile", "ranked"]

AVERAGE = "CAST(round(avg(value)) AS INTEGER)"


def agent_name(agent_id: str) -> str:
    return f"ifnull((SELECT p.name FROM profiles p WHERE p.id = {agent_id}), 'Unknown')"


def ranked(key: str, value: str, source: str) -> str:
    """Rows (key, value, position, n), from which `quantile` takes its own in each group."""
    return f"""
        SELECT {key} AS key, {value} AS value, count(*) OVER (PARTITION BY {key}) AS n,
            row_number() OVER (PARTITION BY {key} ORDER BY {value}) AS position
        FROM {source}
    """


def quantile(percent: int) -> str:
    return f"max(value) FILTER (WHERE position = n * {percent} / 100 + 1)"
