"""Secrets that agents come across do not get into the record.

What looks like a token of a well-known service is one, and so is the value of every variable of the
server's environment that is named like a secret.
"""

import logging
import os
import re
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["guard_logs", "redacted", "redactor"]

_LOGGERS = ("kombuse.sessions", "kombuse.backends", "kombuse.permissions")
_MARK = "[redacted]"
_SHORTEST = 12
_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_TOKENS = (
    r"sk-ant-[\w-]{16,}",
    r"sk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_\w{30,}",
    r"glpat-[\w-]{20,}",
    r"A[KS]IA[0-9A-Z]{16}",
    r"AIza[\w-]{35}",
    r"xox[abprs]-[\w-]{10,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
)


def redactor(environment: Mapping[str, str]) -> re.Pattern[str]:
    """Finds tokens, and the secrets of an environment."""
    values = {
        value
        for name, value in environment.items()
        if _NAMES.search(name) and len(value) >= _SHORTEST
    }
    longest_first = sorted(values, key=len, reverse=True)
    return re.compile(
        "|".join([*map(re.escape, longest_first), rf"\b(?:{'|'.join(_TOKENS[:-1])})", _TOKENS[-1]])
    )


def redacted(text: str) -> str:
    return _of_this_process().sub(_MARK, text)


def guard_logs() -> None:
    """What backends say in their errors is logged without secrets too."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(item, _Redacting) for item in logger.filters):
            logger.addFilter(_Redacting())


class _Redacting(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


@lru_cache(maxsize=1)
def _of_this_process() -> re.Pattern[str]:
    return redactor(os.environ)
