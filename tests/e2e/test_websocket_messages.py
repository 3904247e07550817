"""What a real client gets for what it says at /ws, good or bad."""

from collections.abc import Iterator

import pytest
from tests.sockets import Socket, open_socket
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode

from kombuse_sdk.processes import ServerProcess

INVALID = {"type": "error", "message": "Invalid message format"}


@pytest.fixture
def socket(server: ServerProcess) -> Iterator[Socket]:
    with open_socket(server) as opened:
        yield opened


def test_the_address_is_unknown_to_plain_requests(server: ServerProcess) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = server.http.request(method, "/ws")

        assert (answer.status_code, answer.json()) == (
            404,
            {"error": f"Route {method}:/ws not found"},
        )
    assert server.http.head("/ws").status_code == 404


def test_a_ping_is_answered(socket: Socket) -> None:
    assert socket.ask({"type": "ping"}) == {"type": "pong"}


def test_binary_json_is_taken_like_text(socket: Socket) -> None:
    assert socket.ask(b'{"type":"ping"}') == {"type": "pong"}


def test_fields_that_nobody_knows_are_ignored(socket: Socket) -> None:
    assert socket.ask({"type": "ping", "id": 7}) == {"type": "pong"}


def test_fragments_are_one_message(socket: Socket) -> None:
    socket.connection.send(iter(['{"type":', '"pi', 'ng"}']))

    assert socket.receive() == {"type": "pong"}


def test_nothing_is_compressed_and_no_protocol_agreed(server: ServerProcess) -> None:
    with open_socket(server, compression="deflate", subprotocols=["kombuse"]) as socket:
        response = socket.connection.response

        assert response is not None
        assert "sec-websocket-extensions" not in response.headers
        assert socket.connection.subprotocol is None


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{nope",
        "null",
        "5",
        "true",
        '"subscribe"',
        "[]",
        '[{"type":"ping"}]',
        "{}",
        '{"type":null}',
        '{"type":5}',
        '{"type":["ping"]}',
        '{"type":"ping"} {"type":"ping"}',
        '{"type":"ping","n":NaN}',
        '{"type":"\\ud800"}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","topics":null}',
        '{"type":"subscribe","topics":"ticket:1"}',
        '{"type":"subscribe","topics":{"a":1}}',
        '{"type":"subscribe","topics":[1]}',
        '{"type":"subscribe","topics":["*",null]}',
        '{"type":"subscribe","topics":["\\ud800"]}',
        '{"type":"unsubscribe"}',
        '{"type":"unsubscribe","topics":7}',
        b"",
        b"\xff\xfe\x00",
        b'\xef\xbb\xbf{"type":"ping"}',
        b'{"type":"ping\xff"}',
        "[" * 100_000,
        '{"type":"ping","a":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_a_bad_message_is_an_error_and_the_connection_goes_on(
    socket: Socket, frame: str | bytes
) -> None:
    assert socket.ask(frame) == INVALID
    assert socket.ask({"type": "ping"}) == {"type": "pong"}


@pytest.mark.parametrize("name", ["", "nope", "Subscribe", "subscribe ", "__class__", "event"])
def test_an_unknown_type_is_named(socket: Socket, name: str) -> None:
    expected = {"type": "error", "message": f"Unknown message type: {name}"}

    assert socket.ask({"type": name}) == expected


def test_a_long_unknown_type_is_not_sent_back_in_full(socket: Socket) -> None:
    assert len(socket.ask({"type": "x" * 50_000})["message"]) < 200


def test_a_megabyte_is_too_much_for_a_subscription(socket: Socket) -> None:
    answer = socket.ask({"type": "subscribe", "topics": ["x" * 1_000_000]})

    assert answer["type"] == "error"
    assert "too large" in answer["message"]
    assert socket.ask({"type": "ping"}) == {"type": "pong"}


