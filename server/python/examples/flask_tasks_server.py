"""The application of `flask_tasks.py` behind socketio-server.

    gunicorn --workers 2 --threads 8 --bind 127.0.0.1:5000 flask_tasks_server:app
    socketio-server --config server.toml
"""

import os
from pathlib import Path

from socketio_server import attach

from flask_tasks import app, socketio

attach(
    app,
    socketio,
    secret=Path("hooks.key").read_text().strip(),
    api_key=Path("api.key").read_text().strip(),
    api=os.environ.get("BRIDGE_API"),  # by default http://127.0.0.1:8001
)
