"""What the desk says when the gateway refuses a whole request: each refusal is the gateway's own."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from threading import Event
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.access import Role
from app.environment import read_settings
from app.http.tokens import issue
from app.store.driver import Driver
from tests.support.browser import visit
from tests.support.desk import Demo
from tests.support.proxy import line_to
from tests.support.threads import served
from tests.support.tokens import AUTHORITY, SECRET

pytestmark = pytest.mark.xdist_group("demo")

NUMBER, NEXT = "C-100001", "C-100005"
BUSY = 2
"""How many requests have a turn at once."""
Start: TypeAlias = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def gateway(demo: Demo, mongodb_uri: str, driver: Driver) -> Start:
    """Starts a gateway on the demo's data, to which one brings a token."""

    @contextmanager
    def start(uri: str = mongodb_uri, **settings: Any) -> Generator[str]:
        given: dict[str, Any] = {"jwt_secret": SECRET, "jwt_issuer": AUTHORITY["issuer"], **settings}
        own = read_settings(
            mongodb_database=demo.database.name, mongodb_driver=driver, jwt_audience=AUTHORITY["audience"], **given
        )
        with served(own, uri) as url:
            yield url

    return start


def bearer(*roles: Role, lifetime: timedelta = timedelta(hours=1), **claims: Any) -> str:
    return issue(SECRET, roles=roles, subject="agent-9", name="Grace", lifetime=lifetime, **AUTHORITY, **claims)


AGENT = Role.CUSTOMER_SERVICE_AGENT


def bring(page: Page, token: str) -> None:
    """Brings a token to the desk, as a person does where there is no provider."""
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Open").click()


def is_there(page: Page, number: str) -> None:
    expect(page.get_by_role("button", name=f"Copy {number}")).to_be_visible()


@contextmanager
def desk(browser: Browser, url: str, status: int, path: str, token: str) -> Generator[Page]:
    with visit(browser, url, forgiving=f"status of {status}") as page:
        page.goto(f"/desk{path}")
        bring(page, token)
        yield page


def test_whose_token_has_ended_brings_another_and_goes_on(gateway: Start, browser: Browser) -> None:
    with gateway() as url:
        # It has ended, and is taken for as long as clocks may differ.
        ending = bearer(AGENT, lifetime=timedelta(seconds=-2))
        with desk(browser, url, 401, f"#/customers/{NUMBER}", ending) as page:
            is_there(page, NUMBER)
            page.wait_for_timeout(10_000)
            page.goto(f"/desk#/customers/{NEXT}")
            screen = page.locator("[data-problem=signedOut]")
            expect(screen).to_contain_text("You are signed out")
            screen.get_by_role("button", name="Sign in").click()
            bring(page, bearer(AGENT))
            is_there(page, NEXT)


@pytest.mark.parametrize(
    ("roles", "path", "sentence"),
    [
        ([], f"#/customers/{NUMBER}", "no role that this gateway knows"),
        ([Role.AFFILIATE], "#/report", "Your role may not do this"),
    ],
)
def test_who_may_not_is_told_so(gateway: Start, browser: Browser, roles: list[Role], path: str, sentence: str) -> None:
    with (
        gateway() as url,
        desk(browser, url, 403, path, bearer(*roles, affiliate_id="aff-1")) as page,
    ):
        expect(page.locator("[data-problem=forbidden]")).to_contain_text(sentence)


def test_whose_minute_is_used_up_is_told_when_it_goes_on(gateway: Start, browser: Browser) -> None:
    with (
        gateway(cost_per_minute="15000") as url,
        desk(browser, url, 429, f"#/customers/{NUMBER}", bearer(AGENT)) as page,
    ):
        is_there(page, NUMBER)
        screen = page.locator("[data-problem=tooMany]")
        for number in (NEXT, "C-100003", "C-100004", "C-100006", "C-100007"):
            if screen.count():
                break
            page.goto(f"/desk#/customers/{number}")
            expect(page.get_by_role("button", name=f"Copy {number}").or_(screen)).to_be_visible()
        expect(screen).to_contain_text("Too many requests")
        expect(screen.get_by_role("button")).to_contain_text("Trying again in")


def test_a_database_that_does_not_answer_is_waited_for(gateway: Start, browser: Browser, mongodb_uri: str) -> None:
    with line_to(mongodb_uri) as line:
        uri = f"mongodb://{urlsplit(line.proxy.url).netloc}/?directConnection=true"
        with (
            gateway(uri, request_timeout_seconds=2) as url,
            desk(browser, url, 503, f"#/customers/{NUMBER}", bearer(AGENT)) as page,
        ):
            is_there(page, NUMBER)
            line.hold()
            page.goto(f"/desk#/customers/{NEXT}")
            expect(page.locator("[data-problem=busy]")).to_contain_text("The gateway is busy")
            line.release()
            is_there(page, NEXT)  # it goes on by itself


def test_a_gateway_that_has_no_turn_left_is_waited_for(gateway: Start, browser: Browser, mongodb_uri: str) -> None:
    with line_to(mongodb_uri) as line:
        uri = f"mongodb://{urlsplit(line.proxy.url).netloc}/?directConnection=true"
        with (
            gateway(uri, request_timeout_seconds=20, max_at_once=BUSY, max_waiting=0) as url,
            desk(browser, url, 503, f"#/customers/{NUMBER}", bearer(AGENT)) as page,
            ThreadPoolExecutor(2 * BUSY) as others,
        ):
            is_there(page, NUMBER)
            line.hold()
            query = {"query": "{ customers(first: 1) { nodes { id } } }"}
            headers = {"Authorization": f"Bearer {bearer(AGENT)}"}
            is_full, is_over = Event(), Event()

            def ask_on() -> set[int]:
                """Asks again after each answer, so that all turns stay taken however long the page takes."""
                statuses = set[int]()
                while not is_over.wait(0.1):
                    status = httpx2.post(f"{url}/graphql", json=query, headers=headers, timeout=60).status_code
                    statuses.add(status)
                    if status == 503:
                        is_full.set()
                return statuses

            asked = [others.submit(ask_on) for _ in range(2 * BUSY)]
            try:
                assert is_full.wait(60)
                page.goto(f"/desk#/customers/{NEXT}")
                expect(page.locator("[data-problem=busy]")).to_contain_text("The gateway is busy")
            finally:
                is_over.set()
                line.release()
            is_there(page, NEXT)
            assert set[int]().union(*(each.result() for each in asked)) == {200, 503}
