"""The commands of docs/guide.md, run as they stand there."""

import json
import os
import re
import subprocess

from tests.gateway import ROOT, Gateway
from workflows.models import Job

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "guide.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_guides_commands_order_with_a_key_and_with_a_signature_and_read(gateway: Gateway):
    options = ["--credits", "10", "--shop-domain", "guide.myshopify.com", "--json"]
    made = json.loads(gateway.manage("create_client", "Guide", *options).stdout)
    known = {"GATEWAY": gateway.url, "KEY": made["api_key"]}
    known |= {"SHOP": "guide.myshopify.com", "SECRET": made["shopify_secret"]}
    orders = [block for block in BLOCKS if "--data " in block]
    for block in orders:
        ids = set()
        for _ in range(2):  # the second time it is the same order
            command = ["bash", "-ec", block]
            done = subprocess.run(command, env={**os.environ, **known}, capture_output=True, text=True)
            ids.add(json.loads(done.stdout)["job_id"])
        (job_id,) = ids
        assert Job.objects.get(pk=job_id).client_id == made["client_id"]
        known["JOB"] = job_id
    for block in set(BLOCKS) - set(orders):
        command = ["bash", "-ec", block.replace("curl", "curl --fail-with-body")]
        done = subprocess.run(command, env={**os.environ, **known}, capture_output=True, text=True)
        assert done.returncode == 0, done
    assert (len(orders), len(BLOCKS)) == (2, 6)
    assert Job.objects.filter(client_id=made["client_id"]).count() == 2
