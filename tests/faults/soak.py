"""Many faults, and the table of what they did: `python -m tests.faults.soak --faults 100`."""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from app.store.driver import Driver
from tests.support.cluster import FAULTS, Report, cluster, run


def table(report: Report) -> str:
    found = report.verdict
    kinds = ", ".join(f"{report.faults.count(kind)} {kind}" for kind in FAULTS)
    columns = {
        "faults": len(report.faults),
        "keys": found.keys,
        "senders": report.senders,
        "lost": len(found.lost),
        "doubled": len(found.doubled),
        "unbalanced": len(found.unbalanced),
        "longest gap": f"{report.longest_gap_seconds:.1f} s",
    }
    head = "| " + " | ".join(columns) + " |"
    rule = "|" + "|".join("-" * (len(name) + 2) for name in columns) + "|"
    row = "| " + " | ".join(str(value).rjust(len(name)) for name, value in columns.items()) + " |"
    return f"{head}\n{rule}\n{row}\n\n{kinds}; {report.retries} retries in {report.seconds:.0f} s."


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--faults", type=int, default=100)
    options.add_argument("--customers", type=int, default=6)
    options.add_argument("--minutes", type=float, default=30, help="no new fault after so long")
    options.add_argument("--driver", choices=["motor", "pymongo"], default="motor")
    options.add_argument("--seed", type=int, default=None)
    given = options.parse_args()
    driver: Driver = given.driver
    random.seed(given.seed)
    faults = random.choices(list(FAULTS), k=given.faults)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, cluster(Path(folder), driver) as started:
        soaked = run(
            started,
            faults,
            customers=given.customers,
            keys_each=20,
            at_most_seconds=given.minutes * 60,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
        report = asyncio.run(soaked)
    print(table(report))
    found = report.verdict
    for name, keys in (("lost", found.lost), ("doubled", found.doubled), ("unbalanced", found.unbalanced)):
        if keys:
            print(f"{name}: {' '.join(keys)}")
    sys.exit(bool(found.lost or found.doubled or found.unbalanced or len(report.faults) < given.faults))


if __name__ == "__main__":
    main()
