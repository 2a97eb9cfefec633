"""Texts of ASCII are folded by a shorter way, which makes of them what the whole way does."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.search import folded, is_visible, pattern_of

ASCII = st.text(st.characters(max_codepoint=127), max_size=30)


@given(ASCII)
def test_a_text_of_ascii_is_folded_as_it_is_beside_other_letters(text: str) -> None:
    assert folded(f"{text} \N{CYRILLIC SMALL LETTER ZHE}") == f"{folded(text)} \N{CYRILLIC SMALL LETTER ZHE}".lstrip()
    assert is_visible(text) is bool(folded(text))
    assert isinstance(pattern_of(text), str)


def test_what_cannot_be_seen_has_no_ascii_either() -> None:
    seen = [chr(code) for code in range(128) if is_visible(chr(code))]
    assert seen == [chr(code) for code in range(0x21, 0x7F)]
