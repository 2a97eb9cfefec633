"""Mails in a real browser: a hostile original runs and fetches, what we show does neither; and the demo's inbox."""

import asyncio
import re
import socket
from collections.abc import Generator, Set
from email.message import EmailMessage
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from smtplib import SMTP
from threading import Thread
from time import monotonic

import pytest
import uvicorn
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette

from app.demo.inbox import Inbox, routes
from app.demo.sample import mails
from app.domain.mail_html import harmless
from tests.support.browser import visit
from tests.support.hostile_html import HOSTILE

pytestmark = pytest.mark.xdist_group("demo")

LIVE = """script odd onerror slash onload svgscript srcdoc frame c1 mstyle
image.png srcset body css1 css3 css5 set1 border sheet import2 font link refresh iframe object poster svgimage newline
entity back"""
"""Some of what the originals ask for: enough to see that they can."""


class Tracker(ThreadingHTTPServer):
    """Shows ``page`` at /page, and notes whatever else it is asked for, until /end."""

    page = ""
    request_queue_size = 128  # of more than its usual five some are turned away, and come back after seconds

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hits: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Tracker  # pyright: ignore[reportIncompatibleVariableOverride] # it is the only one that has this handler

    def do_GET(self) -> None:
        path = self.path
        if path not in ("/page", "/end", "/favicon.ico"):
            self.server.hits.add(path.rpartition("/hit/")[2])
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(self.server.page.encode("utf-8", "replace") if path == "/page" else b"")

    do_POST = do_GET  # noqa: N815 # their names

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def tracker() -> Generator[Tracker]:
    """Runs a tracker, which notes who visits it."""
    with Tracker() as tracker:
        thread = Thread(target=tracker.serve_forever)
        thread.start()
        yield tracker
        tracker.shutdown()
        thread.join()


def hits(browser: Browser, tracker: Tracker, documents: list[str], sandbox: str, *, awaited: Set[str]) -> set[str]:
    """What is asked for when each document is shown in a frame of its own: until ``awaited`` was, or a while longer."""
    tracker.hits = set()
    frames = (f'<iframe sandbox="{sandbox}" srcdoc="{escape(document)}"></iframe>' for document in documents)
    tracker.page = "<!doctype html><meta charset=utf-8>" + "\n".join(frames)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(
            f"{tracker.url}/page", wait_until="load", timeout=60_000
        )  # the frames' own images and sheets included
        deadline = monotonic() + 20
        while awaited - tracker.hits and monotonic() < deadline:
            page.wait_for_timeout(100)
        page.wait_for_timeout(500)
        return set(tracker.hits)


def test_no_hostile_mail_fetches_or_runs_where_its_original_does(browser: Browser, tracker: Tracker) -> None:
    live = set(LIVE.split())
    here = tracker.url.removeprefix("http://")
    originals = [
        html.replace("URL", f"{tracker.url}/hit").replace("tracker.invalid", here) for html in HOSTILE.values()
    ]
    shown = [harmless(html) for html in originals]
    # The policy is a second line of defence, and so is the sandbox: the first must hold alone.
    alone = [re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", document) for document in shown]
    assert alone != shown
    assert hits(browser, tracker, originals, "allow-scripts", awaited=live) >= live
    assert (
        hits(browser, tracker, alone, "allow-scripts allow-same-origin allow-forms allow-popups", awaited=set())
        == set()
    )
    # The second line alone, too: nothing is run or fetched, and a page that may not run scripts may not refresh itself.
    behind = [shown[-1].replace("<body>", f"<body>{html}") for html in originals]
    assert hits(browser, tracker, behind, "", awaited=set()) == set()


def test_a_mail_as_shops_send_them_looks_the_same(browser: Browser) -> None:
    mail = mails.order_confirmation("Zoë", "A-1", [("Paper & ink", "3.00 €")], "3.00 €")
    with browser.new_context(viewport={"width": 700, "height": 700}) as context:
        page = context.new_page()
        pictures: list[bytes] = []
        for document in (mail.html, harmless(mail.html)):
            page.set_content(document)
            pictures.append(page.screenshot())
    assert pictures[0] == pictures[1]


@pytest.fixture
def inbox_url() -> Generator[tuple[str, str]]:
    """Runs an inbox whose pages and mail server share an event loop, as in the demo; says where both are."""
    addresses: Queue[tuple[str, str]] = Queue()
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        async with Inbox.open() as inbox:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                servers.append(uvicorn.Server(uvicorn.Config(Starlette(routes=routes(inbox)), log_config=None)))
                addresses.put((f"http://127.0.0.1:{listener.getsockname()[1]}", inbox.url))
                await servers[0].serve([listener])

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    yield addresses.get(timeout=20)
    servers[0].should_exit = True
    thread.join()


def test_the_inbox_shows_a_new_mail_by_itself_and_its_html_in_a_frame(
    browser: Browser, inbox_url: tuple[str, str]
) -> None:
    pages, smtp_url = inbox_url
    mail = mails.order_confirmation("Zoë", "A-1", [("Paper & ink", "3.00 €")], "3.00 €")
    message = EmailMessage()
    message["Subject"], message["To"] = mail.subject, "ada@example.com"
    message.set_content(mail.text)
    message.add_alternative(mail.html + "<script>document.body.remove()</script>", subtype="html")
    with visit(browser, pages) as page:
        page.goto("/demo/inbox")
        expect(page.get_by_text("No mail yet")).to_be_visible()
        with SMTP("127.0.0.1", int(smtp_url.rpartition(":")[2])) as smtp:
            smtp.send_message(message, from_addr="shop@example.com")
        page.get_by_role("link", name="Your order A-1").click()  # it appears: the page looks for new ones
        frame = page.frame_locator("iframe")
        expect(frame.get_by_text("Hello Zoë,")).to_be_visible()
        expect(frame.get_by_role("link", name="View my order")).to_have_css("background-color", "rgb(11, 92, 173)")
        expect(frame.locator("body")).to_have_css("background-color", "rgb(242, 245, 248)")
