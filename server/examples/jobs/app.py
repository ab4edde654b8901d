"""Jobs of users who have logged in: each tab of a user shows how far they are. Pages and sockets are at port 8000.

pip install flask
flask --app app run
socketio-server --config server.toml --upstream http://127.0.0.1:5000
"""

import json
import os
import secrets
import threading
import time
import urllib.request
from pathlib import Path

from flask import Flask, abort, redirect, request, send_file, session

app = Flask(__name__)
app.secret_key = os.environ.get("FLASK_SECRET_KEY", "for trying out")
SERVER = os.environ.get("SERVER", "http://127.0.0.1:8001")
HEADERS = {"Content-Type": "application/json", "X-API-Key": Path("api.key").read_text().strip()}
jobs = {}  # of each user, how far each is; in yours, a database


def ask(path, body):
    with urllib.request.urlopen(urllib.request.Request(SERVER + path, json.dumps(body).encode(), HEADERS), timeout=5) as answer:
        return json.load(answer)


def user():
    return session.get("user") or abort(401)


@app.get("/")
def page():
    return send_file("index.html")


@app.post("/login")
def login():
    session["user"] = request.form["user"]  # in yours, with a password
    return redirect("/")


@app.get("/token")
def token():
    return ask("/api/v1/tokens", {"sub": user(), "ttl": "1h"})["token"]


@app.get("/jobs")
def states():
    return jobs.get(user(), {})


@app.post("/jobs")
def start():
    job = secrets.token_hex(8)
    jobs.setdefault(user(), {})[job] = 0
    threading.Thread(target=run, args=(user(), job), daemon=True).start()
    return {"job": job}, 202


def run(owner, job):
    for percent in range(10, 101, 10):
        time.sleep(0.2)
        jobs[owner][job] = percent
        progress = {"room": f"user:{owner}", "event": "progress", "data": {"job": job, "percent": percent}}
        try:
            ask("/api/v1/emit", progress)
        except OSError as error:  # pages ask for all jobs when they are back
            app.logger.warning("nobody is told of %s: %s", job, error)
