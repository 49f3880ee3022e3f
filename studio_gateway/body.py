"""What granian leaves to the application about the bodies of requests."""

import threading
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

# The most that is drained of one body, in bytes; a client that announces more is cut off.
DRAINED = 8 * 1024 * 1024
# A client may never send what it announced, and a read cannot be timed out: at most half of the threads drain.
draining = threading.Semaphore(settings.WEB_THREADS // 2)


class Body:
    """A `wsgi.input` that has a length, is read as it was sent or not at all, and can be drained.

    granian gives a chunked body no length, which Django and DRF take for no body: here it is said to have the greatest
    that is read. And granian ends what broke off like what is whole. That shows where a length was declared, but a
    chunked body can only be told by its JSON: one that broke off behind the last bracket passes.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self.input = environ["wsgi.input"]
        self.readline = self.input.readline
        self.coding = environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if self.coding:
            environ["CONTENT_LENGTH"] = str(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        self.left = int(environ.get("CONTENT_LENGTH") or 0)
        self.drained = DRAINED
        # Then the client sends nothing before a "100 Continue", which reading makes.
        self.waits = "HTTP_EXPECT" in environ

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer where a chunked body ends.

        Raises UnreadablePostError for a declared length that is not reached, RequestDataTooBig for a chunked body
        beyond the limit, and BadRequest for another coding than chunked.
        """
        if self.coding not in ("", "chunked"):
            raise BadRequest("the transfer coding is unknown")
        data: bytes = self.input.read(size)
        self.left -= len(data)
        if not self.coding and len(data) < size:
            raise UnreadablePostError("the body broke off")
        if self.coding and self.left == 0 and self.input.read(1):
            raise RequestDataTooBig
        return data

    def drain(self) -> None:
        """Read what nobody read, once the answer is out.

        Most clients send all of their body before they look for an answer; a connection that is closed on what they
        send is reset, and the answer lost.
        """
        if (self.left == 0 and not self.coding) or self.left > self.drained or self.waits:
            return
        if draining.acquire(blocking=False):
            try:
                left = self.drained
                while left > 0 and (data := self.input.read(64 * 1024)):
                    left -= len(data)
            finally:
                draining.release()


def drain_up_to(request: HttpRequest, size: int) -> None:
    """Let a body of `size` bytes be drained, where it is to be expected: its refusal shall not be lost."""
    if isinstance(body := request.META["wsgi.input"], Body):
        body.drained = max(body.drained, size)
