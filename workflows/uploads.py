"""Photos that clients bring: where to send them and, while storage is local, their arrival."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import HttpRequest
from django.utils import timezone

from billing.models import Client
from studio_gateway.body import drain_up_to
from studio_gateway.ids import new_ulid
from workflows.engines.photo_formats import PHOTO_FORMATS
from workflows.errors import (
    TooManyUploads,
    UploadExists,
    UploadExpired,
    UploadNotSigned,
    UploadWrongSize,
    UploadWrongType,
)
from workflows.storage import MAX_PHOTO_BYTES, SignedFileSystemStorage, signed_upload

# How long a URL takes what it was signed for.
URL_LIFE = timedelta(minutes=15)
# A thread waits for an upload as long as it takes: at least one must be left for all else.
receiving = threading.Semaphore(max(1, settings.WEB_THREADS - 1))


@dataclass(frozen=True)
class Upload:
    """Where a photo is to be sent, and the key that it will have."""

    key: str
    url: str
    headers: dict[str, str]
    expires_at: datetime
    method: str = "PUT"


def offer(*, client: Client, content_type: str, size: int) -> Upload:
    """Sign a new key of a client's, for one file of `size` bytes; nothing is written."""
    key = f"clients/{client.pk}/uploads/{new_ulid()}.{PHOTO_FORMATS[content_type].extension}"
    expires_at = timezone.now().replace(microsecond=0) + URL_LIFE
    url, headers = default_storage.upload_url(  # type: ignore[attr-defined]  # both of our storages have it
        key, content_type=content_type, size=size, seconds=int(URL_LIFE.total_seconds())
    )
    return Upload(key=key, url=url, headers=headers, expires_at=expires_at)


def receive(*, key: str, request: HttpRequest) -> None:
    """Keep the body of a PUT under `key`, if that is what the URL was signed for.

    What can be refused is refused before the body is read; of one that breaks off nothing stays. Raises
    UploadNotSigned, UploadExpired, UploadWrongType, UploadWrongSize, UploadExists, TooManyUploads, and
    UnreadablePostError for what breaks off.
    """
    signed = signed_upload(key=key, signature=request.GET.get("signature", ""))
    if signed is None or not isinstance(default_storage, SignedFileSystemStorage):
        raise UploadNotSigned
    content_type, size, expires = signed
    drain_up_to(request, MAX_PHOTO_BYTES)
    if time.time() >= expires:
        raise UploadExpired
    if (sent := request.META.get("CONTENT_TYPE", "")) != content_type:
        raise UploadWrongType(signed=content_type, sent=repr(sent[:100]))
    # Of a chunked body nobody knows the length.
    length = None if "HTTP_TRANSFER_ENCODING" in request.META else request.META.get("CONTENT_LENGTH")
    if length != str(size):
        raise UploadWrongSize(signed=size, sent="no length" if length is None else f"{length[:20]} bytes")
    if default_storage.exists(key):
        raise UploadExists
    if not receiving.acquire(blocking=False):
        raise TooManyUploads
    try:
        default_storage.receive(key, read=request.read, size=size)
    except FileExistsError as error:
        raise UploadExists from error
    finally:
        receiving.release()
