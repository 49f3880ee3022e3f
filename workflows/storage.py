"""Where images live: Django's default storage, with keys like `clients/7/jobs/01H…/1/background.png`."""

import errno
import mimetypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.signing import BadSignature, Signer, TimestampSigner, b62_encode
from django.utils.encoding import filepath_to_uri

from billing.models import Client
from studio_gateway.ids import new_ulid
from studio_gateway.text import is_storable
from workflows.engines.base import EngineError

# Files are served, and stored as objects, as what their names stand for; Python knows this one from 3.13 on.
mimetypes.add_type("image/webp", ".webp")

# The largest photo that is read into memory, in bytes.
MAX_PHOTO_BYTES = 64 * 1024 * 1024


def signed_at() -> int:
    """Return the second that URLs are signed as of now: the same for half their life, so that answers stay the same.

    A URL holds for half its life at least after it was told, also where an answer told it that was kept meanwhile.
    """
    now = int(time.time())
    return now - now % max(1, settings.OUTPUT_URL_SECONDS // 2)


class _Signer(TimestampSigner):
    def timestamp(self) -> str:
        return b62_encode(signed_at())


_signer = _Signer(salt="workflows.storage", sep=".")
# What was signed to be read cannot be written, nor the other way round.
_upload_signer = Signer(salt="workflows.uploads", sep=".")
# So much of an upload is in memory at once.
UPLOAD_CHUNK = 64 * 1024


class SignedFileSystemStorage(FileSystemStorage):
    """Files below a folder, whose URLs carry a signature that expires (`settings.OUTPUT_URL_SECONDS`)."""

    def url(self, name: str | None) -> str:
        assert name is not None
        signature = _signer.sign(name).removeprefix(f"{name}.")
        return f"{self.base_url}{filepath_to_uri(name)}?signature={signature}"

    def stored_below(self, folder: str) -> Iterator[tuple[str, datetime]]:
        for path in self._files(folder):
            with suppress(FileNotFoundError):
                modified = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
                yield path.relative_to(self.location).as_posix(), modified

    def delete_folder(self, folder: str) -> None:
        for path in self._files(folder):
            path.unlink(missing_ok=True)
        self.remove_empty_folders(folder)

    def remove_empty_folders(self, folder: str) -> None:
        for path, _, _ in os.walk(self.path(folder), topdown=False):
            with suppress(OSError):  # not empty, or gone
                Path(path).rmdir()

    def _files(self, folder: str) -> Iterator[Path]:
        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                raise error

        for path, _, names in os.walk(self.path(folder), onerror=failed):
            yield from (Path(path, name) for name in names)

    def upload_url(self, name: str, *, content_type: str, size: int, seconds: int) -> tuple[str, dict[str, str]]:
        """Return a URL that takes this file once, by PUT, and the headers that it must be sent with."""
        signature = _upload_signer.sign_object([name, content_type, size, int(time.time()) + seconds])
        headers = {"Content-Type": content_type, "Content-Length": str(size)}
        return f"{self.base_url}{filepath_to_uri(name)}?signature={signature}", headers

    def receive(self, name: str, *, read: Callable[[int], bytes], size: int) -> None:
        """Keep `size` bytes that `read` returns, all of them or nothing.

        Raises FileExistsError for what is there already, and what `read` raises.
        """
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the file, so that whatever deletes a client's uploads deletes what a killed process left of one, too.
        part = path.with_name(f"{path.name}.{new_ulid()}.part")
        try:
            with part.open("xb") as file:
                while size > 0:
                    size -= file.write(read(min(size, UPLOAD_CHUNK)))
                file.flush()
                os.fsync(file.fileno())
            os.link(part, path)  # unlike a renaming, it never replaces what is there
        finally:
            part.unlink(missing_ok=True)


def signature_holds(*, key: str, signature: str) -> bool:
    """Tell whether `signature` was made for `key`, less than OUTPUT_URL_SECONDS ago."""
    try:
        signed = _signer.unsign(f"{key}.{signature}", max_age=settings.OUTPUT_URL_SECONDS)
    except BadSignature:
        return False
    # Of a key with a dot in it, the end can be sent as the beginning of the signature: `a` and `png.…` for `a.png`.
    return signed == key


def signed_upload(*, key: str, signature: str) -> tuple[str, int, int] | None:
    """Return what an upload of `key` was signed for: its content type, its size, and the time when that ends."""
    try:
        signed, content_type, size, expires = _upload_signer.unsign_object(signature)
    except BadSignature:
        return None
    return (content_type, size, expires) if signed == key else None


class TrialImageNotFound(EngineError):
    """There is no image {key!r}. A trial_image is the key of a stored object below {prefixes}."""

    code = "trial_image_not_found"


class TrialImageTooLarge(EngineError):
    """The trial image has {size} bytes; at most {limit} are taken."""

    code = "trial_image_too_large"


def read_trial_image(*, client: Client, key: str) -> bytes:
    """Return the bytes of a client's image.

    Raises TrialImageNotFound for what is missing and, in the same words, for what lies outside the client's prefixes;
    TrialImageTooLarge beyond MAX_PHOTO_BYTES. What the storage itself raises (OSError) is a technical failure.
    """
    with _open_trial_image(client, key) as file:
        return file.read()


def check_trial_image(*, client: Client, key: str) -> None:
    """Raise what `read_trial_image` would raise, without reading the image."""
    with _open_trial_image(client, key):
        pass


@contextmanager
def _open_trial_image(client: Client, key: str) -> Iterator[File]:
    missing = TrialImageNotFound(key=key[:200], prefixes=" or ".join(client.readable_prefixes))
    parts = key.split("/")
    if "\\" in key or not is_storable(key) or any(part in ("", ".", "..") for part in parts):
        raise missing
    if not any(key.startswith(prefix) for prefix in client.readable_prefixes):
        raise missing
    try:
        with default_storage.open(key) as file:
            if file.size > MAX_PHOTO_BYTES:
                raise TrialImageTooLarge(size=file.size, limit=MAX_PHOTO_BYTES)
            yield file
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise missing from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise missing from error
        raise


def client_folder(client_id: int) -> str:
    return f"clients/{client_id}"


def job_folder(*, client_id: int, job_id: str) -> str:
    """Return the folder of all that is stored for a job, by whichever attempt."""
    return f"{client_folder(client_id)}/jobs/{job_id}"


def upload_folder(client_id: int) -> str:
    return f"{client_folder(client_id)}/uploads"


def output_key(*, client_id: int, job_id: str, attempt: int, name: str) -> str:
    """Return the key of an output; the attempt in it keeps a late worker's files apart from the winner's."""
    return f"{job_folder(client_id=client_id, job_id=job_id)}/{attempt}/{name}"


def stored_below(folder: str) -> Iterator[tuple[str, datetime]]:
    """Yield the keys of all files below `folder`, each with when it was written. Raises OSError."""
    return default_storage.stored_below(folder)  # type: ignore[attr-defined]  # ours, whichever it is


def delete_folder(folder: str) -> None:
    """Delete all files below `folder`, of which others may be deleted at the same time. Raises OSError."""
    default_storage.delete_folder(folder)  # type: ignore[attr-defined]


def remove_empty_folders(folder: str) -> None:
    """Remove `folder` and the folders below it where there are no files in them; object storage has no such thing."""
    default_storage.remove_empty_folders(folder)  # type: ignore[attr-defined]
