"""What it is: one hook of the server while it is handled: what it says, and what its handler wants in return.
What it is not: HTTP, signatures, or the handlers.
Who calls it: `bridge` makes it; `manager` and `server` ask for the one that is handled just now.
"""

import asyncio
import contextvars
import os
import threading
import time

from . import binary
from .environ import Environ

# Bytes of messages in one answer, of which the server reads 1 MiB.
MAX_MESSAGES = 512 << 10

# Seconds from which on nothing is left to the answer: the server waits for that five seconds by default.
LATE = 2.0

# Hooks that have taken messages for their answers, in order.
_taking = {}

_current = contextvars.ContextVar("socketio_server_hook", default=None)


class HookError(Exception):
    """The body of a hook is not as the server writes it."""


def current():
    """The hook that is handled here, or in whose name something goes on that its handler started."""
    return _current.get()


def taking():
    """Those under way that have taken messages for their answers, in order."""
    return list(_taking)


def within(hook, function):
    """The function as it is called elsewhere, with the request of this hook."""
    if hook is None:
        return function

    def called(*args):
        token = _current.set(hook)
        try:
            result = function(*args)
        finally:
            _current.reset(token)
        return _continued(hook, result) if asyncio.iscoroutine(result) else result

    return called


async def _continued(hook, coroutine):
    token = _current.set(hook)
    try:
        return await coroutine
    finally:
        _current.reset(token)


def _runner():
    """The task or thread that runs."""
    try:
        return asyncio.current_task() or threading.get_ident()
    except RuntimeError:
        return threading.get_ident()


class Hook:
    """`json` is the application's module for it."""

    def __init__(self, json, body, extras=(), is_async=False):
        try:
            data = json.loads(body.decode())
            self.json = json
            self.id = data.get("id")
            self.type = data["type"]
            self.namespace = data["namespace"]
            self.sid = data["sid"]
            self.session = data.get("session")
            self.rooms = [self.sid] + [room for room in data.get("rooms") or [] if room != self.sid]
            self.auth = data.get("auth")
            self.event = data.get("event")
            self.args = data.get("args") or []
            self.reason = data.get("reason")
            self.wants_ack = bool(data.get("wants_ack"))
            attachments = binary.decode(data.get("attachments") or [])
            if attachments:
                self.args = binary.put_back(self.args, attachments)
            names = (self.type, self.namespace, self.sid) + ((self.event,) if self.type == "event" else ())
            if not all(isinstance(name, str) for name in names) or not isinstance(self.args, list):
                raise ValueError("a name is no text")
            self.environ = Environ(data.get("request") or {}, extras, is_async)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise HookError(str(error)) from None
        if self.type == "connect" and data.get("recovered"):
            self.environ["socketio_server.recovered"] = True
        self.is_open = True
        self.has_failed = False
        # Whether messages go by the link, because they have to be there before something else.
        self.is_direct = False
        self._began = time.monotonic()
        self._runner = None
        self._messages = []
        self._size = 0
        # Taken for one step with the messages: what is emitted in another thread may take them out.
        self._lock = threading.Lock()
        self._token = None

    def __enter__(self):
        self._runner = _runner()
        self._token = _current.set(self)
        return self

    def __exit__(self, *_):
        self.is_open = False
        _taking.pop(self, None)
        _current.reset(self._token)

    @property
    def is_ours(self):
        """Whether what runs is the handler itself, and not something that it started."""
        return _runner() == self._runner

    @property
    def age(self):
        """Seconds since it came."""
        return time.monotonic() - self._began

    @property
    def is_late(self):
        """Whether the server may have given up on the answer. What is emitted while a client is let in counts only with
        that."""
        return self.type != "connect" and self.age > LATE

    def takes(self, message):
        """Whether the answer can say it."""
        return not self.is_late and message.has_action and self._size + message.size <= MAX_MESSAGES

    def is_before(self, other, message):
        """Whether what was taken so far is to be there before a message that is emitted elsewhere, in the name of
        another hook or of none. What each handler emits to its own socket alone has no order between them, and what
        is emitted while a client is let in counts only if it is."""
        if self.type == "connect":
            return False
        if other is None or other.sid == self.sid or not other.is_own(message):
            return True
        return not all(self.is_own(taken) for taken in self._messages)

    def is_own(self, message):
        """Whether it is an emit to the socket of this hook alone."""
        return message.method == "emit" and message.fields["rooms"] == [self.sid]

    def is_of(self, sid, namespace):
        return sid == self.sid and (namespace or "/") == self.namespace

    def add(self, message):
        """Takes a message for the answer."""
        self.note(message)
        with self._lock:
            self._messages.append(message)
            self._size += message.size
            _taking[self] = None

    def note(self, message):
        """Keeps the rooms of this socket as they will be."""
        fields = message.fields
        room = fields.get("room")
        is_own = message.namespace == self.namespace and fields.get("sid", self.sid) == self.sid
        if message.method == "enter_room" and is_own and room not in self.rooms:
            self.rooms.append(room)
        elif message.method in ("leave_room", "close_room") and is_own and room in self.rooms:
            self.rooms.remove(room)

    def take(self):
        """The messages taken so far, which the answer has no longer."""
        with self._lock:
            messages, self._messages, self._size = self._messages, [], 0
            _taking.pop(self, None)
        return messages


def _after_fork():
    """What is handled is handled by the parent: a child answers nothing."""
    _taking.clear()
    _current.set(None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
