"""How soon the clients at /ws are told of an event, alone and beside clients that do not read."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api import Api
from load import LoadError
from server_process import Server, open_server
from table import between, number, print_table

_TARGET_MS = 200.0
_SECONDS = 30.0
_TEXT = "words of a comment " * 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """From the start of the request to what a client got, over all clients and events."""

    messages: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    resident_mb: float | None


def main() -> int:
    options = _parse_arguments()
    try:
        with open_server(options.url) as server, Api(server.port) as api:
            found = asyncio.run(_measure_all(server, api, options))
    except LoadError as error:
        print(f"aborted: {error}", file=sys.stderr)
        return 1
    headings = ("clients", "messages", "p50 ms", "p99 ms", "worst ms", "resident MB")
    print_table(headings, [_cells(name, figures) for name, figures in found.items()])
    worst = max(figures.p99_ms for figures in found.values())
    print(f"\np99 {worst:.1f} ms, target {_TARGET_MS:.0f} ms, factor {_TARGET_MS / worst:.2f}")
    if options.json:
        figures = {name: asdict(one) for name, one in found.items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=between(1, 900), default=200)
    parser.add_argument("--stalled", type=between(0, 200), default=20, help="that never read")
    parser.add_argument("--events", type=between(1, 10_000), default=100, help="one at a time")
    parser.add_argument("--flood", type=between(0, 20_000), default=2000, help="to stalled ones")
    parser.add_argument("--url", help="measure the server that runs at http://127.0.0.1:PORT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    return parser.parse_args()


async def _measure_all(server: Server, api: Api, options: argparse.Namespace) -> dict[str, Figures]:
    project = api.post("/api/projects", {"name": "Realtime", "owner_id": "user-1"})
    body = {"project_id": project["id"], "author_id": "user-1", "title": "watched"}
    ticket = api.post("/api/tickets", body)
    path = f"/api/projects/{project['id']}/tickets/by-number/{ticket['ticket_number']}/comments"
    topic = f"ticket:{ticket['id']}"
    found = {}
    async with AsyncExitStack() as stack:
        clients = [await _listen(stack, server, topic) for _ in range(options.clients)]
        alone = f"{options.clients}"
        found[alone] = await _measure(server, api, path, clients, options.events)
        if options.stalled:
            stalled = [await _listen(stack, server, topic, 1) for _ in range(options.stalled)]
            for client in stalled:
                client.transport.pause_reading()
            await _flood(api, path, clients, options.flood)
            beside = f"{options.clients} beside {options.stalled} stalled"
            found[beside] = await _measure(server, api, path, clients, options.events)
            for client in stalled:
                client.transport.abort()
    return found


async def _listen(
    stack: AsyncExitStack, server: Server, topic: str, queue: int | None = None
) -> ClientConnection:
    client = await stack.enter_async_context(
        connect(
            f"ws://127.0.0.1:{server.port}/ws",
            compression=None,
            proxy=None,
            max_queue=queue,
            ping_interval=None,
            close_timeout=1,
        )
    )
    await client.send(json.dumps({"type": "subscribe", "topics": [topic]}))
    await client.recv()
    return client


async def _measure(
    server: Server, api: Api, path: str, clients: Sequence[ClientConnection], events: int
) -> Figures:
    seconds: list[float] = []
    for _ in range(events):
        started = perf_counter()
        told = [asyncio.create_task(_time_until_told(client)) for client in clients]
        await asyncio.to_thread(_comment, api, path)
        seconds += [at - started for at in await asyncio.gather(*told)]
    seconds.sort()
    return Figures(
        messages=len(seconds),
        p50_ms=seconds[len(seconds) // 2] * 1000,
        p99_ms=seconds[len(seconds) * 99 // 100] * 1000,
        worst_ms=seconds[-1] * 1000,
        resident_mb=server.resident_mb(),
    )


async def _flood(api: Api, path: str, clients: Sequence[ClientConnection], events: int) -> None:
    """Events one after the other, which all but the stalled clients read."""

    async def read(client: ClientConnection) -> None:
        for _ in range(events):
            await _time_until_told(client)

    reading = [asyncio.create_task(read(client)) for client in clients]
    for _ in range(events):
        await asyncio.to_thread(_comment, api, path)
    await asyncio.gather(*reading)


async def _time_until_told(client: ClientConnection) -> float:
    try:
        async with asyncio.timeout(_SECONDS):
            await client.recv()
    except (TimeoutError, ConnectionClosed) as error:
        raise LoadError(f"a client was not told of an event: {error!r}") from error
    return perf_counter()


def _comment(api: Api, path: str) -> None:
    api.post(path, {"author_id": "user-1", "body": _TEXT})


def _cells(name: str, figures: Figures) -> list[str]:
    times = (figures.p50_ms, figures.p99_ms, figures.worst_ms)
    return [
        name,
        f"{figures.messages:,}",
        *(number(value, 1) for value in times),
        number(figures.resident_mb, 1),
    ]


if __name__ == "__main__":
    sys.exit(main())
