"""GraphiQL as people meet it: in a real browser with the network cut, and what its responses promise."""

import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from app.http import graphiql
from tests.http.browser import HOW_TO_GET_ONE, find_chromium, visit

WEB = Path(__file__).parents[2] / "web"
EXAMPLES = [
    (query.read_text(), variables.read_text() if (variables := query.with_suffix(".json")).exists() else None)
    for query in sorted((WEB / "src" / "examples").glob("*.graphql"))
]

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

TITLES = ".graphiql-tab-button"
EDITOR = ".graphiql-query-editor .view-lines"
RESULT = ".result-window"
STORED = "customer-gateway:graphiql:tabState"
TABS = {  # each with something that its answer shows
    "Customer360": '"number": "C-100001"',
    "FilteredTimeline": '"totalCount": ',
    "PointsExplained": '"spendable": ',
    "StatusHistory": '"number": "C-100003"',
    "Catalogue": '"source": "esuite"',
}


# ---------------------------------------------------------------- in a browser


@pytest.fixture
def page(gateway_url: str) -> Generator[Page]:
    chromium = find_chromium()
    if chromium is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_ONE)
    with visit(chromium, gateway_url.rstrip("/")) as page:
        page.goto("/")
        expect(page.locator(EDITOR)).to_contain_text("query Customer360")
        yield page


def test_a_newcomer_is_led_to_examples_that_all_answer(page: Page, tmp_path: Path) -> None:
    assert page.url.endswith("/graphql")
    expect(page).to_have_title("Customer gateway")
    expect(page.locator(TITLES)).to_have_text(list(TABS))
    expect(page.get_by_role("tab", selected=True)).to_contain_text("Customer360")
    expect(page.get_by_text("Headers", exact=True)).to_be_visible()
    assert [(tab["query"], tab["variables"]) for tab in stored_tabs(page)] == EXAMPLES, "the build is stale: `make web`"
    for name, shown in TABS.items():
        open_tab(page, name)
        with page.expect_response(lambda response: response.request.method == "POST") as answered:
            page.get_by_label("Execute query").click()
        answer = answered.value.json()
        assert (name, answer.get("errors")) == (name, None)
        assert empty_places(answer["data"], name) == []
        expect(page.locator(RESULT)).to_contain_text(shown)
        page.screenshot(path=tmp_path / f"{name}.png")


def test_a_typed_query_runs_at_ctrl_enter(page: Page) -> None:
    page.get_by_label("New tab").click()
    page.locator(EDITOR).click()
    page.keyboard.insert_text('query Typed { customer(by: { number: "C-100002" }) { number name } }')
    expect(page.get_by_role("tab", selected=True)).to_contain_text("Typed")
    page.keyboard.press("ControlOrMeta+Enter")
    expect(page.locator(RESULT)).to_contain_text('{ "data": { "customer": { "number": "C-100002", "name": ')


def test_who_comes_back_finds_what_they_made_of_the_tabs(page: Page) -> None:
    open_tab(page, "StatusHistory")
    page.get_by_label("Show GraphiQL Explorer").click()
    page.locator(".graphiql-explorer-root").get_by_text("jobTitle", exact=True).click()
    expect(page.locator(EDITOR)).to_contain_text("jobTitle")
    page.get_by_role("tab", name="Catalogue").hover()
    page.get_by_role("tab", name="Catalogue").get_by_label("Close Tab").click()
    expect(page.locator(TITLES)).to_have_count(4)
    # GraphiQL stores its tabs half a second after the last change.
    page.wait_for_function(
        "tabs => /jobTitle/.test(localStorage[tabs]) && !/Catalogue/.test(localStorage[tabs])", arg=STORED
    )
    page.reload()
    expect(page.locator(TITLES)).to_have_text([name for name in TABS if name != "Catalogue"])
    expect(page.locator(EDITOR)).to_contain_text("jobTitle")


