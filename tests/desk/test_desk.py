"""What the desk promises of itself: small, its own files only, one query to first paint, readable by everybody."""

import gzip
import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.catalogue import copied
from app.demo.sample.people import customer_id
from app.domain.ids import derived_id
from app.http.pages import STATIC
from tests.support.desk import ADMIN, Demo, operation_of
from tests.support.node import NotInstalled, install

pytestmark = pytest.mark.xdist_group("demo")

DESK = Path(__file__).parents[2] / "web" / "desk"
FIRST_PAINT_BYTES = 300_000
NUMBER = "C-100001"
QUIET_NUMBER = "C-100002"
NEXT_NUMBER = "C-100005"
MANY = 10_000
WORDS = re.compile(r"^  (\w+)[:(]", re.MULTILINE)


def test_the_first_paint_loads_less_than_300_kb() -> None:
    html = (STATIC / "desk.html").read_text()
    files = re.findall(r'(?:src|href)="\./(desk/[^"]+)"', html)
    assert len(files) >= 2
    assert sum(len(gzip.compress((STATIC / file).read_bytes())) for file in files) < FIRST_PAINT_BYTES


def test_no_file_of_an_older_build_is_left() -> None:
    there = {path.name for path in (STATIC / "desk").iterdir()} - {"manifest.json", "LICENSES.md"}
    manifest = (STATIC / "desk" / "manifest.json").read_text()
    assert there == set(re.findall(r'"desk/([^"]+)"', manifest))


def test_the_lock_file_names_no_package_host() -> None:
    assert '"resolved"' not in (DESK / "package-lock.json").read_text()


def test_every_language_has_words_of_its_own() -> None:
    english, german = ((DESK / "src" / "words" / f"{name}.ts").read_text() for name in ("en", "de"))
    assert set(WORDS.findall(english)) <= set(WORDS.findall(german))


def test_a_customer_and_the_next_are_there_after_one_query_each(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, NUMBER) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(name) if (name := operation_of(request)) else None)
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Zoë Müller-O'Brien")
        expect(page.get_by_role("group", name="What happened").get_by_role("article").first).to_be_visible()
        assert asked == ["CustomerPage"]
        asked.clear()
        page.goto(f"/desk#/customers/{NEXT_NUMBER}")
        expect(page.get_by_role("button", name=f"Copy {NEXT_NUMBER}")).to_be_visible()
        expect(page.get_by_role("group", name="What happened").get_by_role("article").first).to_be_visible()
        assert asked == ["CustomerPage"]


def test_the_report_and_its_chart_are_one_query(demo: Demo, browser: Browser) -> None:
    asked: list[str] = []
    with demo.open(browser, person=ADMIN) as page:
        expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")
        page.on("request", lambda request: asked.append(name) if (name := operation_of(request)) else None)
        page.goto("/desk#/report")
        expect(page.get_by_role("img", name="The number of actions over time.").locator("canvas")).to_be_visible()
        page.wait_for_load_state("networkidle")
    assert sorted(asked) == ["Report", "ReportChoices", "ReportChoices", "ReportChoices"]


@pytest.fixture
def many_events(demo: Demo) -> Generator[str]:
    """Gives a customer 10,000 events, and the id of the oldest; takes them away again."""
    code = "CREDIT_CONTROL_CYCLE_EXITED"
    own = {"customerId": customer_id(QUIET_NUMBER), "type": code, "source": "bulk"}
    start = datetime(2020, 1, 1, tzinfo=UTC)
    documents: list[dict[str, Any]] = [
        {
            **own,
            "_id": derived_id("activities", source="bulk", source_id=str(number)),
            "occurredAt": start + timedelta(hours=number),
            "recordedAt": start + timedelta(hours=number),
            "actor": {"kind": "SYSTEM", "name": "Billing"},
            **copied(code),
        }
        for number in range(MANY)
    ]

    def count_up() -> None:
        """Makes the previews of the customer old, as every change does."""
        demo.database.customers.update_one({"_id": own["customerId"]}, {"$inc": {"revision": 1}})

    demo.database.activities.insert_many(documents)
    count_up()
    yield documents[0]["_id"]
    demo.database.activities.delete_many(own)
    count_up()


def test_ten_thousand_events_are_not_in_the_page_at_once(demo: Demo, browser: Browser, many_events: str) -> None:
    most = 0
    with demo.customer(browser, QUIET_NUMBER) as page:
        tiles = page.get_by_role("group", name="What happened").get_by_role("article")
        oldest = page.locator(f"[data-entry={many_events}]")
        expect(tiles.first).to_be_visible()
        while (last := tiles.last.get_attribute("data-entry")) != many_events:
            page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            expect(tiles.last).not_to_have_attribute("data-entry", last or "")
            most = max(most, tiles.count())
        expect(oldest).to_be_visible()
        expect(page.get_by_text(re.compile(r"^10,\d{3} events\.$"))).to_be_visible()
        page.evaluate("scrollTo(0, 0)")
        expect(page.get_by_role("button", name=f"Copy {QUIET_NUMBER}")).to_be_in_viewport()
        expect(oldest).to_have_count(0)
    assert most < 60


VIEWS = [("", "Hello"), (f"#/customers/{NUMBER}", "Zoë"), ("#/lists", "Customers"), ("#/report", "Report")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("path", "heading"), VIEWS)
def test_axe_finds_nothing_serious(demo: Demo, browser: Browser, path: str, heading: str, scheme: str) -> None:
    try:
        install(DESK)
    except NotInstalled as error:
        pytest.skip(str(error))
    axe = (DESK / "node_modules" / "axe-core" / "axe.min.js").read_text()
    with demo.open(browser, path, person=ADMIN) as page:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        page.wait_for_timeout(1_000)  # what comes after the heading
        assert serious(page, axe) == []
        if path.startswith("#/customers"):
            page.get_by_role("group", name="What happened").get_by_role("article").first.get_by_role(
                "button"
            ).first.click()
            page.get_by_role("button", name="Filters").click()
            page.get_by_role("button", name="How it came about").click()
            expect(page.get_by_role("table", name="Ledger")).to_be_visible()
            assert serious(page, axe) == []
            page.get_by_role("button", name="Actions").click()
            page.get_by_role("menuitem", name="Adjust points").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            assert serious(page, axe) == []


def serious(page: Page, axe: str) -> list[str]:
    """Returns what axe finds serious, each with the first place of it."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("path", [path for path, _ in VIEWS])
def test_nothing_is_wider_than_a_phone(demo: Demo, browser: Browser, path: str) -> None:
    with demo.open(browser, path, person=ADMIN) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_phone_the_lists_stand_above_the_timeline(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, NUMBER) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        expect(page.get_by_role("region", name="Requests")).to_have_count(0)
        page.get_by_role("button", name="What hangs on the customer").press("Enter")
        lists = page.get_by_role("complementary").bounding_box()
        timeline = page.get_by_role("group", name="What happened").bounding_box()
        assert lists
        assert timeline
        assert lists["y"] + lists["height"] < timeline["y"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_speaks_german(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, NUMBER) as page:
        page.get_by_role("combobox", name="Language").click()
        page.get_by_role("option", name="Deutsch").click()
        expect(page.get_by_role("button", name="Aktionen")).to_be_visible()
        expect(page.get_by_role("region", name="Jetzt")).to_contain_text("Nächste Verlängerung")
        assert page.evaluate("document.documentElement.lang") == "de"
