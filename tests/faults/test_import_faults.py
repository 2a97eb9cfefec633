"""Lines that are sent while the gateway that takes them in dies."""

import os
import random
from pathlib import Path
from typing import cast

from app.store.driver import Driver
from tests.faults.imports import soak


def test_each_line_is_here_once_whatever_died_meanwhile(tmp_path: Path) -> None:
    random.seed(7)
    driver = cast(Driver, os.environ.get("MONGODB_DRIVER", "motor"))
    report = soak(tmp_path, lines=600, kills=5, at_most_seconds=120, driver=driver)
    assert report.found == {}, report
    assert (report.lines, report.kills) == (600, 5)
