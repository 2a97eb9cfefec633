"""What dies while mails are sent, and a mail server that misbehaves: nothing acknowledged is lost."""

import os
import random
from pathlib import Path
from typing import cast

from app.store.driver import Driver
from app.store.mongod import embedded_mongod
from tests.faults.mail import soak


async def test_each_acknowledged_resend_is_handed_over_whatever_dies(tmp_path: Path) -> None:
    random.seed(5)
    driver = cast(Driver, os.environ.get("MONGODB_DRIVER", "motor"))
    with embedded_mongod(tmp_path / "mongodb") as uri:
        report = await soak(tmp_path, uri, mails=60, kills=3, at_most_seconds=120, recovers=True, driver=driver)
    assert (report.acknowledged, report.kills) == (60, 3)
    assert report.handed_over + report.refused == 60
    assert report.faults == {}
    assert report.attempts > 60, "nobody noticed anything: these were no faults"
