"""Hooks to applications in a process of its own: what goes wrong, or takes long, costs no more than it has to."""

import json

import pytest

from test_messages import run

# An application with `emit`, and `hook`, which prints what is answered; the API is where `sys.argv[1]` says.
FLASK = """
import json, multiprocessing, os, sys, threading, time
import flask, flask_socketio
from flask_socketio import emit, join_room
from socketio_server import attach, bridge as bridges, hook as hooks
app = flask.Flask(__name__)
app.secret_key = "for tests"
socketio = flask_socketio.SocketIO(app, async_mode="threading")
on = socketio.on
numbers = iter(range(100))
def hook(type="event", **fields):
    body = {"type": type, "id": "msg_%d" % next(numbers), "namespace": "/", "sid": "S", "args": [], **fields}
    answer = socketio.server.bridge.answer({}, json.dumps(body).encode())
    print(answer.status, answer.body.decode()[:300])
def drain():
    socketio.server.manager.link.drained().result(10)
def start(**options):
    attach(app, socketio, api=sys.argv[1], api_key="key of the tests", **options)
"""


def answers(api, code):
    """What an application answers, a line each, and its log."""
    out, log = run(FLASK + code, api.address)
    return out.splitlines(), log


def test_a_client_leaves_once_however_often_the_server_asks(api):
    code = """
@on("disconnect")
def gone(reason=None):
    emit("left", broadcast=True)
    {}["no such key"]
start()
for _ in range(2):
    hook("disconnect", id="msg_of_it", reason="transport close")
hook("disconnect", id="msg_of_another", reason="transport close")
drain()
"""
    out, _ = answers(api, code)
    assert out == ["422 ", "204 ", "422 "]
    assert api.events(2) == [("left", [])] * 2 and api.is_quiet()


def test_a_name_that_the_server_does_not_take_voids_no_answer(api):
    code = """
@on("connect")
def come(auth):
    flask.session["user"] = auth["user"]
@on("join")
def join(*rooms):
    for room in rooms:
        join_room(room)
    emit("joined")
    return "ack"
start(user="user")
for user in ["", "a\\n", "\\x85", "Ann"]:
    hook("connect", auth={"user": user})
hook(event="join", args=["", "\\x7fx", "ok"], wants_ack=True)
drain()
"""
    out, _ = answers(api, code)
    users = [json.loads(line.partition(" ")[2] or "{}").get("user") for line in out[:4]]
    assert users == [None, None, None, "Ann"]
    # What came behind the names that go by messages does so, too.
    assert out[4:] == ['200 {"ack":["ack"]}']
    messages = [api.next() for _ in range(4)]
    assert [message.get("room") for message in messages] == ["", "\x7fx", "ok", "S"]


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')"])
def test_what_is_no_json_fails_where_it_is_emitted(api, value):
    code = f"""
@on("emit")
def work():
    emit("before")
    try:
        emit("number", {value})
    except ValueError:
        return "told"
start()
hook(event="emit", wants_ack=True)
"""
    out, _ = answers(api, code)
    before = '{"op":"emit","namespace":"/","event":"before","to":{"rooms":["S"]},"args":[]}'
    assert out == ['200 {"ack":["told"],"actions":[%s]}' % before]


def test_an_ack_that_is_no_json_fails_its_handler_alone(api):
    code = """
@on("number")
def number():
    emit("kept")
    return float("nan")
start()
hook(event="number", wants_ack=True)
"""
    out, log = answers(api, code)
    assert out == ["500 "]
    assert api.events(1) == [("kept", [])] and api.is_quiet()
    assert "the handler of 'number' in / failed" in log


def test_a_child_of_a_handler_emits_on_its_own(api):
    code = """
def crunch():
    socketio.emit("progress", 1)
    drain()
def child():
    process = multiprocessing.get_context("fork").Process(target=crunch)
    process.start()
    process.join()
@on("start")
def begin():
    emit("started")
    child()
holds, goes_on = threading.Event(), threading.Event()
@on("hold")
def hold():
    emit("held")
    holds.set()
    goes_on.wait(10)
start()
hook(event="start")
thread = threading.Thread(target=hook, kwargs={"event": "hold"})
thread.start()
holds.wait(10)
child()
goes_on.set()
thread.join()
"""
    out, _ = answers(api, code)
    assert ["started" in line for line in out] == [True, False] and '"event":"held"' in out[1]
    assert api.events(2) == [("progress", [1])] * 2 and api.is_quiet()


def test_a_child_has_its_turn_though_another_thread_had_it_when_it_was_forked(api):
    code = """
has_turn, goes_on = threading.Event(), threading.Event()
def hold():
    with socketio.server.manager._turn:
        has_turn.set()
        goes_on.wait(10)
def crunch():
    socketio.emit("progress", 1)
    drain()
start()
thread = threading.Thread(target=hold)
thread.start()
has_turn.wait(10)
process = multiprocessing.get_context("fork").Process(target=crunch)
process.start()
process.join(5)
print(process.exitcode)
process.kill()
goes_on.set()
"""
    out, _ = answers(api, code)
    assert out == ["0"]
    assert api.events(1) == [("progress", [1])]


def test_what_a_late_handler_emits_does_not_wait_for_its_answer(api):
    code = """
hooks.LATE = 0.05
@on("work")
def work():
    emit("at first")
    time.sleep(0.1)
    emit("at last")
    return "done"
start()
hook(event="work", wants_ack=True)
"""
    out, log = answers(api, code)
    assert out == ['200 {"ack":["done"]}']
    assert api.events(2) == [("at first", []), ("at last", [])]
    assert "the handler of 'work' took 0.1 s" in log


