"""Permissions: what agents may do without asking, and requests that wait for a person."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Command, Job, PluginInfo, Service, Setting, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.sockets import SocketMessage
    from kombuse_sdk.types import Kernel

_EXPIRY_SECONDS = 3600


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="permissions", title="Permissions", requires=("profiles", "projects"))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    from kombuse_plugins.permissions.service import PendingPermissions
    from kombuse_sdk.contracts import Permissions

    return [Service(Permissions, PendingPermissions(kernel))]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.permissions.routes import router

    return router


@hookimpl
def kombuse_socket_messages(kernel: "Kernel") -> "Iterable[SocketMessage]":
    from kombuse_plugins.permissions.socket_messages import messages

    return messages(kernel)


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    return [Job(name="permissions.expire", every=_EXPIRY_SECONDS, run=_expire)]


@hookimpl
def kombuse_settings() -> Iterable[Setting]:
    from kombuse_plugins.permissions.service import TIMEOUT_SETTING

    text = "Minutes after which a permission request that nobody answered is denied; unset: never"
    return [Setting(key=TIMEOUT_SETTING, default=None, description=text)]


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.permissions.cli:app"
    return [Command(name="approvals", target=target, help="What agents wait to be allowed.")]


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.permissions.service import withdraw_leftovers

    with kernel.db.write() as tx:
        withdraw_leftovers(tx)


def _expire(kernel: "Kernel") -> None:
    from kombuse_plugins.permissions.expiry import expire

    expire(kernel)
