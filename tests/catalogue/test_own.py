"""A company's own catalogue: what it adds, all that is wrong with it at once, and that ours stays ours."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.catalogue import CATALOGUE, OURS, BadCatalogue, by_code, own, read_own
from app.catalogue.model import ActivityGroup, Audience, Writers

BOTH_YEARS = '{"occurredAt": {"from": "2024-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}}'
FILE = Path("examples/catalogue/shop.toml")
TYPE = """
version = "1"
[[types]]
code = "PARCEL_LOST"
title = "Parcel lost"
group = "FULFILLMENT"
source = "shop"
audience = "STAFF"
"""
ATTRIBUTE = TYPE + '[[types.attributes]]\nname = "parcel"\nlabel = "Parcel"\n'
FIELD = 'version = "1"\n[[customerFields]]\nname = "tier"\nlabel = "Tier"\naudience = "STAFF"\n'


def wrong(text: str) -> tuple[str, ...]:
    with pytest.raises(BadCatalogue) as raised:
        own.read(text, OURS.values())
    return raised.value.sentences


def test_the_example_adds_a_type_and_titles() -> None:
    found = read_own(FILE)
    [row] = found.rows
    assert (row.code, row.group, row.audience, row.writers) == (
        "PARCEL_LOST",
        ActivityGroup.FULFILLMENT,
        Audience.CUSTOMER,
        Writers.SYSTEMS,
    )
    assert (row.icon, row.description) == ("parcel-lost", "The carrier lost a parcel.")
    assert [tuple(each) for each in row.translations] == [("de", "Paket verloren"), ("nb", "Pakke mistet")]
    [attribute] = row.attributes
    assert (attribute.name, attribute.required, attribute.personal) == ("parcelNumber", True, False)
    joined = by_code(found.joined(OURS.values()))
    assert [*joined] == [*OURS, "PARCEL_LOST"]
    assert joined["PURCHASE"].titles == {"de": "Kauf"}
    assert joined["PURCHASE"] == OURS["PURCHASE"]  # what they are is ours, whatever they are called


def test_without_a_file_the_catalogue_is_ours() -> None:
    assert dict(CATALOGUE) == dict(OURS)


def test_what_is_left_out_is_careful() -> None:
    """An attribute that says nothing may be personal, and is not demanded of a line."""
    [attribute] = own.read(ATTRIBUTE, OURS.values()).rows[0].attributes
    assert (attribute.personal, attribute.required, attribute.kind) == (True, False, "TEXT")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version = ", "It is not TOML: Invalid value (at end of document)."),
        (
            TYPE.replace('version = "1"', ""),
            "In the file: version is required: text of at most 200 characters on one line.",
        ),
        ('version = "1"\ntype = []', "In the file: type is unknown; did you mean types?"),
        ('version = "1"\ntypes = 5', "types: must be tables, each of which begins with [[types]]."),
        (
            TYPE + '\n[types.attributes]\nname = "x"',
            "types.attributes: must be tables, each of which begins with [[types.attributes]].",
        ),
        (
            TYPE.replace("PARCEL_LOST", "Parcel lost"),
            "type number 1: needs a code of capitals, digits and _, such as PARCEL_LOST.",
        ),
        (
            TYPE.replace('"PARCEL_LOST"', '"PURCHASE"\nicon = "parcel"'),
            "type PURCHASE: this code is the gateway's own: give it another one, such as SHOP_PURCHASE.",
        ),
        (
            TYPE + TYPE.replace('version = "1"', ""),
            "type PARCEL_LOST: this code is another type's: give it another one, such as SHOP_PARCEL_LOST.",
        ),
        (TYPE.replace("FULFILLMENT", "FULFILMENT"), "did you mean FULFILLMENT?"),
        (TYPE.replace('"STAFF"', '"EVERYBODY"'), "type PARCEL_LOST: audience must be one of STAFF, OWNER, CUSTOMER."),
        (
            TYPE.replace("shop", "Platform"),
            "type PARCEL_LOST: source must not be platform, which is the gateway itself.",
        ),
        (TYPE + 'icon = "purchase"', "type PARCEL_LOST: the icon purchase is another type's."),
        (
            TYPE + 'icon = "A B"',
            "type PARCEL_LOST: icon must be words of small letters and digits with hyphens between.",
        ),
        (TYPE + "isNote = 1", "type PARCEL_LOST: isNote must be true or false."),
        (TYPE + 'titel = "x"', "type PARCEL_LOST: titel is unknown; did you mean title?"),
        (
            TYPE + 'titles = { german = "x" }',
            "type PARCEL_LOST, titles: german is no language tag, such as de or de-CH (BCP 47).",
        ),
        (TYPE + 'titles = { de = "" }', "type PARCEL_LOST, titles.de: must be text of at most 200 characters."),
        (
            ATTRIBUTE.replace('"parcel"', '"Parcel number"'),
            "type PARCEL_LOST, attribute number 1: needs a name in camelCase, such as parcelNumber.",
        ),
        (ATTRIBUTE + 'kind = "NUMBER"', "kind must be one of TEXT, INTEGER,"),
        (ATTRIBUTE + "between = [1, 2]", "between must be two whole numbers of an INTEGER, the lower one first."),
        (
            ATTRIBUTE + 'kind = "INTEGER"\nbetween = [2, 1]',
            "between must be two whole numbers of an INTEGER, the lower one first.",
        ),
        (
            ATTRIBUTE + '[[types.attributes]]\nname = "parcel"\nlabel = "P"',
            "type PARCEL_LOST: has two attributes parcel.",
        ),
        (FIELD.replace('"tier"', '"Tier"'), "field number 1: needs a name in camelCase, such as loyaltyTier."),
        (
            FIELD + 'kind = "MONEY"',
            "field number 1: kind must be one of TEXT, INTEGER, DECIMAL, BOOLEAN, DATE, DATETIME",
        ),
        (FIELD + 'kind = "DATE"\nvalues = ["x"]', "field number 1: values belong to the kind TEXT."),
        (FIELD + 'values = ["x", "X"]', "values must be a list of at most 100 different texts on one line."),
        (FIELD + "filterable = 1", "field number 1: filterable must be true or false."),
        (FIELD + "filtrable = true", "field number 1: filtrable is unknown; did you mean filterable?"),
        (FIELD + FIELD.replace('version = "1"', ""), "customerFields: two fields are called tier."),
        (FIELD.replace("STAFF", "ALL"), "field number 1: audience must be one of STAFF, OWNER, CUSTOMER."),
        (
            TYPE + '[titles.de]\nPURCHASED = "Kauf"',
            "titles.de: PURCHASED is no type of the gateway; did you mean PURCHASE?",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_a_way_out(text: str, sentence: str) -> None:
    assert any(sentence in each for each in wrong(text)), wrong(text)


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(wrong(TYPE.replace("FULFILLMENT", "X").replace("shop", "").replace("STAFF", "Y"))) == 3


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    own_environment: dict[str, Any] = {**os.environ, **environment}
    command = [sys.executable, "-m", "app", *arguments]
    return subprocess.run(command, env=own_environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_says_what_a_file_adds() -> None:
    checked = run(["catalogue", "check", str(FILE)])
    assert checked.stdout == (
        f"Version 2026-11-28: 1 types besides the {len(OURS)} of the gateway; 5 fields of customers; "
        "titles of 1 of the gateway's types in de.\n"
    )


def test_a_bad_file_stops_every_start_and_the_check_says_all_of_it(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(TYPE.replace("FULFILLMENT", "PARCELS").replace("STAFF", "ALL"))
    checked = run(["catalogue", "check", str(bad)])
    assert (checked.returncode, len(checked.stderr.splitlines())) == (2, 2)
    for arguments in (["serve"], ["worker", "--once"], ["indexes"]):
        stopped = run(arguments, CATALOGUE=str(bad), MONGODB_URI="mongodb://127.0.0.1:1/?replicaSet=x")
        assert stopped.returncode == 2
        assert "CATALOGUE" in stopped.stderr
        assert "group must be one of" in stopped.stderr
    missing = run(["serve"], CATALOGUE=str(tmp_path / "none.toml"))
    assert "cannot be read: No such file or directory." in missing.stderr


def test_types_of_ones_own_are_as_good_as_ours(mongodb_uri: str, database_name: str, tmp_path: Path) -> None:
    """A legacy row is known once the file has its type; another content needs another version."""
    database = f"{database_name}_own"
    environment = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database}
    customer = (
        '{"kind": "customer", "source": "shop", "id": "1", "number": "1", "name": "Ada", '
        '"registeredAt": "2024-01-01T00:00:00Z"}'
    )
    lost = (
        '{"kind": "activity", "source": "shop", "id": "a", "customer": {"source": "shop", "id": "1"}, '
        '"type": "PARCEL_LOST", "occurredAt": "2024-02-01T00:00:00Z", "attributes": {"parcelNumber": "7"}}'
    )
    bare = lost.replace('"id": "a"', '"id": "b"').replace(', "attributes": {"parcelNumber": "7"}', "")
    file = tmp_path / "lines.ndjson"
    file.write_text(f"{customer}\n{lost}\n")
    try:
        assert "1 of the unknown type PARCEL_LOST, kept as legacy" in run(["import", str(file)], **environment).stderr
        environment["CATALOGUE"] = str(FILE)
        applied = run(["catalogue", "apply"], **environment)
        assert applied.stdout == "1 activities have another group, audience or state than before.\n", applied.stderr
        assert run(["catalogue", "apply"], **environment).stdout.startswith("0 activities")
        file.write_text(f"{bare}\n")
        rejected = run(["import", str(file)], **environment)
        assert "attributes.parcelNumber is required" in rejected.stderr.replace("\n", " ")
        exported = run(["export", "report", "--format", "ndjson", "--filter", BOTH_YEARS], **environment)
        assert "Parcel lost" in exported.stdout, exported.stderr
        other = tmp_path / "other.toml"
        other.write_text(FILE.read_text().replace("Parcel lost", "Parcel gone"))
        taken = run(["catalogue", "apply"], **{**environment, "CATALOGUE": str(other)})
        assert taken.returncode == 2
        assert "Another file of version 2026-11-28 was applied before" in taken.stderr
    finally:
        run(["seed", "--customers", "1", "--drop", database], **environment)
