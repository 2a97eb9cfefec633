"""Refunds that two agents ask for at once, while what relays, serves, stores and does them dies."""

import asyncio
import os
import random
from pathlib import Path
from typing import cast

from app.store.driver import Driver
from tests.faults.external_requests import everything, soak


def test_each_refund_is_done_once_and_told_truly_whatever_dies(tmp_path: Path) -> None:
    random.seed(7)
    driver = cast(Driver, os.environ.get("MONGODB_DRIVER", "motor"))
    with everything(tmp_path, driver) as parts:
        report = asyncio.run(soak(*parts, requests=80, faults=5, at_most_seconds=240))
    assert (report.found, report.waiting) == ({}, 0), report
    assert report.accepted + report.refused == 80
    assert report.accepted > 0
    assert report.refused > 0
    assert len(report.faults) > 0
