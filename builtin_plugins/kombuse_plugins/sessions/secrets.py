"""Secrets that agents come across do not get into the record.

What looks like a token of a well-known service is one, and so is the value of every variable of the
server's environment that is named like a secret.
"""

import logging
import os
import re
from collections.abc import Mapping
from functools import lru_cache

from kombuse_sdk.secret_patterns import PRIVATE_KEY, TOKENS

__all__ = ["guard_logs", "redacted", "redactor"]

_LOGGERS = ("kombuse.sessions", "kombuse.backends", "kombuse.permissions")
_MARK = "[redacted]"
_SHORTEST = 12
_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_TOKEN = rf"\b(?:{'|'.join(TOKENS.values())})"
_WHOLE_KEY = rf"{PRIVATE_KEY}[\s\S]*?(?:{PRIVATE_KEY.replace('BEGIN', 'END')}|\Z)"


def redactor(environment: Mapping[str, str]) -> re.Pattern[str]:
    """Finds tokens, and the secrets of an environment."""
    values = {
        value
        for name, value in environment.items()
        if _NAMES.search(name) and len(value) >= _SHORTEST
    }
    longest_first = sorted(values, key=len, reverse=True)
    return re.compile("|".join((*map(re.escape, longest_first), _TOKEN, _WHOLE_KEY)))


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
