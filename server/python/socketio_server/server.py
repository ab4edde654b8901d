"""What it is: what python-socketio's servers are asked about a client, answered from the hook that is handled, or by the
server's API.
What it is not: emits and rooms changed (`manager`).
Who calls it: the application, through its server, which `attach` makes one of these.
"""

import asyncio
import json
import logging

from . import hook as hooks
from .connection import Unreachable
from .session import FLASK

log = logging.getLogger("socketio_server")

REFUSAL = b"The sockets of this application are held by socketio-server: connect there.\n"


class Bridged:
    """What both kinds of servers have in common. `bridge` is set by `attach`."""

    bridge = None

    def _hook(self, sid, namespace):
        hook = hooks.current()
        return hook if hook is not None and hook.is_of(sid, namespace) else None

    def get_environ(self, sid, namespace=None):
        hook = self._hook(sid, namespace)
        return hook.environ if hook else None

    def rooms(self, sid, namespace=None):
        hook = self._hook(sid, namespace)
        if hook and hook.is_open:
            return list(hook.rooms)
        socket = self._ask(sid)
        return [sid] + [room for room in socket.get("rooms", []) if room != sid]

    def transport(self, sid, namespace=None):
        return self._ask(sid).get("transport")

    def _ask(self, sid):
        """What the API says of a socket. `KeyError` without such a socket, as python-socketio has it."""
        try:
            socket = self.bridge.api.get("/api/v1/sockets/", sid)
        except Unreachable as error:
            log.error("socketio-server at %s: %s", self.bridge.api.address, error)
            socket = None
        if socket is None:
            raise KeyError(sid)
        return socket

    def _session(self, sid, namespace):
        hook = self._hook(sid, namespace)
        if hook and hook.is_open:
            return hook.session
        session = self._ask(sid).get("session") or {}
        return {key: value for key, value in session.items() if key != FLASK}

    def _keep_session(self, sid, session, namespace):
        hook = self._hook(sid, namespace)
        if hook and hook.is_open:
            hook.session = session
            return
        flask = (self._ask(sid).get("session") or {}).get(FLASK)
        text = self.bridge.sessions.whole(sid, session, flask)
        if text is not None:
            op = json.dumps({"op": "session", "sid": sid, "namespace": namespace or "/"})
            self.bridge.api.post("/api/v1/batch", '{"ops":[%s,"set":%s}]}' % (op[:-1], text))


class BridgedServer(Bridged):
    """For `socketio.Server`."""

    def get_session(self, sid, namespace=None):
        return self._session(sid, namespace)

    def save_session(self, sid, session, namespace=None):
        self._keep_session(sid, session, namespace)

    def start_background_task(self, target, *args, **kwargs):
        # What the handler emitted before is to be there before what the task will emit.
        self.manager.go_direct()
        return super().start_background_task(hooks.within(hooks.current(), target), *args, **kwargs)

    def handle_request(self, environ, start_response):
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [REFUSAL]


class BridgedAsyncServer(Bridged):
    """For `socketio.AsyncServer`. What has to be asked for is asked for in other threads, but for `rooms()`, which is
    no coroutine."""

    async def get_session(self, sid, namespace=None):
        return await self._off_loop(self._session, sid, namespace)

    async def save_session(self, sid, session, namespace=None):
        await self._off_loop(self._keep_session, sid, session, namespace)

    def start_background_task(self, target, *args, **kwargs):
        # As above. The task has the request anyway, from the context that it is started in.
        self.manager.go_direct()
        return super().start_background_task(target, *args, **kwargs)

    async def _off_loop(self, function, sid, *args):
        hook = self._hook(sid, args[-1])
        if hook and hook.is_open:
            return function(sid, *args)
        return await asyncio.get_running_loop().run_in_executor(None, function, sid, *args)

    async def handle_request(self, scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})
            return
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(REFUSAL))]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": REFUSAL})
