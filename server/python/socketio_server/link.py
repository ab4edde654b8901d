"""What it is: the ways to the server that are no answer to a hook: its API, or the queue that the application has.
What it is not: the choice between an answer and these (`manager`).
Who calls it: `manager`.
"""

import contextvars
import itertools
from concurrent.futures import Future

from . import binary


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
        if not self._is_listening:
            self._is_listening = True
            # What listens for answers is not part of the hook that is handled just now.
            contextvars.Context().run(self.manager.initialize)
        return self._emit(message, callback)

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
