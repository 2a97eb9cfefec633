"""GraphiQL as people meet it: in a real browser with the network cut, and what its responses promise."""

import json
import re
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TypeAlias

import pytest
import uvicorn
from graphql import build_schema
from graphql import graphql_sync as answer  # pyright: ignore[reportUnknownVariableType] # an option of theirs
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Response as PageResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from app.http import desk, graphiql
from app.http.pages import BuiltPage, Config
from tests.support.browser import visit

pytestmark = pytest.mark.xdist_group("demo")  # one demo process is enough

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
    "EditedDetails": '"locale": "de-DE"',
    "ManagedCustomer": '"scope": "PUBLIC"',
    "Refund": '"refundable": ',
    "Live": '"kind": "HEARTBEAT"',
}


# ---------------------------------------------------------------- in a browser


@pytest.fixture
def page(browser: Browser, gateway_url: str) -> Generator[Page]:
    """Visits the demo's page."""
    with visit(browser, gateway_url.rstrip("/")) as page:
        page.goto("/graphql")
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
        if name == "Live":  # a stream: its answer has no end
            page.get_by_label("Execute query").click()
            expect(page.locator(RESULT)).to_contain_text(shown)
            page.screenshot(path=tmp_path / f"{name}.png")
            page.get_by_label("Stop query").click()
            continue
        with page.expect_response(lambda response: response.request.method == "POST") as answered:
            page.get_by_label("Execute query").click()
        answer = answered.value.json()
        assert (name, answer.get("errors")) == (name, None)
        assert empty_places(answer["data"], name) == []
        expect(page.locator(RESULT)).to_contain_text(shown)
        page.screenshot(path=tmp_path / f"{name}.png")


def test_a_typed_query_runs_at_ctrl_enter(page: Page) -> None:
    write(page, 'query Typed { customer(by: { number: "C-100002" }) { number name } }')
    page.keyboard.press("ControlOrMeta+Enter")
    expect(page.locator(RESULT)).to_contain_text('{ "data": { "customer": { "number": "C-100002", "name": ')


