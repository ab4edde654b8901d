"""Applications with the bridge, each version of python-socketio in a Python of its own, and what they send."""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue

import pytest

# It compares, too.
pytest.register_assert_rewrite("stage")

REPOSITORY = Path(__file__).parents[2]
HERE = Path(__file__).parent
VERSIONS = ["5.10", "5.13", "5.18"]
KINDS = ["flask", "wsgi", "asgi"]

# Seconds within which everything happens that is waited for.
LIMIT = 20


class Process:
    """A program that writes where it listens, and its log."""

    def __init__(self, command, pattern, folder=HERE / "apps", **environment):
        self.log = ""
        self._is_longer = threading.Condition()
        self.process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.match = self.logged(pattern)

    def _read(self):
        for line in self.process.stdout:
            with self._is_longer:
                self.log += line
                self._is_longer.notify_all()

    def logged(self, pattern, start=0):
        """Waits until the log has it behind `start`."""

        def found():
            return re.search(pattern, self.log[start:]) or self.process.poll() is not None

        with self._is_longer:
            self._is_longer.wait_for(found, LIMIT)
            match = re.search(pattern, self.log[start:])
        assert match, f"expected {pattern} in:\n{self.log[start:]}"
        return match

    def stop(self):
        self.process.terminate()
        try:
            # Those that hold sockets themselves take their time.
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        self.process.stdout.close()


def serve(version, kind, module, folder=HERE / "apps", options=(), **environment):
    """An application of this kind: `module` is `file:variable`. It takes a free port."""
    python = REPOSITORY / f"target/bridge/{version}/bin/python"
    if kind == "asgi":
        command = [python, "-m", "uvicorn", "--port", "0", "--ws", "wsproto", *options, module]
        return Process(command, r"running on (http://\S+)", folder, **environment)
    options = ["--threads", "50", "--graceful-timeout", "1", *options]
    command = [python, "-m", "gunicorn", "--bind", "127.0.0.1:0", *options, module]
    return Process(command, r"Listening at: (http://\S+)", folder, **environment)


def sign(secret, body, name="msg_1", at=None):
    """The headers of Standard Webhooks for this."""
    at = str(int(time.time()) if at is None else at)
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    signed = b".".join([name.encode(), at.encode(), body])
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": "v1," + signature}


class App:
    """An application that serves, and what a socketio-server asks of it."""

    def __init__(self, version, kind, process):
        self.version = version
        self.kind = kind
        self.process = process
        self.address = process.match[1].removeprefix("http://")
        self.numbers = itertools.count()

    def request(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection(self.address, timeout=LIMIT)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.request("GET", path)
        assert status == 200, body
        return body

    def post(self, body, headers={}, **changed):
        headers = {"Content-Type": "application/json", **headers, **changed}
        return self.request("POST", "/_socketio", body, headers)

    def hook(self, type="event", sid="S", namespace="/", **fields):
        """The status of the answer, and what is in it."""
        request = {"remote_addr": "203.0.113.7", "query": {}, "headers": {}}
        body = {"type": type, "id": "msg_%d" % next(self.numbers), "namespace": namespace, "sid": sid, "request": request, **fields}
        status, answer = self.post(json.dumps(body).encode())
        return status, json.loads(answer) if answer else None

    def event(self, event, *args, **fields):
        """What is in the answer to an event that is handled."""
        status, answer = self.hook(event=event, args=list(args), **fields)
        assert status == (204 if answer is None else 200), (status, self.process.log)
        return answer or {}

    def ack(self, event, *args, **fields):
        return self.event(event, *args, wants_ack=True, **fields)["ack"]


class Recorder:
    """Where the server's API is expected: what is sent there, literally, and answers as they are laid down."""

    def __init__(self):
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            # A head and its body are one write.
            wbufsize = -1

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder.requests.put((self.path, dict(self.headers), body.decode(), self.client_address))
                status, answer = recorder.answer(self.path, body)
                if callable(answer):
                    self.answer_later(status, answer)
                    return
                answer = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def answer_later(self, status, answer):
                """The head, and the body when there is one."""
                self.send_response(status)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.flush()
                body = json.dumps(answer()).encode()
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

            do_GET = do_POST = handle_one

            def log_message(self, *_):
                pass

        self.requests = Queue()
        self.answer = self.usual
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def usual(self, path, body):
        """An answer to each question, one socket, and otherwise that it is done."""
        if path == "/api/v1/sockets/S":
            return 200, {"sid": "S", "rooms": ["far"], "session": {"name": "Zoe"}, "transport": "polling"}
        if path.startswith("/api/v1/sockets/"):
            return 404, {"error": {"code": "unknown_socket", "message": "there is no such socket", "field": "sid"}}
        message = json.loads(body)
        if message.get("callback"):
            room, namespace, number = message["callback"]
            callback = {"method": "callback", "host_id": message["host_id"], "sid": room, "namespace": namespace}
            return 200, {"callback": {**callback, "id": number, "args": ["yes", message["data"][0]]}}
        return 200, {}

    def next(self):
        """The next message, which came by the way of messages."""
        path, headers, body, _ = self.requests.get(timeout=LIMIT)
        assert path == "/api/v1/pubsub", (path, body)
        assert headers["Authorization"] == "Bearer key of the tests"
        return json.loads(body)

    def events(self, count):
        """Names and data of the next emits."""
        messages = [self.next() for _ in range(count)]
        return [(message["event"], message["data"]) for message in messages]

    def is_quiet(self):
        return self.requests.empty()

    def start_anew(self):
        self.answer = self.usual
        try:
            while True:
                self.requests.get_nowait()
        except Empty:
            pass


@pytest.fixture(scope="session")
def recorded():
    recorder = Recorder()
    yield recorder
    recorder.server.shutdown()


@pytest.fixture
def api(recorded):
    recorded.start_anew()
    return recorded


@pytest.fixture(scope="session")
def started(recorded):
    """Applications by version, kind and what `attach` is told; each is started once."""
    apps = {}

    def start(version, kind, environment=(), **attach):
        options = {"api": recorded.address, "api_key": "key of the tests", **attach}
        options = json.dumps({name: option for name, option in options.items() if option is not None})
        key = (version, kind, options, environment)
        if key not in apps:
            process = serve(version, kind, kind + "_app:app", ATTACH=options, **dict(environment))
            apps[key] = App(version, kind, process)
        return apps[key]

    yield start
    for app in apps.values():
        app.process.stop()


@pytest.fixture(params=[f"{kind} {version}" for version in VERSIONS for kind in KINDS])
def app(request, started, api):
    kind, version = request.param.split()
    return started(version, kind)


@pytest.fixture(params=KINDS)
def newest(request, started, api):
    """Starts an application of each kind, with the newest python-socketio, as it is said."""
    return lambda **options: started(VERSIONS[-1], request.param, **options)
