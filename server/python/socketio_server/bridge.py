"""What it is: hooks of the server, checked, handled by the application's handlers, and answered.
What it is not: the HTTP server that brings them (`wsgi`, `asgi`).
Who calls it: those two; anything else that can read a request and write an answer may.
"""

import asyncio
import ipaddress
import logging
import time
from collections import namedtuple

import socketio

from . import binary, signature
from .hook import Hook, HookError
from .message import arguments_of, json_of

log = logging.getLogger("socketio_server")

# Bytes of the body of a hook: as many as the server has wait for a backend (`queue_bytes`).
MAX_BODY = 64 << 20
# Bytes of an answer that the server reads.
MAX_ANSWER = 1 << 20
# Sockets that have left lately, whose leaving is not handled again.
MAX_LEFT = 10_000
# Seconds that an answer waits for what has to be there before it.
DRAIN_TIMEOUT = 2.0

Answer = namedtuple("Answer", "status body")

# python-socketio's words for how Socket.IO says why a client is gone.
REASONS = {
    "client namespace disconnect": "client disconnect",
    "server namespace disconnect": "server disconnect",
    "server shutting down": "server disconnect",
    "forced server close": "server disconnect",
    "forced close": "transport close",
    "parse error": "transport error",
}


class Bridge:
    """`secrets` may be none; `unsigned` is "loopback" or "any": from where hooks are then taken."""

    def __init__(self, server, sessions, api, secrets, unsigned, extras):
        self.server = server
        self.sessions = sessions
        self.api = api
        self.keys = [signature.key_of(secret) for secret in secrets]
        self.unsigned = unsigned
        self.extras = extras
        self.is_async = server.is_asyncio_based()
        # The ids of their hooks, oldest first.
        self._left = {}

    def refuse(self, method, headers, peer):
        """The answer to a request that is no hook, by all but its body. `headers` are by names in lower case, `peer`
        is the address that it came from."""
        if method != "POST":
            return Answer(405, b"")
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return Answer(415, b"")
        try:
            length = int(headers.get("content-length", ""))
        except ValueError:
            return Answer(411, b"")
        if length < 0:
            return Answer(411, b"")
        if length > MAX_BODY:
            return too_large(length)
        if not self.keys and self.unsigned == "loopback" and not _is_own(headers, peer):
            log.error(
                "a hook without signature from %s is refused; give both sides a secret: attach(..., secret=) and secret "
                "of the server's [[backend]]",
                peer or "a proxy",
            )
            return Answer(401, b"")
        return None

    def answer(self, headers, body):
        """The answer of a `socketio.Server`'s handlers."""
        hook = self._hook(headers, body)
        if isinstance(hook, Answer):
            return hook
        with hook:
            steps = self._steps(hook)
            try:
                call = next(steps)
                while True:
                    try:
                        result = self.server._trigger_event(*call)
                    except Exception as error:
                        call = steps.throw(error)
                    else:
                        call = steps.send(result)
            except StopIteration as stop:
                answer = stop.value
            for message in self._unanswered(hook):
                self.server.manager.link.send(message)
        if hook.is_direct:
            try:
                self.server.manager.link.drained().result(DRAIN_TIMEOUT)
            except Exception:
                log.warning("an answer does not wait longer for what was emitted before it")
        return answer

    async def answer_async(self, headers, body):
        """The answer of a `socketio.AsyncServer`'s handlers."""
        hook = self._hook(headers, body)
        if isinstance(hook, Answer):
            return hook
        link = self.server.manager.link
        with hook:
            steps = self._steps(hook)
            try:
                call = next(steps)
                while True:
                    try:
                        result = await self.server._trigger_event(*call)
                    except Exception as error:
                        call = steps.throw(error)
                    else:
                        call = steps.send(result)
            except StopIteration as stop:
                answer = stop.value
            for message in self._unanswered(hook):
                sent = link.send(message)
                if sent is not None:
                    await sent
        if hook.is_direct:
            await self.server.manager.catch_up()
            try:
                await asyncio.wait_for(asyncio.wrap_future(link.drained()), DRAIN_TIMEOUT)
            except asyncio.TimeoutError:
                log.warning("an answer does not wait longer for what was emitted before it")
        return answer

    def _hook(self, headers, body):
        """The hook, or the answer to what is none."""
        if self.keys:
            try:
                signature.verify(self.keys, headers, body, time.time())
            except signature.SignatureError as error:
                log.error("a hook is refused: %s", error)
                return Answer(401, b"")
        try:
            hook = Hook(self._json, body, self.extras, self.is_async)
        except HookError as error:
            log.error("a hook is not as the server writes it: %s", error)
            return Answer(400, b"")
        self.sessions.open(hook)
        return hook

    @property
    def _json(self):
        return self.server.packet_class.json

    def _steps(self, hook):
        """Yields the arguments of each call of a handler, gets its result or exception, and returns the answer. So
        there is one way for both kinds of servers."""
        steps = {"connect": self._connect, "event": self._event, "disconnect": self._disconnect}.get(hook.type)
        if steps is None:
            return Answer(404, b"")
        try:
            return (yield from steps(hook))
        except Exception:
            hook.has_failed = True
            log.exception("the handler of %s in %s failed", repr(hook.event or hook.type)[:100], hook.namespace[:100])
            # With 500 the server would ask again, and the handler do once more what it did before it failed.
            return Answer(422 if hook.type == "disconnect" else 500, b"")

    def _connect(self, hook):
        server, namespace = self.server, hook.namespace
        is_known = namespace in server.handlers or namespace in server.namespace_handlers
        if not is_known and server.namespaces != "*" and namespace not in server.namespaces:
            return Answer(404, b"")
        call = ("connect", namespace, hook.sid, hook.environ)
        try:
            if hook.auth:
                accepted = yield call + (hook.auth,)
            else:
                # Handlers may take it or not.
                try:
                    accepted = yield call + (None,)
                except TypeError as error:
                    try:
                        accepted = yield call
                    except TypeError:
                        raise error from None
            refusal = {"message": "Connection rejected by server"}
        except socketio.exceptions.ConnectionRefusedError as error:
            accepted, refusal = False, error.error_args
        except ConnectionRefusedError:
            accepted, refusal = False, {"message": "Connection refused by server"}
        if accepted is False:
            return Answer(401, self._json.dumps({"error": refusal}).encode())
        return self._done(hook)

    def _event(self, hook):
        if not self._is_handled(hook):
            return Answer(404, b"")
        result = yield (hook.event, hook.namespace, hook.sid) + tuple(hook.args)
        if result is self.server.not_handled:
            return Answer(404, b"")
        return self._done(hook, arguments_of(result) if hook.wants_ack else None)

    def _disconnect(self, hook):
        # The server asks again when it waits for too long, while the handler is still at it.
        if hook.id in self._left:
            return Answer(204, b"")
        self._left[hook.id] = None
        if len(self._left) > MAX_LEFT:
            self._left.pop(next(iter(self._left)), None)
        call = ("disconnect", hook.namespace, hook.sid)
        if hasattr(self.server, "reason"):
            call += (REASONS.get(hook.reason, hook.reason),)
        yield call
        return self._done(hook)

    def _is_handled(self, hook):
        """Whether there is a handler, where python-socketio does not say so: in namespaces that are classes."""
        server = self.server
        places = [place for place in (hook.namespace, "*") if place in server.handlers]
        if any(hook.event in server.handlers[place] or "*" in server.handlers[place] for place in places):
            return True
        namespace = server.namespace_handlers.get(hook.namespace) or server.namespace_handlers.get("*")
        if namespace is None:
            return False
        is_stock = type(namespace).trigger_event.__module__.split(".")[0] in ("socketio", "flask_socketio")
        return not is_stock or hasattr(namespace, "on_" + hook.event)

    def _done(self, hook, ack=None):
        parts = []
        if ack is not None:
            attachments = []
            parts.append('"ack":' + json_of(self._json, binary.take_out(ack, attachments)))
            if attachments:
                parts.append('"attachments":' + self._json.dumps(binary.encode(attachments)))
        user = self.sessions.user(hook) if hook.type == "connect" else None
        if user is not None:
            parts.append('"user":' + self._json.dumps(user))
        session = self.sessions.close(hook)
        kept = [] if session is None else ['"session":' + session]
        # Once: it may become so meanwhile.
        is_late = hook.is_late
        messages = [] if is_late else hook.take()
        actions = ['"actions":[%s]' % ",".join(message.action() for message in messages)] if messages else []
        body = _object(parts + kept + actions)
        if len(body) > MAX_ANSWER:
            # What was emitted goes by the link.
            for message in messages:
                hook.add(message)
            body = _object(parts + kept)
        if len(body) > MAX_ANSWER:
            log.error("the ack of %s is lost: it has %d bytes of %d at most", repr(hook.event)[:100], len(body), MAX_ANSWER)
            body = _object(kept)
        if is_late:
            log.warning(
                "the handler of %s took %.1f s: behind the timeout of the server's [[backend]], 5 s by default, its ack "
                "and its session are lost",
                repr(hook.event or hook.type)[:100],
                hook.age,
            )
        return Answer(200, body) if body else Answer(204, b"")

    def _unanswered(self, hook):
        """What the handler emitted before it failed or refused, which is in no answer. The connect hook comes again if
        it failed, and so will that."""
        messages = hook.take()
        if hook.type == "connect" and hook.has_failed:
            return []
        hook.is_direct = hook.is_direct or bool(messages)
        return messages


def too_large(size):
    """The answer to a hook of so many bytes, which nobody else would hear of."""
    log.error("a hook is refused: it has %d bytes of %d at most; see engine.max_payload", size, MAX_BODY)
    return Answer(413, b"")


def _object(parts):
    """The JSON of an answer with these entries, or nothing."""
    return ("{%s}" % ",".join(parts)).encode() if parts else b""


def _is_own(headers, peer):
    """Whether it comes from this machine, from a program that is neither browser nor proxy."""
    if any(name in headers for name in ("origin", "forwarded", "x-forwarded-for", "x-real-ip", "via")):
        return False
    # Unix sockets have no address.
    if not peer:
        return True
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
