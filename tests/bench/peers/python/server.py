"""python-socketio on uvicorn, with the contract of the profiles `bench` and `bench-msgpack`, else with default options.

There is no `ask`: acknowledgements are for events to one client only.
"""

import os

import socketio
import uvicorn

serializer = "msgpack" if os.environ["PROFILE"] == "bench-msgpack" else "default"
io = socketio.AsyncServer(async_mode="asgi", serializer=serializer)


@io.event
async def echo(sid, text):
    await io.emit("echo", text, to=sid)


@io.event
async def ack(sid, text):
    return text


@io.on("bin")
async def binary(sid, data):
    await io.emit("bin", data, to=sid)


@io.event
async def join(sid, room):
    await io.enter_room(sid, room)
    return ()


@io.event
async def cast(sid, room, text):
    await io.emit("msg", text, to=room)


uvicorn.run(socketio.ASGIApp(io), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
