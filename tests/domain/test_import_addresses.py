"""Most e-mail addresses of imports are read by a shorter way, which says of them what the library says."""

import pytest
from email_validator import EmailNotValidError, validate_email

from app.domain.import_forms import EMAIL_ADDRESS

LOCAL_PARTS = (
    *("a", "a.b", "a+b", "a-b", "a_b", "-", "+", "1", "info", "Info", "POSTMASTER", "x" * 64, "x" * 65, "ü"),
    *("", ".a", "a.", "a..b", "a'b", "a!b", "a b", '"a b"', "a@b", "a\n", "\ta"),
)
DOMAINS = (
    *("example.com", "Example.COM", "sub.example.co.uk", "münchen.de", "xn--mnchen-3ya.de", "xn--zz.de", "a.b"),
    *("", "com", "example.com.", "foo..com", "-a.com", "a-.com", "ex_a.com", "ex ample.com", f"{'x' * 64}.com"),
    *("localhost", "a.test", "foo.invalid", "[1.2.3.4]", "192.168.0.1", ".".join(["x" * 60] * 4) + ".com"),
)


def by_the_library(address: str) -> str | None:
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def by_us(address: str) -> str | None:
    try:
        return EMAIL_ADDRESS.read(address)
    except ValueError:
        return None


@pytest.mark.parametrize("local", LOCAL_PARTS)
def test_an_address_is_what_the_library_says(local: str) -> None:
    addresses = [f"{local}@{domain}" for domain in DOMAINS]
    assert [*map(by_us, addresses)] == [*map(by_the_library, addresses)]
