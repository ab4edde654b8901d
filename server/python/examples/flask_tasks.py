"""The tasks of a team: an application of Flask-SocketIO as there are many. Nothing in it knows of socketio-server.

    pip install flask-socketio simple-websocket
    python flask_tasks.py          # http://127.0.0.1:5000

`flask_tasks_server.py` puts it behind socketio-server: docs/flask.md.
"""

import os
import sqlite3
from contextlib import closing

from flask import Flask, redirect, render_template, request, session
from flask_socketio import (
    ConnectionRefusedError,
    Namespace,
    SocketIO,
    close_room,
    disconnect,
    emit,
    join_room,
    leave_room,
    rooms,
)

app = Flask(__name__)
app.secret_key = os.environ.get("FLASK_SECRET_KEY", "for trying out")
socketio = SocketIO(app)

# What all processes and threads know is in a database.
DATABASE = os.environ.get("TASKS_DATABASE", "tasks.sqlite")
TABLE = "CREATE TABLE IF NOT EXISTS task (id INTEGER PRIMARY KEY, owner, title, percent DEFAULT 0, cancelled DEFAULT 0)"


def query(sql, *values):
    """The cursor, and the rows that there are."""
    with closing(sqlite3.connect(DATABASE, timeout=10)) as connection, connection:
        connection.execute(TABLE)
        cursor = connection.execute(sql, values)
        return cursor, cursor.fetchall()


def tasks_of(user):
    _, rows = query("SELECT id, title, percent FROM task WHERE owner = ? AND NOT cancelled ORDER BY id", user)
    return [{"task": task, "title": title, "percent": percent} for task, title, percent in rows]


# Pages


@app.get("/")
def page():
    return render_template("tasks.html", user=session.get("user"))


@app.post("/login")
def login():
    session["user"] = request.form["user"]
    return redirect("/")


@app.post("/logout")
def logout():
    socketio.emit("logged_out", to=f"user:{session.pop('user', None)}")
    return redirect("/")


@app.post("/remind/<user>")
def remind(user):
    socketio.emit("reminder", {"text": request.form["text"]}, to=f"user:{user}")
    return "reminded\n"


# Events


@socketio.on("connect")
def connected(auth=None):
    user = session.get("user")
    if user is None:
        return False
    if auth and auth.get("version", 2) < 2:
        raise ConnectionRefusedError("reload the page", {"version": 2})
    join_room(f"user:{user}")
    emit("welcome", {"user": user, "tasks": tasks_of(user)})
    emit("came", {"user": user}, broadcast=True, include_self=False)


@socketio.on("disconnect")
def disconnected(reason=None):
    emit("went", {"user": session["user"], "reason": reason}, broadcast=True, include_self=False)


@socketio.on("join")
def join(room):
    join_room(room)
    emit("joined", {"room": room, "user": session["user"]}, to=room, include_self=False)
    return sorted(name for name in rooms() if name != request.sid)


@socketio.on("leave")
def leave(room):
    leave_room(room)
    emit("left", {"room": room, "user": session["user"]}, to=room)
    return sorted(name for name in rooms() if name != request.sid)


@socketio.on("say")
def say(room, text):
    if not text:
        raise ValueError("there is nothing to say")
    session["said"] = session.get("said", 0) + 1
    emit("said", {"room": room, "user": session["user"], "text": text}, to=room)
    return "said", session["said"]


@socketio.on("announce")
def announce(text):
    emit("announced", {"user": session["user"], "text": text}, broadcast=True)


@socketio.on("attach")
def attach_file(room, name, content):
    emit("attached", {"name": name, "content": content}, to=room, include_self=False)
    return {"bytes": len(content)}


@socketio.on("start")
def start(title, seconds):
    user = session["user"]
    cursor, _ = query("INSERT INTO task (owner, title) VALUES (?, ?)", user, title)
    task = cursor.lastrowid
    emit("started", {"task": task, "title": title}, to=f"user:{user}")
    socketio.start_background_task(run, task, user, seconds)
    return task


def run(task, user, seconds):
    for percent in range(10, 101, 10):
        socketio.sleep(seconds / 10)
        cursor, _ = query("UPDATE task SET percent = ? WHERE id = ? AND NOT cancelled", percent, task)
        if not cursor.rowcount:
            return
        socketio.emit("progress", {"task": task, "percent": percent}, to=f"user:{user}")
    socketio.emit("done", {"task": task}, to=f"user:{user}")


@socketio.on("cancel")
def cancel(task):
    user = session["user"]
    cursor, _ = query("UPDATE task SET cancelled = 1 WHERE id = ? AND owner = ?", task, user)
    if not cursor.rowcount:
        return {"error": "no such task"}
    emit("cancelled", {"task": task}, to=f"user:{user}")
    return {}


@socketio.on("clear")
def clear():
    user = session["user"]

    def confirmed(answer):
        if answer == "yes":
            query("DELETE FROM task WHERE owner = ?", user)
        emit("cleared" if answer == "yes" else "kept", to=f"user:{user}")

    emit("confirm", "Delete all of your tasks?", callback=confirmed)


@socketio.on("quit")
def quit_():
    emit("bye")
    disconnect()


@socketio.on_error()
def failed(error):
    emit("failed", {"event": request.event["message"], "error": str(error)})


class Admin(Namespace):
    def on_connect(self):
        if session.get("user") != "admin":
            raise ConnectionRefusedError("admins only")

    def on_tasks(self):
        return query("SELECT owner, COUNT(*) FROM task GROUP BY owner ORDER BY owner")[1]

    def on_notice(self, text):
        emit("notice", text, namespace="/", broadcast=True)

    def on_close(self, room):
        emit("closed", room, namespace="/", to=room)
        close_room(room, namespace="/")


socketio.on_namespace(Admin("/admin"))

if __name__ == "__main__":
    socketio.run(app, port=int(os.environ.get("PORT", 5000)), allow_unsafe_werkzeug=True)
