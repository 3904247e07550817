"""What clients say at /ws to agents: `agent.invoke` and `agent.stop`, also as `chat` and
`stop_session`."""

from collections.abc import Iterable

from kombuse_plugins.sessions.provider import live_sessions
from kombuse_plugins.sessions.schemas import AgentInvoke, AgentStop, ChatMessage, StopSession
from kombuse_plugins.sessions.service import Chat
from kombuse_sdk.sockets import Client, SocketMessage
from kombuse_sdk.types import Kernel

__all__ = ["socket_messages"]

_WITH_IMAGES = 16 * 1024 * 1024
_WITH_TEXT = 4 * 1024 * 1024


def socket_messages(kernel: Kernel) -> Iterable[SocketMessage]:
    async def invoke(client: Client, given: AgentInvoke) -> None:
        chat = Chat(
            message=given.message,
            session_id=given.kombuseSessionId,
            agent_id=given.agentId,
            project_id=given.projectId,
            ticket_number=given.ticketNumber,
            backend_type=given.backendType,
            model=given.modelPreference,
            user_event_id=given.userEventId or None,
            images=tuple(given.images or ()),
            sender=client.id,
        )
        await live_sessions(kernel).send(chat)

    async def chat(client: Client, given: ChatMessage) -> None:
        said = Chat(
            message=given.message,
            session_id=given.session_id,
            must_exist=True,
            sender=client.id,
        )
        await live_sessions(kernel).send(said)

    async def stop(client: Client, given: AgentStop) -> None:
        await live_sessions(kernel).halt(given.kombuseSessionId)

    async def stop_session(client: Client, given: StopSession) -> None:
        await live_sessions(kernel).halt(given.session_id)

    return (
        SocketMessage(name="agent.invoke", model=AgentInvoke, handle=invoke, max_size=_WITH_IMAGES),
        SocketMessage(name="agent.stop", model=AgentStop, handle=stop),
        SocketMessage(name="chat", model=ChatMessage, handle=chat, max_size=_WITH_TEXT),
        SocketMessage(name="stop_session", model=StopSession, handle=stop_session),
    )
