"""Literal hooks to applications with the bridge: what handlers are given, and what is answered."""

import base64
import http.client
import json

import pytest

from conftest import LIMIT


def emit(event, *args, to=None, **fields):
    action = {"op": "emit", "namespace": "/", "event": event, "args": list(args), **fields}
    return {**action, "to": {"rooms": to}} if to else action


def join(room):
    return {"op": "join", "namespace": "/", "target": {"sids": ["S"]}, "rooms": [room]}


def test_a_client_is_let_in(app):
    assert app.hook("connect", auth=None) == (204, None)
    assert app.hook("connect", auth={"token": "t"}) == (204, None)


def test_what_a_connect_handler_does_is_in_the_answer_in_order(app):
    status, answer = app.hook("connect", auth={"greet": True})
    hello = emit("hello", {"sid": "S", "auth": {"greet": True}}, to=["S"])
    assert (status, answer) == (200, {"actions": [join("greeted"), hello]})


def test_a_connect_handler_that_returns_false_refuses(app):
    answer = {"error": {"message": "Connection rejected by server"}}
    assert app.hook("connect", auth={"refuse": "false"}) == (401, answer)


def test_a_connect_handler_refuses_with_message_and_data(app):
    answer = {"error": {"message": "not you", "data": {"why": "tests"}}}
    assert app.hook("connect", auth={"refuse": "error"}) == (401, answer)


def test_a_connect_handler_that_fails_is_asked_again_so_nothing_it_emitted_is_sent(app, api):
    assert app.hook("connect", auth={"refuse": "crash"}) == (500, None)
    app.process.logged("on connect")
    app.get("/emit?text=fence")
    assert api.events(1) == [("routed", ["fence"])]


def test_a_namespace_without_handlers_is_unknown(app):
    assert app.hook("connect", namespace="/unknown") == (404, None)
    assert app.hook("event", namespace="/unknown", event="echo", args=[]) == (404, None)


@pytest.mark.parametrize("args", [[], [1], [None], [[1, 2]], [{"a": [None]}, "é🎉\u2028", 1.5]], ids=str)
def test_arguments_come_and_go_as_they_are(app, args):
    assert app.ack("echo", *args) == args


def test_binary_arguments_come_and_go(app):
    args = [{"_placeholder": True, "num": 1}, {"deep": [{"_placeholder": True, "num": 0}]}]
    attachments = [base64.b64encode(data).decode() for data in (b"\0\xff", b"")]
    answer = app.event("echo", *args, attachments=attachments, wants_ack=True)
    swapped = [{"_placeholder": True, "num": 0}, {"deep": [{"_placeholder": True, "num": 1}]}]
    assert answer == {"ack": swapped, "attachments": attachments[::-1]}


def test_an_object_that_looks_like_a_placeholder_is_none_without_attachments(app):
    assert app.ack("echo", {"_placeholder": True, "num": 0}) == [{"_placeholder": True, "num": 0}]


def test_an_ack_that_nobody_wants_is_not_sent(app):
    assert app.hook(event="echo", args=[1]) == (204, None)


def test_a_handler_that_returns_nothing_answers_without_arguments(app):
    assert app.ack("nothing") == []


def test_a_handler_knows_the_request_of_the_client(app):
    headers = {
        "user-agent": "Mozilla/5.0 é",
        "x-forwarded-host": "example.com:8443",
        "x-forwarded-proto": "https",
        "cookie": "a=b",
    }
    request = {"remote_addr": "203.0.113.7", "query": {"q": "é&=", "EIO": "4", "l": ["1", "2"]}, "headers": headers}
    told = app.ack("request", request=request)[0]
    # Flask shows headers as WSGI has them.
    agent = "Mozilla/5.0 é" if app.kind == "asgi" else "Mozilla/5.0 é".encode().decode("latin-1")
    assert told == {
        "path": "/socket.io/",
        "query": {"q": ["é&="], "EIO": ["4"], "l": ["1", "2"]},
        "ip": "203.0.113.7",
        "host": "example.com:8443",
        "scheme": "https",
        "agent": agent,
        "name": None,
    }


def test_rooms_are_those_of_the_server_and_change_with_the_handler(app):
    answer = app.event("move", "to", "away", rooms=["away", "b"], wants_ack=True)
    leave = {"op": "leave", "namespace": "/", "target": {"sids": ["S"]}, "rooms": ["away"]}
    assert answer == {"ack": [["S", "b", "to"]], "actions": [join("to"), leave]}


def test_emits_are_answered_in_order_as_they_were_when_they_were_emitted(app):
    said = [
        emit("said", {"text": "hi"}, to=["a", "b"], **{"except": {"sids": ["x", "y"]}}),
        emit("said", 1, {"_placeholder": True, "num": 0}, **{"except": {"sids": ["S"]}}, attachments=["AAE="]),
        emit("said", to=["S"]),
        emit("said", None, to=["a"]),
        {**emit("said", [1, 2]), "namespace": "/other"},
        {"op": "close_room", "namespace": "/", "room": "b"},
    ]
    assert app.event("speak") == {"actions": said}


def test_a_session_is_kept_by_the_server_and_returned_when_it_changed(app):
    session = app.event("count")["session"]
    answer = app.event("count", session=session, wants_ack=True)
    assert answer["ack"] == [2] and answer["session"] != session
    assert app.event("look", session=answer["session"], wants_ack=True) == {"ack": [2]}


