"""Latin texts are folded by a shorter way, which makes of them what the whole way does."""

from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.search import address, folded, is_visible, pattern_of, words

ZHE = "\N{CYRILLIC SMALL LETTER ZHE}"
"""What stands beside it goes the whole way."""
LATIN = st.text(st.characters(max_codepoint=0x24F), max_size=30)


@given(LATIN)
def test_a_latin_text_is_folded_as_it_is_beside_other_letters(text: str) -> None:
    assert folded(f"{text} {ZHE}") == f"{folded(text)} {ZHE}".lstrip()
    assert isinstance(pattern_of(text), str)


@given(st.text(st.characters(max_codepoint=0x24F, categories=["L", "N"]), max_size=12))
def test_a_latin_word_is_spelled_as_it_is_beside_other_letters(word: str) -> None:
    assume(word.isalnum())
    assert sorted(f"{spelling}{ZHE}" for spelling in words([word])) == words([f"{word}{ZHE}"])


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30))
def test_an_address_in_ascii_is_what_it_is_beside_what_nobody_sees(text: str) -> None:
    assert address(f"\N{ZERO WIDTH SPACE}{text}") == address(text)


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_a_text_of_ascii_is_visible_if_anything_of_it_is_left(text: str) -> None:
    assert is_visible(text) is bool(folded(text))


def test_what_cannot_be_seen_has_no_ascii_either() -> None:
    seen = [chr(code) for code in range(128) if is_visible(chr(code))]
    assert seen == [chr(code) for code in range(0x21, 0x7F)]
