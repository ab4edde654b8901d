"""What goes to the server's API: literal requests, as the server is to get them."""

import base64
import contextlib
import json
import subprocess
import sys
import threading
import time

import pytest

from conftest import LIMIT, REPOSITORY, VERSIONS, Process, Recorder


def test_what_a_route_emits_is_a_message_of_python_socketio(app, api):
    app.get("/emit?text=hi&room=there")
    message = api.next()
    assert len(message.pop("host_id")) == 32
    assert message == {
        "method": "emit",
        "event": "routed",
        "data": ["hi"],
        "binary": False,
        "namespace": "/",
        "room": "there",
        "skip_sid": None,
        "callback": None,
    }


def test_messages_come_in_order_on_one_connection(app, api):
    app.get("/crowd/200")
    requests = [api.requests.get(timeout=LIMIT) for _ in range(200)]
    assert [json.loads(body)["data"] for _, _, body, _ in requests] == [[at] for at in range(200)]
    assert len({client for *_, client in requests}) == 1


def test_what_a_background_task_emits_comes_after_what_its_handler_did(app, api):
    assert app.hook(event="work", args=[], wants_ack=True)[1]["ack"] == []
    steps = [("step", [step]) for step in range(3)]
    events = api.events(5)
    assert events[0] == ("started", []) and events[1:] != [("accepted", [])]
    assert [event for event in events[1:] if event[0] == "step"] == steps
    assert ("accepted", []) in events


def test_a_room_whose_name_is_a_glob_is_left_by_a_message_in_order(app, api):
    start = len(app.process.log)
    assert app.event("odd-names") == {}
    message = api.next()
    assert (message["method"], message["sid"], message["room"]) == ("leave_room", "S", "a*")
    assert api.events(1) == [("kept", [])]
    app.process.logged("disconnect is not emitted: clients keep this name", start)


def test_what_is_too_much_for_one_answer_goes_by_messages_in_order(app, api):
    assert app.event("large") == {}
    assert api.events(3) == [(letter, [letter * 300_000]) for letter in "abc"]


def test_call_in_a_handler_waits_for_the_client(app, api):
    assert app.ack("ask", "why?") == ["yes", "why?"]
    assert api.events(2) == [("before", []), ("question", ["why?"])]


def test_a_callback_is_called_with_what_the_client_answers(app, api):
    answer = app.event("ask-later", "why?", wants_ack=True)
    assert answer == {"ack": []}
    events = api.events(4)
    assert events[:2] == [("before", []), ("question", ["why?"])]
    assert sorted(events[2:]) == [("answered", ["yes", "why?"]), ("behind", [])]


def test_what_is_emitted_behind_a_question_waits_until_the_client_was_asked_and_no_longer(newest, api):
    app = newest()
    may_answer = threading.Event()

    def answer(path, body):
        if not json.loads(body).get("callback"):
            return 200, {}
        # A server that has much to do.
        time.sleep(0.5)
        api.requests.put((path, {"Authorization": "Bearer key of the tests"}, '{"event":"asked","data":[]}', None))
        return 200, lambda: may_answer.wait(LIMIT) and api.usual(path, body)[1]

    api.answer = answer
    assert app.event("ask-later", "why?") == {}
    assert [event for event, _ in api.events(4)] == ["before", "question", "asked", "behind"]
    may_answer.set()
    assert api.events(1) == [("answered", ["yes", "why?"])]


def test_a_question_without_an_answer_is_no_error(app, api):
    api.answer = lambda path, body: (200, {})
    start = len(app.process.log)
    assert app.event("ask-later", "why?") == {}
    assert api.events(3)[2] == ("behind", [])
    app.get("/emit?text=fence")
    api.events(1)
    assert "Traceback" not in app.process.log[start:]


def test_rooms_and_sessions_of_other_sockets_are_asked_for(started, api):
    for kind in ("wsgi", "asgi"):
        app = started(VERSIONS[-1], kind)
        assert json.loads(app.get("/rooms?sid=S")) == ["S", "far"]
        assert json.loads(app.get("/session?sid=S")) == {"name": "Zoe"}
        requests = [api.requests.get(timeout=LIMIT) for _ in range(5)]
        assert {path for path, *_ in requests[:4]} == {"/api/v1/sockets/S"}
        path, headers, body, _ = requests[4]
        session = {"name": "Zoe", "seen": True}
        op = {"op": "session", "sid": "S", "namespace": "/", "set": session}
        assert (path, json.loads(body)) == ("/api/v1/batch", {"ops": [op]})
        assert headers["Authorization"] == "Bearer key of the tests"


def test_a_socket_that_is_gone_has_no_rooms(started, api):
    app = started(VERSIONS[-1], "wsgi")
    assert app.request("GET", "/rooms?sid=gone")[0] == 500
    app.process.logged("KeyError: 'gone'")


def test_messages_survive_a_restart_of_the_server(newest, api):
    # An application for this, as the same trouble is not said twice in a minute.
    app = newest(unsigned="any", environment=(("TEST", "restart"),))
    statuses = [503, 429]
    api.answer = lambda path, body: (statuses.pop(0) if statuses else 200, {})
    app.get("/crowd/2")
    assert api.events(4) == [("numbered", [at]) for at in (0, 0, 0, 1)]
    app.process.logged("it answered 503; trying again")
    app.process.logged("takes messages again")


