"""What python-socketio and Flask-SocketIO publish in Redis reaches clients of the binary."""

import json
import logging
import random
import re
import socket
import subprocess
import textwrap
import threading
import time
import urllib.request
from queue import Queue

import flask_socketio
import pytest
import socketio
from conftest import REPOSITORY, Client
from werkzeug.serving import make_server

SERVER = REPOSITORY / "target/debug/socketio-server"
# A version that publishes pickles.
PYTHON_5_13 = REPOSITORY / "target/redis/5.13/bin/python"

PATIENCE = 30


def free_port():
    """A port below those that the system gives to whoever wants any: nobody has it by the time it is listened on."""
    for port in random.sample(range(10_000, 30_000), 100):
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """The URL of a Redis of its own."""
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise AssertionError("on Debian: sudo apt-get install redis-server") from error
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def logged(log, words):
    """The next line of the log with these words."""
    while words not in (line := log.get(timeout=PATIENCE)):
        pass
    return line


@pytest.fixture(scope="module")
def binary(redis):
    """A server that listens to it, as its origin, the queue of the lines of its log, and the URL of its API."""
    ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    command = [str(SERVER), *ports, "--redis", redis, "--set", "redis.python_publish=true"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = ""
    while "open files" not in said:
        line = process.stdout.readline()
        assert line, f"the server ended: {process.stderr.read()}"
        said += line
    origin = re.search(r"listening on (http://\S+)", said)[1]
    log = Queue()
    threading.Thread(target=lambda: [log.put(line) for line in process.stderr], daemon=True).start()
    logged(log, "Redis is there")
    yield origin, log, re.search(r"admin on (http://\S+)", said)[1] + "/api/v1"
    process.kill()
    process.wait()


@pytest.fixture
def client(binary):
    client = Client()
    client.connect(binary[0], transports=["websocket"])
    yield client
    client.disconnect()


@pytest.fixture
def application(redis):
    """A server that has no clients, such as an application keeps for its handlers."""
    log = logging.getLogger("application")
    server = socketio.Server(client_manager=socketio.RedisManager(redis), async_mode="threading", logger=log)
    server.manager.initialize()
    log.disabled = False
    yield server
    # Its thread has no end, and would tell of Redis's.
    log.disabled = True


@pytest.mark.parametrize("value", ["text", None, {"a": [1, None]}, ("several", 2), b"\x00\x01", ("a", {"b": b"\xff"})])
def test_a_write_only_manager_emits(redis, client, value):
    client.queue("e")
    socketio.RedisManager(redis, write_only=True).emit("e", value)
    # `None` is no argument.
    assert client.heard("e") == (() if value is None else value if isinstance(value, tuple) else (value,))


def test_flask_socketio_emits_from_any_process(redis, client):
    client.queue("e")
    flask_socketio.SocketIO(message_queue=redis).emit("e", {"percent": 40}, to=client.get_sid())
    assert client.heard("e") == ({"percent": 40},)


def test_rooms_are_entered_left_and_closed(application, client):
    sid = client.get_sid()
    heard = client.queue("e")
    application.enter_room(sid, "a")
    application.emit("e", 1, room="a")
    application.leave_room(sid, "a")
    application.emit("e", 2, room="a")
    application.enter_room(sid, "b")
    application.emit("e", 3, room=["a", "b"])
    application.emit("e", 4, room="b", skip_sid=sid)
    application.close_room("b")
    application.emit("e", 5, room="b")
    application.emit("e", 6)
    assert [heard.get(timeout=PATIENCE) for _ in range(3)] == [(1,), (3,), (6,)]


def test_answers_come_back(application, client):
    client.on("q", lambda *args: (*args, "yes"))
    answers = Queue()
    # The thread that listens may not have subscribed yet.
    deadline = time.monotonic() + PATIENCE
    while answers.empty() and time.monotonic() < deadline:
        application.emit("q", (1, 2), to=client.get_sid(), callback=lambda *args: answers.put(args))
        time.sleep(0.1)
    assert answers.get(timeout=PATIENCE) == (1, 2, "yes")


def test_sockets_are_disconnected(application, client):
    gone = client.queue("disconnect")
    application.disconnect(client.get_sid())
    assert gone.get(timeout=PATIENCE) is not None


def test_pickles_of_version_5_13_are_refused(redis, binary, client):
    heard = client.queue("e")
    program = f"""
        import socketio
        socketio.RedisManager("{redis}", write_only=True).emit("e", "pickled")
    """
    subprocess.run([PYTHON_5_13, "-c", textwrap.dedent(program)], check=True, timeout=PATIENCE)
    socketio.RedisManager(redis, write_only=True).emit("e", "read")
    assert heard.get(timeout=PATIENCE) == ("read",)
    assert "upgrade python-socketio to 5.14 or later" in logged(binary[1], "pickle")


@pytest.fixture
def beside(redis):
    """A server of python-socketio on the same Redis, with clients of its own, and a client that is on it."""
    server = socketio.Server(client_manager=socketio.RedisManager(redis), async_mode="threading")
    http = make_server("127.0.0.1", 0, socketio.WSGIApp(server), threaded=True)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    client = Client()
    client.connect(f"http://127.0.0.1:{http.port}", transports=["polling"])
    yield server, client
    client.disconnect()
    http.shutdown()


def test_what_the_binary_emits_reaches_clients_of_a_server_in_python(redis, binary, client, beside):
    server, other = beside
    queues = [client.queue("e"), other.queue("e")]
    subscribed = other.queue("subscribed")
    # The thread that listens may not have subscribed yet.
    deadline = time.monotonic() + PATIENCE
    while subscribed.empty() and time.monotonic() < deadline:
        socketio.RedisManager(redis, write_only=True).emit("subscribed", None)
        time.sleep(0.1)
    server.enter_room(client.get_sid(), "both")
    server.enter_room(other.get_sid(), "both")
    # Behind that, as Redis keeps its order.
    joined = [client.queue("joined"), other.queue("joined")]
    server.emit("joined", None, room="both")
    assert [queue.get(timeout=PATIENCE) for queue in joined] == [(), ()]
    both, sids = {"room": "both"}, {"to": {"sids": [other.get_sid()]}}
    placeholder = {"file": {"_placeholder": True, "num": 0}}
    for emit in [
        {"args": ["x", {"a": [None]}]},
        {**both, "args": [placeholder], "attachments": ["AQI="]},
        {**sids, "args": [2]},
        {**both, "except": {"sids": [other.get_sid()]}, "args": [3]},
        {**both, "except": {"rooms": ["nobody"]}, "args": [4]},
        {"to": {"users": ["ann"]}, "args": [5]},
        {**both, "args": []},
    ]:
        request = urllib.request.Request(binary[2] + "/emit", json.dumps({"event": "e", **emit}).encode())
        assert urllib.request.urlopen(request, timeout=PATIENCE).status == 200
    first = [("x", {"a": [None]}), ({"file": b"\x01\x02"},)]
    assert [queues[0].get(timeout=PATIENCE) for _ in range(5)] == [*first, (3,), (4,), ()]
    # It cannot be told whom to leave out by rooms.
    assert [queues[1].get(timeout=PATIENCE) for _ in range(4)] == [*first, (2,), ()]
    assert "leaves no rooms out" in logged(binary[1], "unpublished")
