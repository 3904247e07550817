"""The contract between Kombuse and its plugins: everything a plugin may import.

Modules: `hooks` (what a plugin implements), `types` (what hooks return), `storage` (transactions),
`events`, `errors`, `http` (parameters and bodies of routes), `schemas` (field types of the wire),
`sql` (JSON and joins inside one statement), `mcp` (tools), `contracts` (what plugins may ask of
each other), `testing` (a pytest plugin), `processes` (real servers, for tests). For the command
line: `client` (the running server), `console` (options and output), `current_project`,
`exit_codes`, `home`.
Importing this package costs next to nothing: the command line does it for every `--help`.
"""

from kombuse_sdk.hooks import hookimpl
from kombuse_sdk.types import (
    Column,
    Command,
    EventType,
    Filter,
    Job,
    Mount,
    PluginInfo,
    Service,
    Setting,
    Subscriber,
)

__all__ = [
    "Column",
    "Command",
    "EventType",
    "Filter",
    "Job",
    "Mount",
    "PluginInfo",
    "Service",
    "Setting",
    "Subscriber",
    "hookimpl",
]
