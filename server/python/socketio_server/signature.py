"""What it is: whether a hook is from the server: Standard Webhooks, one secret or several.
What it is not: what to do with hooks that have no signature.
Who calls it: `bridge`.
"""

import base64
import binascii
import hashlib
import hmac

# Seconds that the clocks of both sides, and the way, may differ.
TOLERANCE = 300


class SignatureError(Exception):
    """The hook is not signed with the secret; the text says what is wrong, and nothing of the secret."""


def key_of(secret):
    """The key behind a secret: `whsec_` and base64, or any text."""
    if isinstance(secret, bytes):
        return secret
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret[len("whsec_") :], validate=True)
    except binascii.Error:
        raise ValueError("a secret that begins with whsec_ goes on in base64") from None


def verify(keys, headers, body, now):
    """Returns if one of the keys signed this, and raises `SignatureError` otherwise.

    `headers` are by names in lower case, `now` is in seconds since 1970.
    """
    hook, time, signatures = (headers.get("webhook-" + name, "") for name in ("id", "timestamp", "signature"))
    if not (hook and time and signatures):
        raise SignatureError("webhook-id, webhook-timestamp or webhook-signature is missing")
    if not (time.isascii() and time.isdigit()) or len(time) > 12:
        raise SignatureError("webhook-timestamp is not in seconds")
    if abs(now - int(time)) > TOLERANCE:
        raise SignatureError("webhook-timestamp is more than %d seconds off; compare the clocks" % TOLERANCE)
    signed = hook.encode() + b"." + time.encode() + b"." + body
    expected = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in keys]
    given = [text[len("v1,") :].encode() for text in signatures.split(" ") if text.startswith("v1,")]
    # All are compared, whichever is right.
    if not any([hmac.compare_digest(right, text) for right in expected for text in given]):
        raise SignatureError("webhook-signature is wrong; is it the same secret on both sides?")
