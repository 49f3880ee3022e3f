"""Object storage on loopback."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@dataclass
class Bucket:
    """A bucket of a server on loopback, and how to get at it."""

    endpoint: str
    name: str = "studio"
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        import boto3  # takes long, and few tests need it

        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        )
        self.client.create_bucket(
            Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": CREDENTIALS["AWS_DEFAULT_REGION"]}
        )

    @property
    def env(self) -> dict[str, str]:
        """What a gateway is told of it."""
        return {"S3_BUCKET": self.name, "S3_ENDPOINT_URL": self.endpoint, **CREDENTIALS}

    @property
    def storage(self) -> dict[str, Any]:
        """The same, for settings.STORAGES."""
        return {
            "BACKEND": "workflows.s3.S3Storage",
            "OPTIONS": {"bucket_name": self.name, "endpoint_url": self.endpoint},
        }

    def keys(self, prefix: str = "") -> list[str]:
        return [
            entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        ]


@contextmanager
def serving() -> Iterator[Bucket]:
    """Serve an empty bucket, with credentials for it in the environment."""
    from moto.server import ThreadedMotoServer  # takes long, and few tests need it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with mock.patch.dict(os.environ, CREDENTIALS):
            yield Bucket(f"http://{host}:{port}")
    finally:
        server.stop()
