"""python-socketio's client against profile smoke, over each way of connecting."""

from queue import Queue

import pytest
import socketio

BYTES = bytes(range(256))

VALUES = {
    "text": ["hello"],
    "empty text": [""],
    "unicode": ["朝辞白帝 € 🎉 👩🏽‍🚀 e\u0301 \u2028 \ue000 \U0010ffff \0 \x1e"],
    "numbers": [0, -1, 1.5, 2**53 - 1, -(2**53 - 1)],
    "none, booleans": [None, True, False],
    "nested": [{"a": [1, {"b": None}], "ключ": "значение"}, []],
    "bytes": [BYTES],
    "empty bytes": [b""],
    "bytes amid other values": ["a", BYTES, {"b": [b"c", None]}, b""],
}

arguments = pytest.mark.parametrize("arguments", VALUES.values(), ids=VALUES.keys())


def test_the_transport_is_the_last_one_asked_for(connect, transports):
    assert connect().transport() == transports[-1]


@arguments
def test_events_come_back(connect, arguments):
    client = connect()
    client.queue("echo")
    client.emit("echo", tuple(arguments))
    assert client.heard("echo") == tuple(arguments)


@arguments
def test_the_server_acknowledges(connect, arguments):
    reply = connect().call("ack-me", tuple(arguments), timeout=10)
    assert reply == (arguments[0] if len(arguments) == 1 else tuple(arguments))


@arguments
def test_the_client_acknowledges(connect, arguments):
    client = connect()
    client.on("question", lambda *question: question)
    client.queue("answer")
    client.emit("ask-ack", tuple(arguments))
    assert client.heard("answer") == tuple(arguments)


def test_acknowledgements_in_flight_keep_their_pairing(connect):
    client = connect()
    # This client takes at most 16 packets in one polling payload.
    values = {i: i if i % 3 else b"%d" % i for i in range(10)}
    replies = Queue()
    for i, value in values.items():
        client.emit("ack-me", value, callback=lambda reply, i=i: replies.put((i, reply)))
    assert dict(replies.get(timeout=10) for _ in values) == values


def test_large_text_and_bytes(connect):
    client = connect()
    # This client checks UTF-8 in Python, so slowly that 1 MB of text outlasts the heartbeat.
    for value in ["朝辞白帝 " * 7_700, BYTES * 4000]:
        reply = client.call("ack-me", value, timeout=10)
        assert reply == value, "what came back differs"


def test_two_namespaces_share_a_connection(connect):
    client = connect(namespaces=["/", "/custom"])
    main, custom = client.queue("echo"), client.queue("echo", "/custom")
    assert len({client.get_sid("/"), client.get_sid("/custom"), client.eio.sid}) == 3
    client.emit("echo", "main")
    client.emit("echo", "custom", namespace="/custom")
    assert client.heard("echo") == ("main",)
    assert client.heard("echo", "/custom") == ("custom",)
    client.fence()
    client.fence("/custom")
    assert main.empty() and custom.empty()


def test_the_auth_payload_reaches_the_server(connect):
    client = connect(auth={"token": "abc"})
    client.queue("auth")
    client.emit("auth")
    assert client.heard("auth") == ({"token": "abc"},)


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        ("/unknown", {"message": "Invalid namespace"}),
        ("/forbidden", {"message": "forbidden", "data": {"code": 403}}),
    ],
)
def test_a_namespace_is_refused(server, transports, namespace, expected):
    client = socketio.Client(reconnection=False)
    errors = []
    client.on("connect_error", errors.append, namespace)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server, transports=transports, namespaces=[namespace])
    assert errors == [expected]


def test_rooms(connect):
    member, leaver, caster = connect(), connect(), connect()
    queues = [client.queue("msg") for client in (member, leaver, caster)]
    assert member.call("join", "room", timeout=10) is True
    assert leaver.call("join", "room", timeout=10) is True
    assert leaver.call("leave", "room", timeout=10) is True
    caster.emit("cast", ("room", "hello 🎉", BYTES))
    assert member.heard("msg") == ("hello 🎉", BYTES)
    for client in (caster, member, leaver):
        client.fence()
    assert all(queue.empty() for queue in queues)


def test_kick_ends_one_namespace(connect):
    client = connect(namespaces=["/", "/custom"])
    client.queue("disconnect", "/custom")
    client.emit("kick", namespace="/custom")
    client.heard("disconnect", "/custom")
    assert client.call("ack-me", "alive", timeout=10) == "alive"


def test_drop_ends_the_connection(connect):
    client = connect()
    client.queue("disconnect")
    client.emit("drop")
    client.heard("disconnect")
