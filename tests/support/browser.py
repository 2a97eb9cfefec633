"""A real Chromium that can reach the gateway and nothing else. It is found, never downloaded."""

import os
import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
HOW_TO_GET_ONE = "no Chromium found: `apt-get install chromium`, or set CHROMIUM to the path of one"

QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

expect.set_options(timeout=20_000)  # a laptop that runs the whole suite at once is slow to draw


def find_chromium() -> str | None:
    """Returns the path of a Chromium; None where there is none."""
    if chosen := os.environ.get("CHROMIUM"):
        return shutil.which(chosen)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if sys.platform == "darwin" and Path(MAC).exists() else None)


@contextmanager
def launch(chromium: str) -> Generator[Browser]:
    """Launches a browser for servers on 127.0.0.1. Playwright occupies the event loop: no async test meanwhile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            # Names must not resolve: a request that slips past `refuse` still goes nowhere.
            args=[*QUIET, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, base_url: str, *others: str, forgiving: str | None = None) -> Generator[Page]:
    """Opens a page with empty storage. On leaving, asserts that it kept to its origins and raised no complaint.

    ``others`` are origins beside its own. Complaints that contain ``forgiving`` are meant to happen.
    """
    origins = "|".join(map(re.escape, (base_url, *others)))
    strangers: list[str] = []
    complaints: list[str] = []

    def refuse(route: Route) -> None:
        strangers.append(route.request.url)
        route.abort()

    with browser.new_context(base_url=base_url, viewport={"width": 1440, "height": 900}) as context:
        context.route(re.compile(f"^(?!({origins})/|data:)"), refuse)
        # A breach of the Content-Security-Policy is a console error, in workers too.
        context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda thrown: complaints.append(str(thrown.error)))
        yield context.new_page()
    assert strangers == []
    assert [complaint for complaint in complaints if forgiving is None or forgiving not in complaint] == []
