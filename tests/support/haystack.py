"""Looks for words in all that a database holds."""

import re


def is_word_in(text: str, haystack: str) -> bool:
    """Whether a text stands there by itself. As it is it is looked for first: an expression takes a hundred times."""
    return text in haystack and bool(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", haystack))
