"""The gateway's own settings, but for an upload's time."""

from studio_gateway.settings import *  # noqa: F403

UPLOAD_SECONDS = 1
