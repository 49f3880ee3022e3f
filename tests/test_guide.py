"""The commands of docs/guide.md, run as they stand there."""

import json
import os
import re
import subprocess

from tests.gateway import ROOT, Gateway
from workflows.models import Job

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "guide.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_guides_commands_order_with_a_key_and_with_a_signature(gateway: Gateway):
    options = ["--credits", "10", "--shop-domain", "guide.myshopify.com", "--json"]
    made = json.loads(gateway.manage("create_client", "Guide", *options).stdout)
    known = {"GATEWAY": gateway.url, "KEY": made["api_key"]}
    known |= {"SHOP": "guide.myshopify.com", "SECRET": made["shopify_secret"]}
    for block in BLOCKS:
        ids = set()
        for _ in range(2):  # the second time it is the same order
            command = ["bash", "-ec", block]
            done = subprocess.run(command, env={**os.environ, **known}, capture_output=True, text=True)
            ids.add(json.loads(done.stdout)["job_id"])
        (job_id,) = ids
        assert Job.objects.get(pk=job_id).client_id == made["client_id"]
    assert len(BLOCKS) == 2
    assert Job.objects.filter(client_id=made["client_id"]).count() == 2
