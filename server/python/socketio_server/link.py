"""What it is: the ways to the server that are no answer to a hook: its API, or the queue that the application has.
What it is not: the choice between an answer and these (`manager`).
Who calls it: `manager`.
"""

import asyncio
import contextvars
import itertools
import threading
from concurrent.futures import Future

from . import binary

# How often, and for how many seconds each time, the first question waits to hear the queue.
KNOCKS = 40
KNOCK_TIME = 0.05


class ApiLink:
    """By `POST /api/v1/pubsub`."""

    def __init__(self, api, host_id):
        self.api = api
        self.host_id = host_id
        self._numbers = itertools.count(1)

    @property
    def is_down(self):
        return self.api.is_down

    def send(self, message):
        self.api.send(message.published(self.host_id))

    def ask(self, message, callback):
        """`callback` is called with the answer's arguments, in a thread of its own; not at all without an answer."""

        def answered(answer):
            if answer is not None:
                arguments = answer.get("args", [])
                attachments = binary.decode(answer.get("attachments", []))
                callback(*(binary.put_back(arguments, attachments) if attachments else arguments))

        self.api.ask(message.published(self.host_id, next(self._numbers)), answered)

    def drained(self):
        return self.api.drained()


class QueueLink:
    """By the application's own message queue, in the form that its version of python-socketio has."""

    is_down = False

    def __init__(self, manager):
        self.manager = manager
        self._is_listening = False

    def send(self, message):
        fields = message.fields
        if message.method != "emit":
            host_id = self.manager.host_id
            return self.manager._publish(
                {"method": message.method, "namespace": message.namespace, "host_id": host_id, **fields}
            )
        return self._emit(message, None)

    def ask(self, message, callback):
        if self._is_listening:
            return self._emit(message, callback)
        self._is_listening = True
        # What listens for answers is not part of the hook that is handled just now.
        contextvars.Context().run(self.manager.initialize)
        if asyncio.iscoroutinefunction(self.manager._publish):
            return self._ask_first_async(message, callback)
        return self._ask_first(message, callback)

    def _ask_first(self, message, callback):
        """The first question waits until its answer will be heard."""
        heard = threading.Event()
        for _ in range(KNOCKS):
            self.manager._publish(self._knock(heard.set))
            if heard.wait(KNOCK_TIME):
                break
        return self._emit(message, callback)

    async def _ask_first_async(self, message, callback):
        heard = asyncio.Event()
        for _ in range(KNOCKS):
            await self.manager._publish(self._knock(heard.set))
            try:
                await asyncio.wait_for(heard.wait(), KNOCK_TIME)
                break
            except asyncio.TimeoutError:
                pass
        return await self._emit(message, callback)

    def _knock(self, heard):
        """An answer to ourselves, which comes back once we listen."""
        host_id = self.manager.host_id
        number = self.manager._generate_ack_id(host_id, heard)
        return {"method": "callback", "host_id": host_id, "sid": host_id, "namespace": "/", "id": number, "args": []}

    def _emit(self, message, callback):
        fields = message.fields
        rooms = fields["rooms"]
        return self.manager.emit(
            fields["event"],
            message.data,
            namespace=message.namespace,
            room=rooms[0] if rooms and len(rooms) == 1 else rooms,
            skip_sid=fields["skipped"] or None,
            callback=callback,
        )

    def drained(self):
        future = Future()
        future.set_result(None)
        return future
