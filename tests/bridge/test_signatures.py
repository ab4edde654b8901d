"""Who may send hooks: signatures of Standard Webhooks, and what is taken without one."""

import json
import time

import pytest

from conftest import sign

BODY = json.dumps({"type": "event", "namespace": "/", "sid": "S", "event": "echo", "args": [1], "wants_ack": True})
BODY = BODY.encode()
RIGHT = (200, b'{"ack":[1]}')
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def signed(newest):
    return newest(secret=[SECRET, "the old secret"])


@pytest.mark.parametrize("secret", [SECRET, "the old secret"])
def test_hooks_signed_with_one_of_the_secrets_are_handled(signed, secret):
    assert signed.post(BODY, sign(secret, BODY)) == RIGHT


def test_the_signature_is_that_of_the_standards_example(newest):
    """The example of standardwebhooks.com, whose time is long ago: it is right but for that."""
    body = b'{"test": 2432232314}'
    headers = sign(SECRET, body, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    app = newest(secret=SECRET)
    start = len(app.process.log)
    assert app.post(body, headers) == (401, b"")
    app.process.logged("webhook-timestamp is more than 300 seconds off", start)


def test_one_of_several_signatures_is_enough(signed):
    headers = sign(SECRET, BODY)
    signatures = "v1,AAAA v1a,BBBB " + headers["webhook-signature"] + " v2,CCCC"
    assert signed.post(BODY, {**headers, "webhook-signature": signatures}) == RIGHT


@pytest.mark.parametrize("seconds", [-290, 290])
def test_clocks_may_differ_a_little(signed, seconds):
    assert signed.post(BODY, sign(SECRET, BODY, at=int(time.time()) + seconds)) == RIGHT


@pytest.mark.parametrize("seconds", [-310, 310])
def test_hooks_of_long_ago_are_refused(signed, seconds):
    assert signed.post(BODY, sign(SECRET, BODY, at=int(time.time()) + seconds)) == (401, b"")


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": None},
        {"webhook-id": None},
        {"webhook-timestamp": None},
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "\xb2"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,\xe9"},
        {"webhook-signature": sign("another secret", BODY)["webhook-signature"]},
    ],
    ids=str,
)
def test_what_is_not_signed_right_is_refused(signed, change):
    headers = {**sign(SECRET, BODY), **change}
    headers = {name: value for name, value in headers.items() if value is not None}
    assert signed.post(BODY, headers) == (401, b"")


def test_another_body_is_refused(signed):
    assert signed.post(BODY.replace(b"[1]", b"[2]"), sign(SECRET, BODY)) == (401, b"")


def test_the_log_says_what_is_wrong_and_no_secret(signed):
    start = len(signed.process.log)
    signed.post(BODY, sign("another secret", BODY))
    signed.process.logged("webhook-signature is wrong", start)
    assert SECRET not in signed.process.log and "old secret" not in signed.process.log


def test_without_a_secret_programs_on_this_machine_are_believed(newest):
    app = newest()
    assert app.post(BODY) == RIGHT
    app.process.logged("need no signature")


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}, {"Origin": "http://evil.example"}],
    ids=str,
)
def test_without_a_secret_neither_proxies_nor_browsers_are(newest, headers):
    app = newest()
    assert app.post(BODY, headers) == (401, b"")
    app.process.logged("a hook without signature from \\S+ is refused")


def test_without_a_secret_everybody_is_believed_if_told_so(newest):
    assert newest(unsigned="any").post(BODY, {"X-Forwarded-For": "203.0.113.7"}) == RIGHT
