"""What is written about requests: each line of one bears its id, and none a secret."""

import logging
import re
from contextvars import ContextVar

# Set by requestlog.middleware; emptied by the WSGI application, once Django has written its last line.
request_id: ContextVar[str] = ContextVar("request_id", default="")

# A hint, without which, in lower case, a text need not be searched, and a pattern whose second group is the secret.
SECRETS = [
    (hint, re.compile(pattern, re.ASCII | re.IGNORECASE))
    for hint, pattern in (
        # API keys; the prefix that is kept of each stays: of sk_test_… 16 characters, else 11.
        ("sk_", r"(sk_(?:[a-z]{1,8}_)?[a-z0-9]{8})([a-z0-9]{12,})"),
        # Shopify's own secrets and tokens.
        ("shp", r"(shp[a-z]{2}_)([a-z0-9]{12,})"),
        # What signs webhooks.
        ("whsec_", r"(whsec_)([a-z0-9+/]{24,}=*)"),
        ("bearer", r"(bearer[\s+]{1,9})([\w.~+/=-]{20,})"),
        # Signed URLs: ours, and the object storage's.
        ("signature", r"(signature(?:=|%3d))([^&\s\"'<>\\]+)"),
        ("x-amz-", r"(x-amz-(?:credential|security-token)(?:=|%3d))([^&\s\"'<>\\]+)"),
        # 32 bytes in base64, as in X-Shopify-Hmac-Sha256; and with slashes as some write them in JSON.
        ("=", r"(?<![a-z0-9+])()([a-z0-9+/]{43}=)"),
        (r"\/", r"(?<![a-z0-9+/])()((?:[a-z0-9+]|\\/){43}=)"),
    )
]
ESCAPED = re.compile(r"\\u00((?!22|5[cC])[2-7][0-9a-fA-F])")
# What any of the patterns needs to see of a secret.
REACH = 100


def mask(text: str) -> str:
    """Put as many asterisks in the place of each key, token and signature in `text`."""
    if "\\u00" in text:  # as JSON may spell any character; but for quotation marks and backslashes, and control
        text = ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
    lower = text.lower()
    for hint, pattern in SECRETS:
        if hint in lower:
            text = pattern.sub(lambda match: match[1] + "*" * len(match[2]), text)
    return text


def masked(text: str, *, limit: int) -> str:
    """Return the first `limit` characters of `text`, masked; so is the part of a secret that the limit leaves."""
    return mask(text[: limit + REACH])[:limit]


class Formatter(logging.Formatter):
    """Fill `{request_id}`, and mask the whole text, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = f"{request_id.get()} ".lstrip()
        return mask(super().format(record))
