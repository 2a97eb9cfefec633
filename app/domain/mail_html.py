"""Makes the HTML of a mail harmless for showing: it runs nothing, fetches nothing, asks for nothing.

What a tag, an attribute or an address may be is nh3's to judge, by the lists below. Before that, whatever the parser
needs more than linear time or memory for is taken away (``_tamed``).
"""

import re
from collections.abc import Mapping
from html import unescape
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from nh3 import Cleaner

NO_IMAGES: Final[Mapping[str, str]] = MappingProxyType({})
MOST_TAGS: Final = 20_000
MOST_ENTITIES: Final = 100_000
"""The parser's time grows with their square: at these limits it is a second or two."""

_MOST_ATTRIBUTES: Final = 40
_LONGEST_STYLE: Final = 10_000

_DOCUMENT: Final = """<!doctype html>
<html{root}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta http-equiv="x-dns-prefetch-control" content="off">
<meta name="referrer" content="no-referrer">
</head>
<body{body}>
{content}
</body>
</html>
"""
_TOO_MUCH: Final = "<p>This mail is too long or too intricate to be shown as HTML. Please read its plain text.</p>"

_INLINE: Final = frozenset("a b big code em font i nobr s small strike strong tt u".split())
_OTHERS: Final = frozenset(
    """abbr address article aside bdi bdo blockquote br caption center cite col colgroup dd del dfn div dl dt
    figcaption figure footer h1 h2 h3 h4 h5 h6 header hr img ins kbd li main mark nav ol p pre q rp rt ruby samp section
    span sub sup table tbody td tfoot th thead time tr ul var wbr""".split()
)
_LOOKS: Final = frozenset(
    """align alt bgcolor border cellpadding cellspacing clear color colspan dir face height hspace lang noshade nowrap
    rowspan size start style text title type valign vspace width""".split()
)
_KNOWN: Final = _INLINE | _OTHERS
_ATTRIBUTES: Final = _LOOKS | {"href", "role", "src", "style"}
_LINK: Final = re.compile(r"(?:https?|mailto|tel):[^\x00-\x20]+", re.IGNORECASE)
_IMAGE: Final = re.compile(r"data:image/(?:png|gif|jpeg|webp|avif|bmp);base64,[A-Za-z0-9+/=\s]+", re.IGNORECASE)


def harmless(html: str, images: Mapping[str, str] = NO_IMAGES) -> str:
    """Returns a whole document that looks like the mail, for a sandboxed frame's ``srcdoc``. Never raises.

    Links open outside the frame, and only by http, https, mailto or tel. Images are those that the mail itself brings:
    ``images`` are addresses (``data:``) for what it names by content id (``cid:``).
    A mail of more than ``MOST_TAGS`` tags or ``MOST_ENTITIES`` entities is a sentence that says so.
    """
    if html.count("<") > MOST_TAGS or html.count("&") > MOST_ENTITIES:
        return _DOCUMENT.format(root="", body="", content=_TOO_MUCH)
    # Half a character cannot leave Python; a million nulls are a million complaints in the parser's memory.
    html = html.encode("utf-8", "replace").decode().replace("\0", "")
    outer: dict[str, str] = {}
    content = _NAMED_BACK.sub(r"\1", _CLEANER.clean(_tamed(html, outer, images)))
    return _DOCUMENT.format(root=_kept(outer.get("html", "")), body=_kept(outer.get("body", "")), content=content)


# ---------------------------------------------------------------- what is kept


def _judged(_tag: str, name: str, value: str) -> str | None:
    """Returns an attribute's value as it may stay, entities read; None takes the attribute away."""
    match name:
        case "href":
            return value if _LINK.fullmatch(value.strip()) else None
        case "src":
            return value if _IMAGE.fullmatch(value) else None
        case "style":
            return _style(value) or None
        case _:
            return value


_CLEANER: Final = Cleaner(
    tags=_OTHERS | {f"x-{name}" for name in _INLINE},
    attributes={"*": _LOOKS, "x-a": {"href"}, "img": {"src"}},
    attribute_filter=_judged,
    clean_content_tags=set(),
    set_tag_attribute_values={"x-a": {"target": "_blank", "rel": "noopener noreferrer"}},
    link_rel=None,
    tag_attribute_values={"table": {"role": {"presentation", "none"}}},
    url_schemes={"http", "https", "mailto", "tel", "data"},
    url_relative="deny",
)


def _kept(attributes: str) -> str:
    """Returns what a div may keep of these attributes."""
    return _CLEANER.clean(f"<div{attributes}></div>").removeprefix("<div").removesuffix("></div>")


