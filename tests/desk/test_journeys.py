"""What people do at the desk, in a real browser, and what the database then holds."""

import json
import re
import time
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.desk import ADMIN, AGENT, Demo, operation_of

pytestmark = pytest.mark.xdist_group("demo")

T = TypeVar("T")
WAIT_SECONDS = 30
CUT = "Failed to load resource"
RICH = "C-100001"
WHO_HAS = """{ customers(first: 100, filter: {statuses: [ACTIVE]}) { nodes {
  id number name mergedFrom { id } phones { value } points { spendable }
  requests(filter: {open: true}) { totalCount }
  coupons(first: 1, filter: {redeemed: false}) { nodes { id code } }
  transactions(first: 20) { nodes { id number refundable { amount currency } } }
  possibleDuplicates { customer { id number name } } } } }"""

EDIT = """mutation ($id: ID!) { updateCustomer(input: {customerId: $id, jobTitle: "Baker", idempotencyKey: "baker"}) {
  userErrors { code } } }"""
EDIT_FIELD = """mutation ($id: ID!) { updateCustomer(input: {
  customerId: $id, fields: [{name: "loyaltyTier", value: "BRONZE"}], idempotencyKey: "tier" }) {
  userErrors { code } } }"""
RENAME = """mutation ($id: ID!) { updateCustomer(input: {
  customerId: $id, firstName: "ليلى", lastName: "الحداد", idempotencyKey: "rename" }) { userErrors { code } } }"""

CREATE = """mutation ($first: String!, $key: String!) { createCustomer(input: {
  firstName: $first, idempotencyKey: $key }) { customer { id number } } }"""
NOTE = """mutation ($id: ID!, $key: String!) { addNote(input: {
  customerId: $id, message: "Written meanwhile", idempotencyKey: $key }) { userErrors { code } } }"""
MERGE = """mutation ($into: ID!, $id: ID!) { mergeCustomers(input: {
  intoId: $into, ids: [$id], reason: "The same person", idempotencyKey: "zora" }) { userErrors { code } } }"""


def eventually(read: Callable[[], T | None]) -> T:
    """Returns what is read once it is something."""
    ends = time.monotonic() + WAIT_SECONDS
    while not (found := read()):
        assert time.monotonic() < ends, "It never came."
        time.sleep(0.2)
    return found


