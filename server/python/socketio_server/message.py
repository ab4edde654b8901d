"""What it is: what an application wants of the server, said in two forms: as an action in the answer to a hook,
and as a message of python-socketio's queues, which `POST /api/v1/pubsub` takes.
What it is not: how either gets there.
Who calls it: `manager` makes them, `hook` and `link` write them.
"""

import unicodedata

from . import binary

# Names of events that clients keep for themselves: the server sends none of them.
RESERVED = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")


class Message:
    """One emit, join, leave, end of a room, or disconnect.

    What is emitted becomes JSON here, once: later changes do not matter, and what is no JSON fails where it is
    emitted, as it does without a queue.
    """

    def __init__(self, json, method, namespace, **fields):
        self.json = json
        self.method = method
        self.namespace = namespace or "/"
        self.fields = fields
        self.data = None
        self.arguments = None
        self.attachments = []

    @classmethod
    def emit(cls, json, event, data, namespace, rooms, skipped):
        """`rooms` is `None` for everybody, `skipped` a list of sids."""
        message = cls(json, "emit", namespace, event=event, rooms=rooms, skipped=skipped)
        message.data = data
        arguments = binary.take_out(arguments_of(data), message.attachments)
        message.arguments = json_of(json, arguments)
        return message

    @property
    def size(self):
        """Bytes, about."""
        return 200 + len(self.arguments or "") + sum(len(attachment) * 4 // 3 for attachment in self.attachments)

    @property
    def has_action(self):
        """Whether it can be said as an action, where `*` in a room that is left means any characters. One with a name
        that the server does not take would void all of the answer."""
        fields = self.fields
        rooms = [fields["room"]] if "room" in fields else fields.get("rooms") or []
        is_glob = self.method == "leave_room" and "*" in fields["room"]
        return not is_glob and all(room and not is_control(room[0]) for room in rooms)

    def action(self):
        """The JSON of the action."""
        fields = self.fields
        if self.method == "emit":
            action = {"op": "emit", "namespace": self.namespace, "event": fields["event"]}
            if fields["rooms"] is not None:
                action["to"] = {"rooms": fields["rooms"]}
            if fields["skipped"]:
                action["except"] = {"sids": fields["skipped"]}
            if self.attachments:
                action["attachments"] = binary.encode(self.attachments)
            return self._with_arguments(action, "args", self.arguments)
        if self.method == "close_room":
            action = {"op": "close_room", "room": fields["room"]}
        elif self.method == "disconnect":
            action = {"op": "disconnect", "target": {"sids": [fields["sid"]]}}
        else:
            names = {"enter_room": "join", "leave_room": "leave"}
            action = {"op": names[self.method], "target": {"sids": [fields["sid"]]}, "rooms": [fields["room"]]}
        action["namespace"] = self.namespace
        return self.json.dumps(action, separators=(",", ":"))

    def published(self, host_id, callback=None):
        """The JSON of the message; `callback` is the number of the question, when an answer is wanted."""
        message = {"method": self.method, "namespace": self.namespace, "host_id": host_id}
        if self.method != "emit":
            return self.json.dumps({**message, **self.fields}, separators=(",", ":"))
        rooms = self.fields["rooms"]
        room = rooms[0] if rooms and len(rooms) == 1 else rooms
        message.update(event=self.fields["event"], room=room, skip_sid=self.fields["skipped"] or None)
        # `null` alone would be no argument; within what has attachments, of which there may be none, it is one.
        message["binary"] = bool(self.attachments) or self.arguments == "[null]"
        message["callback"] = None if callback is None else [room, self.namespace, callback]
        data = self.arguments
        if message["binary"]:
            data = "[%s]" % ",".join([data, *map(self.json.dumps, binary.encode(self.attachments))])
        return self._with_arguments(message, "data", data)

    def _with_arguments(self, fields, name, arguments):
        return '%s,"%s":%s}' % (self.json.dumps(fields, separators=(",", ":"))[:-1], name, arguments)


def is_control(character):
    """Whether it is a control character, which names of rooms do not begin with, and users do not have."""
    return unicodedata.category(character) == "Cc"


def json_of(json, value):
    """What the application's module writes; `ValueError` for what is no JSON, as NaN is none."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except TypeError:
        # The module may know no such option.
        return json.dumps(value, separators=(",", ":"))


def arguments_of(data):
    """What python-socketio sends of what it is given: a tuple is several arguments, and `None` is no argument."""
    if isinstance(data, tuple):
        return list(data)
    return [] if data is None else [data]


def names_of(rooms):
    """A list of the names in a room, a list of rooms, or `None`. A name is a text to the server, if it was a number."""
    if rooms is None:
        return None
    if isinstance(rooms, (list, tuple, set, frozenset)):
        return [str(room) for room in rooms if room not in (None, "")]
    return [str(rooms)] if rooms != "" else []
