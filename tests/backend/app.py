"""What it is: an application that takes hooks of the server, with Python's standard library alone, to be stopped,
continued and restarted by tests.
What it is not: the bridge for Flask; it answers by simple rules of its own.
Who calls it: tests/server_webhooks.rs.

Usage: app.py PORT SECRET. Prints a line of JSON for each hook: what is wrong with its signature (null if nothing), and
its body. To events named `echo` it answers with their arguments, to `slow` too, but after a while; others are 404.
"""

import base64
import hashlib
import hmac
import http.server
import json
import sys
import threading
import time

PORT, SECRET = int(sys.argv[1]), sys.argv[2]
printing = threading.Lock()


def wrong(headers, body):
    """What is wrong with a signature, by the text of Standard Webhooks."""
    key = base64.b64decode(SECRET[len("whsec_") :])
    signed = "%s.%s." % (headers["webhook-id"], headers["webhook-timestamp"])
    expected = base64.b64encode(hmac.new(key, signed.encode() + body, hashlib.sha256).digest()).decode()
    if headers["webhook-signature"] != "v1," + expected:
        return "signature"
    if abs(time.time() - int(headers["webhook-timestamp"])) > 60:
        return "timestamp"
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        hook = json.loads(body)
        with printing:
            print(json.dumps({"wrong": wrong(self.headers, body), "hook": hook}), flush=True)
        if hook["type"] != "event":
            self.answer(204, b"")
        elif hook["event"] in ("echo", "slow"):
            if hook["event"] == "slow":
                time.sleep(0.05)
            self.answer(200, json.dumps({"ack": hook["args"]}).encode())
        else:
            self.answer(404, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, *_):
        """The server no longer waited for an answer."""


server = Server(("127.0.0.1", PORT), Handler)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
