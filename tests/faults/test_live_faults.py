"""Streams that are cut while what serves and stores dies."""

import asyncio
import os
import random
from pathlib import Path
from typing import cast

from app.store.driver import Driver
from tests.faults.live import FOLLOWERS_OF_EACH, SETTINGS, soak
from tests.support.cluster import cluster


def test_whoever_comes_back_has_heard_everything_once_and_in_order(tmp_path: Path) -> None:
    random.seed(11)
    driver = cast(Driver, os.environ.get("MONGODB_DRIVER", "motor"))
    with cluster(tmp_path, driver, **SETTINGS) as started:
        report = asyncio.run(soak(started, notes=60, faults=5, at_most_seconds=120))
    assert report.found == {}, report
    assert report.written == 60
    assert report.heard == 60 * FOLLOWERS_OF_EACH
    assert len(report.faults) > 0
