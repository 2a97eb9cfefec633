"""The file that says which systems are asked, and a company's own kinds: what it may hold, and how a fault is told."""

from pathlib import Path

import pytest

from app.catalogue.model import AttributeKind
from app.services.executors import read_executors

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENDPOINT = f"""
[[endpoints]]
name = "billing"
url = "https://billing.example.com/requests"
secrets = ["{SECRET}"]
kinds = ["REFUND", "GIFT_CARD"]
"""
KIND = """
[[kinds]]
code = "GIFT_CARD"
title = "Gift card"
description = "Send the customer a gift card."
attributes = [{ name = "value", label = "Value", kind = "MONEY" }]
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "executors.toml"
    file.write_text(text)
    return file


def test_a_file_connects_systems_and_adds_kinds(tmp_path: Path) -> None:
    read = read_executors(written(tmp_path, ENDPOINT + KIND))
    endpoint = read.endpoint_of("GIFT_CARD")
    assert endpoint is read.endpoint_of("REFUND")
    assert endpoint
    assert (endpoint.name, endpoint.private) == ("billing", False)
    assert read.endpoint_of("PAYOUT") is None
    assert read.kinds["GIFT_CARD"].attributes[0].kind is AttributeKind.MONEY
    assert SECRET not in repr(read)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[endpoints", "not TOML"),
        (ENDPOINT, "no kind is called GIFT_CARD"),
        (KIND + ENDPOINT.replace("https", "http"), "https:// is needed"),
        (KIND + ENDPOINT.replace("https://", "https://user:word@"), "neither a password"),
        (KIND + ENDPOINT.replace(SECRET, "whsec_short"), "whsec_ and 24 to 64 bytes"),
        (KIND + ENDPOINT + ENDPOINT, "two endpoints have one name"),
        (KIND + ENDPOINT + ENDPOINT.replace('"billing"', '"other"'), "a kind has two endpoints"),
        (KIND + KIND, "two kinds have one code"),
        (KIND.replace("GIFT_CARD", "REFUND"), "a kind of the gateway's own"),
        (KIND.replace("GIFT_CARD", "gift card"), "kinds.0.code"),
        (KIND.replace("MONEY", "COINS"), "kinds.0.attributes.0.kind"),
        (KIND + ENDPOINT.replace("secrets", "secret"), "endpoints.0.secret"),
        ("", "it has neither endpoints nor kinds"),
    ],
    ids=range(13),
)
def test_a_fault_is_told_with_its_place_and_without_secrets(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"executors\.toml") as fault:
        read_executors(written(tmp_path, text))
    assert said in str(fault.value)
    assert SECRET not in str(fault.value)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_executors(tmp_path / "none.toml")
