"""What it is: WSGI middleware: hooks go to the bridge, everything else to the application.
What it is not: what is done with hooks.
Who calls it: the WSGI server.
"""

from http import HTTPStatus


class WSGIMiddleware:
    def __init__(self, bridge, app, path):
        self.bridge = bridge
        self.app = app
        self.path = path

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") != self.path:
            return self.app(environ, start_response)
        headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name[:5] == "HTTP_"}
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        headers["content-length"] = environ.get("CONTENT_LENGTH", "")
        answer = self.bridge.refuse(environ["REQUEST_METHOD"], headers, environ.get("REMOTE_ADDR", ""))
        if answer is None:
            body = environ["wsgi.input"].read(int(headers["content-length"]))
            answer = self.bridge.answer(headers, body)
        fields = [] if answer.status == 204 else [("Content-Length", str(len(answer.body)))]
        if answer.body:
            fields.append(("Content-Type", "application/json"))
        start_response("%d %s" % (answer.status, HTTPStatus(answer.status).phrase), fields)
        return [answer.body]
