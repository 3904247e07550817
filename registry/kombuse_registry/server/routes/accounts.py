"""What people have at the registry: tokens and keys, and the log of what was done with them."""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kombuse_registry.server import access, keys, tokens
from kombuse_registry.server.answers import changed, json_answer
from kombuse_registry.server.audit import record
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.paging import page_request, read_page
from kombuse_registry.server.requests import body, origin, read, write
from kombuse_registry.server.tokens import Caller
from kombuse_sdk.schemas import NonEmpty, Text

__all__ = ["routes"]

_Name = Annotated[NonEmpty, Field(max_length=200)]
_Names = Annotated[list[_Name], Field(max_length=100)]
_TOKEN = """json_object(
    'id', t.id, 'name', t.name, 'account', a.name, 'scopes', json(t.scopes),
    'packages', json(t.packages), 'cidrs', json(t.cidrs), 'created_at', t.created_at,
    'last_used_at', t.last_used_at, 'last_used_ip', t.last_used_ip,
    'expires_at', t.expires_at, 'revoked_at', t.revoked_at)"""
_KEY = """json_object(
    'keyid', k.keyid, 'alg', 'ed25519', 'public_key', k.public_key, 'name', k.name,
    'created_at', k.created_at, 'expires_at', k.expires_at, 'revoked_at', k.revoked_at,
    'usage', k.usage, 'account', a.name)"""
_ENTRY = """json_object(
    'id', e.id, 'at', e.at, 'actor', e.actor, 'token_id', e.token_id, 'ip', e.ip,
    'user_agent', e.user_agent, 'action', e.action, 'author', e.author, 'name', e.name,
    'version', e.version, 'detail', json(e.detail))"""


class TokenBody(BaseModel):
    name: _Name
    scopes: _Names
    packages: _Names
    expires_at: Text | None = None
    cidrs: _Names = []
    account: _Name | None = None


class LeakedBody(BaseModel):
    token: NonEmpty


class KeyBody(BaseModel):
    public_key: _Name
    name: _Name


async def whoami(request: Request) -> Response:
    caller = access.require(origin(request).caller)
    shown = {
        "account": caller.account,
        "scopes": sorted(caller.scopes),
        "packages": list(caller.packages),
        "expires_at": caller.expires_at,
    }
    return json_answer(request, shown, {"Cache-Control": "private, no-cache"})


async def create_token(request: Request) -> Response:
    caller = access.require(origin(request).caller, "tokens")
    given = await body(request, TokenBody)
    tokens.check_grant(given.scopes, given.packages, given.cidrs, caller)
    if given.account not in (None, caller.account):
        access.require(caller, "admin")

    def work(tx: Tx) -> dict[str, Any]:
        account = caller.account_id
        if given.account:
            account = access.account_id(tx, given.account, create=caller.is_admin)
        made = tokens.create(
            tx,
            account,
            name=given.name,
            scopes=given.scopes,
            packages=given.packages,
            expires_at=tokens.expiry(given.expires_at),
            cidrs=given.cidrs,
        )
        detail = {"token": made["id"], "scopes": given.scopes, "packages": given.packages}
        record(tx, origin(request), "token.create", **detail)
        return made

    return changed(await write(request, work), 201)


async def list_tokens(request: Request) -> Response:
    caller = access.require(origin(request).caller, "tokens")
    asked = page_request(request.url.path, dict(request.query_params), (str,))
    source = "tokens t JOIN accounts a ON a.id = t.account_id"
    conditions = [] if caller.is_admin else ["t.account_id = :account"]
    params = {"account": caller.account_id}
    page = await read(
        request, lambda tx: read_page(tx, asked, _TOKEN, source, conditions, ("t.id",), params)
    )
    return json_answer(request, page.text, {**page.headers, "Cache-Control": "private, no-cache"})


async def revoke_token(request: Request) -> Response:
    caller = access.require(origin(request).caller, "tokens")
    identifier = request.path_params["id"]

    def work(tx: Tx) -> None:
        owner = tx.value("SELECT account_id FROM tokens WHERE id = ?", (identifier,))
        if owner is None or (owner != caller.account_id and not caller.is_admin):
            raise Refused(404, "TOKEN_NOT_FOUND", "Token not found")
        _revoke(tx, request, identifier)

    await write(request, work)
    return Response(status_code=204)


