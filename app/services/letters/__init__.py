"""Writes the letters that this gateway sends itself, from templates that a company can replace: docs/letters.md.

Each is three templates here: ``pass.html``, ``pass.txt`` and ``pass.subject.txt``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

OURS: Final = "ours"
"""``{% extends "ours/layout.html" %}``: the template of that name that comes with the gateway."""
PARTS: Final = ("html", "txt", "subject.txt")
SAMPLES: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "pass": (
        {"name": "Ada Lovelace", "reward": "A coffee", "link": "https://passes.example.com/1"},
        {"name": "Ada Lovelace", "reward": None, "link": None},
    ),
    "coupons": (
        {"name": "Ada Lovelace", "day": "31 January 2026", "coupons": [{"code": "SAVE10", "value": "10 %"}]},
        {
            "name": "Ada Lovelace",
            "day": "31 January 2026",
            "coupons": [{"code": "SAVE10", "value": "10 %"}, {"code": "FREE", "value": "Shipping"}],
        },
    ),
}
"""The letters, and words of all kinds that they are given: every template is tried with each before the first mail."""
_SHARED: Final = ("layout.html",)


class Letter(NamedTuple):
    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters have templates in this folder; those that it lacks are ours. They are read once."""

    folder: Path | None = None
    _templates: Environment = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_templates", _environment(self.folder))

    def write(self, letter: str, **words: Any) -> Letter:
        """Returns the letter. ``words`` are those of ``SAMPLES``."""
        html, text, subject = (self._templates.get_template(f"{letter}.{part}") for part in PARTS)
        line = " ".join(subject.render(words).split())
        return Letter(line, html.render(words, subject=line), text.render(words, subject=line))


def usable_letters(folder: Path) -> Path:
    """Returns the folder unchanged. Raises ValueError that says what is wrong: each template is read and tried."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    known = {*_SHARED, *(f"{letter}.{part}" for letter in SAMPLES for part in PARTS)}
    for file in sorted(folder.iterdir()):
        if file.suffix in (".html", ".txt") and file.name not in known and not file.name.startswith("_"):
            raise ValueError(
                f"{file.name} is no letter of ours: there are {', '.join(sorted(known))}; what these include begins "
                "with an underscore"
            )
    if not known & {file.name for file in folder.iterdir()}:  # not mounted, say: customers would get ours
        raise ValueError(f"there is no letter in {folder}; there may be {', '.join(sorted(known))}")
    letters = Letters(folder)
    for letter, samples in SAMPLES.items():
        for words in samples:
            try:
                if not letters.write(letter, **words).subject:
                    raise ValueError("the subject is empty")
            except Exception as broken:
                may = ", ".join(sorted({*words, "subject"}))
                raise ValueError(f"{_place(broken, letter)}: {_words(broken)}. It may use {may}") from None
    return folder


def _environment(folder: Path | None) -> Environment:
    return _made(folder) if folder else _ours()


@cache
def _ours() -> Environment:
    return _made(None)


def _made(folder: Path | None) -> Environment:
    """Makes an environment whose templates cannot reach into Python, and change nothing that they are given."""
    package = PackageLoader("app.services", "letters")
    loaders: list[BaseLoader] = [package, PrefixLoader({OURS: package})]
    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), *loaders] if folder else loaders),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _place(broken: BaseException, letter: str) -> str:
    """Returns the template and the line where it broke, as far as that is known."""
    if isinstance(broken, TemplateSyntaxError):
        return f"{Path(broken.filename or broken.name or letter).name}, line {broken.lineno}"
    traceback, place = broken.__traceback__, f"a template of the letter {letter}"
    while traceback:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.suffix in (".html", ".txt"):
            place = f"{file.name}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _words(broken: BaseException) -> str:
    if isinstance(broken, TemplateNotFound):
        return f"there is no template {broken.name}"
    if isinstance(broken, UnicodeDecodeError):
        return "it is not UTF-8"
    return (str(broken) or type(broken).__name__).rstrip(".")
