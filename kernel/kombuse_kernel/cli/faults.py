"""Faults of the surroundings as one sentence and an exit code."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombuse_kernel.config import Config
from kombuse_kernel.home import HomeTaken, HomeUnsafe
from kombuse_sdk.console import CommandError, ExitCode

__all__ = ["explained"]


@contextmanager
def explained(config: Config, file: Path | None = None) -> Iterator[None]:
    """`file` is the database in question, when it is not the one of the configuration.

    A configuration that cannot be read is a fault too: it may say where the database is, or that
    nobody gets in without a token.
    """
    from kombuse_kernel.migrations import MigrationError

    if config.fault is not None:
        raise CommandError(f"{config.fault}. Mend it, or move it away")
    database = file or config.database_path
    try:
        yield
    except HomeTaken as error:
        who = f" (process {error.pid})" if error.pid else ""
        raise CommandError(
            f"another server{who} uses {error.path.parent} already: stop it, or choose another"
            " folder with --home",
            ExitCode.TAKEN,
        ) from error
    except HomeUnsafe as error:
        raise CommandError(str(error), ExitCode.TAKEN) from error
    except MigrationError as error:
        full = isinstance(error.__cause__, sqlite3.Error) and "full" in str(error)
        message = _storage(database, str(error)) if full else f"{database} cannot be used: {error}"
        raise CommandError(message, ExitCode.STORAGE) from error
    except sqlite3.Error as error:
        message = _storage(database, str(error))
        if file is None:
            message += ". `kombuse db check` says more, `kombuse db restore` brings back a backup"
        raise CommandError(message, ExitCode.STORAGE) from error
    except OSError as error:
        message = f"{error.filename or config.home} cannot be used: {error.strerror or error}"
        raise CommandError(message, ExitCode.STORAGE) from error


def _storage(path: Path, reason: str) -> str:
    if "full" in reason:
        return f"the disk of {path} is full: nothing was changed"
    if "readonly" in reason or "unable to open" in reason:
        return f"{path} cannot be opened or written: {reason}"
    return f"{path} cannot be used, and was not changed: {reason}"
