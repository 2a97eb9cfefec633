"""Text as it is compared: what is the same, what is not, and what weighs nothing."""

import sys
from unicodedata import category, normalize

import pytest

from app.domain.search import (
    address,
    begins,
    cleaned,
    folded,
    is_visible,
    phones,
    query_phone,
    query_words,
    usable_region,
    words,
)
from app.store.driver import FOLDS_ACCENTS, Store

SAME = [
    ("  Ada  Lovelace ", "ada lovelace"),
    ("O’Brien", "o'brien"),
    ("Işık", "ISIK"),
    ("İpek", "ipek"),
    (normalize("NFD", "Zoë Müller"), normalize("NFC", "zoe muller")),
    ("Ada\u200b Love\u00adlace", "ada lovelace"),
    ("Ｃ－１００", "c-100"),
    ("Jørgen Æbelø", "jorgen aebelo"),
    ("Straße", "STRASSE"),
    ("٣", "٣"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_texts_that_people_take_for_the_same_are(one: str, other: str) -> None:
    assert folded(one) == folded(other) == folded(folded(one))


@pytest.mark.parametrize(("one", "other"), [("佐藤", "佐籐"), ("か", "が"), ("कि", "क"), ("ä", "b"), ("a-b", "ab")])
def test_texts_that_differ_do(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u00ad", "\0", "\u0301", "\u3164", "\ufe0f", "\u093f", "\ud800"])
def test_what_weighs_nothing_is_not_visible(text: str) -> None:
    assert not is_visible(text * 3)


async def test_whatever_the_database_takes_for_nothing_is_not_visible(store: Store) -> None:
    """Every character, put to the collation by which lists compare."""
    characters = [chr(code) for code in range(1, sys.maxunicode) if category(chr(code)) not in ("Cs", "Co", "Cn")]
    nothing: list[str] = []
    for start in range(0, len(characters), 20_000):
        documents = [{"_id": {"$literal": character}} for character in characters[start : start + 20_000]]
        empty = [{"$documents": documents}, {"$match": {"_id": ""}}]
        nothing += [found["_id"] for found in await store.aggregate(None, empty, collation=FOLDS_ACCENTS)]
    assert len(nothing) > 1_000
    assert "".join(f" U+{ord(character):04X}" for character in nothing if is_visible(character)) == ""


def test_a_text_is_stored_composed_with_single_blanks() -> None:
    assert cleaned(" \tAda\u00a0 Lovelace\n") == "Ada Lovelace"
    assert cleaned("e\u0301") == "é"


def test_an_address_is_exact_but_for_case_and_the_form_of_its_domain() -> None:
    assert address(" José@XN--MNCHEN-3YA.de") == address("jose\u0301@münchen.DE") == "josé@münchen.de"
    assert address("jose@example.com") != address("josé@example.com")
    assert address("a@straße.de") != address("a@strasse.de")
    assert address("ada@mün") == "ada@mün"
    assert address("ADA") == "ada"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Anna Müller", "müller anna"),
        ("Anna Müller", "muell"),
        ("Anna Müller", "mueller"),
        ("Anna Müller", "MULLER"),
        ("Anna Mueller", "müller"),
        ("Anna Mueller", "muller a"),
        ("Zoe Müller-O’Brien", "o'brien"),
        ("Zoe Müller-O’Brien", "obrien zoe"),
        ("Zoe O Brien", "o'brien"),
        ("Søren Ångström", "soeren angstrom"),
        ("佐藤 健", "佐藤健"),
        ("Analytical Engines Ltd.", "ltd"),
    ],
)
def test_a_name_is_found_by_any_part_in_any_order(name: str, asked: str) -> None:
    assert all(begins(word, words([name])) for word in query_words(asked))


@pytest.mark.parametrize(("name", "asked"), [("Johann Roe", "joe"), ("Anna Müller", "anna b"), ("Anna", "nna")])
def test_a_name_is_not_found_by_what_is_not_in_it(name: str, asked: str) -> None:
    assert not all(begins(word, words([name])) for word in query_words(asked))


@pytest.mark.parametrize(
    "asked",
    ["+49 171 2345678", "0049 (0)171/23456-78", "491712345678", "+49\u00a0171\u20112345678", "tel:+491712345678"],
)
def test_a_phone_number_is_the_same_in_any_notation(asked: str) -> None:
    stored = phones("0171 2345678", "DE")
    assert stored == ["+491712345678", "1712345678"]
    found = query_phone(asked, None)
    assert found
    assert stored[0] in found.exact


def test_a_number_without_a_country_is_the_regions_or_certain_in_none() -> None:
    own, nobodys = query_phone("0171 2345678", "DE"), query_phone("0171 2345678", None)
    assert own
    assert nobodys
    assert own.exact == ("+491712345678",)
    assert nobodys.exact == ()
    assert "1712345678" in nobodys.national


@pytest.mark.parametrize("text", ["C-100001", "anna", "12", "a@b.example", "", "٤"])
def test_what_is_no_phone_number_is_none(text: str) -> None:
    assert query_phone(text, "DE") is None


def test_a_region_is_one_that_has_phone_numbers() -> None:
    assert usable_region("DE") == "DE"
    with pytest.raises(ValueError, match="no region"):
        usable_region("XX")
