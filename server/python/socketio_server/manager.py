"""What it is: the client managers that python-socketio's servers get: they know no client, and pass on what is wanted
of the server, by the answer to the hook that is handled just now or otherwise by a link.
What it is not: the handling of hooks (`bridge`).
Who calls it: python-socketio; `attach` puts them in place. In processes that only emit, applications do.
"""

import asyncio
import json
import logging
import os
import threading
import weakref

from socketio.async_pubsub_manager import AsyncPubSubManager
from socketio.pubsub_manager import PubSubManager

from . import hook as hooks
from .api import Api
from .link import ApiLink
from .message import RESERVED, Message, names_of

log = logging.getLogger("socketio_server")


class _Passing:
    """What both managers have in common: where a message goes."""

    server = None

    @property
    def _json(self):
        return self.server.packet_class.json if self.server else json

    def _messages(self, event, data, namespace, room, skip_sid):
        """The message of an emit, unless it is for nobody or cannot be sent."""
        rooms = names_of(room)
        if event in RESERVED:
            log.error("%s is not emitted: clients keep this name for themselves", event)
            return []
        if rooms == []:
            return []
        return [Message.emit(self._json, event, data, namespace, rooms, names_of(skip_sid) or [])]

    def _pass_on(self, message):
        """Yields what is to be sent by the link: nothing, if the hook's answer takes it."""
        hook = hooks.current()
        earlier = self._earlier(hook, message)
        for other in earlier:
            yield from self._directly(other)
        if hook is None or not hook.is_open:
            yield message
        elif hook.is_ours and hook.takes(message) and (self.link.is_down or not (hook.is_direct or earlier)):
            hook.add(message)
        else:
            yield from self._directly(hook)
            hook.note(message)
            yield message

    def _earlier(self, hook, message):
        """Hooks whose answers would bring too late what was emitted before this message."""
        if self.link.is_down:
            return []
        return [other for other in hooks.taking() if other is not hook and other.is_before(hook, message)]

    def _before(self, hook, message):
        """Yields what is to be there before a question that is asked in the name of this hook."""
        for other in (*self._earlier(hook, message), hook):
            yield from self._directly(other)

    def _directly(self, hook):
        """Yields what the hook has taken so far. From now on its handler's messages go by the link, too."""
        if hook is not None and hook.is_open:
            hook.is_direct = True
            yield from hook.take()

    def _other(self, data):
        """The message that python-socketio made of a join, leave, end of a room or disconnect."""
        fields = {key: data[key] for key in ("sid", "room") if key in data}
        if "room" in fields:
            fields["room"] = str(fields["room"])
        return Message(self._json, data["method"], data["namespace"], **fields)


class Manager(_Passing, PubSubManager):
    """For `socketio.Server`, and for processes without one: `Manager("http://127.0.0.1:8001", key).emit(...)`."""

    name = "socketio-server"

    def __init__(self, api="http://127.0.0.1:8001", api_key=None, link=None):
        super().__init__(write_only=True)
        self.link = link or ApiLink(api if isinstance(api, Api) else Api(api, api_key), self.host_id)
        self._begin()
        _managers.add(self)

    def _begin(self):
        # Held while messages go their way, so that no thread overtakes another within its own.
        self._turn = threading.RLock()

    def emit(self, event, data=None, namespace=None, room=None, skip_sid=None, callback=None, to=None, **kwargs):
        room = room if to is None else to
        if callback is not None and room is None:
            raise ValueError("Cannot use callback without a room set.")
        for message in self._messages(event, data, namespace, room, skip_sid):
            if callback is None:
                self._send(message)
            else:
                self._ask(message, callback)

    def _ask(self, message, callback):
        hook = hooks.current()
        with self._turn:
            for earlier in self._before(hook, message):
                self.link.send(earlier)
            self.link.ask(message, hooks.within(hook, callback))

    def _send(self, message):
        with self._turn:
            for due in self._pass_on(message):
                self.link.send(due)

    def _publish(self, data):
        self._send(self._other(data))

    def _handle_disconnect(self, message):
        """No client is here."""

    def _handle_close_room(self, message):
        """No room is here."""

    def go_direct(self):
        """What the handler emitted so far gets to the server before what it is about to start does."""
        if not self.link.is_down:
            with self._turn:
                for message in self._directly(hooks.current()):
                    self.link.send(message)


class AsyncManager(_Passing, AsyncPubSubManager):
    """For `socketio.AsyncServer`, and for asyncio processes without one."""

    name = "socketio-server"

    def __init__(self, api="http://127.0.0.1:8001", api_key=None, link=None):
        super().__init__(write_only=True)
        self.link = link or ApiLink(api if isinstance(api, Api) else Api(api, api_key), self.host_id)
        self._loop = self._lock = None
        self._begin()
        _managers.add(self)

    def _begin(self):
        # What of the queue is to be awaited first with the next turn, whoever's that is.
        self._due = []

    @property
    def _turn(self):
        """Held while messages go their way, which takes a while with a queue: tasks take turns as they came."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock

    async def emit(self, event, data=None, namespace=None, room=None, skip_sid=None, callback=None, to=None, **kwargs):
        room = room if to is None else to
        if callback is not None and room is None:
            raise ValueError("Cannot use callback without a room set.")
        for message in self._messages(event, data, namespace, room, skip_sid):
            if callback is None:
                await self._send(message)
            else:
                await self._ask(message, callback)

    async def _ask(self, message, callback):
        hook = hooks.current()
        async with self._turn:
            await self._send_due()
            for earlier in self._before(hook, message):
                await _finished(self.link.send(earlier))
            await _finished(self.link.ask(message, self._on_loop(hooks.within(hook, callback))))

    def _on_loop(self, callback):
        """The callback as other threads may call it: it runs on the loop of now."""
        loop = asyncio.get_running_loop()

        async def run(*args):
            try:
                await _finished(callback(*args))
            except Exception:
                log.exception("a callback failed")

        def called(*args):
            try:
                is_here = asyncio.get_running_loop() is loop
            except RuntimeError:
                is_here = False
            if is_here:
                return run(*args)
            if not loop.is_closed():
                asyncio.run_coroutine_threadsafe(run(*args), loop)
            return None

        return called

    async def _send(self, message):
        async with self._turn:
            await self._send_due()
            for due in self._pass_on(message):
                await _finished(self.link.send(due))

    def go_direct(self):
        """As that of `Manager`. With a queue, for which it cannot wait, whoever has the next turn does."""
        if not self.link.is_down:
            sent = [self.link.send(message) for message in self._directly(hooks.current())]
            self._due += [result for result in sent if result is not None]

    async def catch_up(self):
        """Sends what is due, if nobody has."""
        async with self._turn:
            await self._send_due()

    async def _send_due(self):
        while self._due:
            await self._due.pop(0)

    async def _publish(self, data):
        await self._send(self._other(data))

    async def _handle_disconnect(self, message):
        """No client is here."""

    async def _handle_close_room(self, message):
        """No room is here."""


_managers = weakref.WeakSet()


def _after_fork():
    """Another thread may have had its turn; what is due is the parent's to send."""
    for manager in list(_managers):
        manager._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


async def _finished(result):
    """The result, awaited if it has to be."""
    return await result if asyncio.iscoroutine(result) or asyncio.isfuture(result) else result
