"""What it is: bytes within arguments, out of JSON and into it, by placeholders as Socket.IO has them.
What it is not: JSON.
Who calls it: `message` for what is emitted, `hook` for what clients sent, `bridge` for acks.
"""

import base64


def take_out(value, found):
    """The same value with placeholders for bytes, which are added to `found`."""
    if isinstance(value, (bytes, bytearray)):
        found.append(bytes(value))
        return {"_placeholder": True, "num": len(found) - 1}
    if isinstance(value, (list, tuple)):
        return [take_out(item, found) for item in value]
    if isinstance(value, dict):
        return {key: take_out(item, found) for key, item in value.items()}
    return value


def put_back(value, attachments):
    """The same value with bytes for placeholders. `ValueError`: for one of them there is nothing."""
    if isinstance(value, list):
        return [put_back(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is True:
        number = value.get("num")
        if not isinstance(number, int) or not 0 <= number < len(attachments):
            raise ValueError("a placeholder without its attachment")
        return attachments[number]
    return {key: put_back(item, attachments) for key, item in value.items()}


def encode(attachments):
    return [base64.b64encode(attachment).decode() for attachment in attachments]


def decode(texts):
    """`ValueError`: one of them is no base64."""
    return [base64.b64decode(text, validate=True) for text in texts]
