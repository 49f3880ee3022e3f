"""Object storage, for when `S3_BUCKET` is set: django-storages, failing in Python's own words.

Only imported then: boto3 takes a while.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends import s3

# The most that S3 has room for in a key, in bytes of UTF-8.
MAX_KEY_BYTES = 1024


@contextmanager
def _as_os_error(name: str) -> Iterator[None]:
    """Raise what FileSystemStorage would: FileNotFoundError for what is not there, OSError for the rest."""
    try:
        yield
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            raise FileNotFoundError(f"There is no {name}.") from error
        raise OSError(str(error)) from error
    except (BotoCoreError, Boto3Error) as error:
        raise OSError(str(error)) from error


class _S3File(s3.S3File):
    """Read when it is asked for its bytes, and not before."""

    def _get_file(self) -> Any:
        with _as_os_error(self.name):
            return super()._get_file()

    file = property(_get_file, s3.S3File._set_file)


class S3Storage(s3.S3Storage):
    """Objects in one bucket, private; their URLs are presigned.

    Whatever S3 cannot do is an OSError, as with files, so that no caller need know which of the two there is.
    """

    def __init__(self, **options: Any) -> None:
        config = Config(
            signature_version="s3v4",
            # The bucket in the path works everywhere: with S3, and with servers that have one host name.
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": 3},
        )
        # Threads would outlive the time limit of the attempt that began them.
        super().__init__(client_config=config, transfer_config=TransferConfig(use_threads=False), **options)

    def _open(self, name: str, mode: str = "rb") -> File:
        if len(name.encode()) > MAX_KEY_BYTES:
            raise FileNotFoundError(f"There is no {name}.")
        with _as_os_error(name):
            return _S3File(self._normalize_name(name), mode, self)

    def _save(self, name: str, content: File) -> str:
        with _as_os_error(name):
            return str(super()._save(name, content))

    def url(self, *args: Any, **options: Any) -> str:
        with _as_os_error(str(args[0])):
            return str(super().url(*args, **options))

    def upload_url(self, name: str, *, content_type: str, size: int, seconds: int) -> tuple[str, dict[str, str]]:
        """Return a URL that takes this file once, by PUT, and the headers that it must be sent with."""
        wanted = {"ContentType": content_type, "ContentLength": size, "IfNoneMatch": "*"}
        with _as_os_error(name):
            url = self.connection.meta.client.generate_presigned_url(
                "put_object", Params={"Bucket": self.bucket_name, "Key": name, **wanted}, ExpiresIn=seconds
            )
        return url, {"Content-Type": content_type, "Content-Length": str(size), "If-None-Match": "*"}

    def delete(self, name: str) -> None:
        with _as_os_error(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _as_os_error(name):
            return bool(super().exists(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _as_os_error(path):
            return super().listdir(path)

    def size(self, name: str) -> int:
        with _as_os_error(name):
            return int(super().size(name))

    def get_modified_time(self, name: str) -> Any:
        with _as_os_error(name):
            return super().get_modified_time(name)

    def stored_below(self, folder: str) -> Iterator[tuple[str, datetime]]:
        with _as_os_error(folder):
            for found in self.bucket.objects.filter(Prefix=f"{folder}/"):
                yield found.key, found.last_modified

    def delete_folder(self, folder: str) -> None:
        with _as_os_error(folder):
            for page in self.bucket.objects.filter(Prefix=f"{folder}/").pages():
                named = {"Objects": [{"Key": found.key} for found in page], "Quiet": True}
                answer = self.bucket.delete_objects(Delete=named) if page else {}
                # Such an answer is a 200 also where nothing could be deleted.
                if errors := answer.get("Errors"):
                    raise OSError(f"{errors[0]['Key']}: {errors[0].get('Message') or errors[0].get('Code')}")

    def remove_empty_folders(self, folder: str) -> None:
        pass
