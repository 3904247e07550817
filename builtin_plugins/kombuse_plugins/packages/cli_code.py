"""Showing the Python of a package to the person, and asking whether it may run."""

from collections.abc import Callable
from typing import Any

import typer

from kombuse_plugins.packages.cli_output import forbid_agents, is_interactive
from kombuse_sdk.client import Refused
from kombuse_sdk.console import CommandError, one_line, print_styled

__all__ = ["decide", "with_consent"]

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
Send = Callable[[dict[str, Any]], dict[str, Any]]


def with_consent(send: Send, is_allowed: bool, *, is_trial: bool = False) -> dict[str, Any]:
    """What `send` returns. The server is asked without consent first: it says what code there is.

    The consent names the digest of what was shown. A trial runs nothing and so asks nothing.
    """
    try:
        return send({})
    except Refused as refused:
        if not isinstance(refused.body, dict) or refused.body.get("code") != "CODE_NOT_ALLOWED":
            raise
        review = refused.body["details"]
    _show(review)
    if not is_trial:
        forbid_agents("allow code")
        if not is_allowed:
            decide("Let this code run with all rights of the server?")
    return send({"allow_code": True, "code_sha256": review["code_sha256"]})


def decide(question: str) -> None:
    if not is_interactive():
        raise CommandError("code needs a person's consent: --allow-code gives it")
    typer.confirm(question, abort=True, err=True)


def _show(review: dict[str, Any]) -> None:
    changed = "runs other Python code than before" if review["allowed_sha256"] else "runs Python"
    _line(f"{review['name']} {review['version']} {changed}, with all rights of the server:")
    fields = {
        "entry point": review["entry_point"],
        "capabilities": ", ".join(review["capabilities"]) or "none",
        "sha256": review["code_sha256"],
        "allowed before": review["allowed_sha256"],
        "files": ", ".join(review["files"]),
    }
    for name, value in fields.items():
        if value:
            _line(f"  {name:<14}  {value}")
    for line in (review["diff"] or "").splitlines():
        _line(line, _COLOURS.get(line[:1]))


def _line(text: str, colour: str | None = None) -> None:
    """Tabs stay; what would garble the terminal does not."""
    parts = (one_line(f".{part}.")[1:-1] for part in text.split("\t"))
    print_styled("\t".join(parts), fg=colour, err=True)