def test_a_session_that_is_no_json_is_not_kept_and_the_log_says_so(app):
    start = len(app.process.log)
    assert app.hook(event="odd") == (204, None)
    app.process.logged("is not kept, because it does not fit into JSON", start)


def test_disconnect_in_a_handler_is_an_action(app):
    action = {"op": "disconnect", "namespace": "/", "target": {"sids": ["S"]}}
    assert app.event("quit") == {"actions": [action]}


@pytest.mark.parametrize(
    ("reason", "word"),
    [("transport close", "transport close"), ("client namespace disconnect", "client disconnect")],
)
def test_a_disconnect_handler_is_told_why_in_the_words_of_python(app, reason, word):
    status, answer = app.hook("disconnect", reason=reason)
    # Handlers of python-socketio before 5.12 are not told.
    args = [word] if app.version != "5.10" else []
    assert (status, answer) == (200, {"actions": [emit("gone", *args)]})


def test_a_handler_that_fails_is_not_acked_and_its_traceback_is_in_the_log_alone(app, api):
    assert app.hook(event="boom", args=[], wants_ack=True) == (500, None)
    app.process.logged("RuntimeError: the secret of this handler")
    # What it emitted before is sent all the same, as it is without a bridge.
    message = api.next()
    assert (message["event"], message["room"]) == ("before", "S")


def test_an_answer_that_is_no_json_is_a_failure(app):
    assert app.hook(event="unprintable", args=[], wants_ack=True) == (500, None)


def test_events_without_a_handler_are_unhandled(app):
    assert app.hook(event="nobody", args=[]) == (404, None)
    assert app.hook(event="nobody", namespace="/class", args=[]) == (404, None)


def test_a_handler_of_any_event_handles_them(app):
    if (app.kind, app.version) == ("flask", "5.10"):
        pytest.skip("Flask-SocketIO 5.3 has no such handlers")
    assert app.ack("whatever", 1, namespace="/any") == [["whatever", 1]]


def test_namespaces_may_be_classes(app):
    hello = {**emit("class", to=["S"]), "namespace": "/class"}
    assert app.hook("connect", namespace="/class") == (200, {"actions": [hello]})
    assert app.ack("echo", 1, 2, namespace="/class") == [1, 2]
    assert app.hook("disconnect", namespace="/class", reason="transport close") == (204, None)


@pytest.mark.parametrize(
    "body",
    [b"", b"no", b"[]", b"{}", b'{"type":"event","namespace":"/","sid":"S"}', b'{"type":7,"namespace":"/","sid":"S"}'],
)
def test_a_body_that_is_no_hook_is_refused(app, body):
    status, answer = app.post(body)
    assert (status, answer) == (400, b"")


def test_a_placeholder_without_its_attachment_is_refused(app):
    args = [{"_placeholder": True, "num": 1}]
    assert app.hook(event="echo", args=args, attachments=["AA=="]) == (400, None)


def test_hooks_of_kinds_yet_unknown_are_not_found(app):
    assert app.hook("user_offline") == (404, None)


def test_what_is_no_post_of_json_is_no_hook(app):
    assert app.request("GET", "/_socketio")[0] == 405
    assert app.request("POST", "/_socketio", b"{}", {"Content-Type": "text/plain"})[0] == 415
    assert app.post(b"{}", {"Content-Length": "99999999"})[0] == 413


def test_the_rest_of_the_application_is_served_as_before(app):
    assert app.request("GET", "/_socketio/no")[0] in (200, 404)
    app.get("/emit?text=1")


@pytest.mark.parametrize("path", ["/socket.io/?EIO=4&transport=polling", "/socket.io/"])
def test_clients_that_come_to_the_application_itself_are_told_where_to_go(app, path):
    status, body = app.request("GET", path)
    assert status == 503 and b"socketio-server" in body


def logged_in(app, name):
    """The request of a client with the cookie of a log-in."""
    connection = http.client.HTTPConnection(app.address, timeout=LIMIT)
    connection.request("POST", "/login/" + name)
    response = connection.getresponse()
    response.read()
    cookie = response.getheader("Set-Cookie").split(";")[0]
    connection.close()
    return {"remote_addr": "203.0.113.7", "query": {}, "headers": {"cookie": cookie}}


def test_a_client_is_who_its_session_says_when_it_is_let_in(newest):
    app = newest(user="name")
    assert app.hook("connect", auth={"name": "Zoe"})[1]["user"] == "Zoe"
    assert app.hook("connect", auth={"name": 7})[1]["user"] == "7"
    assert app.hook("connect") == (204, None)
    session = app.hook("connect", auth={"name": "Zoe"})[1]["session"]
    assert "user" not in app.event("count", session=session), "only who is let in becomes somebody"


def test_a_client_is_who_has_logged_in(started, api):
    app = started("5.18", "flask", user="name")
    assert app.hook("connect", request=logged_in(app, "Ann")) == (200, {"user": "Ann"})


def test_flasks_session_is_that_of_the_cookie_until_a_handler_changes_it(started, api):
    app = started("5.18", "flask")
    request = logged_in(app, "Ann")
    answer = app.event("request", request=request, wants_ack=True)
    assert answer["ack"][0]["name"] == "Ann" and "session" not in answer
    session = app.event("count", request=request)["session"]
    assert json.loads(session["_flask"]) == {"name": "Ann", "count": 1}


def test_flasks_own_session_is_read_where_flask_manages_it(started, api):
    app = started("5.18", "flask", environment=(("MANAGE_SESSION", "no"),))
    assert app.event("count", wants_ack=True) == {"ack": [1]}
