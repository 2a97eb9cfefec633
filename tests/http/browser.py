"""A real Chromium that can reach the gateway and nothing else. It is found, never downloaded."""

import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect, sync_playwright

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
    if chosen := os.environ.get("CHROMIUM"):
        return shutil.which(chosen)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if sys.platform == "darwin" and Path(MAC).exists() else None)


@contextmanager
def visit(chromium: str, base_url: str) -> Generator[Page]:
    """A visitor with empty storage. On leaving, asserts that the page kept to its origin and raised no complaint."""
    host = urlsplit(base_url).hostname
    strangers: list[str] = []
    complaints: list[str] = []

    def admit(route: Route) -> None:
        if route.request.url.startswith((f"{base_url}/", "data:")):
            route.continue_()
        else:
            strangers.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            # Names must not resolve either: a request that slips past `admit` still goes nowhere.
            args=[*QUIET, f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}"],
        )
        context = browser.new_context(base_url=base_url, viewport={"width": 1440, "height": 900})
        context.route("**/*", admit)
        # A breach of the Content-Security-Policy is a console error, in workers too.
        context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda thrown: complaints.append(str(thrown.error)))
        yield context.new_page()
        browser.close()
    assert strangers == []
    assert complaints == []
