"""Jobs and who watches them: an application of FastAPI and python-socketio. Nothing in it knows of socketio-server.

    pip install fastapi python-socketio uvicorn wsproto
    uvicorn --port 5000 fastapi_jobs:app          # http://127.0.0.1:5000

`fastapi_jobs_server.py` puts it behind socketio-server: docs/flask.md.
"""

from pathlib import Path

import socketio
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from socketio.exceptions import ConnectionRefusedError

USERS = {f"token of {user}": user for user in ("ann", "bob", "cleo", "dora", "admin", "witness")}
PAGE = Path(__file__).parent / "templates/jobs.html"

sio = socketio.AsyncServer(async_mode="asgi")
api = FastAPI()


# Pages


@api.get("/", response_class=HTMLResponse)
async def page():
    return PAGE.read_text()


@api.post("/jobs/{job}/finish")
async def finish(job: str, result: str):
    await sio.emit("finished", {"job": job, "result": result}, to=f"job:{job}")
    await sio.close_room(f"job:{job}")
    return {"finished": job}


@api.delete("/sockets/{sid}")
async def close(sid: str):
    await sio.disconnect(sid)
    return {"closed": True}


# Events


@sio.event
async def connect(sid, environ, auth):
    user = USERS.get((auth or {}).get("token"))
    if user is None:
        return False
    if "old" in environ["QUERY_STRING"]:
        raise ConnectionRefusedError("too old", {"version": 2})
    await sio.save_session(sid, {"user": user, "watched": 0})
    await sio.enter_room(sid, f"user:{user}")
    await sio.emit("welcome", {"user": user}, to=sid)
    await sio.emit("came", {"user": user}, skip_sid=sid)


@sio.event
async def disconnect(sid, reason=None):
    user = (await sio.get_session(sid))["user"]
    await sio.emit("went", {"user": user, "reason": reason}, skip_sid=sid)


@sio.event
async def watch(sid, job):
    async with sio.session(sid) as session:
        session["watched"] += 1
    await sio.enter_room(sid, f"job:{job}")
    await sio.emit("watched", {"job": job, "user": session["user"]}, to=f"job:{job}", skip_sid=sid)
    return session["watched"], sorted(room for room in sio.rooms(sid) if room != sid)


@sio.event
async def unwatch(sid, job):
    await sio.leave_room(sid, f"job:{job}")
    return sorted(room for room in sio.rooms(sid) if room != sid)


@sio.event
async def start(sid, job, seconds):
    """The same for all who watch: each tenth of the time."""
    await sio.emit("started", {"job": job}, to=f"job:{job}")
    sio.start_background_task(run, job, seconds)
    return "started"


async def run(job, seconds):
    for percent in range(10, 101, 10):
        await sio.sleep(seconds / 10)
        await sio.emit("progress", {"job": job, "percent": percent}, to=f"job:{job}")
    await sio.emit("done", {"job": job}, to=f"job:{job}")


@sio.event
async def upload(sid, job, content):
    await sio.emit("uploaded", (job, content), to=f"job:{job}", skip_sid=sid)
    return len(content), content[:2]


@sio.event
async def remove(sid, job):
    """Asks whether this is meant, and waits for the answer."""
    try:
        answer = await sio.call("confirm", f"Remove {job}?", to=sid, timeout=3)
    except socketio.exceptions.TimeoutError:
        return {"error": "no answer"}
    if answer == "yes":
        await sio.emit("removed", job, to=f"job:{job}")
        await sio.close_room(f"job:{job}")
    return {"answer": answer}


@sio.event
async def poll(sid, question):
    """Asks, and goes on; the answer is for everybody."""

    async def heard(*answer):
        await sio.emit("answered", {"question": question, "answer": answer})

    await sio.emit("question", question, to=sid, callback=heard)
    return "asked"


@sio.event
async def quit(sid):
    await sio.emit("bye", to=sid)
    await sio.disconnect(sid)


@sio.event
async def fail(sid):
    raise RuntimeError("this event fails")


class Admin(socketio.AsyncNamespace):
    async def on_connect(self, sid, environ, auth):
        if USERS.get((auth or {}).get("token")) != "admin":
            raise ConnectionRefusedError("admins only")

    async def on_notice(self, sid, text):
        await self.emit("notice", text, namespace="/")
        return True

    async def on_kick(self, sid, user):
        await self.emit("kicked", to=f"user:{user}", namespace="/")


sio.register_namespace(Admin("/admin"))

app = socketio.ASGIApp(sio, api)
