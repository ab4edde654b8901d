"""What it is: ASGI middleware: hooks go to the bridge, everything else to the application.
What it is not: what is done with hooks.
Who calls it: the ASGI server.
"""

from .bridge import MAX_BODY, Answer, too_large


class ASGIMiddleware:
    def __init__(self, bridge, app, path):
        self.bridge = bridge
        self.app = app
        self.path = path

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or self._path(scope) != self.path:
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        peer = (scope.get("client") or ("",))[0]
        answer = self.bridge.refuse(scope["method"], headers, peer) or await self._answer(headers, receive)
        fields = [] if answer.status == 204 else [(b"content-length", b"%d" % len(answer.body))]
        if answer.body:
            fields.append((b"content-type", b"application/json"))
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, headers, receive):
        body = bytearray()
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return Answer(400, b"")
            body += event.get("body", b"")
            if len(body) > MAX_BODY:
                return too_large(len(body))
            if not event.get("more_body"):
                return await self.bridge.answer_async(headers, bytes(body))

    def _path(self, scope):
        root = scope.get("root_path", "")
        path = scope["path"]
        return path[len(root) :] if root and path.startswith(root + "/") else path
