"""Lets an application of Flask-SocketIO or python-socketio keep its handlers while socketio-server holds the sockets.

    from socketio_server import attach
    from shop import app, socketio

    attach(app, socketio)
"""

from .attach import attach
from .manager import AsyncManager, Manager

__all__ = ["AsyncManager", "Manager", "attach"]
__version__ = "0.1.0"