def a_customer(demo: Demo, fits: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Returns a customer of the demo who fits, and is none of those whom documents name."""
    customers = demo.ask(WHO_HAS)["customers"]["nodes"]
    return next(each for each in customers if each["number"] > "C-100008" and fits(each))


def choose_action(page: Page, name: str) -> None:
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name=name).click()


def test_a_caller_is_found_by_phone_without_the_mouse(demo: Demo, browser: Browser) -> None:
    with demo.open(browser) as page:
        expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")
        page.keyboard.press("/")
        page.keyboard.type("030 23125 001")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name=f"Copy {RICH}")).to_be_visible()
        name = page.get_by_role("heading", level=1).inner_text()
    assert demo.database.customers.find_one({"number": RICH}, {"name": 1, "_id": 0}) == {"name": name}


def test_a_mail_is_read_and_sent_again(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, RICH) as page:
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("checkbox", name="Email (").check()
        expect(page.get_by_text("others are hidden by your filters.")).to_be_visible()
        page.get_by_role("group", name="What happened").get_by_role("article").first.get_by_role("button").first.click()
        mail = page.locator(".mail").first
        frame = mail.locator("iframe")
        expect(frame).to_have_attribute("sandbox", "allow-popups allow-popups-to-escape-sandbox")
        subject = mail.locator("p").first.inner_text()
        mail.get_by_role("button", name="Send again").click()
        expect(page.get_by_role("status").filter(has_text="queued")).to_be_visible()
        expect(mail.locator("[data-delivery=SENT]").first).to_be_visible()
    sent = eventually(lambda: demo.database.deliveries.find_one({"status": "SENT"}, sort=[("requestedAt", -1)]))
    found = demo.database.emails.find_one({"_id": sent["emailId"]})
    assert found
    assert found["subject"] == subject


def test_points_are_adjusted_once_although_the_network_was_cut(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["points"]["spendable"] > 100)
    before = customer["points"]["spendable"]
    cuts: list[str] = []

    def cut(route: Route) -> None:
        """Lets the change reach the gateway, and loses the answer."""
        if operation_of(route.request) != "AdjustPoints" or cuts:
            return route.fallback()
        cuts.append(json.loads(route.request.post_data or "")["variables"]["input"]["idempotencyKey"])
        route.fetch()
        return route.abort("connectionreset")

    with demo.customer(browser, customer["number"], forgiving=CUT) as page:
        page.route("**/graphql", cut)
        choose_action(page, "Adjust points")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Points").fill("25")
        dialog.get_by_label("Reason").fill("A parcel came late")
        expect(dialog).to_contain_text(f"from {before:,} to {before + 25:,}")
        dialog.get_by_role("button", name="Adjust points").click()
        expect(dialog.get_by_text("No connection")).to_be_visible()
        expect(dialog.get_by_label("Reason")).to_be_disabled()
        dialog.get_by_role("button", name="Send again").click()
        expect(dialog).to_have_count(0)
        expect(page.locator("[data-figure=spendable]")).to_have_text(f"{before + 25:,}")
        choose_action(page, "Adjust points")
        dialog.get_by_label("Points").fill("-5")
        dialog.get_by_label("Reason").fill("That was too many")
        dialog.get_by_role("button", name="Adjust points").click()
        expect(page.locator("[data-figure=spendable]")).to_have_text(f"{before + 20:,}")
    entries = demo.database.points.find({"customerId": customer["id"]}, sort=[("seq", -1)], limit=2)
    assert [(entry["points"], entry["reason"], entry["balanceAfter"]) for entry in entries] == [
        (-5, "That was too many", before + 20),
        (25, "A parcel came late", before + 25),
    ]
    assert len(cuts) == 1


def test_a_refusal_stands_at_its_field(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["points"]["spendable"] > 100)
    count = demo.database.points.count_documents({"customerId": customer["id"]})
    with demo.customer(browser, customer["number"]) as page:
        choose_action(page, "Adjust points")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Points").fill("-1000000")
        dialog.get_by_label("Reason").fill("All of it")
        dialog.get_by_role("button", name="Adjust points").click()
        expect(dialog.get_by_label("Points")).to_have_attribute("aria-invalid", "true")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    assert demo.database.points.count_documents({"customerId": customer["id"]}) == count


def test_fields_of_the_company_are_edited_each_by_its_kind(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: True)
    with demo.customer(browser, customer["number"]) as page:
        choose_action(page, "Edit further details")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
        assert dialog.get_by_label("Tier").locator("option").all_inner_texts() == ["–", "BRONZE", "SILVER", "GOLD"]
        dialog.get_by_label("Tier").select_option("GOLD")
        dialog.get_by_label("Credit limit").fill("a lot")
        dialog.get_by_label("Shoe size").fill("38")
        dialog.get_by_label("Wholesale").select_option("No")
        dialog.get_by_label("Agreed to the terms").fill("2026-01-31T12:30:05")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_label("Credit limit")).to_have_attribute("aria-invalid", "true")
        expect(dialog.get_by_text("fields.creditLimit must be a decimal number")).to_be_visible()
        expect(dialog.locator("[aria-invalid=true]")).to_have_count(1)
        dialog.get_by_label("Credit limit").fill("1250.50")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        panel = page.get_by_role("region", name="Further details")
        expect(panel.locator("dd")).to_have_text(["GOLD", "1250.50", "38", "No", re.compile("2026")])
        choose_action(page, "Edit further details")
        expect(dialog.get_by_label("Agreed to the terms")).to_have_value("2026-01-31T12:30:05")
        dialog.get_by_label("Shoe size").fill("")
        dialog.get_by_role("button", name="Save").click()
        expect(panel.locator("dd")).to_have_text(["GOLD", "1250.50", "No", re.compile("2026")])
        moment = page.evaluate("new Date('2026-01-31T12:30:05').toISOString()")
    found = demo.database.customers.find_one({"_id": customer["id"]})
    assert found
    values = {each["name"]: each["value"] for each in found["fields"]}
    assert {**values, "creditLimit": str(values["creditLimit"])} == {
        "agreedAt": datetime.fromisoformat(moment),
        "creditLimit": "1250.50",
        "isWholesale": False,
        "loyaltyTier": "GOLD",
    }


def test_what_a_colleague_changed_meanwhile_is_read_before_a_field_is_saved(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: True)
    with demo.customer(browser, customer["number"]) as page:
        choose_action(page, "Edit further details")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Shoe size").fill("44")
        assert demo.ask(EDIT_FIELD, id=customer["id"])["updateCustomer"]["userErrors"] == []
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_text("The customer has changed meanwhile")).to_be_visible()
        dialog.get_by_role("button", name="Read again").click()
        expect(dialog.get_by_label("Tier")).to_have_value("BRONZE")
        expect(dialog.get_by_label("Shoe size")).to_have_value("44")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
    found = demo.database.customers.find_one({"_id": customer["id"]})
    assert found
    assert {each["name"]: each["value"] for each in found["fields"]}.items() >= {
        "loyaltyTier": "BRONZE",
        "shoeSize": 44,
    }.items()


def test_a_coupon_is_redeemed(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["coupons"]["nodes"])
    coupon = customer["coupons"]["nodes"][0]
    with demo.customer(browser, customer["number"]) as page:
        row = page.locator(f"[data-row={coupon['id']}]")
        row.get_by_role("button").click()
        page.get_by_role("dialog").get_by_role("button", name="Redeem").click()
        expect(row).to_contain_text("redeemed")
        expect(row.get_by_role("button")).to_have_count(0)
    found = demo.database.coupons.find_one({"_id": coupon["id"]})
    assert found
    assert found["redeemed"]
    assert found["redeemedBy"]["name"]


def test_an_account_is_blocked_with_a_reason(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["points"]["spendable"] == 0)
    with demo.customer(browser, customer["number"], person=ADMIN) as page:
        choose_action(page, "Block")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Block")).to_be_disabled()
        dialog.get_by_label("Reason").fill("The card was stolen")
        dialog.get_by_role("button", name="Block").click()
        expect(page.locator("[data-status=BLOCKED]")).to_be_visible()
        expect(page.get_by_role("region", name="To know first")).to_contain_text("The card was stolen")
    found = demo.database.customers.find_one({"_id": customer["id"]})
    assert found
    assert found["status"] == "BLOCKED"
    change = demo.database.statuses.find_one({"customerId": customer["id"]}, sort=[("changedAt", -1)])
    assert change
    assert (change["from"], change["to"], change["reason"]) == ("ACTIVE", "BLOCKED", "The card was stolen")


def test_a_note_is_saved_with_its_attachment_by_ctrl_enter(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["phones"])
    with demo.customer(browser, customer["number"]) as page:
        page.locator("input[type=file]").set_input_files(
            {"name": "delivery.csv", "mimeType": "text/csv", "buffer": b"parcel,day\n1,Monday\n"}
        )
        page.get_by_label("Note", exact=True).fill("Der Fahrer schrieb: nicht zu Hause")
        page.keyboard.press("Control+Enter")
        tile = page.get_by_role("group", name="What happened").get_by_role("article").first
        expect(tile).to_contain_text("Der Fahrer schrieb")
        expect(page.get_by_label("Note", exact=True)).to_have_value("")
        tile.get_by_role("button").first.click()
        expect(tile.get_by_role("link", name="delivery.csv")).to_be_visible()
    note = demo.database.notes.find_one({"customerId": customer["id"]}, sort=[("createdAt", -1)])
    assert note
    assert note["message"] == "Der Fahrer schrieb: nicht zu Hause"
    upload = demo.database.uploads.find_one({"noteId": note["_id"]})
    assert upload
    assert (upload["name"], upload["bytes"]) == ("delivery.csv", 20)


def test_a_note_is_about_an_event(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["phones"])
    with demo.customer(browser, customer["number"]) as page:
        event = (
            page.get_by_role("group", name="What happened").get_by_role("article").nth(1).get_attribute("data-entry")
        )
        tile = page.locator(f"[data-entry={event}]")
        title = tile.locator(".what > span").first.inner_text()
        tile.get_by_role("button").first.click()
        tile.get_by_role("button", name="Link in a note").click()
        note = page.get_by_label("Note", exact=True)
        expect(note).to_be_focused()
        expect(page.get_by_role("button", name=f"Remove {title}")).to_be_visible()
        page.keyboard.type("This is what they called about")
        page.keyboard.press("Control+Enter")
        first = page.get_by_role("group", name="What happened").get_by_role("article").first
        expect(first).to_contain_text("This is what they called about")
        expect(page.get_by_role("button", name=f"Remove {title}")).to_have_count(0)
        first.get_by_role("button").first.click()
        expect(first.get_by_role("link", name=f"About: {title}")).to_have_attribute(
            "href", f"#/customers/{customer['number']}/{event}"
        )
    found = demo.database.notes.find_one({"message": "This is what they called about"})
    assert found
    assert found["linkIds"] == [event]


def test_a_day_opens_all_of_its_tiles_and_closes_them(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, RICH) as page:
        opened = page.locator(".tile > button[aria-expanded=true]")
        button = page.get_by_role("button", name="Open all of").first
        name = button.get_attribute("aria-label") or ""
        button.focus()
        page.keyboard.press("Enter")
        close = page.get_by_role("button", name=name.replace("Open", "Close"))
        expect(close).to_be_focused()
        expect(opened.nth(1)).to_be_visible()
        expect(page.locator(".details").first).to_contain_text("Recorded")
        page.keyboard.press("Enter")
        expect(opened).to_have_count(0)


def test_all_that_is_known_of_a_person_is_handed_out(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["coupons"]["nodes"])
    with demo.customer(browser, customer["number"], person=ADMIN) as page:
        choose_action(page, "Export their data")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(customer["name"])
        dialog.get_by_role("button", name="Export their data").click()
        expect(dialog).to_have_count(0)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            data = json.loads(archive.read("data.json"))
    assert data["customer"]["number"] == customer["number"]
    export = demo.database.exports.find_one({"table": "DATA_SUBJECT"}, sort=[("requestedAt", -1)])
    assert export
    assert (export["customerId"], export["status"]) == (customer["id"], "DONE")
    assert demo.database.activities.find_one({"customerId": customer["id"], "type": "DATA_EXPORT_REQUESTED"})


def test_two_customers_are_merged_after_another_look_and_separate_again(demo: Demo, browser: Browser) -> None:
    customers = demo.ask(WHO_HAS)["customers"]["nodes"]
    into, source = [each for each in customers if each["number"] > "C-100008" and not each["requests"]["totalCount"]][
        -2:
    ]
    with demo.customer(browser, into["number"], person=ADMIN) as page:
        choose_action(page, "Merge")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Number of the other customer").fill(source["number"])
        dialog.get_by_role("button", name="Preview").click()
        preview = dialog.get_by_role("region", name="Preview")
        expect(preview).to_contain_text("Points afterwards")
        expect(preview).to_contain_text(f"Name: {into['name']} (instead of {source['name']})")
        preview.get_by_role("button", name="Swap: Name").click()
        expect(preview).to_contain_text(f"Name: {source['name']} (instead of {into['name']})")
        expect(preview.get_by_role("button", name="Swap: Name")).to_be_focused()
        dialog.get_by_label("Reason").fill("The same person")
        demo.ask(EDIT, id=source["id"])  # somebody else, meanwhile
        dialog.get_by_role("button", name="Merge").click()
        stale = dialog.locator("[data-problem=stale]")
        expect(stale).to_contain_text("The customer has changed meanwhile")
        expect(dialog.get_by_role("button", name="Merge")).to_be_disabled()
        assert demo.database.merges.count_documents({"customerId": into["id"]}) == 0
        stale.get_by_role("button", name="Read again").click()
        expect(preview).to_contain_text(f"Name: {source['name']} (instead of {into['name']})")
        expect(stale).to_have_count(0)
        expect(dialog.get_by_label("Reason")).to_have_value("The same person")
        dialog.get_by_role("button", name="Merge").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("region", name="Merged customers")).to_contain_text(source["number"])
        merge = demo.database.merges.find_one({"customerId": into["id"]}, sort=[("createdAt", -1)])
        assert merge
        assert merge["sourceIds"] == [source["id"]]
        assert merge["reason"] == "The same person"
        survivor = demo.database.customers.find_one({"_id": into["id"]})
        assert survivor
        assert survivor["name"] == source["name"]
        found = demo.database.customers.find_one({"_id": source["id"]})
        assert found
        assert found["status"] == "MERGED"
        eventually(lambda: demo.database.merges.find_one({"_id": merge["_id"], "finishedAt": {"$ne": None}}))
        page.get_by_role("group", name="What happened").get_by_role("article").first.get_by_role("button").first.click()
        page.get_by_role("button", name="Undo this merge").click()
        dialog.get_by_label("Reason").fill("They are twins")
        dialog.get_by_role("button", name="Undo this merge").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("region", name="Merged customers")).to_have_count(0)
    found = demo.database.customers.find_one({"_id": source["id"]})
    assert found
    assert found["status"] == "ACTIVE"


def test_a_refund_goes_round_and_is_reversed_later(demo: Demo, browser: Browser) -> None:
    def refundable(each: dict[str, Any]) -> list[dict[str, Any]]:
        sales = each["transactions"]["nodes"][:10]
        return [sale for sale in sales if sale["refundable"] and float(sale["refundable"]["amount"]) > 1.17]

    customer = a_customer(demo, refundable)
    sale = refundable(customer)[0]
    with demo.customer(browser, customer["number"], person=ADMIN) as page:
        page.locator(f"[data-row={sale['id']}]").get_by_role("button").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Amount").fill("1.17")  # what the demo's payment engine takes back later
        dialog.get_by_label("Reason").fill("Came broken")
        dialog.get_by_role("button", name="Request refund").click()
        expect(page.get_by_role("status").filter(has_text="not paid yet")).to_be_visible()
        requests = page.get_by_role("region", name="Requests")
        expect(requests.locator("[data-request=SUCCEEDED]").filter(has_text="1.17")).to_be_visible()
        expect(requests.locator("[data-request=REVERSED]").filter(has_text="1.17")).to_be_visible()
        expect(requests).to_contain_text("The bank took it back.")
    request = demo.database.requests.find_one({"customerId": customer["id"], "targetId": sale["id"]})
    assert request
    assert request["status"] == "REVERSED"
    assert [each["status"] for each in request["outcomes"]][-2:] == ["SUCCEEDED", "REVERSED"]


def test_a_list_is_saved_as_a_segment_and_exported(demo: Demo, browser: Browser) -> None:
    with demo.open(browser, "#/lists", person=ADMIN) as page:
        page.get_by_role("combobox", name="Status").press("ArrowDown")
        page.get_by_role("option", name="Deactivated").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
        page.get_by_label("Name of the segment").fill("Those who left")
        page.get_by_role("button", name="Save as segment").click()
        expect(page.get_by_role("status").filter(has_text="Those who left")).to_be_visible()
        page.get_by_role("button", name="Export as CSV").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        rows = download.value.path().read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["Number", "C-100006"]
    segment = demo.database.segments.find_one({"name": "Those who left"})
    assert segment
    assert segment["filter"] == {"statuses": ["DEACTIVATED"]}
    export = demo.database.exports.find_one({}, sort=[("requestedAt", -1)])
    assert export
    assert (export["status"], export["rows"]) == ("DONE", 1)


def test_a_total_of_the_report_opens_its_rows(demo: Demo, browser: Browser) -> None:
    with demo.open(browser, "#/report", person=ADMIN) as page:
        total = page.get_by_role("region", name="What was done").locator("[data-total]:not([data-total=all])").last
        type_, count = total.get_attribute("data-total"), int(total.inner_text().replace(",", ""))
        total.click()
        rows = page.locator("tr[data-row]")
        expect(rows).to_have_count(min(count, 50))
        ids = [row.get_attribute("data-row") for row in rows.all()]
    found = demo.database.activities.find({"_id": {"$in": ids}})
    assert {activity["type"] for activity in found} == {type_}


def test_what_a_colleague_writes_is_announced_and_nothing_moves(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, RICH) as page:
        first = page.get_by_role("group", name="What happened").get_by_role("article").first
        top = first.get_attribute("data-entry")
        with demo.customer(browser, RICH, person=ADMIN) as other:
            expect(page.get_by_text("also has this customer open")).to_be_visible()
            other.get_by_label("Note", exact=True).fill("From the other tab")
            other.keyboard.press("Control+Enter")
            fresh = page.get_by_role("button", name="1 new")
            expect(fresh).to_be_visible()
            assert first.get_attribute("data-entry") == top
            fresh.click()
            expect(first).to_contain_text("From the other tab")
            made = first.get_attribute("data-entry")
    activity = demo.database.activities.find_one({"_id": made})
    assert activity
    assert activity["isNote"]


def test_an_open_customer_who_is_merged_away_shows_all_of_the_survivor(demo: Demo, browser: Browser) -> None:
    ids = {name: demo.ask(CREATE, first=name, key=name)["createCustomer"]["customer"] for name in ("Zita", "Zora")}
    demo.ask(NOTE, id=ids["Zita"]["id"], key="note")
    with demo.customer(browser, ids["Zora"]["number"]) as page:
        events = page.get_by_role("group", name="What happened").get_by_role("article")
        expect(events).to_have_count(1)
        page.get_by_label("Note", exact=True).fill("They have called")
        demo.ask(MERGE, into=ids["Zita"]["id"], id=ids["Zora"]["id"])
        expect(page.get_by_role("heading", name="Zita")).to_be_visible()
        expect(events.filter(has_text="Written meanwhile")).to_have_count(1)
        expect(events.filter(has_text="Customer Created")).to_have_count(2)
        expect(page.get_by_label("Note", exact=True)).to_have_value("They have called")


def test_what_is_written_stays_though_the_customer_cannot_be_read_again(demo: Demo, browser: Browser) -> None:
    customer = demo.ask(CREATE, first="Zenon", key="zenon")["createCustomer"]["customer"]

    def fail(route: Route) -> None:
        route.abort() if operation_of(route.request) == "CustomerPage" else route.continue_()

    with demo.customer(browser, customer["number"], forgiving=CUT) as page:
        note = page.get_by_label("Note", exact=True)
        note.fill("They have called")
        expect(page.locator("[data-problem=offline]")).to_have_count(0)
        page.route("**/graphql", fail)
        demo.ask(NOTE, id=customer["id"], key="note")
        expect(page.locator("[data-problem=offline]")).to_be_visible()
        expect(note).to_have_value("They have called")
        page.unroute("**/graphql", fail)
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.locator("[data-problem=offline]")).to_have_count(0)
        expect(note).to_have_value("They have called")


def test_a_note_that_is_not_saved_waits_while_one_looks_at_other_customers(demo: Demo, browser: Browser) -> None:
    first, second = (
        demo.ask(CREATE, first=name, key=name)["createCustomer"]["customer"] for name in ("Zacharias", "Zoltan")
    )
    sent: list[str] = []

    def lose_first(route: Route) -> None:
        if operation_of(route.request) == "AddNote":
            sent.append(json.loads(route.request.post_data or "")["variables"]["input"]["idempotencyKey"])
            if len(sent) == 1:
                route.fetch()  # it is made, and nobody hears of it
                route.abort()
                return
        route.continue_()

    with demo.customer(browser, first["number"], forgiving=CUT) as page:
        note = page.get_by_label("Note", exact=True)

        def open_(customer: dict[str, Any], name: str) -> None:
            page.evaluate("number => { location.hash = `#/customers/${number}`; }", customer["number"])
            expect(page.get_by_role("heading", name=name)).to_be_visible()

        page.locator("input[type=file]").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a\n1\n"})
        note.fill("They have called")
        open_(second, "Zoltan")
        expect(note).to_have_value("")
        expect(page.get_by_text("a.csv")).to_have_count(0)
        open_(first, "Zacharias")
        expect(note).to_have_value("They have called")
        expect(page.get_by_text("a.csv")).to_be_visible()
        page.route("**/graphql", lose_first)
        note.press("Control+Enter")
        expect(page.locator("[data-problem=offline]")).to_be_visible()
        open_(second, "Zoltan")
        expect(note).to_be_editable()
        open_(first, "Zacharias")
        expect(note).to_have_value("They have called")
        expect(note).not_to_be_editable()  # nobody knows whether it was saved: only the same may be sent again
        page.get_by_role("button", name="Send again").click()
        expect(note).to_have_value("")
        open_(second, "Zoltan")
        open_(first, "Zacharias")
        expect(note).to_have_value("")
        expect(note).to_be_editable()
    assert len(sent) == 2
    assert len({*sent}) == 1
    assert demo.database.notes.count_documents({"customerId": first["id"]}) == 1


def test_what_happens_before_the_page_listens_is_shown(demo: Demo, browser: Browser) -> None:
    customer = demo.ask(CREATE, first="Zenobia", key="zenobia")["createCustomer"]["customer"]

    def write_first(route: Route) -> None:
        if operation_of(route.request) is None and "customerActivity" in (route.request.post_data or ""):
            demo.ask(NOTE, id=customer["id"], key="note")
        route.continue_()

    with demo.open(browser) as page:
        page.route("**/graphql", write_first)
        page.goto(f"/desk#/customers/{customer['number']}")
        events = page.get_by_role("group", name="What happened").get_by_role("article")
        expect(events.filter(has_text="Written meanwhile")).to_have_count(1)


def test_customers_see_their_own_page_and_may_do_nothing_to_it(demo: Demo, browser: Browser) -> None:
    with demo.open(browser, person="Customer") as page:
        expect(page.get_by_role("button", name=f"Copy {RICH}")).to_be_visible()
        expect(page.get_by_role("button", name="Actions")).to_have_count(0)
        expect(page.get_by_label("Note", exact=True)).to_have_count(0)
        expect(page.get_by_role("link", name="Customers", exact=True)).to_have_count(0)
        expect(page.get_by_role("group", name="What happened").get_by_role("article").first).to_be_visible()


@pytest.mark.parametrize("person", ["Affiliate", "Sales rep", "Finance", "Api user"])
def test_every_role_has_a_sensible_desk(demo: Demo, browser: Browser, person: str) -> None:
    seen = demo.ask("{ customers(first: 1) { nodes { number } } }", person)["customers"]["nodes"][0]["number"]
    with demo.customer(browser, seen, person=person) as page:
        expect(page.get_by_role("region", name="Now", exact=True)).to_be_visible()
        assert re.findall(r"\b(undefined|null|NaN|Invalid Date)\b", page.locator("main").inner_text()) == []


PANELS = [
    (AGENT, ["Requests", "Coupons", "Passes"], {"Payment instruments", "Tax ids", "Proofs of identity (KYC)"}),
    (
        "Finance",
        ["Invoices", "Payment instruments", "Requests"],
        {"Money laundering checks (AML)", "Enhanced due diligence", "Where they came from"},
    ),
    ("Customer", ["Points", "Coupons", "Transactions"], {"Invoices", "Payment instruments"}),
]


@pytest.mark.parametrize(("person", "first", "also"), PANELS)
def test_what_a_role_works_with_is_on_top(
    demo: Demo, browser: Browser, person: str, first: list[str], also: set[str]
) -> None:
    with demo.customer(browser, RICH, person=person) as page:
        panels = page.get_by_role("complementary").locator("section")
        names = [panel.get_attribute("aria-label") for panel in panels.all()]
    assert names[:3] == first
    assert also <= set(names)
    assert ("Money laundering checks (AML)" in names) == (person == "Finance")
    assert ("Requests" in names) == (person != "Customer")


def test_a_name_that_is_written_from_right_to_left_stays_whole(demo: Demo, browser: Browser) -> None:
    customer = a_customer(demo, lambda each: each["phones"])
    demo.ask(RENAME, id=customer["id"])
    with demo.customer(browser, customer["number"], person=ADMIN) as page:
        name = page.get_by_role("heading", level=1)
        expect(name).to_have_text("ليلى الحداد")
        assert name.evaluate("heading => getComputedStyle(heading).direction") == "rtl"
        choose_action(page, "Block")
        expect(page.get_by_role("dialog")).to_contain_text("\u2068ليلى الحداد\u2069 is blocked")


def test_what_was_loaded_is_printed_without_the_fields(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, RICH) as page:
        tiles = page.get_by_role("group", name="What happened").get_by_role("article")
        expect(tiles.first).to_be_visible()
        on_screen = tiles.count()
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert on_screen < 50 <= tiles.count()
        expect(page.get_by_label("Note", exact=True)).to_be_hidden()
        expect(page.get_by_role("button", name="Actions")).to_be_hidden()
        tops = page.locator(".row").evaluate_all("rows => rows.map((row) => row.getBoundingClientRect().top)")
        assert tops == sorted(set(tops))  # one below the other
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        expect(tiles).not_to_have_count(50)


def test_without_a_network_it_says_so_and_keeps_what_is_written(demo: Demo, browser: Browser) -> None:
    with demo.customer(browser, RICH, forgiving=CUT) as page:
        note = page.get_by_label("Note", exact=True)
        note.fill("They will call again")
        page.context.set_offline(True)
        page.keyboard.press("Control+Enter")
        expect(page.locator("[data-problem=offline]")).to_be_visible()
        expect(note).to_have_value("They will call again")
        page.context.set_offline(False)
        page.get_by_role("button", name="Send again").click()
        expect(note).to_have_value("")
        expect(page.get_by_role("group", name="What happened").get_by_role("article").first).to_contain_text(
            "They will call again"
        )
    assert demo.database.notes.count_documents({"message": "They will call again"}) == 1
