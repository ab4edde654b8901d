"""Flask-SocketIO with threads, on werkzeug's server and simple-websocket, with the contract of the profiles `bench`
and `bench-msgpack`, else with default options.

There is no `ask`: acknowledgements are for events to one client only.
"""

import logging
import os

import flask
import flask_socketio

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = flask.Flask(__name__)
serializer = "msgpack" if os.environ["PROFILE"] == "bench-msgpack" else "default"
io = flask_socketio.SocketIO(app, async_mode="threading", serializer=serializer)


@io.on("echo")
def echo(text):
    flask_socketio.emit("echo", text)


@io.on("ack")
def ack(text):
    return text


@io.on("bin")
def binary(data):
    flask_socketio.emit("bin", data)


@io.on("join")
def join(room):
    flask_socketio.join_room(room)
    return ()


@io.on("cast")
def cast(room, text):
    io.emit("msg", text, to=room)


io.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), allow_unsafe_werkzeug=True)
