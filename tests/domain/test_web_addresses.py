"""What of a customer is safe to show."""

import pytest

from app.domain.customers import is_web_address


@pytest.mark.parametrize(
    "address",
    ["https://example.com", "http://example.com/a?b=c:d", "HTTPS://EXAMPLE.COM", "example.com", "example.com:8080/x"],
)
def test_the_address_of_a_page_is_one(address: str) -> None:
    assert is_web_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "javascript\n:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>",
        "vbscript:x",
        "file:///etc/passwd",
        "mailto:ada@example.com",
        "https:javascript",
    ],
)
def test_what_a_browser_would_run_or_open_otherwise_is_none(address: str) -> None:
    assert not is_web_address(address)