async def revoke_leaked(request: Request) -> Response:
    """By its text, from whoever has found it. The answer does not tell whether it was one."""
    text = (await body(request, LeakedBody, is_open=True)).token
    address = origin(request).address or ""

    def work(tx: Tx) -> None:
        try:
            tokens.find(tx, text, address)
        except Refused as refused:
            if refused.code == "INVALID_TOKEN":
                return
        _revoke(tx, request, tokens.token_id(text) or "")

    await write(request, work)
    return Response(status_code=204)


async def list_keys(request: Request) -> Response:
    asked = page_request(request.url.path, dict(request.query_params), (str, str))
    source = "keys k LEFT JOIN accounts a ON a.id = k.account_id"
    order = ("k.created_at", "k.keyid")
    page = await read(request, lambda tx: read_page(tx, asked, _KEY, source, [], order, {}))
    return json_answer(request, f'{{"keys":{page.text}}}', page.headers)


async def add_key(request: Request) -> Response:
    caller = access.require(origin(request).caller, "owners")
    given = await body(request, KeyBody)

    def work(tx: Tx) -> dict[str, Any]:
        made = keys.add_publisher_key(tx, caller.account_id, given.public_key, given.name)
        record(tx, origin(request), "key.add", keyid=made["keyid"], usage="publisher")
        return {**made, "account": caller.account}

    return changed(await write(request, work), 201)


async def revoke_key(request: Request) -> Response:
    caller = access.require(origin(request).caller, "owners")
    identifier = request.path_params["keyid"]

    def work(tx: Tx) -> None:
        row = tx.one("SELECT usage, account_id FROM keys WHERE keyid = ?", (identifier,))
        is_own = row is not None and row["account_id"] == caller.account_id
        if row is None or not (is_own or caller.is_admin):
            raise Refused(404, "KEY_NOT_FOUND", "Key not found")
        if keys.revoke(tx, identifier):
            record(tx, origin(request), "key.revoke", keyid=identifier, usage=row["usage"])

    await write(request, work)
    return Response(status_code=204)


async def show_audit(request: Request) -> Response:
    caller = access.require(origin(request).caller, "audit")
    query = dict(request.query_params)
    asked = page_request(request.url.path, query, (int,))
    conditions, params = _audit_filter(caller, query)
    page = await read(
        request,
        lambda tx: read_page(
            tx, asked, _ENTRY, "audit e", conditions, ("e.id",), params, descending=True
        ),
    )
    cursor = "null" if page.next_cursor is None else f'"{page.next_cursor}"'
    text = f'{{"entries":{page.text},"next_cursor":{cursor}}}'
    return json_answer(request, text, {**page.headers, "Cache-Control": "private, no-cache"})


def _audit_filter(caller: Caller, query: dict[str, str]) -> tuple[list[str], dict[str, Any]]:
    """Admins see all, others what happened in their namespaces."""
    conditions: list[str] = []
    params: dict[str, Any] = {"account": caller.account_id}
    if not caller.is_admin:
        conditions.append("e.author IN (SELECT author FROM namespaces WHERE account_id = :account)")
    for name in ("author", "name", "action"):
        if query.get(name):
            conditions.append(f"e.{name} = :{name}")
            params[name] = query[name]
    for name, sign in (("since", ">="), ("until", "<")):
        if query.get(name):
            conditions.append(f"e.at {sign} :{name}")
            params[name] = query[name]
    return conditions, params


def _revoke(tx: Tx, request: Request, identifier: str) -> None:
    if tokens.revoke(tx, identifier):
        record(tx, origin(request), "token.revoke", token=identifier)


routes = [
    Route("/api/pkg/-/whoami", whoami),
    Route("/api/pkg/-/tokens", list_tokens, methods=["GET"]),
    Route("/api/pkg/-/tokens", create_token, methods=["POST"]),
    Route("/api/pkg/-/tokens/revoke", revoke_leaked, methods=["POST"]),
    Route("/api/pkg/-/tokens/{id}", revoke_token, methods=["DELETE"]),
    Route("/api/pkg/-/keys", list_keys, methods=["GET"]),
    Route("/api/pkg/-/keys", add_key, methods=["POST"]),
    Route("/api/pkg/-/keys/{keyid}", revoke_key, methods=["DELETE"]),
    Route("/api/pkg/-/audit", show_audit),
]
