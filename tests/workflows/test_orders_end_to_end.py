"""Orders from the POST to the images, through real processes."""

import hashlib
import io

from PIL import Image

from tests.conftest import Shop
from tests.gateway import Gateway


def test_a_background_is_ordered_paid_for_made_and_downloaded(gateway: Gateway, shop: Shop):
    spec = {"scene_type": "podium", "mood": "calm", "resolution": "512", "seed": 5}
    accepted = gateway.call("POST", "/v1/background-generator", spec, key=shop.key)
    assert accepted.status == 202
    assert accepted.json["status"] == "NOT_STARTED"
    assert accepted.json["credits_cost"] == 1
    job = gateway.finished(accepted.json["job_id"], key=shop.key)
    assert job["status"] == "SUCCESS"
    (output,) = job["outputs"]
    image = gateway.call("GET", output["url"])
    assert image.headers["Content-Type"] == "image/png"
    assert hashlib.sha256(image.body).hexdigest() == output["sha256"]
    assert Image.open(io.BytesIO(image.body)).size == (512, 512)
    assert shop.balance == 99
