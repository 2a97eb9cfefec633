"""Signing in to the desk and to GraphiQL, at a real identity provider and in a real browser."""

import json
import re
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Browser, Page, expect

from app.environment import read_settings
from app.store.driver import Driver
from tests.support.browser import visit
from tests.support.desk import Demo
from tests.support.processes import free_ports
from tests.support.provider import FOLDER, Provider, provider
from tests.support.threads import served

pytestmark = pytest.mark.xdist_group("demo")

NUMBER = "C-100001"
PLACE = f"/desk#/customers/{NUMBER}"
NOBODY = "Failed to load resource: the server responded with a status of 401"
FORBIDDEN = "Failed to load resource: the server responded with a status of 403"
HINT = ".hint"
"""GraphiQL's own line: the editor has elements for alerts, too."""
GONE = "net::ERR_CONNECTION_REFUSED"


@dataclass(frozen=True)
class Site:
    """A gateway on the demo's data, where one signs in at a provider."""

    url: str
    provider: Provider
    browser: Browser

    @contextmanager
    def open(self, path: str, *, forgiving: str | None = None) -> Generator[Page]:
        with visit(self.browser, self.url, self.provider.url, forgiving=forgiving) as page:
            page.goto(path)
            yield page


Start: TypeAlias = Callable[..., AbstractContextManager[Site]]


@pytest.fixture
def site(demo: Demo, browser: Browser, mongodb_uri: str, driver: Driver, tmp_path: Path) -> Start:
    """Starts a provider and a gateway that takes its tokens; the environment is the provider's."""

    @contextmanager
    def start(**environment: str) -> Generator[Site]:
        (port,) = free_ports(1)
        with provider(tmp_path / "provider.log", f"http://127.0.0.1:{port}", **environment) as signed_by:
            settings = read_settings(
                mongodb_database=demo.database.name,
                mongodb_driver=driver,
                jwks_url=f"{signed_by.url}/jwks",
                jwt_issuer=signed_by.url,
                oidc_authority=signed_by.url,
                oidc_client_id="desk",
            )
            with served(settings, mongodb_uri, port=port) as url:
                yield Site(url, signed_by, browser)

    return start


def sign_in(page: Page, user: str = "agent") -> None:
    """Does what a person does at the provider."""
    page.get_by_label("User").fill(user)
    page.get_by_role("button", name="Continue").click()


def is_there(page: Page, number: str = NUMBER) -> None:
    expect(page.get_by_role("button", name=f"Copy {number}")).to_be_visible()


def stored(page: Page) -> str:
    """Returns all that the page keeps in the browser."""
    return page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")


def test_one_signs_in_and_comes_back_to_the_same_customer(site: Start) -> None:
    with site() as own, own.open(PLACE) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/graphql") else None)
        sign_in(page)
        is_there(page)
        assert page.url == f"{own.url}{PLACE}"
        assert len(asked) >= 1
        assert "eyJ" not in stored(page)
        assert "sign-in" not in stored(page)
        page.get_by_role("link", name="Desk", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("agent of the provider")
        page.goto(PLACE)
        page.reload()  # the token is gone with the page, and the provider knows who it is
        is_there(page)


def test_a_token_is_renewed_before_it_ends(site: Start) -> None:
    with site(TOKEN_SECONDS="33") as own, own.open(PLACE) as page:
        bearers: list[str] = []
        page.on(
            "request",
            lambda request: (
                bearers.append(request.headers["authorization"]) if request.url.endswith("/graphql") else None
            ),
        )
        sign_in(page)
        is_there(page)
        with page.expect_response(
            lambda response: "grant_type=refresh_token" in (response.request.post_data or "")
        ) as renewed:
            pass
        assert renewed.value.ok
        first = len(bearers)
        page.goto("/desk#/customers/C-100002")
        is_there(page, "C-100002")
        assert len(set(bearers[first:])) == 1
        assert bearers[first] not in bearers[:first]


def test_who_signs_out_has_left_the_provider_too(site: Start) -> None:
    with site() as own, own.open(PLACE) as page:
        sign_in(page)
        is_there(page)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Yes, sign out").click()
        expect(page.get_by_role("alert")).to_contain_text("You are signed out")
        assert page.url.startswith(f"{own.url}/desk")
        assert "sign-in" not in stored(page)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_label("User")).to_be_visible()


def test_who_cancels_is_told_so_and_can_begin_again(site: Start) -> None:
    with site() as own, own.open(PLACE) as page:
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("[data-problem=denied]")).to_contain_text("You were not signed in")
        assert page.url == f"{own.url}{PLACE}"
        page.get_by_role("button", name="Sign in").click()
        sign_in(page)
        is_there(page)


