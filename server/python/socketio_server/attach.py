"""What it is: the one call that puts an application behind socketio-server.
What it is not: what goes on afterwards.
Who calls it: applications, once, when all else is set up.
"""

import logging

import socketio
from engineio.async_drivers import threading
from socketio import pubsub_manager
from socketio.async_pubsub_manager import AsyncPubSubManager

from .api import Api
from .asgi import ASGIMiddleware
from .bridge import Bridge
from .link import QueueLink
from .manager import AsyncManager, Manager
from .server import Bridged, BridgedAsyncServer, BridgedServer
from .session import Sessions
from .wsgi import WSGIMiddleware

log = logging.getLogger("socketio_server")

API = "http://127.0.0.1:8001"


def attach(app, sio, path="/_socketio", secret=None, api=None, api_key=None, unsigned="loopback", user=None):
    """Has the handlers of `sio` called by the hooks of a socketio-server, and returns the application to be served.

    `app` is a Flask application, which is changed in place, or any WSGI or ASGI application. `sio` is its
    `flask_socketio.SocketIO`, `socketio.Server` or `socketio.AsyncServer`.

    `path`: where hooks come: `url` of the server's `[[backend]]` leads there.
    `secret`: that of the `[[backend]]`, or a list while it is changed for another. Hooks without its signature are
    refused. Without one, hooks are taken from this machine alone, or with `unsigned="any"` from everywhere.
    `api`: address of the server's admin listener, for what is emitted outside of handlers: `http://..`, `https://..` or
    `unix:/path`. By default the message queue of `sio`, if it has one, otherwise http://127.0.0.1:8001.
    `api_key`: one of the server's `api.keys`.
    `user`: the entry of the session that says who a client is, once its connect handler has run: what the server counts
    as one user, however many sockets that has. Entries of Flask's session count, too. By default clients are nobody's.
    """
    server = getattr(sio, "server", sio)
    if server is None:
        raise ValueError("call socketio.init_app(app) before attach(app, socketio)")
    if not isinstance(server, (socketio.Server, socketio.AsyncServer)):
        raise TypeError("attach() takes a flask_socketio.SocketIO, socketio.Server or socketio.AsyncServer")
    if isinstance(server, Bridged):
        raise ValueError("attach() was called for this server already")
    if unsigned not in ("loopback", "any"):
        raise ValueError('unsigned is "loopback" or "any"')
    if not path.startswith("/"):
        raise ValueError("path begins with /")
    secrets = [secret] if isinstance(secret, (str, bytes)) else list(secret or [])
    if not all(secrets):
        raise ValueError("the secret is empty")
    is_async = server.is_asyncio_based()
    is_flask = hasattr(app, "wsgi_app") and hasattr(app, "extensions")
    flask_app = app if is_flask and sio is not server else None

    client = Api(api or API, api_key)
    _replace(server, client, is_async, has_queue=api is None)
    sessions = Sessions(server.packet_class.json, flask_app if getattr(sio, "manage_session", False) else None, user)
    server.bridge = Bridge(server, sessions, client, secrets, unsigned, {"flask.app": flask_app} if flask_app else {})
    if not secrets:
        log.warning("hooks at %s need no signature; give attach() the secret of the server's [[backend]]", path)
    if is_async:
        return ASGIMiddleware(server.bridge, app, path)
    if is_flask:
        app.wsgi_app = WSGIMiddleware(server.bridge, app.wsgi_app, path)
        return app
    return WSGIMiddleware(server.bridge, app, path)


def _replace(server, client, is_async, has_queue):
    """Has the server ask and tell the server that holds its sockets now."""
    queue_kind = AsyncPubSubManager if is_async else pubsub_manager.PubSubManager
    link = QueueLink(server.manager) if has_queue and isinstance(server.manager, queue_kind) else None
    if link and hasattr(pubsub_manager, "pickle"):
        log.error(
            "socketio-server does not read the pickles that this python-socketio writes into its queue; upgrade to 5.14 or "
            "later, or give attach() the api of the server"
        )
    server.manager = (AsyncManager if is_async else Manager)(client, link=link)
    server.manager.set_server(server)
    server.manager_initialized = True
    if not is_async:
        # Tasks of eventlet and gevent run where these serve. Threads run everywhere, and are theirs where they have patched
        # them.
        server.eio._async = threading._async
    kind = type(server)
    bridged = BridgedAsyncServer if is_async else BridgedServer
    server.__class__ = type(bridged.__name__, (bridged, kind), {})
