"""The contract between Kombuse and its plugins: everything a plugin may import.

Modules: `hooks` (what a plugin implements), `types` (what hooks return), `storage` (transactions),
`events`, `errors`, `http` (parameters and bodies of routes), `schemas` (field types of the wire),
`sql` (JSON and joins inside one statement), `mcp` (tools), `client` (the running server, for the
command line), `contracts` (what plugins may ask of each other), `testing` (a pytest plugin).
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
