"""What it is: what an application keeps with a socket, as the server keeps it in between: one JSON object, which is the
session of python-socketio, with that of Flask-SocketIO in it as Flask writes sessions.
What it is not: Flask's own session in a cookie or a store, where the application has it so (`manage_session=False`).
Who calls it: `bridge` before and after a handler.
"""

import logging

from .message import is_control, json_of

log = logging.getLogger("socketio_server")

# Bytes of JSON that the server keeps for a socket.
MAX_SESSION = 16 << 10

# The entry with Flask's session.
FLASK = "_flask"


class Sessions:
    """`flask_app` is that of Flask-SocketIO, if it manages the session; `user_entry` says who a client is."""

    def __init__(self, json, flask_app=None, user_entry=None):
        self.json = json
        self.flask_app = flask_app
        self.user_entry = user_entry
        if flask_app is not None:
            from flask.json.tag import TaggedJSONSerializer
            from flask.sessions import SessionMixin

            self._serializer = TaggedJSONSerializer()
            self._kind = type("ManagedSession", (dict, SessionMixin), {})

    def open(self, hook):
        """Gives the hook the sessions that came with it."""
        kept = hook.session if isinstance(hook.session, dict) else {}
        flask = kept.get(FLASK)
        hook.session = {key: value for key, value in kept.items() if key != FLASK}
        hook.kept_session = self._dump(hook.session)
        hook.kept_flask = None
        if self.flask_app is None:
            return
        hook.kept_flask = flask
        hook.environ.dump_session = self._dump_flask
        if flask is not None:
            hook.environ["saved_session"] = self._kind(self._serializer.loads(flask))

    def user(self, hook):
        """Who the client is, as the handler left it in one of the sessions."""
        if self.user_entry is None:
            return None
        user = hook.session.get(self.user_entry)
        if user is None and self.flask_app is not None:
            user = hook.environ.get("saved_session", {}).get(self.user_entry)
        user = "" if user is None else str(user)
        # Whoever has a name that the server does not take is nobody.
        return None if user == "" or any(map(is_control, user)) else user

    def close(self, hook):
        """The JSON of the sessions, if the handler changed them and they can be kept."""
        session = self._dump(hook.session)
        flask = hook.kept_flask
        if self.flask_app is not None and "saved_session" in hook.environ:
            now = self._dump_flask(hook.environ["saved_session"])
            # Unchanged, it is the cookie's, which comes along each time.
            if now != hook.environ.first_session:
                flask = now
        if session is None or (session == hook.kept_session and flask == hook.kept_flask):
            return None
        return self.whole(hook.sid, hook.session, flask)

    def whole(self, sid, session, flask=None):
        """The JSON that the server keeps, or `None` where that is too much."""
        whole = dict(session) if flask is None else {**session, FLASK: flask}
        text = self._dump(whole)
        if text is not None and len(text.encode()) > MAX_SESSION:
            log.error("the session of %s is not kept: it has %d bytes of %d at most", sid, len(text), MAX_SESSION)
            return None
        return text

    def _dump(self, session):
        try:
            return json_of(self.json, session)
        except (TypeError, ValueError) as error:
            log.error("a session is not kept, because it does not fit into JSON: %s", error)
            return None

    def _dump_flask(self, session):
        try:
            return self._serializer.dumps(dict(session))
        except (TypeError, ValueError) as error:
            log.error("a Flask session is not kept, because it does not fit into JSON: %s", error)
            return None
