"""The table of hooks in the SDK's README: `python -m kombuse_sdk.hook_table` prints it."""

import inspect
from typing import Any

from kombuse_sdk import hooks

__all__ = ["hook_table"]

_LIFE = ("kombuse_startup", "kombuse_shutdown")


def hook_table() -> str:
    """Markdown, one row for each hook specification in the order of `hooks.py`."""
    rows = [_row(name, value) for name, value in vars(hooks).items() if name.startswith("kombuse_")]
    return "\n".join(("| hook | when | what |", "|---|---|---|", *rows))


def _row(name: str, specification: Any) -> str:
    signature = inspect.signature(specification)
    parameters = ", ".join(signature.parameters)
    summary = " ".join((specification.__doc__ or "").split("\n\n")[0].split())
    return f"| `{name}({parameters})` | {_when(name)} | {summary} |"


def _when(name: str) -> str:
    if name in hooks.BEHAVIOUR_HOOKS:
        return "during work"
    return "at start and end" if name in _LIFE else "once, at start"


if __name__ == "__main__":
    print(hook_table())
