"""What it is: one HTTP connection to the server's API, and what is said in the log when that does not work.
What it is not: which requests are made on it.
Who calls it: `api`.
"""

import http.client
import logging
import socket
import time
from urllib.parse import urlsplit

log = logging.getLogger("socketio_server")

# Seconds between two complaints of one kind.
QUIET = 60.0


class Unreachable(Exception):
    """Nothing listens there, or it did not answer. `is_lost`: it may have been done all the same."""

    def __init__(self, text, is_lost=False):
        super().__init__(text)
        self.is_lost = is_lost


class Connection:
    """One connection, opened when there is something to say and kept for the next time."""

    def __init__(self, address, key, timeout):
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https", "unix"):
            raise ValueError("the address of the API is http://, https:// or unix:/path, not %r" % address)
        self.prefix = "" if parts.scheme == "unix" else parts.path.rstrip("/")
        self.headers = {"Content-Type": "application/json"}
        if key:
            self.headers["Authorization"] = "Bearer " + key
        if parts.scheme == "unix":
            self.http = Unix(parts.path, timeout)
        else:
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            self.http = kind(parts.hostname, parts.port, timeout=timeout)

    def request(self, method, path, body=None):
        """Status and body of the answer. Raises `Unreachable`."""
        response = self.head(method, path, body)
        return response.status, self.rest(response)

    def head(self, method, path, body=None):
        """The answer, of which the body is still to come. Raises `Unreachable`."""
        while True:
            was_open = self.http.sock is not None
            try:
                self.http.request(method, self.prefix + path, body, self.headers)
                return self.http.getresponse()
            except socket.timeout:
                self.http.close()
                raise Unreachable("no answer in time", is_lost=True) from None
            except (OSError, http.client.HTTPException) as error:
                self.http.close()
                # The server closes what was idle for long; then a new connection is as good.
                if not was_open:
                    raise Unreachable(str(error) or type(error).__name__) from None

    def rest(self, response, timeout=None):
        """The body of an answer, within so many seconds if it takes longer than others. Raises `Unreachable`."""
        if timeout and self.http.sock:
            self.http.sock.settimeout(timeout)
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            self.http.close()
            raise Unreachable(str(error) or type(error).__name__, is_lost=True) from None

    def close(self):
        self.http.close()


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Complaints:
    """The same trouble is not logged more often than once a minute."""

    def __init__(self):
        self.last = {}

    def say(self, kind, text, *args):
        now = time.monotonic()
        at, count = self.last.get(kind, (None, 0))
        if at is not None and now - at < QUIET:
            self.last[kind] = (at, count + 1)
            return
        self.last[kind] = (now, 0)
        log.error(text + (" (and %d times more since)" % count if count else ""), *args)