def open_tab(page: Page, name: str) -> None:
    """GraphiQL takes note of the new query, and of which operation to run, a moment after it shows it."""
    query = next(tab["query"] for tab in stored_tabs(page) if tab["title"] == name)
    if name not in page.get_by_role("tab", selected=True).inner_text():
        page.get_by_role("tab", name=name).click()
        page.wait_for_function("query => localStorage['customer-gateway:graphiql:query'] === query", arg=query)


def stored_tabs(page: Page) -> list[dict[str, str]]:
    return json.loads(page.evaluate("tabs => localStorage[tabs]", STORED))["tabs"]


def empty_places(value: Json, path: str) -> list[str]:
    """Connections without an edge and ways in without an answer: an example has something to show everywhere."""
    if isinstance(value, list):
        return [place for index, item in enumerate(value) for place in empty_places(item, f"{path}.{index}")]
    if not isinstance(value, dict):
        return []
    here = [f"{path}.{key}" for key in ("customer", "activityTypes", "edges") if value.get(key, True) in (None, [])]
    return here + [place for key, item in value.items() for place in empty_places(item, f"{path}.{key}")]


# ---------------------------------------------------------------- what the responses promise


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[*graphiql.routes, Route("/graphql", graphiql.graphiql_page)]))


def test_the_page_runs_no_script_but_its_own_files(client: TestClient) -> None:
    page = client.get("/graphql")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; " in policy
    assert "unsafe-eval" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert re.findall(r"<script(?![^>]*(?: src=|application/json))", page.text) == []
    assert re.findall(r"""(?:src|href)="(?!\./graphiql/)[^"]*""", page.text) == []


def test_the_files_that_the_page_names_are_there_and_kept_for_good(client: TestClient) -> None:
    names = re.findall(r'(?:src|href)="\./([^"]*)', client.get("/graphql").text)
    assert len(names) >= 3
    for name in names:
        file = client.get(f"/{name}")
        assert file.status_code == 200
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["x-content-type-options"] == "nosniff"
    assert client.get("/graphiql/%2e%2e/graphiql.html").status_code == 404


def test_the_front_door_leads_to_graphql_under_any_prefix() -> None:
    app = Starlette(routes=[*graphiql.routes, Mount("/crm", routes=graphiql.routes)])
    client = TestClient(app, follow_redirects=False)
    assert client.get("/").headers["location"] == "/graphql"
    assert client.get("/crm/").headers["location"] == "/crm/graphql"


def test_the_page_carries_configuration_that_cannot_break_out_of_its_element() -> None:
    config = {"headers": {"Authorization": "</script><script>alert(1)</script>{}"}}
    html = bytes(graphiql.page(config=config).body).decode()
    found = re.findall(r'<script type="application/json" id="config">(.*?)</script>', html)
    assert [json.loads(text) for text in found] == [config]
    assert "alert(1)</script>" not in html


def test_a_missing_build_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(graphiql, "PAGE", tmp_path / "graphiql.html")
    answer = graphiql.page(config={})
    assert answer.status_code == 503
    assert "make web" in bytes(answer.body).decode()


@pytest.mark.parametrize(
    ("method", "query", "accept", "page"),
    [
        ("GET", "", "text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("GET", "query={viewer{name}}", "text/html,*/*;q=0.8", False),
        ("GET", "", "*/*", False),
        ("GET", "", "application/graphql-response+json", False),
        ("POST", "", "text/html", False),
    ],
)
def test_only_a_browser_that_brings_no_query_gets_the_page(method: str, query: str, accept: str, page: bool) -> None:
    headers = [(b"accept", accept.encode())]
    scope = {"type": "http", "method": method, "query_string": query.encode(), "headers": headers}
    assert graphiql.asks_for_page(Request(scope)) is page


def test_the_lock_file_names_no_package_host() -> None:
    assert '"resolved"' not in (WEB / "package-lock.json").read_text()
