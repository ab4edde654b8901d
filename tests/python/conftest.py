"""The server under test, and clients that are disconnected with the test."""

import os
import re
import subprocess
import sys
from pathlib import Path
from queue import Queue

import pytest
import socketio

REPOSITORY = Path(__file__).parents[2]
BINARY = os.environ.get("CONFORMANCE", str(REPOSITORY / "target/debug/conformance"))
REFERENCE = ["node", str(REPOSITORY / "tests/js/reference.mjs")]

TRANSPORTS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}

# The client handles each packet in a thread of its own, an event and its attachments, too. Without
# switches by time these threads run one after the other, in the order the packets came. The interval
# is of wall time: it has to be longer than a machine may stall.
sys.setswitchinterval(10)


@pytest.fixture(scope="session")
def server():
    """The address of profile smoke: ours, or with SERVER=reference the official server."""
    command = REFERENCE if os.environ.get("SERVER") == "reference" else [BINARY]
    environment = os.environ | {"PROFILE": "smoke", "PORT": "0"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            port = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
            assert port, f"expected the server to say where it listens, it said {line!r}"
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            process.kill()


class Client(socketio.Client):
    """python-socketio's client with its events in queues, so that tests can wait for them."""

    def __init__(self):
        super().__init__(reconnection=False)
        self.queues = {}

    def queue(self, event, namespace="/"):
        """The arguments of each `event` from now on."""
        key = (event, namespace)
        if key not in self.queues:
            self.queues[key] = Queue()
            self.on(event, lambda *args: self.queues[key].put(args), namespace)
        return self.queues[key]

    def heard(self, event, namespace="/"):
        """Waits for the next `event` and returns its arguments."""
        return self.queue(event, namespace).get(timeout=10)

    def fence(self, namespace="/"):
        """A round trip: what the server had queued for this client before it has arrived."""
        self.call("ack-me", namespace=namespace, timeout=10)


@pytest.fixture(params=TRANSPORTS)
def transports(request):
    return TRANSPORTS[request.param]


@pytest.fixture
def connect(server, transports):
    """Makes connected clients: `connect()` or `connect(namespaces=..., auth=...)`."""
    clients = []

    def connect(**options):
        client = Client()
        clients.append(client)
        client.connect(server, transports=transports, **{"namespaces": ["/"], **options})
        return client

    yield connect
    for client in clients:
        client.disconnect()
