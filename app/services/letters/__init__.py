"""The letters that this gateway writes itself. Each is two templates here: ``pass.html`` and ``pass.txt``."""

from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

_TEMPLATES: Final = Environment(
    loader=PackageLoader("app.services", "letters"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Letter(NamedTuple):
    subject: str
    html: str
    text: str


def letter(template: str, subject: str, **words: Any) -> Letter:
    html, text = (_TEMPLATES.get_template(f"{template}.{ending}") for ending in ("html", "txt"))
    return Letter(subject, html.render(words, subject=subject), text.render(words))
