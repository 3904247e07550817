"""Attachments: images on tickets and comments, kept as files beside the database."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Job, PluginInfo, Service, Subscriber, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.events import StoredEvent
    from kombuse_sdk.storage import WriteTx
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="attachments", title="Attachments", requires=("profiles", "tickets"))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.attachments import service
    from kombuse_sdk.contracts import Attachments

    return [Service(Attachments, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.attachments.routes import router

    return router


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    from kombuse_plugins.attachments import trash

    return [Job(name="attachments.trash", every=60, run=trash.empty)]


@hookimpl
def kombuse_subscribers() -> Iterable[Subscriber]:
    from kombuse_plugins.attachments import service

    types = frozenset({"comment.deleted"})
    handle = service.forget_comment
    return [Subscriber(name="attachments.comments", handle=handle, event_types=types)]


@hookimpl
def kombuse_event(tx: "WriteTx", event: "StoredEvent") -> None:
    if event.event_type == "comment.deleted":
        from kombuse_plugins.attachments import service

        service.forget_comment_soon(tx, event)


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.attachments import storage, trash

    storage.clear_incoming(kernel.config.uploads)
    trash.empty(kernel)
