"""Files in object storage: orders from end to end, and what a storage that fails looks like."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.conftest import Shop
from tests.gateway import Gateway
from tests.s3 import Bucket
from workflows.engines.flat_lay import draw_flat_lay


def test_a_photo_in_the_bucket_is_cut_out_and_the_outputs_are_there(gateway_on_s3: Gateway, bucket: Bucket, shop: Shop):
    gateway = gateway_on_s3
    key = f"clients/{shop.client.pk}/photo.png"
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=draw_flat_lay(), ContentType="image/png")
    accepted = gateway.call("POST", "/v1/extract", {"trial_image": key}, key=shop.key)
    job = gateway.finished(accepted.json["job_id"], key=shop.key)
    assert job["status"] == "SUCCESS"
    assert len(job["outputs"]) >= 2
    for output in job["outputs"]:
        assert output["url"].startswith(f"{bucket.endpoint}/{bucket.name}/clients/{shop.client.pk}/jobs/")
        fetched = gateway.call("GET", output["url"])
        assert (fetched.status, fetched.headers["Content-Type"]) == (200, output["content_type"])
        assert len(fetched.body) == output["size"]


def test_a_key_that_is_not_in_the_bucket_fails_the_job_for_good(gateway_on_s3: Gateway, shop: Shop):
    for name in ("missing.png", "x" * 1100):
        key = f"clients/{shop.client.pk}/{name}"
        accepted = gateway_on_s3.call("POST", "/v1/extract", {"trial_image": key}, key=shop.key)
        job = gateway_on_s3.finished(accepted.json["job_id"], key=shop.key)
        assert (job["error"]["code"], job["attempts"]) == ("trial_image_not_found", 1)
    assert shop.balance == 100


def test_the_gateway_is_ready_and_a_bucket_that_is_gone_says_so(gateway_on_s3: Gateway, bucket: Bucket):
    assert gateway_on_s3.call("GET", "/readyz").json["storage"] == "ok"
    assert not bucket.keys("probes/")


def test_the_storage_fails_as_files_do(bucket: Bucket, settings):
    default_storage.save("a/b.txt", ContentFile(b"b"))
    assert default_storage.exists("a/b.txt")
    assert not default_storage.exists("a/c.txt")
    assert default_storage.listdir("a") == ([], ["b.txt"])
    assert default_storage.listdir("nothing") == ([], [])
    with pytest.raises(FileNotFoundError):
        default_storage.open("a/c.txt")
    with pytest.raises(FileNotFoundError):
        default_storage.get_modified_time("a/c.txt")
    file = default_storage.open("a/b.txt")
    default_storage.delete("a/b.txt")
    with pytest.raises(FileNotFoundError):
        file.read()
    default_storage.delete("a/b.txt")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**bucket.storage, "OPTIONS": {**bucket.storage["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}},
    }
    for use in (default_storage.exists, default_storage.open, default_storage.delete, default_storage.listdir):
        with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
            use("a/b.txt")
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
        default_storage.save("a/b.txt", ContentFile(b"b"))