def test_questions_survive_a_restart_of_the_server_too(newest, api):
    app = newest()
    statuses = [200, 503, 429]
    api.answer = lambda path, body: (statuses.pop(0), {}) if statuses else api.usual(path, body)
    assert app.event("ask-later", "why?") == {}
    events = [event for event, _ in api.events(6)]
    assert events[:4] == ["before", "question", "question", "question"]
    assert sorted(events[4:]) == ["answered", "behind"]


@pytest.mark.parametrize(
    ("status", "answer", "advice"),
    [
        (401, {"error": {"message": "no key"}}, "answered 401: no key; give attach"),
        (403, {"error": {"message": "not for this"}}, "answered 403: not for this; the key needs"),
        (413, {"error": {"message": "too large"}}, "answered 413: too large; the message is larger"),
        (404, "Not Found", r"answered 404: no reason given; is this the address of the server's admin listener"),
    ],
)
def test_the_log_says_what_to_do_when_messages_are_refused(recorded, started, status, answer, advice):
    recorded.start_anew()
    app = started(VERSIONS[-1], "wsgi", unsigned="any", environment=(("STATUS", str(status)),))
    recorded.answer = lambda path, body: (status, answer)
    app.get("/emit?text=1")
    app.process.logged(advice)
    assert "key of the tests" not in app.process.log


def run(code, *arguments, version=VERSIONS[-1]):
    """A program of its own with this python-socketio; what it wrote."""
    python = REPOSITORY / f"target/bridge/{version}/bin/python"
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, timeout=LIMIT)
    return done.stdout, done.stderr


EMIT = """
import sys
from socketio_server import Manager
manager = Manager(sys.argv[1], "key of the tests")
manager.emit("binary", (b"\\0\\1", {"deep": [b""]}), room=["a", "b"], skip_sid=["x"], namespace="/n")
manager.emit("none", to="a")
manager.enter_room("S", "/", "a")
manager.leave_room("S", "/", "a")
manager.close_room("a")
manager.disconnect("S", "/")
manager.emit("null", (None,))
"""


def test_a_process_that_only_emits_needs_no_server_of_python_socketio(api):
    assert run(EMIT, api.address) == ("", "")
    messages = [api.next() for _ in range(7)]
    for message in messages:
        assert message.pop("host_id")
    placeholders = [{"_placeholder": True, "num": 0}, {"deep": [{"_placeholder": True, "num": 1}]}]
    assert messages[0] == {
        "method": "emit",
        "event": "binary",
        "data": [placeholders, base64.b64encode(b"\0\1").decode(), ""],
        "binary": True,
        "namespace": "/n",
        "room": ["a", "b"],
        "skip_sid": ["x"],
        "callback": None,
    }
    assert (messages[1]["data"], messages[1]["room"]) == ([], "a")
    # Alone it would be no argument.
    assert (messages[6]["data"], messages[6]["binary"]) == ([[None]], True)
    assert messages[2:6] == [
        {"method": "enter_room", "namespace": "/", "sid": "S", "room": "a"},
        {"method": "leave_room", "namespace": "/", "sid": "S", "room": "a"},
        {"method": "close_room", "namespace": "/", "room": "a"},
        {"method": "disconnect", "namespace": "/", "sid": "S"},
    ]


def test_a_server_that_is_not_there_holds_nobody_up():
    recorder = Recorder()
    recorder.server.shutdown()
    recorder.server.server_close()
    out, log = run(EMIT, recorder.address)
    assert out == ""
    assert "Connection refused; trying again" in log and "the process ends with messages" in log


FORK = """
import os, sys
from socketio_server import Manager
manager = Manager(sys.argv[1], "key of the tests")
manager.emit("parent", 1)
manager.link.drained().result(10)
child = os.fork()
if child == 0:
    manager.emit("child", 2)
    manager.link.drained().result(10)
    os._exit(0)
os.waitpid(child, 0)
manager.emit("parent", 3)
"""


def test_processes_that_fork_emit_each_on_their_own(api):
    assert run(FORK, api.address) == ("", "")
    assert api.events(3) == [("parent", [1]), ("child", [2]), ("parent", [3])]


ATTACH = """
import socketio
from flask import Flask
from flask_socketio import SocketIO
from socketio_server import attach
options = dict(sio=socketio.Server(async_mode="threading"), app=lambda environ, start: [])
{}
try:
    attach(**options)
except (TypeError, ValueError) as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("options['sio'] = SocketIO()", "call socketio.init_app(app) before attach(app, socketio)"),
        ("options['sio'] = 1", "attach() takes a flask_socketio.SocketIO, socketio.Server or socketio.AsyncServer"),
        ("attach(**options)", "attach() was called for this server already"),
        ("options['secret'] = ''", "the secret is empty"),
        ("options['secret'] = 'whsec_?'", "a secret that begins with whsec_ goes on in base64"),
        ("options['unsigned'] = 'all'", 'unsigned is "loopback" or "any"'),
        ("options['path'] = 'hooks'", "path begins with /"),
        ("options['api'] = '127.0.0.1:8001'", "the address of the API is http://, https:// or unix:/path, not "),
    ],
)
def test_a_mistake_is_told_at_once(change, message):
    out, log = run(ATTACH.format(change))
    assert out.startswith(message), log


@pytest.mark.parametrize(("version", "is_told"), [("5.10", True), ("5.13", True), ("5.18", False)])
def test_a_queue_with_messages_that_nobody_will_read_is_told_at_once(version, is_told):
    queue = "options['sio'] = socketio.Server(client_manager=socketio.PubSubManager(), async_mode='threading')"
    out, log = run(ATTACH.format(queue), version=version)
    assert out == "" and ("does not read the pickles" in log) == is_told
