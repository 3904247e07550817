"""Changes to a package and its versions: yank, deprecation, channels, status, owners, policy."""

import asyncio
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kombuse_registry.server import access, releases
from kombuse_registry.server.answers import changed, json_answer
from kombuse_registry.server.audit import record
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.requests import body, flag, named, origin, read, registry, write
from kombuse_sdk.schemas import NonEmpty, Text

__all__ = ["routes"]

_PACKAGE = "/api/pkg/{author}/{name}"
_VERSION = f"{_PACKAGE}/versions/{{version}}"
_Words = Annotated[Text, Field(max_length=2000)]


class YankBody(BaseModel):
    reason: _Words = ""


class DeprecationBody(BaseModel):
    message: _Words | None


class StatusBody(BaseModel):
    status: Literal["active", "deprecated", "archived", "quarantined"]
    reason: _Words | None = None


class TagBody(BaseModel):
    version: NonEmpty


class OwnersBody(BaseModel):
    owners: Annotated[list[NonEmpty], Field(min_length=1, max_length=100)]


class PolicyBody(BaseModel):
    require_signature: bool


async def withdraw(request: Request) -> Response:
    """Yank, or with `purge=true` remove."""
    version = request.path_params["version"]
    source = origin(request)
    if flag(request, "purge"):
        await asyncio.to_thread(registry(request).flush)

        def remove(tx: Tx) -> str | None:
            return releases.purge(tx, source, _owned(tx, request, "yank"), version)

        forgotten = await write(request, remove)
        if forgotten:
            await asyncio.to_thread(registry(request).blobs.remove, forgotten)
        return changed({"removed": True})
    given = await body(request, YankBody)
    reason = given.reason or "yanked"
    await write(
        request,
        lambda tx: releases.yank(tx, source, _owned(tx, request, "yank"), version, reason),
    )
    return changed({"yanked": reason})


async def unyank(request: Request) -> Response:
    version, source = request.path_params["version"], origin(request)
    await write(
        request, lambda tx: releases.unyank(tx, source, _owned(tx, request, "yank"), version)
    )
    return changed({"yanked": False})


async def deprecate(request: Request) -> Response:
    version, source = request.path_params["version"], origin(request)
    message = (await body(request, DeprecationBody)).message
    await write(
        request,
        lambda tx: releases.deprecate(tx, source, _owned(tx, request, "yank"), version, message),
    )
    return changed({"deprecated": message})


async def set_status(request: Request) -> Response:
    given, source = await body(request, StatusBody), origin(request)
    await write(
        request,
        lambda tx: releases.set_status(
            tx, source, _owned(tx, request, "owners"), given.status, given.reason
        ),
    )
    return changed({"status": given.status, "reason": given.reason})


async def set_tag(request: Request) -> Response:
    tag, source = request.path_params["tag"], origin(request)
    version = (await body(request, TagBody)).version
    await write(
        request,
        lambda tx: releases.set_tag(tx, source, _owned(tx, request, "tags"), tag, version),
    )
    return changed({"tag": tag, "version": version})


async def remove_tag(request: Request) -> Response:
    tag, source = request.path_params["tag"], origin(request)
    await write(
        request, lambda tx: releases.remove_tag(tx, source, _owned(tx, request, "tags"), tag)
    )
    return Response(status_code=204)


async def list_owners(request: Request) -> Response:
    author, name = named(request)
    owners = await read(request, lambda tx: _owners(tx, access.visible(tx, author, name)["id"]))
    return json_answer(request, {"owners": owners})


async def add_owners(request: Request) -> Response:
    given = (await body(request, OwnersBody)).owners

    def work(tx: Tx) -> list[str]:
        package = _owned(tx, request, "owners")
        for name in given:
            account = access.account_id(tx, name)
            sql = "INSERT OR IGNORE INTO owners (package_id, account_id) VALUES (?, ?)"
            if tx.execute(sql, (package["id"], account)):
                _note_owner(tx, request, package, "owner.add", name)
        return _owners(tx, package["id"])

    return changed({"owners": await write(request, work)})


async def remove_owners(request: Request) -> Response:
    given = (await body(request, OwnersBody)).owners

    def work(tx: Tx) -> list[str]:
        package = _owned(tx, request, "owners")
        for name in given:
            sql = "DELETE FROM owners WHERE package_id = ? AND account_id = ?"
            if tx.execute(sql, (package["id"], access.account_id(tx, name))):
                _note_owner(tx, request, package, "owner.remove", name)
        left = _owners(tx, package["id"])
        if not left:
            raise Refused(409, "LAST_OWNER", "The last owner cannot be removed")
        return left

    return changed({"owners": await write(request, work)})


async def set_policy(request: Request) -> Response:
    is_required = (await body(request, PolicyBody)).require_signature

    def work(tx: Tx) -> None:
        package = _owned(tx, request, "owners")
        sql = "UPDATE packages SET require_signature = ? WHERE id = ?"
        tx.execute(sql, (is_required, package["id"]))
        author, name = package["author"], package["name"]
        record(tx, origin(request), "policy.set", author, name, require_signature=is_required)

    await write(request, work)
    return changed({"require_signature": is_required})


def _owned(tx: Tx, request: Request, scope: str) -> Any:
    return access.owned(tx, origin(request).caller, *named(request), scope)


def _owners(tx: Tx, package_id: int) -> list[str]:
    sql = """
    SELECT a.name FROM owners o JOIN accounts a ON a.id = o.account_id
    WHERE o.package_id = ? ORDER BY a.name
    """
    return tx.values(sql, (package_id,))


def _note_owner(tx: Tx, request: Request, package: Any, action: str, account: str) -> None:
    author, name = package["author"], package["name"]
    record(tx, origin(request), action, author, name, account=account)


routes = [
    Route(_VERSION, withdraw, methods=["DELETE"]),
    Route(f"{_VERSION}/unyank", unyank, methods=["PUT"]),
    Route(f"{_VERSION}/deprecation", deprecate, methods=["PUT"]),
    Route(f"{_PACKAGE}/status", set_status, methods=["PUT"]),
    Route(f"{_PACKAGE}/dist-tags/{{tag}}", set_tag, methods=["PUT"]),
    Route(f"{_PACKAGE}/dist-tags/{{tag}}", remove_tag, methods=["DELETE"]),
    Route(f"{_PACKAGE}/owners", list_owners, methods=["GET"]),
    Route(f"{_PACKAGE}/owners", add_owners, methods=["PUT"]),
    Route(f"{_PACKAGE}/owners", remove_owners, methods=["DELETE"]),
    Route(f"{_PACKAGE}/policy", set_policy, methods=["PUT"]),
]