@pytest.mark.parametrize("frame", ["x" * 1_000_000, b"\x00" * 1_000_000, "[" * 1_000_000])
def test_a_megabyte_of_rubbish_is_an_error(socket: Socket, frame: str | bytes) -> None:
    assert socket.ask(frame)["type"] == "error"
    assert socket.ask({"type": "ping"}) == {"type": "pong"}


def test_a_message_larger_than_any_may_be_ends_the_connection(socket: Socket) -> None:
    with pytest.raises(ConnectionClosedError) as closed:
        socket.ask("x" * (16 * 1024 * 1024 + 1))

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_too_long_a_topic_is_an_error(socket: Socket) -> None:
    assert socket.ask({"type": "subscribe", "topics": ["x" * 257]}) == INVALID
    assert socket.ask({"type": "subscribe", "topics": ["x" * 256]})["type"] == "subscribed"


def test_too_many_topics_are_an_error_and_none_is_added(socket: Socket) -> None:
    topics = [f"ticket:{number}" for number in range(1001)]

    assert socket.ask({"type": "subscribe", "topics": topics}) == INVALID
    assert socket.ask({"type": "subscribe", "topics": topics[:1000]})["type"] == "subscribed"
    assert socket.ask({"type": "subscribe", "topics": topics[1000:]}) == {
        "type": "error",
        "message": "Too many topics, at most 1000",
    }
    assert socket.ask({"type": "subscribe", "topics": topics[:3]})["type"] == "subscribed"


def test_subscriptions_are_confirmed_as_they_were_sent(socket: Socket) -> None:
    topics = ["ticket:1", "nonsense", "", "ticket:1", "*", "ticket:*"]

    for _ in range(2):
        assert socket.ask({"type": "subscribe", "topics": topics}) == {
            "type": "subscribed",
            "topics": topics,
        }
    assert socket.ask({"type": "subscribe", "topics": []}) == {"type": "subscribed", "topics": []}


def test_what_was_never_subscribed_can_be_unsubscribed(socket: Socket) -> None:
    assert socket.ask({"type": "unsubscribe", "topics": ["a", "a"]}) == {
        "type": "unsubscribed",
        "topics": ["a", "a"],
    }


def test_many_messages_at_once_are_answered_in_their_order(socket: Socket) -> None:
    for number in range(2000):
        socket.send({"type": "unsubscribe", "topics": [str(number)]})

    answers = [socket.receive()["topics"] for _ in range(2000)]

    assert answers == [[str(number)] for number in range(2000)]


def raw(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """A frame as it goes over the wire."""
    return Frame(opcode, data, fin).serialize(mask=True)


ENDLESS = raw(Opcode.TEXT, b"", fin=False) + raw(Opcode.CONT, b"", fin=False) * 2000


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (raw(Opcode.TEXT, b'{"type":"\xff"}'), 1007),
        (raw(Opcode.CONT, b"x"), 1002),
        (raw(Opcode.TEXT, b"{", fin=False) + raw(Opcode.TEXT, b"}"), 1002),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (b"\x81\x01x", 1002),
        (ENDLESS, 1009),
    ],
    ids=["no-text", "no-beginning", "no-end", "unknown-opcode", "not-masked", "endless-fragments"],
)
def test_a_broken_frame_ends_this_connection_alone(
    server: ServerProcess, socket: Socket, sent: bytes, code: int
) -> None:
    with open_socket(server) as broken:
        broken.connection.socket.sendall(sent)

        with pytest.raises(ConnectionClosedError) as closed:
            broken.receive()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert socket.ask({"type": "ping"}) == {"type": "pong"}
    assert "Traceback" not in server.output


def test_a_flood_of_one_client_holds_nobody_up(server: ServerProcess, socket: Socket) -> None:
    with open_socket(server) as flood:
        flood.connection.socket.sendall(raw(Opcode.TEXT, b'{"type":"nope"}') * 5000)

        assert socket.ask({"type": "ping"}) == {"type": "pong"}
        assert server.http.get("/health").status_code == 200
