"""The same with python-socketio alone, in front of a WSGI application."""

import json
import os
import threading
from urllib.parse import parse_qs

import socketio

from socketio_server import attach

queue = os.environ.get("MESSAGE_QUEUE")
sio = socketio.Server(async_mode="threading", client_manager=queue and socketio.RedisManager(queue))


def pages(environ, start_response):
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    path = environ["PATH_INFO"]
    answer = "ok"
    if path == "/emit":
        sio.emit("routed", query["text"], to=query.get("room"))
    elif path == "/rooms":
        answer = json.dumps(sorted(sio.rooms(query["sid"])))
    elif path == "/session":
        answer = json.dumps(sio.get_session(query["sid"]))
        with sio.session(query["sid"]) as session:
            session["seen"] = True
    elif path.startswith("/crowd/"):
        for at in range(int(path.split("/")[2])):
            sio.emit("numbered", at)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]


@sio.event
def connect(sid, environ, auth):
    auth = auth or {}
    if auth.get("refuse") == "false":
        return False
    if auth.get("refuse") == "error":
        raise socketio.exceptions.ConnectionRefusedError("not you", {"why": "tests"})
    if auth.get("refuse") == "crash":
        sio.emit("lost", to=sid)
        raise RuntimeError("on connect")
    if "name" in auth:
        sio.save_session(sid, {"name": auth["name"]})
    if auth.get("greet"):
        sio.enter_room(sid, "greeted")
        sio.emit("hello", {"sid": sid, "auth": auth}, to=sid)


@sio.event
def disconnect(sid, reason=None):
    sio.emit("gone", reason)


@sio.event
def echo(sid, *args):
    return args


@sio.event
def nothing(sid):
    pass


@sio.on("request")
def tell_request(sid):
    environ = sio.get_environ(sid)
    return {
        "path": environ["PATH_INFO"],
        "query": parse_qs(environ["QUERY_STRING"]),
        "ip": environ["REMOTE_ADDR"],
        "host": environ["HTTP_HOST"],
        "scheme": environ["wsgi.url_scheme"],
        "agent": environ.get("HTTP_USER_AGENT"),
        "name": None,
    }


@sio.event
def move(sid, to, away):
    sio.enter_room(sid, to)
    sio.leave_room(sid, away)
    return sorted(sio.rooms(sid))


@sio.event
def speak(sid):
    args = [{"text": "hi"}]
    sio.emit("said", args[0], to=["a", "b"], skip_sid=["x", "y"])
    args[0]["text"] = "changed"
    sio.emit("said", (1, b"\0\1"), skip_sid=sid)
    sio.emit("said", to=sid)
    sio.emit("said", (None,), to="a")
    sio.emit("said", [1, 2], namespace="/other")
    sio.close_room("b")
    sio.emit("nobody", 1, room=[])


@sio.event
def count(sid):
    with sio.session(sid) as session:
        session["count"] = session.get("count", 0) + 1
    return session["count"]


@sio.event
def look(sid):
    return sio.get_session(sid).get("count")


@sio.event
def odd(sid):
    with sio.session(sid) as session:
        session["odd"] = object()


@sio.on("odd-names")
def odd_names(sid):
    sio.leave_room(sid, "a*")
    sio.emit("disconnect", 1)
    sio.emit("kept", to=sid)


@sio.event
def large(sid):
    for letter in "abc":
        sio.emit(letter, letter * 300_000, to=sid)


@sio.event
def quit(sid):
    sio.disconnect(sid)


@sio.event
def boom(sid):
    sio.emit("before", to=sid)
    raise RuntimeError("the secret of this handler")


@sio.event
def unprintable(sid):
    return object()


@sio.event
def ask(sid, question):
    sio.emit("before", to=sid)
    return sio.call("question", question, to=sid, timeout=10)


@sio.on("ask-later")
def ask_later(sid, question):
    sio.emit("before", to=sid)
    sio.emit("question", question, to=sid, callback=lambda *args: sio.emit("answered", args, to=sid))
    sio.emit("behind", to=sid)


@sio.event
def work(sid):
    def run():
        for step in range(3):
            sio.emit("step", step)

    sio.emit("started", to=sid)
    sio.start_background_task(run)
    sio.emit("accepted", to=sid)


one_waits, other_was_here = threading.Event(), threading.Event()


@sio.on("wait-for-other")
def wait_for_other(sid):
    sio.emit("in order", 1)
    one_waits.set()
    other_was_here.wait(10)
    sio.emit("in order", 3)


@sio.event
def other(sid):
    one_waits.wait(10)
    sio.emit("in order", 2)
    other_was_here.set()


@sio.on("*", namespace="/any")
def anything(event, sid, *args):
    return [event, *args]


class Class(socketio.Namespace):
    def on_connect(self, sid, environ):
        self.emit("class", to=sid)

    def on_echo(self, sid, *args):
        return args


sio.register_namespace(Class("/class"))

app = attach(socketio.WSGIApp(sio, pages), sio, **json.loads(os.environ.get("ATTACH", "{}")))
