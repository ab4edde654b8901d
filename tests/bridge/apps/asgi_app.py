"""The same on asyncio."""

import asyncio
import json
import os
from urllib.parse import parse_qs

import socketio
from fastapi import FastAPI

from socketio_server import attach

queue = os.environ.get("MESSAGE_QUEUE")
sio = socketio.AsyncServer(async_mode="asgi", client_manager=queue and socketio.AsyncRedisManager(queue))
pages = FastAPI()


@pages.get("/emit")
async def emit_from_route(text: str, room: str = None):
    await sio.emit("routed", text, to=room)


@pages.get("/rooms")
async def tell_rooms(sid: str):
    return sorted(sio.rooms(sid))


@pages.get("/session")
async def tell_session(sid: str):
    answer = await sio.get_session(sid)
    async with sio.session(sid) as session:
        session["seen"] = True
    return answer


@pages.get("/crowd/{number}")
async def emit_many(number: int):
    for at in range(number):
        await sio.emit("numbered", at)


@sio.event
async def connect(sid, environ, auth):
    auth = auth or {}
    if auth.get("refuse") == "false":
        return False
    if auth.get("refuse") == "error":
        raise socketio.exceptions.ConnectionRefusedError("not you", {"why": "tests"})
    if auth.get("refuse") == "crash":
        await sio.emit("lost", to=sid)
        raise RuntimeError("on connect")
    if "name" in auth:
        await sio.save_session(sid, {"name": auth["name"]})
    if auth.get("greet"):
        await sio.enter_room(sid, "greeted")
        await sio.emit("hello", {"sid": sid, "auth": auth}, to=sid)


@sio.event
async def disconnect(sid, reason=None):
    await sio.emit("gone", reason)


@sio.event
async def echo(sid, *args):
    return args


@sio.event
def nothing(sid):
    pass


@sio.on("request")
async def tell_request(sid):
    environ = sio.get_environ(sid)
    scope = environ["asgi.scope"]
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    assert headers.get("user-agent") == environ.get("HTTP_USER_AGENT")
    return {
        "path": scope["path"],
        "query": parse_qs(scope["query_string"].decode()),
        "ip": scope["client"][0],
        "host": environ["HTTP_HOST"],
        "scheme": scope["scheme"],
        "agent": headers.get("user-agent"),
        "name": None,
    }


@sio.event
async def move(sid, to, away):
    await sio.enter_room(sid, to)
    await sio.leave_room(sid, away)
    return sorted(sio.rooms(sid))


@sio.event
async def speak(sid):
    args = [{"text": "hi"}]
    await sio.emit("said", args[0], to=["a", "b"], skip_sid=["x", "y"])
    args[0]["text"] = "changed"
    await sio.emit("said", (1, b"\0\1"), skip_sid=sid)
    await sio.emit("said", to=sid)
    await sio.emit("said", (None,), to="a")
    await sio.emit("said", [1, 2], namespace="/other")
    await sio.close_room("b")
    await sio.emit("nobody", 1, room=[])


@sio.event
async def count(sid):
    async with sio.session(sid) as session:
        session["count"] = session.get("count", 0) + 1
    return session["count"]


@sio.event
async def look(sid):
    return (await sio.get_session(sid)).get("count")


@sio.event
async def odd(sid):
    async with sio.session(sid) as session:
        session["odd"] = object()


@sio.on("odd-names")
async def odd_names(sid):
    await sio.leave_room(sid, "a*")
    await sio.emit("disconnect", 1)
    await sio.emit("kept", to=sid)


@sio.event
async def large(sid):
    for letter in "abc":
        await sio.emit(letter, letter * 300_000, to=sid)


@sio.event
async def quit(sid):
    await sio.disconnect(sid)


@sio.event
async def boom(sid):
    await sio.emit("before", to=sid)
    raise RuntimeError("the secret of this handler")


@sio.event
async def unprintable(sid):
    return object()


@sio.event
async def ask(sid, question):
    await sio.emit("before", to=sid)
    return await sio.call("question", question, to=sid, timeout=10)


@sio.on("ask-later")
async def ask_later(sid, question):
    async def answered(*args):
        await sio.emit("answered", args, to=sid)

    await sio.emit("before", to=sid)
    await sio.emit("question", question, to=sid, callback=answered)
    await sio.emit("behind", to=sid)


@sio.event
async def work(sid):
    async def run():
        for step in range(3):
            await sio.emit("step", step)

    await sio.emit("started", to=sid)
    sio.start_background_task(run)
    await asyncio.sleep(0)
    await sio.emit("accepted", to=sid)


one_waits, other_was_here = asyncio.Event(), asyncio.Event()


@sio.on("wait-for-other")
async def wait_for_other(sid):
    await sio.emit("in order", 1)
    one_waits.set()
    await asyncio.wait_for(other_was_here.wait(), 10)
    await sio.emit("in order", 3)


@sio.event
async def other(sid):
    await asyncio.wait_for(one_waits.wait(), 10)
    await sio.emit("in order", 2)
    other_was_here.set()


@sio.on("many-tasks")
async def many_tasks(sid):
    order = []

    async def run(task):
        for step in range(4):
            await asyncio.sleep(0)
            order.append([task, step])
            await sio.emit("of a task", [task, step])

    await sio.emit("started")
    await asyncio.gather(*(run(task) for task in range(50)))
    await sio.emit("ended")
    return order


@sio.on("*", namespace="/any")
async def anything(event, sid, *args):
    return [event, *args]


class Class(socketio.AsyncNamespace):
    async def on_connect(self, sid, environ):
        await self.emit("class", to=sid)

    async def on_echo(self, sid, *args):
        return args


sio.register_namespace(Class("/class"))

app = attach(socketio.ASGIApp(sio, pages), sio, **json.loads(os.environ.get("ATTACH", "{}")))
