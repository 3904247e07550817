"""How commands end."""

from enum import IntEnum

__all__ = ["CommandError", "ExitCode"]


class ExitCode(IntEnum):
    """For scripts; the same in every command.

    Commands about packages tell apart what is REFUSED elsewhere: there is no such package, plugin
    or project (6); a package is damaged, unsafe or not what was announced (7); a registry, or
    another place that packages come from, cannot be used (8).
    """

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_RUNNING = 3
    TAKEN = 4
    STORAGE = 5
    NOT_FOUND = 6
    INTEGRITY = 7
    NETWORK = 8


class CommandError(Exception):
    """Ends the command with a message on standard error and an exit code, without a traceback."""

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, exit_code: ExitCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        if exit_code is not None:
            self.exit_code = exit_code
