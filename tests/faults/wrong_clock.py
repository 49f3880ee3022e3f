"""Settings for processes that libfaketime gives a wrong clock: it fails Python's sleep, but not select(2)."""

import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds) and None  # type: ignore[assignment,return-value]

from tests.faults.settings import *  # noqa: E402, F403
