"""What private keys and the tokens of well-known services look like."""

from collections.abc import Mapping

__all__ = ["PRIVATE_KEY", "TOKENS"]

PRIVATE_KEY = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
"""The line before a key in one of the PEM formats."""

TOKENS: Mapping[str, str] = {
    "a Kombuse registry token": r"kmb_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,64}_[A-Za-z0-9]{6}\b",
    "an Anthropic key": r"sk-ant-[\w-]{16,}",
    "an OpenAI key": r"sk-(?!ant-)(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{20,}",
    "a GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})",
    "a GitLab token": r"glpat-[\w-]{20,}",
    "an AWS key": r"A[KS]IA[0-9A-Z]{16}",
    "a Google key": r"AIza[\w-]{35}",
    "a Slack token": r"xox[abeprs]-[\w-]{10,}",
    "a Stripe key": r"[rs]k_live_[A-Za-z0-9]{16,}",
    "an npm token": r"npm_[A-Za-z0-9]{36}\b",
    "a PyPI token": r"pypi-AgE[\w-]{50,}",
    "a Hugging Face token": r"hf_[A-Za-z]{34}\b",
}
"""Regular expressions by the kind of token, for text or, encoded, for bytes; without groups.

They hold at the beginning of a word: `\\b` before all of them together is several times faster than
before each.
"""
