"""HTML of mails made harmless: judged by another parser, and bounded in what it costs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.demo.sample import mails
from app.domain.mail_html import MOST_ENTITIES, MOST_TAGS, harmless
from tests.support.hostile_html import FETCHES, HOSTILE, RUNS
from tests.support.mail_judge import Walk, judge


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_is_made_harmless(html: str) -> None:
    judge(harmless(html))
    judge(harmless(f"<p>before{html}<p>after"))
    judge(harmless(harmless(html)))


@pytest.mark.parametrize("html", (RUNS | FETCHES).values(), ids=RUNS | FETCHES)
def test_the_judge_knows_what_is_hostile(html: str) -> None:
    with pytest.raises(AssertionError):
        judge(harmless("MAIL").replace("MAIL", html))


ATOMS = """< > </ /> " ' = & ; : ( ) \\ ! - -- <!-- --> --!> <![CDATA[ ]]> \0 \ud800 script style img src href onerror
svg math a b p div table td tr body html x-a x- form title textarea template noscript url( javascript: http://t.invalid
data:image/png;base64,AA style= background color:red u\\72l( &#x6a; &lpar; &quot; &lt; /* */ @import expression( mtext
mglyph foreignObject select""".split()


@settings(max_examples=500)
@given(st.lists(st.sampled_from([*ATOMS, " ", "\n", "\t", "<p ", "<a ", "<b>", "</b>", "<td>", "é"]), max_size=40))
def test_any_soup_of_tags_is_made_harmless(atoms: list[str]) -> None:
    judge(harmless("".join(atoms)))


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*ATOMS, " ", ";", "background:", "#fff", "red"]), max_size=30))
def test_any_soup_of_css_is_made_harmless(atoms: list[str]) -> None:
    css = "".join(atoms).replace("&", "&amp;").replace('"', "&quot;")
    judge(harmless(f'<p style="{css}">x</p>'))


# ---------------------------------------------------------------- looks


@pytest.mark.parametrize(
    "mail",
    [
        mails.welcome("Zoë Müller-O'Brien"),
        mails.order_confirmation("Zoë", "A-1", [("Paper & ink", "3.00 €")], "3.00 €"),
        mails.payment_failed("Zoë <b>", "Digital", "9.90 €", "a card"),
        mails.farewell("Zoë", "Digital", "1 May"),
    ],
    ids=lambda mail: mail.subject,
)
def test_a_mail_as_shops_send_them_keeps_its_looks(mail: mails.SampleMail) -> None:
    original, shown = Walk(mail.html), judge(harmless(mail.html))
    added = {"rel": "noopener noreferrer", "target": "_blank"}
    kept = [
        (tag, attrs | added if tag == "a" else attrs) for tag, attrs in original.tags if tag not in ("title", "meta")
    ]
    assert [tag for tag in shown.tags if tag[0] not in ("meta", "tbody")] == kept
    assert shown.words.split() == original.words.replace(mail.subject, "", 1).split()


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        (
            "<p style='background:#fff url(x.png) no-repeat;color:#000'>x",
            '<p style="background:#fff  no-repeat;color:#000">x</p>',
        ),
        ("<p style=\"font-family:'Segoe UI',sans-serif;COLOR : RGB(1, 2, 3) !important\">x", None),
        ("<td style='background:linear-gradient(90deg,#fff,#000 10%);width:calc(100% - 2px)'>x", "x"),
        (
            "<font color=red face=Arial size=2><center>x</center></font>",
            '<font color="red" face="Arial" size="2"><center>x</center></font>',
        ),
        ("<p>a<p>b<br/>c<hr>", "<p>a</p><p>b<br>c</p><hr>"),
        ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
        (
            "<table><tr><td>a<td>b<tr><td>c</table>",
            "<table><tbody><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></tbody></table>",
        ),
        ("<b>bold<i>both</b>after</i>", None),
        ("<img alt=Logo src=https://example.com/logo.png width=80>", '<img alt="Logo" width="80">'),
        ("<img src='data:image/png;base64,iVBO\nRw=='>", '<img src="data:image/png;base64,iVBO\nRw==">'),
        ("<!--[if mso]><p>Outlook</p><![endif]--><![if !mso]>x<![endif]>", "x"),
        ("<title>no</title><style>p{}</style><p>x</p><script>1</script>", "<p>x</p>"),
        ("a < b, c <3 & d &amp; e &euro; x-b", "a &lt; b, c &lt;3 &amp; d &amp; e € x-b"),
        ("and/x-b >", "and/x-b &gt;"),
    ],
)
def test_what_a_mail_may_keep(html: str, kept: str | None) -> None:
    shown = harmless(html)
    judge(shown)
    assert kept is None or f"<body>\n{kept}\n</body>" in shown, shown


def test_the_document_has_the_mails_own_direction_language_and_ground() -> None:
    shown = harmless(
        "<html dir=rtl lang=ar onload=x><body bgcolor='#eee' style='margin:0;background:url(x)' onload=x>x"
    )
    assert '<html dir="rtl" lang="ar">' in shown
    assert '<body bgcolor="#eee" style="margin:0">' in shown
    judge(shown)


def test_links_open_outside_and_tell_nothing() -> None:
    shown = harmless("<a href=https://example.com/?a=1&amp;b=2 target=_top rel=opener>x</a>")
    assert '<a href="https://example.com/?a=1&amp;b=2" ' in shown
    assert 'target="_blank"' in shown
    assert 'rel="noopener noreferrer"' in shown


# ---------------------------------------------------------------- what it costs


FLOOD = 4_000_000
FLOODS = {
    "text": "x" * FLOOD,
    "nulls": "\0" * FLOOD,
    "a comment": "<!--" + "x" * FLOOD,
    "comments": "<!--" * MOST_TAGS + "x" * FLOOD,
    "a sheet": "<style>" * MOST_TAGS + "x" * FLOOD,
    "attributes": "<p " + " ".join(f"a{number}" for number in range(500_000)) + ">",
    "attributes, quoted": "<p " + " ".join(f'a{number}=">"' for number in range(300_000)) + ">",
    "spaces in a tag": "<p a" + " " * FLOOD + ">",
    "slashes in a tag": "<p " + "/ " * (FLOOD // 2) + ">",
    "open quotes": '<a x="' * (MOST_TAGS - 1) + "x" * FLOOD,
    "open tags": "<a " * (MOST_TAGS - 1) + "x" * FLOOD,
    "open urls": ("<p style='color:" + "url(" * 2_400 + "'>x") * 40,
    "open strings": ("<p style='color:" + '"a' * 4_900 + "'>x") * 40,
    "an image": "<img src='data:image/png;base64," + "A" * (FLOOD - 100) + "'>",
    "entities": "&x;" * MOST_ENTITIES,
    "nesting": "<div>" * MOST_TAGS,
    "tables": "<table><tr><td>" * (MOST_TAGS // 3),
    "inline tags left open": "<a><b>" * (MOST_TAGS // 2),
}


@pytest.mark.parametrize("html", FLOODS.values(), ids=FLOODS)
def test_no_flood_grows_or_lasts(html: str) -> None:
    shown = harmless(html)
    assert len(shown) < 10 * len(html) + 1_000
    if len(html) < FLOOD:
        judge(shown)


def test_inline_tags_left_open_are_not_multiplied() -> None:
    """As the HTML standard has it, each paragraph opens all of them anew: 25 million elements, six gigabytes."""
    shown = harmless("<p>" + "".join(f"<b title={number}>" for number in range(5_000)) + "</p>" + "<p>x</p>" * 5_000)
    assert len(judge(shown).tags) < 12_000


@pytest.mark.parametrize("html", ["<b>" * (MOST_TAGS + 1), "&" * (MOST_ENTITIES + 1), "<" * 20_000_000])
def test_what_is_too_intricate_says_so(html: str) -> None:
    shown = harmless(html)
    assert "read its plain text" in judge(shown).words
    assert len(shown) < 1_000
