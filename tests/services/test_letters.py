"""Letters: ours on any screen; a company's own instead, as far as it has any, and none that cannot be used."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.domain.mail_html import harmless
from app.environment import SettingsError, read_settings
from app.services.changes import DeliveryPolicy
from app.services.letters import PARTS, SAMPLES, Letters, usable_letters
from app.store.driver import Store
from tests.support.browser import HOW_TO_GET_ONE, find_chromium, launch
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import World

ROOT = Path(__file__).parents[2]
ADA = SAMPLES["pass"][0]
NAMES = ["layout.html", *(f"{letter}.{part}" for letter in SAMPLES for part in PARTS)]


def folder_of(tmp_path: Path, **templates: str | bytes) -> Path:
    """``pass_html`` is pass.html, and ``pass_subject_txt`` pass.subject.txt."""
    for name, content in templates.items():
        underscore, name = ("_", name[1:]) if name.startswith("_") else ("", name)
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / (underscore + name.replace("_", "."))).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("templates", [{}, {"_greeting_txt": "Hallo"}, {"README.md": "Ours"}])
def test_a_folder_without_a_letter_is_refused(templates: dict[str, str], tmp_path: Path) -> None:
    """It may not be mounted, and customers would get letters that nobody meant to send."""
    folder_of(tmp_path, **templates)
    with pytest.raises(ValueError, match=r"there is no letter in .*; there may be coupons\.html, "):
        usable_letters(tmp_path)


def test_what_is_in_the_folder_is_theirs_and_the_rest_ours(tmp_path: Path) -> None:
    letters = Letters(
        usable_letters(folder_of(tmp_path, pass_txt="Hallo {{ name }}!", pass_subject_txt="\nIhr Pass\n"))
    )
    written, ours = letters.write("pass", **ADA), Letters().write("pass", **ADA)
    assert (written.subject, written.text) == ("Ihr Pass", "Hallo Ada Lovelace!")
    assert written.html == ours.html.replace("Your pass", "Ihr Pass")
    assert letters.write("coupons", **SAMPLES["coupons"][0]) == Letters().write("coupons", **SAMPLES["coupons"][0])


def test_a_layout_of_theirs_is_around_our_words_and_ours_around_theirs(tmp_path: Path) -> None:
    layout = "<h1>Acme</h1>{% block message %}{% endblock %}{% include '_foot.html' %}"
    folder_of(tmp_path, layout_html=layout, _foot_html="<i>{{ subject }}</i>")
    for letter, samples in SAMPLES.items():
        html = Letters(usable_letters(tmp_path)).write(letter, **samples[0]).html
        assert html.startswith("<h1>Acme</h1>")
        assert html.rstrip().endswith("</i>")
    own = '{% extends "ours/layout.html" %}{% block message %}Servus{% endblock %}'
    html = Letters(usable_letters(folder_of(tmp_path, pass_html=own))).write("pass", **ADA).html
    assert "Servus" in html
    assert "max-width:600px" in html


BROKEN: dict[str, tuple[dict[str, str | bytes], str]] = {
    "no such variable": ({"pass_html": "Hello\n{{ nam }}"}, "pass.html, line 2: 'nam' is undefined. It may use link, "),
    "one that only another letter has": ({"pass_txt": "{{ day }}"}, "pass.txt, line 1: 'day' is undefined"),
    "one that is not always there": ({"pass_txt": "{{ link.upper() }}"}, "pass.txt, line 1: 'None' has no attribute"),
    "a block without an end": ({"coupons_html": "{% if name %}"}, "coupons.html, line 1: Unexpected end of template"),
    "no such tag": ({"layout_html": "\n\n{% script %}"}, "layout.html, line 3: Encountered unknown tag 'script'"),
    "no such filter": ({"pass_txt": "{{ name | shout }}"}, "pass.txt, line 1: No filter named 'shout'"),
    "nothing to include": ({"pass_txt": "{% include '_no.txt' %}"}, "there is no template _no.txt"),
    "nothing to extend": ({"pass_html": "{% extends 'ours/no.html' %}"}, "there is no template ours/no.html"),
    "no subject": ({"pass_subject_txt": "  \n"}, "the subject is empty"),
    "not UTF-8": ({"pass_txt": b"Gr\xfc\xdfe"}, "it is not UTF-8"),
    "a misspelled name": ({"passes_html": "Hello"}, "passes.html is no letter of ours: there are coupons.html, "),
    "division": ({"pass_txt": "{{ 1 / 0 }}"}, "pass.txt, line 1: division by zero"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_template_that_cannot_be_used_stops_the_start_with_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates, said = BROKEN[name]
    monkeypatch.setenv("LETTERS", str(folder_of(tmp_path, **templates)))
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert str(refused.value).startswith("LETTERS cannot be used: ")
    assert said in str(refused.value)
    assert str(refused.value).endswith("Example: LETTERS=/etc/customer-gateway/letters")


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERS", str(tmp_path / "no"))
    with pytest.raises(SettingsError, match="there is no folder"):
        read_settings()


@pytest.mark.parametrize(
    "attempt",
    [
        "{{ name.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ name.upper.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ coupons.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{% include '../../../etc/passwd' %}",
    ],
)
@pytest.mark.parametrize("letter", SAMPLES)
def test_a_template_reaches_nothing_but_its_words(attempt: str, letter: str, tmp_path: Path) -> None:
    (tmp_path / f"{letter}.txt").write_text(attempt)
    with pytest.raises(ValueError, match=rf"{letter}|no template"):
        usable_letters(tmp_path)


@pytest.mark.parametrize("letter", SAMPLES)
def test_what_a_customer_is_called_is_no_markup(letter: str, tmp_path: Path) -> None:
    folder_of(tmp_path, layout_html="{{ name }}{% block message %}{% endblock %}")
    hostile = {**SAMPLES[letter][0], "name": "<script>alert(1)</script>"}
    for letters in (Letters(), Letters(usable_letters(tmp_path))):
        written = letters.write(letter, **hostile)
        assert "<script>" not in written.html
        assert "&lt;script&gt;" in written.html


def test_a_template_that_is_changed_later_changes_nothing_until_the_next_start(tmp_path: Path) -> None:
    letters = Letters(usable_letters(folder_of(tmp_path, pass_txt="One")))
    assert letters.write("pass", **ADA).text == "One"
    folder_of(tmp_path, pass_txt="{{ broken")
    assert letters.write("pass", **ADA).text == "One"


async def test_a_mail_is_written_by_them(store: Store, world: World, tmp_path: Path) -> None:
    import httpx2

    from app.http.tokens import verifier
    from app.main import build_app, routes

    folder = folder_of(tmp_path, coupons_subject_txt="Eingelöst", coupons_txt="{{ coupons[0].code }} für {{ name }}")
    ada = await world.customer(name="Ada", email="ada@example.com")
    coupon = await world.coupon(ada)
    outgoing = DeliveryPolicy(letters=Letters(usable_letters(folder)))
    app = build_app(
        routes(store.database, verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer, outgoing=outgoing)
    )
    given = {"customerId": ada["_id"], "couponIds": [coupon["_id"]], "notifyCustomer": True, "idempotencyKey": "one"}
    redeem = "mutation($i: RedeemCouponInput!) { redeemCoupon(input: $i) { userErrors { code } } }"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        asked = {"query": redeem, "variables": {"i": given}}
        answer = await client.post("/graphql", json=asked, headers={"Authorization": f"Bearer {token()}"})
    assert answer.json()["data"] == {"redeemCoupon": {"userErrors": []}}
    (email,) = await store.find("emails", {})
    assert (email["subject"], email["text"]) == ("Eingelöst", "SAVE10 für Ada")


def test_the_manual_names_every_template_and_every_variable() -> None:
    manual = (ROOT / "docs/letters.md").read_text()
    rows = [[re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:-1]] for line in manual.splitlines()]
    may_use = {name: set(row[2]) for row in rows if len(row) == 3 for name in row[0]}
    assert set(may_use) == set(NAMES)
    explained = {name for row in rows if len(row) == 2 for name in row[0]}
    for letter, samples in SAMPLES.items():
        for words in samples:
            assert may_use[f"{letter}.subject.txt"] == words.keys()
            assert may_use[f"{letter}.html"] == may_use[f"{letter}.txt"] == words.keys() | {"subject"}
            assert words.keys() | {"subject"} <= explained


def test_the_manuals_example_can_be_used(tmp_path: Path) -> None:
    (example,) = re.findall(r"```html\n(.*?)```", (ROOT / "docs/letters.md").read_text(), re.DOTALL)
    letters = Letters(usable_letters(folder_of(tmp_path, pass_html=example)))
    assert "Zum Pass" in letters.write("pass", **ADA).html


# ---------------------------------------------------------------- on a screen

LONG: dict[str, dict[str, Any]] = {
    "pass": {"name": "Wolfeschlegelsteinhausenbergerdorff" * 4, "reward": "x" * 300, "link": "https://example.com/1"},
    "coupons": {
        "name": "Wolfeschlegelsteinhausenbergerdorff" * 4,
        "day": "31 January 2026",
        "coupons": [{"code": "X" * 300, "value": "Free shipping " * 10}, {"code": "A B", "value": "Y" * 300}],
    },
}


@pytest.mark.skipif(find_chromium() is None, reason=HOW_TO_GET_ONE)
def test_no_letter_is_wider_than_its_screen_nor_its_lines_too_long() -> None:
    """From a small phone to a desk, as it was sent and as GraphiQL's readers see it, with short words and long ones."""
    chromium = find_chromium()
    assert chromium
    with launch(chromium) as browser:
        for width in (320, 390, 600, 1280):
            page = browser.new_page(viewport={"width": width, "height": 800})
            for letter, samples in SAMPLES.items():
                for words in (*samples, LONG[letter]):
                    html = Letters().write(letter, **words).html
                    for shown in (html, harmless(html)):
                        page.set_content(shown)
                        assert page.evaluate("document.documentElement.scrollWidth") == width, (letter, width)
                        text = page.locator("h1").bounding_box()
                        assert text
                        assert text["width"] == pytest.approx(min(width - 72, 552), abs=1)
            page.close()
