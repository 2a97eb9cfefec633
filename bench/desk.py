"""How fast the desk is: `python -m bench.desk`, in a real Chromium, on a demo of 1,000 customers; about a minute.

*First paint* begins with the navigation of a browser that has nothing of the page yet, and ends when a customer's name
and the first of their events are painted. *Next customer* begins when the address changes, as a click on a hit does it.
Of each the median and the slowest of twenty, with the queries that it took; exit code 1 if a median is over its limit.
"""

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from tests.support.browser import HOW_TO_GET_ONE, find_chromium, launch
from tests.support.desk import operation_of

FOLDER: Final = Path(".data/bench-desk")
TIMES: Final = 20
FIRST_PAINT_MS: Final = 1_500
NEXT_CUSTOMER_MS: Final = 300
STEP_MS: Final = 30_000

_PAINTED: Final = """number => new Promise(done => {
  const look = () => document.querySelector(`[aria-label="Copy ${number}"]`) && document.querySelector('article')
    ? requestAnimationFrame(() => setTimeout(() => done(performance.now()))) : requestAnimationFrame(look);
  look();
})"""
"""By the clock of the page, which begins with its navigation: a frame is painted before the task after it."""


@contextmanager
def demo() -> Generator[str]:
    """Runs the demo with a MongoDB of its own, and gives its address."""
    command = [sys.executable, "-m", "app", "demo", "--customers", "1000", "--data", str(FOLDER)]
    environment = os.environ | {"PORT": "0"}
    environment.pop("MONGODB_URI", None)
    log = FOLDER / "demo.log"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as written,
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=written) as run,  # noqa: S603 # our own
    ):
        try:
            while not (address := re.search(r"http://\S+(?=/desk)", said := log.read_text())) or (
                "startup complete" not in said
            ):
                if run.poll() is not None:
                    raise SystemExit(f"The demo did not start:\n{said}")
                try:
                    run.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            yield address[0]
        finally:
            run.terminate()


def queries_of(page: Page) -> list[str]:
    """Returns a list that gets the name of each query that the page makes."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(name) if (name := operation_of(request)) else None)
    return asked


def first_paint(browser: Browser, address: str, number: str) -> tuple[float, int]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(STEP_MS)
        asked = queries_of(page)
        page.goto(f"{address}/desk#/customers/{number}", wait_until="commit")
        return page.evaluate(_PAINTED, number), len(asked)


def next_customers(browser: Browser, address: str, numbers: Sequence[str]) -> list[tuple[float, int]]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(STEP_MS)
        page.goto(f"{address}/desk#/customers/C-100001")
        page.evaluate(_PAINTED, "C-100001")
        asked = queries_of(page)
        found: list[tuple[float, int]] = []
        for number in numbers:
            asked.clear()
            start = page.evaluate(
                "number => { location.hash = `#/customers/${number}`; return performance.now(); }", number
            )
            found.append((page.evaluate(_PAINTED, number) - start, len(asked)))
            page.wait_for_timeout(500)  # somebody reads, and what a stream begins with comes
        return found


def report(name: str, found: Sequence[tuple[float, int]], limit: int) -> bool:
    times = [time for time, _ in found]
    median = statistics.median(times)
    queries = max(asked for _, asked in found)
    print(f"{name:15} {median:6.0f} ms, slowest {max(times):6.0f} ms, limit {limit:5} ms; {queries} GraphQL query")
    return median <= limit and queries == 1


def main() -> int:
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit(HOW_TO_GET_ONE)
    numbers = [f"C-{100_010 + 3 * index}" for index in range(TIMES)]
    with demo() as address, launch(chromium) as browser:
        first_paint(browser, address, "C-100001")  # the gateway makes its plans once
        first = [first_paint(browser, address, number) for number in numbers]
        following = next_customers(browser, address, [f"C-{100_300 + 3 * index}" for index in range(TIMES)])
    good = [report("first paint", first, FIRST_PAINT_MS), report("next customer", following, NEXT_CUSTOMER_MS)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
