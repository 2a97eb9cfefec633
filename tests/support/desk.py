"""The desk as people meet it: the demo's own page in a browser, and the demo's database."""

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from playwright.sync_api import Browser, Page, Request, expect
from pymongo.database import Database

from tests.support.browser import visit

AGENT: Final = "Customer service agent"
ADMIN: Final = "Admin"

_CONFIG = re.compile(r'<script type="application/json" id="config">(.*?)</script>')


@dataclass(frozen=True)
class Demo:
    """A running demo has an address, and a database to look into."""

    url: str
    database: "Database[Any]"

    def headers_of(self, person: str) -> Mapping[str, str]:
        """Returns the headers that make a request this person's; the page has them, too."""
        found = _CONFIG.search(httpx2.get(f"{self.url}/desk", headers={"Accept": "text/html"}).text)
        assert found
        return next(viewer["headers"] for viewer in json.loads(found[1])["viewers"] if viewer["label"] == person)

    def ask(self, query: str, person: str = ADMIN, **variables: Any) -> dict[str, Any]:
        answer = httpx2.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, headers=dict(self.headers_of(person))
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    @contextmanager
    def open(
        self, browser: Browser, path: str = "", *, person: str = AGENT, forgiving: str | None = None
    ) -> Generator[Page]:
        """Opens the desk as a person, in English; nothing may leave the machine, and nothing may complain."""
        with visit(browser, self.url, forgiving=forgiving) as page:
            chosen = f"sessionStorage.setItem('customer-gateway:viewer', {json.dumps(person)})"
            page.add_init_script(f"if (window === top) {chosen}")  # not in the frame of a mail
            page.goto(f"/desk{path}")
            yield page

    @contextmanager
    def customer(self, browser: Browser, number: str, **options: Any) -> Generator[Page]:
        """Opens the page of a customer, and waits until it is there."""
        with self.open(browser, f"#/customers/{number}", **options) as page:
            expect(page.get_by_role("button", name=f"Copy {number}")).to_be_visible()
            yield page


def operation_of(request: Request) -> str | None:
    """Returns the name of the query or change that a request makes; None if it is none, or a stream."""
    if request.method != "POST" or not request.url.endswith("/graphql"):
        return None
    return json.loads(request.post_data or "{}").get("operationName")
