"""Judges by another parser whether HTML of a mail is harmless."""

import re
from html.parser import HTMLParser
from typing import TypeAlias

Tag: TypeAlias = tuple[str, dict[str, str | None]]

HEAD: list[Tag] = [
    ("head", {}),
    ("meta", {"charset": "utf-8"}),
    (
        "meta",
        {
            "http-equiv": "Content-Security-Policy",
            "content": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        },
    ),
    ("meta", {"http-equiv": "x-dns-prefetch-control", "content": "off"}),
    ("meta", {"name": "referrer", "content": "no-referrer"}),
]
NEVER = set(
    """script style link meta base title head template iframe frame frameset object embed applet param audio video
    source track picture svg math image form input button select option textarea label dialog details summary map area
    canvas noscript noembed noframes plaintext xmp marquee portal slot""".split()
)
BARE = set(
    """align alt bgcolor border cellpadding cellspacing clear color colspan dir face height hspace lang noshade nowrap
    role rowspan size start text title type valign vspace width""".split()
)

FUNCTIONS = {"rgb", "rgba", "hsl", "hsla", "calc", "linear-gradient", "radial-gradient"}


class Walk(HTMLParser):
    """Collects the tags of a document in order, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        assert decl == "doctype html"

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def judge(shown: str) -> Walk:
    """Asserts that a document of ours can neither run, fetch, ask nor escape."""
    assert shown.startswith("<!doctype html>\n<html")
    walk = Walk(shown)
    assert [tag for tag, _ in walk.tags[:1] + walk.tags[6:7]] == ["html", "body"]
    assert walk.tags[1:6] == HEAD
    for tag, attributes in [walk.tags[0], *walk.tags[6:]]:
        assert tag not in NEVER, tag
        assert not tag.startswith("x-")
        for name, value in attributes.items():
            text = value or ""
            match tag, name:
                case "a", "href":
                    assert re.match(r"\s*(https?|mailto|tel):[^\s]+\s*$", text, re.I), text
                case "a", "target":
                    assert text == "_blank"
                case "a", "rel":
                    assert text == "noopener noreferrer"
                case "img", "src":
                    assert re.fullmatch(r"data:image/(png|gif|jpeg|webp|avif|bmp);base64,[\w+/=\s]+", text, re.I), text
                case _, "style":
                    assert not re.search(r"url|expression|binding|behavior|position|/\*|[\\@{}<>]", text, re.I), text
                    assert {name.lower() for name in re.findall(r"([\w-]*)\(", text)} <= FUNCTIONS
                case _:
                    assert name in BARE, (tag, name)
        assert tag != "a" or {"target", "rel"} <= attributes.keys()
    return walk