def test_on_a_phone_the_panes_stand_above_each_other(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/graphql")
    expect(page.locator(EDITOR)).to_contain_text("query Customer360")
    page.get_by_label("Execute query").click()
    expect(page.locator(RESULT)).to_contain_text('"number": "C-100001"')
    boxes = [page.locator(name).bounding_box() for name in (".graphiql-query-editor", ".graphiql-response")]
    query, answer = (box for box in boxes if box)
    assert query["y"] + query["height"] <= answer["y"]
    assert min(query["width"], answer["width"]) >= 350
    assert min(query["height"], answer["height"]) >= 250
    assert answer["y"] + answer["height"] <= 844
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for name in ("Show Documentation Explorer", "Re-fetch GraphQL schema", "New tab"):
        expect(page.get_by_label(name)).to_be_in_viewport()
    expect(page.get_by_label("You are")).to_be_in_viewport()


def test_who_comes_back_finds_what_they_made_of_the_tabs(page: Page) -> None:
    open_tab(page, "StatusHistory")
    page.get_by_label("Show GraphiQL Explorer").click()
    page.locator(".graphiql-explorer-root").get_by_text("organization", exact=True).click()
    # GraphiQL stores its tabs half a second after the last change; one that is closed before undoes the change.
    page.wait_for_function("tabs => /organization/.test(localStorage[tabs])", arg=STORED)
    page.get_by_role("tab", name="Catalogue").hover()
    page.get_by_role("tab", name="Catalogue").get_by_label("Close Tab").click()
    expect(page.locator(TITLES)).to_have_count(len(TABS) - 1)
    page.wait_for_function("tabs => !/Catalogue/.test(localStorage[tabs])", arg=STORED)
    page.reload()
    expect(page.locator(TITLES)).to_have_text([name for name in TABS if name != "Catalogue"])
    expect(page.locator(EDITOR)).to_contain_text("organization")


def write(page: Page, query: str) -> None:
    # An editor that is still being made would put the first tab's query into the new tab.
    expect(page.locator(EDITOR)).to_contain_text("query ")
    page.get_by_label("New tab").click()
    expect(page.locator(EDITOR)).not_to_contain_text("query ")
    page.locator(EDITOR).click()
    page.keyboard.insert_text(query)
    expect(page.get_by_role("tab", selected=True)).to_contain_text(query.split()[1])


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


# ---------------------------------------------------------------- in a browser, as somebody

AGENT, CUSTOMER = "Bearer agent.</script>.token", "Bearer customer.token"
VIEWERS: Config = {
    "viewers": [
        {"label": "Customer service agent", "headers": {"Authorization": AGENT}},
        {"label": "Customer", "headers": {"Authorization": CUSTOMER}},
    ]
}
WHO = 'query Who { customer(by: { number: "C-1" }) { name } }'
SCHEMA = "IntrospectionQuery"


class Echo:
    """A gateway whose only customer's name is the Authorization header that came; without one it answers 401."""

    def __init__(self, config: Config) -> None:
        self.heard: list[tuple[str, str | None]] = []
        """Each request's operation and Authorization header, in order."""
        self._page = graphiql.PAGE.endpoint(config)
        self._schema = build_schema((WEB.parent / "schema.graphql").read_text(), assume_valid=True)

    @contextmanager
    def serving(self) -> Generator[str]:
        routes = [*graphiql.routes, Route("/graphql", self._answer, methods=["GET", "POST"])]
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, ws="none", lifespan="off"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join()

    async def _answer(self, request: Request) -> Response:
        if graphiql.asks_for_page(request):
            return self._page(request)
        asked = await request.json()
        bearer = request.headers.get("authorization")
        self.heard.append((asked["operationName"], bearer))
        if bearer is None:
            return JSONResponse({"errors": [{"message": "Who are you?"}]}, 401)
        return JSONResponse(answer(self._schema, asked["query"], {"customer": {"name": bearer}}).formatted)


def test_a_visitor_of_the_demo_is_its_first_viewer_and_may_become_another(browser: Browser) -> None:
    echo = Echo(VIEWERS)
    with echo.serving() as url, visit(browser, url) as page:
        with page.expect_response(asks_for_schema):
            page.goto("/graphql")
        you = page.get_by_label("You are")
        expect(you).to_have_value("Customer service agent")
        expect(you.get_by_role("option")).to_have_text(["Customer service agent", "Customer"])
        write(page, WHO)
        assert run(page) == AGENT
        with page.expect_response(asks_for_schema):
            you.select_option("Customer")
        assert run(page) == CUSTOMER
        type_headers(page, '{ "authorization": "Bearer typed" }')
        assert run(page) == "Bearer typed"
        with page.expect_response(asks_for_schema):
            page.reload()
        expect(you).to_have_value("Customer")
        kept = page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    assert echo.heard == [
        *[(SCHEMA, AGENT), ("Who", AGENT)],
        *[(SCHEMA, CUSTOMER), ("Who", CUSTOMER)],
        ("Who", "Bearer typed"),
        (SCHEMA, CUSTOMER),
    ]
    assert "query Who" in kept
    assert "Bearer" not in kept


def test_who_is_lent_no_token_is_told_to_send_one_when_it_is_missed(browser: Browser) -> None:
    echo = Echo({})
    with echo.serving() as url, visit(browser, url, forgiving="401 (Unauthorized)") as page:
        page.goto("/graphql")
        hint = page.get_by_role("alert").filter(has_text="Send an Authorization header")
        expect(hint).to_be_visible()
        expect(page.get_by_label("You are")).to_have_count(0)
        write(page, WHO)
        page.get_by_label("Execute query").click()
        expect(page.locator(RESULT)).to_contain_text("Who are you?")
        missed = len(echo.heard)
        type_headers(page, '{ "Authorization": "Bearer own" }')
        with page.expect_response(asks_for_schema):
            assert run(page) == "Bearer own"
        expect(hint).to_have_count(0)
    assert {bearer for _, bearer in echo.heard[:missed]} == {None}
    assert echo.heard[missed:] == [("Who", "Bearer own"), (SCHEMA, "Bearer own")]


def run(page: Page) -> str:
    """Presses play. Gives back who the gateway took the visitor for, once the page shows it."""
    with page.expect_response(lambda response: "query Who" in (response.request.post_data or "")) as answered:
        page.get_by_label("Execute query").click()
    name = answered.value.json()["data"]["customer"]["name"]
    expect(page.locator(RESULT)).to_contain_text(f'"name": "{name}"')
    return name


def type_headers(page: Page, headers: str) -> None:
    page.get_by_role("button", name="Headers", exact=True).click()
    page.get_by_role("region", name="Headers").locator(".graphiql-editor:not(.hidden) .view-lines").click()
    page.keyboard.insert_text(headers)


def asks_for_schema(response: PageResponse) -> bool:
    return SCHEMA in (response.request.post_data or "")


# ---------------------------------------------------------------- what the responses promise


@pytest.fixture
def client() -> TestClient:
    """Serves the GraphiQL page alone."""
    return TestClient(Starlette(routes=[*graphiql.routes, Route("/graphql", graphiql.PAGE.endpoint({}))]))


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


@pytest.mark.parametrize(("is_home", "path"), [(True, "desk"), (False, "graphql")])
def test_the_front_door_leads_to_a_page_under_any_prefix(is_home: bool, path: str) -> None:
    routes = desk.routes({}, is_home=is_home)
    client = TestClient(Starlette(routes=[*routes, Mount("/crm", routes=routes)]), follow_redirects=False)
    assert client.get("/").headers["location"] == f"/{path}"
    assert client.get("/crm/").headers["location"] == f"/crm/{path}"
    assert client.get("/crm/desk/").headers["location"] == "/crm/desk"


def test_the_page_carries_configuration_that_cannot_break_out_of_its_element() -> None:
    label = "</script><!--<script>alert(1)</script>{}\u2028"
    config: Config = {"viewers": [{"label": label, "headers": {"Authorization": label}}]}
    html = bytes(graphiql.PAGE.response(config).body).decode()
    found = re.findall(r'<script type="application/json" id="config">(.*?)</script>', html)
    assert [json.loads(text) for text in found] == [config]
    assert "alert(1)</script>" not in html


def test_a_missing_build_says_how_to_get_one(tmp_path: Path) -> None:
    answer = BuiltPage("graphiql", tmp_path / "graphiql.html").response({})
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
