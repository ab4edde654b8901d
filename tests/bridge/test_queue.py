"""Applications that have a message queue, and keep it: what they emit outside of handlers goes by Redis to the server."""

import asyncio
import json
import subprocess

import pytest
import redis as redis_package

from conftest import KINDS, LIMIT, REPOSITORY, VERSIONS, Process
from stage import Served, connected, free_port

# The first one whose messages are no pickles is 5.14.
VERSION = VERSIONS[-1]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """The URL of a Redis of its own."""
    port = free_port()
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""]
    try:
        process = Process(command, "Ready to accept connections", tmp_path_factory.mktemp("redis"))
    except FileNotFoundError as error:
        raise AssertionError("on Debian: sudo apt-get install redis-server") from error
    yield f"redis://127.0.0.1:{port}/0"
    process.stop()


@pytest.fixture(scope="module", params=KINDS)
def served(request, redis, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    more = f"\n[redis]\nurl = '{redis}'\n"
    stage = Served(VERSION, request.param, folder, {"api": None}, more=more, MESSAGE_QUEUE=redis)
    stage.server.logged("Redis is there")
    yield stage
    stage.stop()


class Published:
    """What goes by the queue from now on."""

    def __init__(self, url, kind):
        self.client = redis_package.Redis.from_url(url, socket_timeout=LIMIT)
        self.channel = self.client.pubsub(ignore_subscribe_messages=True)
        self.channel.subscribe("flask-socketio" if kind == "flask" else "socketio")
        while self.channel.get_message(timeout=LIMIT) is not None:
            pass

    def events(self, count):
        """The names of the next emits."""
        events = []
        while len(events) < count:
            message = self.channel.get_message(timeout=LIMIT)
            if message is not None:
                events.append(json.loads(message["data"])["event"])
        return events


def test_handlers_answer_and_all_else_goes_by_the_queue(served, redis):
    published = Published(redis, served.kind)

    async def play():
        async with connected(served, "ann") as [ann]:
            assert await ann.ask("echo", 1, b"2") == (1, b"2")
            await ann.ask("speak")
            await ann.heard("said", 1)
            assert await ann.ask("move", "there", "away") == [*sorted([ann.get_sid(), "there"])]
            await asyncio.to_thread(served.get, "/emit?text=hi&room=there")
            await ann.heard("routed")
            assert ann.events[-1] == ("routed", "hi")

    asyncio.run(play())
    assert published.events(1) == ["routed"]


def test_what_other_processes_write_into_the_queue_reaches_clients(served, redis):
    if served.kind == "flask":
        code = "import flask_socketio; queue = flask_socketio.SocketIO(message_queue=sys.argv[1])"
    else:
        code = "import socketio; queue = socketio.RedisManager(sys.argv[1], write_only=True)"
    code = f"import sys; {code}; queue.emit('far', 1); queue.emit('far', ('a', None)); queue.emit('far', None)"
    python = REPOSITORY / f"target/bridge/{VERSION}/bin/python"

    async def play():
        async with connected(served, "ann") as [ann]:
            await asyncio.to_thread(subprocess.run, [python, "-c", code, redis], check=True, timeout=LIMIT)
            await ann.heard("far", 3)
            assert ann.events == [("far", 1), ("far", "a", None), ("far",)]

    asyncio.run(play())


def test_tasks_and_questions_go_by_the_queue_in_order(served, redis):
    async def play():
        async with connected(served, "ann") as [ann]:
            await ann.ask("work")
            await ann.heard("step", 3)
            await ann.heard("accepted")
            assert ann.events[0] == ("started",)
            assert [args for event, *args in ann.events if event == "step"] == [[0], [1], [2]]
            ann.answers["question"] = "yes"
            assert await ann.ask("ask", "why?") == "yes"
            ann.answers["question"] = answer = asyncio.Future()
            await ann.emit("ask-later", "why?")
            await ann.heard("behind")
            answer.set_result(("no", 1))
            await ann.heard("answered")
            assert [event for event, *_ in ann.events[-4:]] == ["before", "question", "behind", "answered"]

    asyncio.run(play())
