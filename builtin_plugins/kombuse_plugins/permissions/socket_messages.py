"""`permission.response`: a person's answer at /ws. The broadcast that follows confirms it."""

import asyncio

from kombuse_plugins.permissions.schemas import PermissionResponse
from kombuse_sdk.contracts import Permissions
from kombuse_sdk.contracts.permissions import PermissionReply
from kombuse_sdk.errors import NotFound
from kombuse_sdk.sockets import Client, SocketMessage
from kombuse_sdk.types import Kernel

__all__ = ["messages"]


def messages(kernel: Kernel) -> list[SocketMessage]:
    async def respond(client: Client, message: PermissionResponse) -> None:
        reply = PermissionReply(
            behavior=message.behavior,
            message=message.message,
            updated_input=message.updated_input,
            always_allow=message.always_allow,
        )
        answer = kernel.services.get(Permissions).answer
        try:
            outcome = await asyncio.to_thread(answer, message.session_id, message.request_id, reply)
        except NotFound:
            raise NotFound("Failed to respond to permission request") from None
        if outcome.note is not None:
            client.send({"type": "error", "message": outcome.note})

    return [SocketMessage(name="permission.response", model=PermissionResponse, handle=respond)]
