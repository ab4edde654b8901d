"""python-socketio's asyncio client against profile smoke, over each way of connecting."""

import asyncio
import contextlib

import pytest
import socketio

from test_client import BYTES, VALUES

LIMIT = 30

arguments = pytest.mark.parametrize("arguments", VALUES.values(), ids=VALUES.keys())


class Client(socketio.AsyncClient):
    """The client with its events in queues."""

    def __init__(self):
        super().__init__(reconnection=False)
        self.queues = {}

    def queue(self, event, namespace="/"):
        """The arguments of each `event` from now on."""
        key = (event, namespace)
        if key not in self.queues:
            self.queues[key] = asyncio.Queue()
            self.on(event, lambda *args: self.queues[key].put_nowait(args), namespace)
        return self.queues[key]

    async def heard(self, event, namespace="/"):
        return await self.queue(event, namespace).get()


@pytest.fixture
def speak(server, transports):
    """Runs a test's coroutine function with `connect`, which makes connected clients."""

    def speak(body):
        async def run():
            async with asyncio.timeout(LIMIT), contextlib.AsyncExitStack() as stack:

                async def connect(**options):
                    client = Client()
                    stack.push_async_callback(client.disconnect)
                    await client.connect(server, transports=transports, **{"namespaces": ["/"], **options})
                    return client

                await body(connect)

        asyncio.run(run())

    return speak


def test_the_transport_is_the_last_one_asked_for(speak, transports):
    async def body(connect):
        assert (await connect()).transport() == transports[-1]

    speak(body)


@arguments
def test_events_come_back(speak, arguments):
    async def body(connect):
        client = await connect()
        client.queue("echo")
        await client.emit("echo", tuple(arguments))
        assert await client.heard("echo") == tuple(arguments)

    speak(body)


@arguments
def test_acknowledgements_of_both_sides(speak, arguments):
    async def body(connect):
        client = await connect()
        reply = await client.call("ack-me", tuple(arguments))
        assert reply == (arguments[0] if len(arguments) == 1 else tuple(arguments))
        client.on("question", lambda *question: question)
        client.queue("answer")
        await client.emit("ask-ack", tuple(arguments))
        assert await client.heard("answer") == tuple(arguments)

    speak(body)


def test_events_keep_their_order(speak):
    async def body(connect):
        client = await connect()
        # This client takes at most 16 packets in one polling payload, and attachments are some.
        sent = [b"%d" % i if i % 3 == 0 else i for i in range(10)]
        client.queue("echo")
        for value in sent:
            await client.emit("echo", value)
        assert [(await client.heard("echo"))[0] for _ in sent] == sent

    speak(body)


def test_large_text_and_bytes(speak):
    async def body(connect):
        client = await connect()
        for value in ["朝辞白帝 " * 7_700, BYTES * 4000]:
            assert await client.call("ack-me", value) == value, "what came back differs"

    speak(body)


def test_two_namespaces_share_a_connection(speak):
    async def body(connect):
        client = await connect(namespaces=["/", "/custom"], auth={"token": "abc"})
        assert len({client.get_sid("/"), client.get_sid("/custom"), client.eio.sid}) == 3
        for namespace in ["/", "/custom"]:
            client.queue("echo", namespace)
            client.queue("auth", namespace)
            await client.emit("echo", namespace, namespace=namespace)
            await client.emit("auth", namespace=namespace)
            assert await client.heard("echo", namespace) == (namespace,)
            assert await client.heard("auth", namespace) == ({"token": "abc"},)
        assert all(queue.empty() for queue in client.queues.values())

    speak(body)


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        ("/unknown", {"message": "Invalid namespace"}),
        ("/forbidden", {"message": "forbidden", "data": {"code": 403}}),
    ],
)
def test_a_namespace_is_refused(speak, namespace, expected):
    async def body(connect):
        client = await connect()
        errors = client.queue("connect_error", namespace)
        client.connection_namespaces.append(namespace)
        await client._send_packet(client.packet_class(socketio.packet.CONNECT, namespace=namespace))
        assert await errors.get() == (expected,)
        assert await client.call("ack-me", "alive") == "alive"

    speak(body)


def test_rooms(speak):
    async def body(connect):
        member, leaver, caster = [await connect() for _ in range(3)]
        queues = [client.queue("msg") for client in (member, leaver, caster)]
        assert await member.call("join", "async room") is True
        assert await leaver.call("join", "async room") is True
        assert await leaver.call("leave", "async room") is True
        await caster.emit("cast", ("async room", "hello 🎉", BYTES))
        assert await member.heard("msg") == ("hello 🎉", BYTES)
        for client in (caster, member, leaver):
            await client.call("ack-me")
        assert all(queue.empty() for queue in queues)

    speak(body)


def test_kick_ends_one_namespace_and_drop_the_connection(speak):
    async def body(connect):
        client = await connect(namespaces=["/", "/custom"])
        client.queue("disconnect", "/custom")
        await client.emit("kick", namespace="/custom")
        await client.heard("disconnect", "/custom")
        assert await client.call("ack-me", "alive") == "alive"
        client.queue("disconnect")
        await client.emit("drop")
        await client.heard("disconnect")

    speak(body)


def test_what_is_emitted_in_one_namespace_is_not_cast_to_the_other(speak):
    async def body(connect):
        client = await connect(namespaces=["/", "/custom"])
        main, custom = client.queue("msg"), client.queue("msg", "/custom")
        assert await client.call("join", "shared") is True
        assert await client.call("join", "shared", namespace="/custom") is True
        await client.emit("cast", ("shared", "custom"), namespace="/custom")
        assert await custom.get() == ("custom",)
        await client.call("ack-me")
        assert main.empty()

    speak(body)
