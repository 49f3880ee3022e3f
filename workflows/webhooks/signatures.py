"""Secrets and signatures by the Standard Webhooks specification (https://github.com/standard-webhooks).

A secret is `whsec_` and the base64 of 24 to 64 random bytes; a signature is `v1,` and the base64 of HMAC-SHA256 over
`id.timestamp.body`.
"""

import base64
import hmac
import secrets as randomness

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(randomness.token_bytes(SECRET_BYTES)).decode()


def signatures(secrets: list[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each secret, spaces between them."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix(PREFIX)) for secret in secrets]
    digests = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return " ".join(f"v1,{digest}" for digest in digests)
