"""What it is: the server's HTTP API, as far as applications need it that do not answer a hook just now: messages go
out in order from one thread, so that no emit waits for the network, and questions to clients wait on their own.
What it is not: the messages (`message`), nor what is done with them before (`manager`).
Who calls it: `link`.
"""

import atexit
import json
import logging
import os
import queue
import threading
import time
import weakref
from concurrent.futures import Future
from urllib.parse import quote

from .connection import Complaints, Connection, Unreachable

log = logging.getLogger("socketio_server")

# Messages that may wait; more are dropped, and the log says so.
CAPACITY = 10_000
# Seconds that a message waits for a server that is away: longer than a restart takes.
PATIENCE = 10.0
# Seconds for one request.
TIMEOUT = 5.0
# Seconds that a client has to answer, and the server to say that it did not.
ANSWER_TIMEOUT = 65.0
# Questions to clients under way; each is a thread.
MAX_QUESTIONS = 200

ADVICE = {
    401: "give attach(..., api_key=) one of the server's api.keys",
    403: 'the key needs "emit" in its allow, and this namespace in its namespaces (api.keys)',
    413: "the message is larger than the server's api.max_body",
}


class Api:
    """The API at an address; its thread starts with the first message, in each process anew."""

    def __init__(self, address, key=None):
        self.address = address
        self.key = key
        Connection(address, key, TIMEOUT)
        self._complaints = Complaints()
        self._start_lock = self._questions = self._queue = self._thread = None
        self.is_down = False
        self._reset()
        _apis.add(self)

    def _reset(self):
        self._start_lock = threading.Lock()
        self._questions = threading.BoundedSemaphore(MAX_QUESTIONS)
        self._queue = queue.Queue(CAPACITY)
        self._thread = None

    def send(self, body):
        """Queues a message. Never waits."""
        deadline = time.monotonic() + PATIENCE
        self._put(lambda connection: self._send(connection, body, deadline))

    def ask(self, body, answered):
        """Queues a message that a client is to answer. `answered` is called with the message that says so, or with
        `None`, in a thread of its own."""
        deadline = time.monotonic() + PATIENCE
        self._put(lambda _: self._ask(body, answered, deadline))

    def drained(self):
        """A future of when all that is queued by now is delivered, or given up."""
        future = Future()
        if not self._put(lambda _: future.set_result(None)):
            future.set_result(None)
        return future

    def get(self, path, *names):
        """What is at a path, or `None` if there is no such thing. Waits. Raises `Unreachable`."""
        status, body = self._once("GET", path + "/".join(quote(name, safe="") for name in names), None)
        if status == 200:
            return json.loads(body)
        if status != 404:
            self._refused(status, body)
        return None

    def post(self, path, body):
        """Whether this was done. Waits. Raises `Unreachable`."""
        status, answer = self._once("POST", path, body)
        if status != 200:
            self._refused(status, answer)
        return status == 200

    def _once(self, method, path, body):
        connection = Connection(self.address, self.key, TIMEOUT)
        try:
            return connection.request(method, path, body and body.encode())
        finally:
            connection.close()

    def _put(self, task):
        if self._thread is None:
            with self._start_lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="socketio-server-api", daemon=True)
                    self._thread.start()
        try:
            self._queue.put_nowait(task)
            return True
        except queue.Full:
            self._complaints.say(
                "full", "%d messages wait for socketio-server at %s; what comes now is lost", CAPACITY, self.address
            )
            return False

    def _run(self):
        connection = Connection(self.address, self.key, TIMEOUT)
        while True:
            task = self._queue.get()
            try:
                task(connection)
            except Exception:
                log.exception("a message could not be sent to socketio-server")

    def _send(self, connection, body, deadline):
        try:
            answer = self._deliver(connection, body, deadline)
            if answer is not None:
                connection.rest(answer)
        except Unreachable as error:
            self._lost(error)

    def _ask(self, body, answered, deadline):
        """The next message is sent once the head of the answer has come, for then the client was asked: it gets both in
        order."""
        if not self._questions.acquire(blocking=False):
            self._complaints.say("questions", "%d clients are asked already; a callback is not called", MAX_QUESTIONS)
            answered(None)
            return
        connection, answer = Connection(self.address, self.key, TIMEOUT), None
        try:
            answer = self._deliver(connection, body, deadline)
        finally:
            threading.Thread(target=self._hear, args=(connection, answer, answered), daemon=True).start()

    def _hear(self, connection, answer, answered):
        message = None
        try:
            if answer is not None:
                message = json.loads(connection.rest(answer, ANSWER_TIMEOUT)).get("callback")
        except (Unreachable, ValueError) as error:
            self._lost(error)
        finally:
            connection.close()
            self._questions.release()
        answered(message)

    def _deliver(self, connection, body, deadline):
        """The answer to a message that was taken, of which the body is still to come, or `None`."""
        pause = 0.05
        while True:
            try:
                answer = connection.head("POST", "/api/v1/pubsub", body.encode())
                if answer.status == 200:
                    self._is_there()
                    return answer
                text = connection.rest(answer)
            except Unreachable as error:
                trouble, is_lost = error, error.is_lost
            else:
                if answer.status not in (429, 503):
                    self.is_down = answer.status == 401
                    self._refused(answer.status, text)
                    return None
                trouble, is_lost = "it answered %d" % answer.status, False
            self.is_down = True
            if is_lost or time.monotonic() + pause > deadline:
                self._lost(trouble)
                return None
            self._complaints.say("away", "socketio-server at %s: %s; trying again", self.address, trouble)
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _is_there(self):
        if self.is_down:
            self.is_down = False
            log.warning("socketio-server at %s takes messages again", self.address)

    def _lost(self, trouble):
        self._complaints.say(
            "lost",
            "socketio-server at %s: %s; a message is lost. Does it run, and is this its admin.listen?",
            self.address,
            trouble,
        )

    def _refused(self, status, answer):
        try:
            reason = json.loads(answer)["error"]["message"]
            advice = ADVICE.get(status)
        except (ValueError, LookupError, TypeError):
            reason = "no reason given"
            advice = "is this the address of the server's admin listener (admin.listen, with admin.prefix)?"
        self._complaints.say(
            status, "socketio-server at %s answered %d: %s%s", self.address, status, reason, advice and "; " + advice or ""
        )


_apis = weakref.WeakSet()


def _after_fork():
    for api in list(_apis):
        api._reset()


def _at_exit():
    for api in list(_apis):
        if api._thread is not None:
            try:
                api.drained().result(2.0)
            except Exception:
                log.error("the process ends with messages for socketio-server at %s unsent", api.address)


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
