"""A Flask-SocketIO application with all that handlers do; the other two have the same handlers."""

import json
import os
import threading

import flask_socketio
from flask import Flask, request, session
from flask_socketio import Namespace, SocketIO, close_room, disconnect, emit, join_room, leave_room, rooms

from socketio_server import attach

app = Flask(__name__)
app.secret_key = "for tests"
socketio = SocketIO(
    app,
    async_mode=os.environ.get("ASYNC_MODE", "threading"),
    manage_session=os.environ.get("MANAGE_SESSION") != "no",
    message_queue=os.environ.get("MESSAGE_QUEUE"),
)


@app.post("/login/<name>")
def login(name):
    session["name"] = name
    return "ok"


@app.get("/emit")
def emit_from_route():
    socketio.emit("routed", request.args["text"], to=request.args.get("room"))
    return "ok"


@app.get("/crowd/<int:number>")
def emit_many(number):
    for at in range(number):
        socketio.emit("numbered", at)
    return "ok"


@socketio.on("connect")
def connect(auth):
    auth = auth or {}
    if auth.get("refuse") == "false":
        return False
    if auth.get("refuse") == "error":
        raise flask_socketio.ConnectionRefusedError("not you", {"why": "tests"})
    if auth.get("refuse") == "crash":
        emit("lost")
        raise RuntimeError("on connect")
    if "name" in auth:
        session["name"] = auth["name"]
    if auth.get("greet"):
        join_room("greeted")
        emit("hello", {"sid": request.sid, "auth": auth})


@socketio.on("disconnect")
def gone(reason=None):
    emit("gone", reason, broadcast=True)


@socketio.on("echo")
def echo(*args):
    return args


@socketio.on("nothing")
def nothing():
    pass


@socketio.on("request")
def tell_request():
    return {
        "path": request.path,
        "query": request.args.to_dict(flat=False),
        "ip": request.remote_addr,
        "host": request.host,
        "scheme": request.scheme,
        "agent": request.headers.get("User-Agent"),
        "name": session.get("name"),
    }


@socketio.on("move")
def move(to, away):
    join_room(to)
    leave_room(away)
    return sorted(rooms())


@socketio.on("speak")
def speak():
    args = [{"text": "hi"}]
    emit("said", args[0], to=["a", "b"], skip_sid=["x", "y"])
    args[0]["text"] = "changed"
    emit("said", (1, b"\0\1"), broadcast=True, include_self=False)
    emit("said")
    emit("said", (None,), to="a")
    emit("said", [1, 2], namespace="/other", broadcast=True)
    close_room("b")
    socketio.server.emit("nobody", 1, room=[])


@socketio.on("count")
def count():
    session["count"] = session.get("count", 0) + 1
    return session["count"]


@socketio.on("look")
def look():
    return session.get("count")


@socketio.on("odd")
def odd():
    session["odd"] = object()


@socketio.on("odd-names")
def odd_names():
    leave_room("a*")
    emit("disconnect", 1)
    emit("kept")


@socketio.on("large")
def large():
    for letter in "abc":
        emit(letter, letter * 300_000)


@socketio.on("quit")
def quit():
    disconnect()


@socketio.on("boom")
def boom():
    emit("before")
    raise RuntimeError("the secret of this handler")


@socketio.on("unprintable")
def unprintable():
    return object()


@socketio.on("ask")
def ask(question):
    emit("before")
    return flask_socketio.call("question", question, timeout=10)


@socketio.on("ask-later")
def ask_later(question):
    def answered(*args):
        emit("answered", args)

    emit("before")
    emit("question", question, callback=answered)
    emit("behind")


@socketio.on("work")
def work():
    def run():
        for step in range(3):
            socketio.emit("step", step)

    emit("started")
    socketio.start_background_task(run)
    emit("accepted")


one_waits, other_was_here = threading.Event(), threading.Event()


@socketio.on("wait-for-other")
def wait_for_other():
    emit("in order", 1, broadcast=True)
    one_waits.set()
    other_was_here.wait(10)
    emit("in order", 3, broadcast=True)


@socketio.on("other")
def other():
    one_waits.wait(10)
    emit("in order", 2, broadcast=True)
    other_was_here.set()


@socketio.on("*", namespace="/any")
def anything(*args):
    return list(args)


class Class(Namespace):
    def on_connect(self):
        emit("class")

    def on_echo(self, *args):
        return args


socketio.on_namespace(Class("/class"))

attach(app, socketio, **json.loads(os.environ.get("ATTACH", "{}")))
