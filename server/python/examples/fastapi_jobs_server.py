"""The application of `fastapi_jobs.py` behind socketio-server.

    uvicorn --port 5000 --workers 2 fastapi_jobs_server:app
    socketio-server --config server.toml
"""

import os
from pathlib import Path

from socketio_server import attach

import fastapi_jobs

app = attach(
    fastapi_jobs.app,
    fastapi_jobs.sio,
    secret=Path("hooks.key").read_text().strip(),
    api_key=Path("api.key").read_text().strip(),
    api=os.environ.get("BRIDGE_API"),  # by default http://127.0.0.1:8001
)
