"""The README's picture: `python web/screenshot.py http://127.0.0.1:8000 docs/graphiql.png`, with a gateway running.

Runs the first example in Chromium, $CHROMIUM if it is not called that on the PATH, and takes 1440 × 900 points.
"""

import os
import shutil
import sys

from playwright.sync_api import expect, sync_playwright


def take(base_url: str, target: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        page.goto(base_url)
        expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("Customer360", timeout=15_000)
        page.get_by_label("Execute query").click()
        expect(page.locator(".result-window")).to_contain_text('"number": "C-1', timeout=15_000)
        page.mouse.move(720, 890)  # off the button: its tooltip would be in the picture
        page.wait_for_timeout(1_000)
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    take(*sys.argv[1:3])