# ---------------------------------------------------------------- CSS

_URL: Final = re.compile(r"url\([^()]*\)", re.IGNORECASE)
_PROPERTY: Final = r"""(?:align|background|border|box|caption|clear|color|direction|display|empty|flex|float|font|gap
    |height|justify|letter|line|list|margin|max|min|object|opacity|overflow|padding|table|text|unicode|vertical
    |visibility|white|width|word)(?:-[a-z]+)*"""
_FUNCTION: Final = r"(?:rgba?|hsla?|calc|(?:linear|radial)-gradient)\([\w#%.,/+*\s-]*\)"
_DECLARATION: Final = re.compile(
    rf"""\s*{_PROPERTY}\s*:(?:{_FUNCTION}|[\w#%.,/+!\s-]|"[\w\s.,-]*"|'[\w\s.,-]*')+""", re.IGNORECASE | re.VERBOSE
)
"""Words, numbers, colours, names of fonts. Whatever fetches needs another function, an escape or a quoted address."""


def _style(css: str) -> str:
    """Returns the declarations that can only change looks. One with an image keeps the rest of what it says."""
    if len(css) > _LONGEST_STYLE:
        return ""
    declarations = _URL.sub("", css).split(";")
    return ";".join(declaration.strip() for declaration in declarations if _DECLARATION.fullmatch(declaration))


# ---------------------------------------------------------------- what the parser could be hurt with

_ATTRIBUTE: Final = (
    r"""[^\s/>][^\s/>=]*+ (?:\s*+=\s*+ (?: "[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | [^\s>"'][^\s>]*+ )?+ )?+"""
)
_TOKEN: Final = re.compile(
    rf"""<!--(?:.*?-->|.*)
    |<(?:[!?]|/(?![a-z]))[^>]*>?
    |<(script|style|title|textarea|xmp|iframe|noembed|noframes)(?=[\s/>])(?:.*?</\1(?=[\s/>])[^>]*>?|.*)
    |<(?P<slash>/?)(?P<name>[a-z][^\s/>]*+)(?P<attributes>(?:[\s/]++|{_ATTRIBUTE})*+)(?:>|\Z)
    |<""",
    re.ASCII | re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
"""Everything that a ``<`` can begin, as the HTML standard reads it; each is found in time linear in its length."""

_EACH: Final = re.compile(
    r"""(?P<name>[^\s/>][^\s/>=]*+)"""
    r"""(?:\s*+=\s*+(?:"(?P<double>[^"]*+)(?:"|\Z)|'(?P<single>[^']*+)(?:'|\Z)|(?P<bare>[^\s>"'][^\s>]*+))?+)?+""",
    re.ASCII,
)
_NAMED_BACK: Final = re.compile(rf"(</?)x-(?=(?:{'|'.join(_INLINE)})[ >])")
"""For what nh3 wrote, where a ``<`` is always a tag's."""


def _tamed(html: str, outer: dict[str, str], images: Mapping[str, str]) -> str:
    """Returns the HTML with known tags only, without comments; ``outer`` gets the attributes of html and body.

    Inline tags become ``x-b`` and so on for the parser. HTML opens them anew in every paragraph after one that left
    them open: 35 kB of them make 28 MB and take a gigabyte. Names that it does not know nest like any other.
    """

    def tame(token: re.Match[str]) -> str:
        if token["name"] is None:
            return "&lt;" if token[0] == "<" else ""
        name = token["name"].lower()
        if token["slash"]:
            return f"</{_renamed(name)}>" if name in _KNOWN else ""
        if name in ("html", "body"):
            outer.setdefault(name, _few(token["attributes"]))
        return f"<{_renamed(name)}{_few(token['attributes'], images)}>" if name in _KNOWN else ""

    return _TOKEN.sub(tame, html)


def _renamed(name: str) -> str:
    return f"x-{name}" if name in _INLINE else name


def _few(attributes: str, images: Mapping[str, str] = NO_IMAGES) -> str:
    """Returns the first attributes that may stay, quoted in one way. Their number costs the parser its square."""
    values: dict[str, str] = {}
    for attribute in _EACH.finditer(attributes):
        name = attribute["name"].lower()
        if name in _ATTRIBUTES and len(values) < _MOST_ATTRIBUTES:
            value = attribute["double"] or attribute["single"] or attribute["bare"] or ""
            if name == "src" and value.strip()[:4].lower() == "cid:":
                value = images.get(unquote(unescape(value.strip()[4:])), "")
            values.setdefault(name, value.replace('"', "&quot;"))
    return "".join(f' {name}="{value}"' for name, value in values.items())