def test_an_ack_that_is_too_large_takes_nothing_else_with_it(api):
    code = """
@on("large")
def large(size):
    flask.session["n"] = size
    emit("kept")
    return "x" * size
start()
hook(event="large", args=[bridges.MAX_ANSWER - 100], wants_ack=True)
hook(event="large", args=[bridges.MAX_ANSWER], wants_ack=True)
"""
    out, log = answers(api, code)
    assert out[0].startswith('200 {"ack":["xxx') and out[1].startswith('200 {"session":{"_flask":')
    assert api.events(2) == [("kept", [])] * 2 and api.is_quiet()
    assert log.count("the ack of 'large' is lost: it has ") == 1


def test_what_a_handler_emitted_before_it_failed_is_there_before_the_next_one(api):
    code = """
@on("fail")
def fail():
    emit("a")
    raise ValueError("on purpose")
drained = []
start()
link = socketio.server.manager.link
whole = link.drained
link.drained = lambda: drained.append(1) or whole()
hook(event="fail")
print(len(drained))
"""
    out, _ = answers(api, code)
    assert out == ["500 ", "1"]
    assert api.events(1) == [("a", [])]


def test_a_hook_that_is_too_large_is_refused_and_the_log_says_so(newest):
    app = newest()
    headers = {"Content-Type": "application/json", "Content-Length": str((64 << 20) + 1)}
    status, _ = app.request("POST", "/_socketio", None, headers)
    assert status == 413
    app.process.logged("a hook is refused: it has 67108865 bytes of 67108864 at most; see engine.max_payload")


# Hands an ASGI application a body of so many bytes, in pieces of so many, of which so many were said to come.
PIECES = """
import asyncio, sys
import socketio
from socketio_server import attach
size, piece, said = map(int, sys.argv[1:])
sio = socketio.AsyncServer(async_mode="asgi")
app = attach(socketio.ASGIApp(sio), sio, secret="secret")
pieces = iter(range(piece, size + piece, piece))
async def receive():
    return {"type": "http.request", "body": b"x" * piece, "more_body": next(pieces) < size}
async def send(event):
    print(event.get("status", ""))
headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % said)]
asyncio.run(app({"type": "http", "method": "POST", "path": "/_socketio", "headers": headers}, receive, send))
"""


def test_a_large_body_in_small_pieces_does_not_hold_up_the_loop():
    # Were each piece a copy of all before it, this would not end within the time that a program has.
    out, log = run(PIECES, str(64 << 20), str(16 << 10), str(64 << 20))
    assert out.split() == ["401"] and "a hook is refused: webhook-id, " in log


def test_a_body_that_is_larger_than_it_said_is_refused_and_the_log_says_so():
    out, log = run(PIECES, str(65 << 20), str(1 << 20), "1")
    assert out.split() == ["413"]
    assert "a hook is refused: it has 68157440 bytes of 67108864 at most" in log


ASYNC = """
import asyncio, json, sys
import socketio
from socketio_server import attach
sio = socketio.AsyncServer(async_mode="asgi")
@sio.event
async def work(sid):
    async def run():
        await sio.emit("step")
    await sio.emit("started", to=sid)
    sio.start_background_task(run)
    return "ok"
attach(socketio.ASGIApp(sio), sio, api=sys.argv[1], api_key="key of the tests")
async def main():
    body = {"type": "event", "id": "msg_1", "namespace": "/", "sid": "S", "event": "work", "args": [], "wants_ack": True}
    answer = await sio.bridge.answer_async({}, json.dumps(body).encode())
    print(answer.status, answer.body.decode())
    await asyncio.sleep(0)
    await asyncio.wrap_future(sio.manager.link.drained())
asyncio.run(main())
"""


def test_a_task_does_not_overtake_the_handler_that_started_it(api):
    assert run(ASYNC, api.address)[0] == '200 {"ack":["ok"]}\n'
    assert api.events(2) == [("started", []), ("step", [])]


# With a queue, which takes a while.
QUEUE = """
import asyncio, json, sys
import socketio
from socketio.async_pubsub_manager import AsyncPubSubManager
from socketio_server import attach
class Queue(AsyncPubSubManager):
    async def _publish(self, data):
        for _ in range(10):
            await asyncio.sleep(0)
        print(data["event"], flush=True)
sio = socketio.AsyncServer(async_mode="asgi", client_manager=Queue(write_only=True))
tasks = []
@sio.event
async def work(sid, *events):
    async def run():
        await sio.emit("step")
    await sio.emit("first", to=sid)
    tasks.append(sio.start_background_task(run))
    for event in events:
        await sio.emit(event, to=sid)
attach(socketio.ASGIApp(sio), sio)
async def main():
    body = {"type": "event", "id": "msg_1", "namespace": "/", "sid": "S", "event": "work", "args": sys.argv[1:]}
    answer = await sio.bridge.answer_async({}, json.dumps(body).encode())
    print(answer.status)
    await tasks[0]
asyncio.run(main())
"""


@pytest.mark.parametrize("events", [[], ["second"]])
def test_with_a_queue_what_was_emitted_before_a_task_was_started_is_there_first(events):
    out, _ = run(QUEUE, *events)
    heard = out.split()
    assert [word for word in heard if word != "204"] == ["first", *events, "step"]
    assert heard.index("204") > len(events), "the answer waits for what its handler emitted"


# The handler forks when the task that it has started has yet to begin.
FORK = """
    import os
    child = os.fork()
    if child == 0:
        asyncio.run(sio.emit("progress"))
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_with_a_queue_a_child_of_a_handler_sends_nothing_that_its_parent_will():
    start = "    for event in events:\n"
    out, _ = run(QUEUE.replace(start, FORK + start))
    assert out.split() in (["progress", "first", "204", "step"], ["progress", "first", "step", "204"])
