"""Runs the suite on other days: ``python -m tests.days 2028-02-29T12:00:00Z next-year``.

Every process of a run, mongod and the browser included, believes the faked clock (libfaketime), which goes on at its
usual speed. The time zone, the locale, the hash seed and the order of the tests are other than usual, too. Whatever
follows ``--`` is handed to pytest. Exit code 1: the suite failed on one of the days.

No demo is run. As one ends, a thread of PyMongo's may wait for a server that is gone, by a lock with a time-out: glibc
measures it by the true monotonic clock and Python sets it by libfaketime's, so it would last years. The clocks cannot
be told apart either: with the monotonic one left alone, libfaketime breaks ``time.sleep`` and mongod.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

DAYS: Final = ("2028-02-29T12:00:00Z", "2027-12-31T23:59:00Z", "next-year")
"""29 February; the last minute of a year, which ends while the suite runs; and today, a year from now."""
NO_FAKETIME: Final = (
    "faketime is needed. On Debian and Ubuntu: apt-get install faketime. On macOS: brew install libfaketime."
)
_ELSEWHERE: Final = {"TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "random"}


def main(arguments: Sequence[str]) -> int:
    days, _, handed_on = " ".join(arguments).partition("--")
    if not shutil.which("faketime"):
        print(NO_FAKETIME, file=sys.stderr)
        return 2
    failed = [day for day in days.split() or DAYS if run_on(day, handed_on.split())]
    for day in failed:
        print(f"The suite fails on {day}.", file=sys.stderr)
    return 1 if failed else 0


def run_on(day: str, arguments: Sequence[str]) -> int:
    """Runs the suite on that day, and returns pytest's exit code."""
    now = datetime.now(UTC)
    begin = now + timedelta(days=365) if day == "next-year" else datetime.fromisoformat(day)
    # An offset: with a point in time, each process would begin there again, whenever it is started.
    offset = f"{(begin - now).total_seconds():+.0f}s"
    print(f"The suite on {begin:%A %d %B %Y, %H:%M} UTC", flush=True)
    command = ["faketime", "-f", offset, sys.executable, "-m", "pytest", "-p", "randomly", "-k", "not demo", *arguments]
    return subprocess.run(command, env=os.environ | _ELSEWHERE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