def test_a_provider_that_is_away_is_named_until_it_is_back(site: Start) -> None:
    with site() as own:
        own.provider.kill()
        with own.open(PLACE, forgiving=GONE) as page:
            expect(page.locator("[data-problem=unreachable]")).to_contain_text("The sign-in cannot be reached")
            own.provider.start()
            own.provider.wait_until_it_answers()
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_label("User")).to_be_visible()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"CLOCK_AHEAD_SECONDS": "300"}, "The token is not valid yet."),
        ({"AUDIENCE": "another"}, "The token is for another audience."),
    ],
)
def test_a_token_that_the_gateway_refuses_is_said_with_its_reason(
    site: Start, environment: dict[str, str], sentence: str
) -> None:
    with site(**environment) as own, own.open(PLACE, forgiving=NOBODY) as page:
        sign_in(page)
        problem = page.locator("[data-problem=tokenRefused]").first
        expect(problem).to_contain_text("The gateway does not accept your sign-in")
        expect(problem).to_contain_text(sentence)


def test_who_has_no_role_is_forbidden(site: Start) -> None:
    with site() as own, own.open(PLACE, forgiving=FORBIDDEN) as page:
        sign_in(page, "guest")
        expect(page.locator("[data-problem=forbidden]").first).to_contain_text("no role that this gateway knows")


def test_who_signs_in_again_keeps_what_they_wrote(site: Start) -> None:
    with site(TOKEN_SECONDS="15", REFRESH="off") as own, own.open(PLACE, forgiving="401") as page:
        sign_in(page)
        is_there(page)
        page.get_by_label("Note", exact=True).fill("They called about the parcel")
        page.wait_for_timeout(26_000)  # to the end of the token, and of what clocks may differ by
        page.get_by_role("button", name="Save").click()
        problem = page.locator("[data-problem=signedOut]").first
        expect(problem).to_contain_text("Your session has ended")
        with page.expect_popup() as other:
            problem.get_by_role("button", name="Sign in").click()
        expect(problem).to_have_count(0)
        assert other.value.is_closed()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").filter(has_text="The note is saved.")).to_be_visible()


# ---------------------------------------------------------------- GraphiQL


def leave_graphiql(page: Page) -> None:
    """Leaves for the provider, once GraphiQL has found out that it is not let in: it takes no clicks before."""
    expect(page.locator(HINT)).to_contain_text("Sign in first.")
    page.get_by_role("button", name="Sign in").first.click()


def sign_in_to_graphiql(page: Page) -> None:
    """Signs in, and waits until the schema is there: a click before that is lost."""
    leave_graphiql(page)
    with page.expect_response(lambda response: "IntrospectionQuery" in (response.request.post_data or "")):
        sign_in(page)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def run_query(page: Page) -> None:
    expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("query Customer360")
    page.get_by_label("Execute query").click()
    expect(page.locator(".result-window")).to_contain_text(f'"number": "{NUMBER}"')


def test_graphiql_signs_in_and_out_in_the_same_way(site: Start) -> None:
    with site() as own, own.open("/graphql", forgiving=NOBODY) as page:
        sign_in_to_graphiql(page)
        assert page.url == f"{own.url}/graphql"
        run_query(page)
        assert "eyJ" not in stored(page)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Yes, sign out").click()
        leave_graphiql(page)
        expect(page.get_by_label("User")).to_be_visible()


def test_graphiql_renews_a_token_before_it_ends(site: Start) -> None:
    with site(TOKEN_SECONDS="33") as own, own.open("/graphql", forgiving=NOBODY) as page:
        with page.expect_response(lambda response: "refresh_token" in (response.request.post_data or "")) as renewed:
            sign_in_to_graphiql(page)
        token = json.loads(renewed.value.text())["access_token"]
        with page.expect_request(lambda request: request.method == "POST" and "/graphql" in request.url) as asked:
            run_query(page)
        assert asked.value.headers["authorization"] == f"Bearer {token}"


def test_graphiql_says_why_nobody_is_signed_in(site: Start) -> None:
    with site() as own, own.open("/graphql", forgiving="Failed to load resource") as page:
        leave_graphiql(page)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(HINT)).to_contain_text("You were not signed in")
        own.provider.kill()
        page.reload()
        leave_graphiql(page)
        expect(page.locator(HINT)).to_contain_text("The sign-in cannot be reached")


def test_graphiql_says_that_the_gateway_refuses_the_token(site: Start) -> None:
    with site(AUDIENCE="another") as own, own.open("/graphql", forgiving=NOBODY) as page:
        leave_graphiql(page)
        sign_in(page)
        expect(page.locator(HINT)).to_contain_text("The gateway does not accept your sign-in")


# ---------------------------------------------------------------- what the pages say


@pytest.mark.parametrize("path", ["/desk", "/graphql"])
def test_the_policy_lets_a_page_ask_the_provider_and_nobody_else(site: Start, path: str) -> None:
    with site() as own, own.open(path, forgiving=NOBODY) as page:
        answer = page.request.get(f"{own.url}{path}", headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"].split("; ")
        assert f"connect-src 'self' {own.provider.url}" in policy
        assert [each for each in policy if own.provider.url in each and not each.startswith("connect-src")] == []
        found = re.search(r'id="config">(.*?)</script>', answer.text())
        assert found
        assert json.loads(found[1]) == {
            "oidc": {
                "authority": own.provider.url,
                "clientId": "desk",
                "scope": "openid",
                "audience": "customer-gateway",
            }
        }


def test_the_lock_file_of_the_provider_names_no_package_host() -> None:
    assert '"resolved"' not in (FOLDER / "package-lock.json").read_text()
