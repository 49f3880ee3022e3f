"""A short fault campaign: every promise is kept. `make chaos` runs a long one."""

from datetime import timedelta
from itertools import islice
from pathlib import Path

from tests.faults.campaign import Campaign
from tests.faults.faults import FAULTS, LONG, schedule


def test_the_seed_says_which_faults_come_and_when():
    def first(seed: int) -> list[tuple[str, float, float]]:
        coming = islice(schedule(seed, list(FAULTS)), 2 * len(FAULTS))
        return [(name, pause, chance.random()) for name, pause, chance in coming]

    assert first(1) == first(1) != first(2)
    assert {name for name, _, _ in first(1)[: len(FAULTS)]} == set(FAULTS)


def test_every_promise_is_kept(tmp_path: Path):
    campaign = Campaign(
        tmp_path / "site",
        seed=1,
        seconds=22,
        hits=10,
        time_limit=timedelta(seconds=2),
        deadline=timedelta(seconds=10),
        faults={name: fault for name, fault in FAULTS.items() if name not in LONG},
    )
    summary = campaign.run()
    assert summary.kept, summary.text
    assert sum(summary.faults.values()) >= 10, summary.text
    ended = {job.partition(" ")[2] or "SUCCESS" for job in summary.jobs}
    assert {"SUCCESS", "cancelled", "impossible"} <= ended and len(ended) > 4, summary.text
    assert all(promise.counted for promise in summary.promises.values()), summary.text
