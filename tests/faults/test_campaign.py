"""A short fault campaign: every promise is kept. `make chaos` runs a long one."""

from datetime import timedelta
from pathlib import Path

from tests.faults.campaign import Campaign
from tests.faults.faults import FAULTS, LONG


def test_every_promise_is_kept(tmp_path: Path):
    campaign = Campaign(
        tmp_path / "site",
        seed=1,
        seconds=27,
        time_limit=timedelta(seconds=2),
        deadline=timedelta(seconds=10),
        faults={name: fault for name, fault in FAULTS.items() if name not in LONG},
    )
    summary = campaign.run()
    assert summary.kept, summary.text
    assert sum(summary.faults.values()) >= 10, summary.text
    ended = {job.partition(" ")[2] or "SUCCESS" for job in summary.jobs}
    assert {"SUCCESS", "cancelled", "impossible", "unknown_model", "trial_image_not_found"} <= ended, summary.text
    assert all(promise.counted for promise in summary.promises.values()), summary.text
