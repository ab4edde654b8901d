"""What it is: the WSGI environ of a client's request, as its handlers know it, made of what the server says of it.
What it is not: the environ of the hook.
Who calls it: `hook`.
"""

import io
import sys
from urllib.parse import urlencode


def _text(value):
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)


class Environ(dict):
    """Flask-SocketIO keeps the session of a socket in it, in the first form of which it takes a note."""

    def __init__(self, request, extras, is_async):
        """`request` has `remote_addr`, `query` and `headers`, the latter two by name. `extras` are entries that are not
        of the client's request. `is_async`: with an ASGI scope, where handlers of asyncio servers look for it."""
        headers = {name.lower(): _text(value) for name, value in (request.get("headers") or {}).items()}
        query = urlencode(request.get("query") or {}, doseq=True)
        scheme = headers.get("x-forwarded-proto", "http").split(",")[0].strip()
        host = headers.get("x-forwarded-host", "").split(",")[0].strip() or headers.get("host") or "localhost"
        name, port = _address(host, scheme)
        super().__init__(
            {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": request.get("path") or "/socket.io/",
                "QUERY_STRING": query,
                "RAW_URI": (request.get("path") or "/socket.io/") + ("?" + query if query else ""),
                "REMOTE_ADDR": request.get("remote_addr") or "",
                "REMOTE_PORT": "0",
                "SERVER_NAME": name,
                "SERVER_PORT": port,
                "SERVER_PROTOCOL": "HTTP/1.1",
                "SERVER_SOFTWARE": "socketio-server",
                "wsgi.version": (1, 0),
                "wsgi.url_scheme": scheme,
                "wsgi.input": io.BytesIO(),
                "wsgi.errors": sys.stderr,
                "wsgi.multithread": True,
                "wsgi.multiprocess": True,
                "wsgi.run_once": False,
            }
        )
        for header, value in {**headers, "host": host}.items():
            # WSGI has the bytes of headers as if they were Latin-1.
            self["HTTP_" + header.upper().replace("-", "_")] = value if is_async else value.encode().decode("latin-1")
        if is_async:
            self["wsgi.async"] = True
            self["asgi.scope"] = self._scope(headers)
        self.update(extras)
        self.first_session = None
        self.dump_session = None

    def __setitem__(self, key, value):
        if key == "saved_session" and self.dump_session:
            self.first_session = self.dump_session(value)
        super().__setitem__(key, value)

    def _scope(self, headers):
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": self["wsgi.url_scheme"],
            "path": self["PATH_INFO"],
            "raw_path": self["PATH_INFO"].encode(),
            "root_path": "",
            "query_string": self["QUERY_STRING"].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (self["REMOTE_ADDR"], 0),
            "server": (self["SERVER_NAME"], int(self["SERVER_PORT"])),
            "state": {},
        }


def _address(host, scheme):
    """Name and port out of a Host header."""
    default = "443" if scheme == "https" else "80"
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit() or name.endswith(":"):
        return host, default
    return name, port
