"""Decides what a customer's details become: by an edit here, and by what a source system says. Pure.

An edit marks its field (``edited``), and each source identity has what it said last (``sourceValues``). A source that
repeats itself changes nothing: neither an edit nor what another source has said since. What it says for the first time
wins, also over an edit, which the timeline then tells of.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias, cast

from app.domain import changes, customer_fields
from app.domain.attributes import to_text
from app.domain.changes import Invalid
from app.domain.customers import emails_of, is_web_address, primary_first
from app.domain.import_forms import COUNTRY, EMAIL_ADDRESS, LOCALE, Form, Identity, matching
from app.domain.lead_source import LENGTHS
from app.domain.refusals import Refusal
from app.domain.search import SEARCH_COPIES, folded, search_copies
from app.domain.vocabulary import AccessLevel

Document: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]
Read: TypeAlias = Callable[[Any, Path], Any]
"""From a value and where the client gave it to what is stored. Raises Invalid."""

_CONTACTS_AT_MOST: Final = 100
_FIELDS_AT_MOST: Final = 100
_CHANGE_AT_MOST: Final = 1_000


class NumberTaken(Refusal):
    code, field = "NUMBER_TAKEN", ("number",)

    def __init__(self, number: str) -> None:
        super().__init__(f"The number {number} belongs to another customer.")


class IdentityTaken(Refusal):
    code, field = "IDENTITY_TAKEN", ("identity",)

    def __init__(self, identity: Identity) -> None:
        super().__init__(f"The identity {identity} belongs to another customer.")


class Stale(Refusal):
    """Raised if somebody changed the details since the client read them; the payload has the customer as they are."""

    code, field = "STALE", ("expectedRevision",)

    def __init__(self, expected: int, last: int) -> None:
        super().__init__(f"The details were changed at revision {last}, after revision {expected} that you have read.")


# ---------------------------------------------------------------- values


def _line(at_most: int) -> Read:
    return lambda value, field: changes.text(value, *field, at_most=at_most, lines=False)


def _as_imported(form: Form) -> Read:
    return lambda value, field: changes.formed(form, value.strip(), *field)


def _email(value: str, field: Path) -> str:
    given = changes.text(value, *field, at_most=255, lines=False)
    try:
        return EMAIL_ADDRESS.read(given)
    except ValueError:
        raise Invalid(f"{given[:100]} is not an e-mail address.", *field) from None


def _phone(value: str, field: Path) -> str:
    given = changes.text(value, *field, at_most=50, lines=False)
    if sum(character.isdigit() for character in given) < 3:
        raise Invalid(f"{given} is not a phone number.", *field)
    return given


def _website(value: str, field: Path) -> str:
    given = changes.text(value, *field, at_most=1_000, lines=False)
    if not is_web_address(given):
        raise Invalid("website must be the address of a web page, such as https://example.com.", *field)
    return given


def _contacts(read: Read, given: Sequence[Mapping[str, Any]], field: Path) -> list[Document]:
    name = field[-1]
    if len(given) > _CONTACTS_AT_MOST:
        raise Invalid(f"A customer has at most {_CONTACTS_AT_MOST} {name}; these are {len(given)}.", *field)
    contacts: list[Document] = []

    def one(at: int, contact: Mapping[str, Any]) -> None:
        label = contact.get("label")
        label = label and _line(45)(label, (*field, str(at), "label"))
        value = read(contact["value"], (*field, str(at), "value"))
        contacts.append({"value": value, "primary": bool(contact.get("primary"))} | ({"label": label} if label else {}))

    def one_of_each() -> None:
        primary = [contact["value"] for contact in given if contact.get("primary")]
        if len(primary) > 1:
            raise Invalid(f"{name} may have one primary; {len(primary)} are given.", *field)
        values = [str(contact["value"]).strip().casefold() for contact in given]
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise Invalid(f"{name} must be different ones: {twice[0][:100]} is given twice.", *field)

    changes.check(one_of_each, *(partial(one, at, contact) for at, contact in enumerate(given)))
    primary = next((contact for contact in contacts if contact["primary"]), contacts[0] if contacts else None)
    return primary_first(contacts, primary["value"]) if primary else []


_COUNTRY: Final = _as_imported(COUNTRY)
_ADDRESS: Final[Mapping[str, Read]] = {
    "line1": _line(60),
    "line2": _line(60),
    "city": _line(45),
    "region": _line(45),
    "postalCode": _as_imported(matching(r"[\w\s\-]{1,10}", "at most 10 letters, digits, blanks and hyphens")),
    "country": _COUNTRY,
}


def _address(given: Mapping[str, str], field: Path) -> Document:
    lines = {key: value for key, value in given.items() if value}
    return changes.read_each(lines, lambda key, value: _ADDRESS[key](value, (*field, key)))


FORMS: Final[Mapping[str, Read]] = {
    "number": _line(50),
    "name": _line(255),
    "firstName": _line(45),
    "lastName": _line(45),
    "organization": _line(255),
    "jobTitle": _line(255),
    "dateOfBirth": _line(10),
    "website": _website,
    "locale": _as_imported(LOCALE),
    "emails": partial(_contacts, _email),
    "phones": partial(_contacts, _phone),
    "billingAddress": _address,
    "country": _COUNTRY,
}
"""The fields that people edit, in the order in which changes are told."""
DETAILS: Final = (*FORMS, "taxIds", "leadSource")
"""All that an edit may change, with those that have mutations of their own; and then the fields of the catalogue."""
_NEEDED: Final = frozenset({"number", "name"})


def _fields(given: Sequence[Mapping[str, Any]], roles: frozenset[AccessLevel]) -> Document:
    """Returns fields of the catalogue, by their keys."""
    if len(given) > _FIELDS_AT_MOST:
        raise Invalid(f"At most {_FIELDS_AT_MOST} fields may be given; these are {len(given)}.", "fields")
    known = {field.name for field in customer_fields.known(roles)}
    values: Document = {}

    def one(at: int, name: str, value: str | None) -> None:
        key, end = customer_fields.key_of(name), "name"
        try:
            customer_fields.check_name(name, known)
            if key in values:
                raise ValueError(f"{key} is given twice.")
            values[key], end = None, "value"
            if value is not None:
                values[key] = customer_fields.parse(name, value)
        except ValueError as wrong:
            raise Invalid(str(wrong), "fields", str(at), end) from None

    checks = (partial(one, at, each["name"], each.get("value")) for at, each in enumerate(given))
    changes.check(lambda: None, *checks)
    return values


def read(given: Mapping[str, Any], *, now: datetime, roles: frozenset[AccessLevel]) -> Document:
    """Returns the values as they are stored; None clears a field. Raises Invalid, or Refusals with all that is wrong.

    ``now`` bounds the date of birth: it is over today somewhere on earth. ``roles`` write no field that they may not
    read.
    """
    today = (now + timedelta(hours=14)).date().isoformat()

    def one(key: str, value: Any) -> Any:
        if value is None:
            if key in _NEEDED:
                raise Invalid(f"{key} cannot be cleared: every customer has one.", key)
            return None
        if key == "dateOfBirth" and value > today:
            raise Invalid("dateOfBirth must not be in the future.", key)
        if key == "fields":
            return _fields(value, roles)
        return FORMS[key](value, (key,)) or None  # an empty list clears, too

    values = changes.read_each(given, one)
    return values | values.pop("fields", {})


# ---------------------------------------------------------------- an edit


def full_name(customer: Mapping[str, Any]) -> str | None:
    """Returns the name that a person's names make, else their organisation's, else their first address; or None."""
    person = " ".join(customer[key] for key in ("firstName", "lastName") if customer.get(key))
    return person or customer.get("organization") or next((each["value"] for each in emails_of(customer)), None)


def with_values(customer: Mapping[str, Any], values: Mapping[str, Any]) -> Document:
    """Returns the customer with these values; None clears a field.

    A name that was made of the other names follows them, and ``email`` is the primary one of ``emails``.
    """
    own = {key: value for key, value in values.items() if not customer_fields.is_key(key)}
    after = {**customer_fields.with_values(customer, values), **own}
    if "emails" in values:
        after["email"] = values["emails"][0]["value"] if values["emails"] else None
    after = {key: value for key, value in after.items() if value is not None}
    if "name" not in values and customer.get("name") == full_name(customer) and (name := full_name(after)):
        after["name"] = name
    return searchable(after)


def edit(customer: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[Document, list[Document]]:
    """Returns the customer after an edit, its fields marked, and the changes: field, from and to, as people read them.

    The customer is returned as they were where nothing changed.
    """
    after = with_values(customer, values)
    changed = changed_fields(customer, after)
    if not changed:
        return dict(customer), []
    marks = {mark["field"]: mark for mark in customer.get("edited", ())}
    for key in changed:
        before = customer_fields.value_of(customer, key)
        marks.setdefault(key, {"field": key} if before is None else {"field": key, "before": before})
    return {**after, "edited": [*marks.values()]}, differences(customer, after, changed)


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Returns what an edit could have made of one customer the other, in the order in which changes are told."""
    keys, value_of = (*DETAILS, *customer_fields.keys()), customer_fields.value_of
    return [key for key in keys if value_of(before, key) != value_of(after, key)]


def told(changed: Sequence[Document]) -> Document:
    """Returns the keys of the activity that tells what changed.

    Not everybody who sees the activity may know which fields the catalogue has.
    """
    names = dict.fromkeys(change["field"].partition(".")[0] for change in changed)
    return {"changes": changed, "attributes": {"changedFields": [*names]}}


def differences(before: Mapping[str, Any], after: Mapping[str, Any], fields: Iterable[str]) -> list[Document]:
    """Returns what changed as the timeline keeps it: field, from and to, without what is not there."""
    changed: list[Document] = []
    for key in fields:
        ends = {end: as_text(customer_fields.value_of(one, key)) for end, one in (("from", before), ("to", after))}
        changed.append({"field": key, **{end: text[:_CHANGE_AT_MOST] for end, text in ends.items() if text}})
    return changed


def as_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(contact["value"] for contact in cast(list[Document], value))
    if isinstance(value, dict):
        parts = cast(Document, value)
        return ", ".join(parts[key] for key in (*_ADDRESS, *LENGTHS) if key in parts)
    return "" if value is None else to_text(value)


def searchable(customer: Mapping[str, Any]) -> Document:
    """Returns the customer with the copies that they are searched by."""
    return {key: value for key, value in customer.items() if key not in SEARCH_COPIES} | search_copies(customer)


# ---------------------------------------------------------------- what a source says


def said_before(customer: Mapping[str, Any], identity: Identity) -> Mapping[str, Any] | None:
    """Returns what this identity's source said last, by field, None for what it removed; None where nobody knows."""
    for each in customer.get("sourceValues", ()):
        if (each["source"], each["id"]) == identity:
            return each["values"]
    return None


def news(customer: Mapping[str, Any], identity: Identity, said: Mapping[str, Any]) -> Document:
    """Returns those of the values that this source has not said before.

    Databases of earlier versions do not know what it said: there it repeats itself if it says what an edit replaced.
    """
    before = said_before(customer, identity)
    if before is not None:
        return {key: value for key, value in said.items() if key not in before or before[key] != value}
    replaced = {mark["field"]: mark.get("before") for mark in customer.get("edited", ())}
    if emails := replaced.get("emails"):
        replaced["email"] = emails[0]["value"]
    return {key: value for key, value in said.items() if key not in replaced or replaced[key] != value}


MARKED_AS: Final = {"email": "emails"}


def remembered(customer: Mapping[str, Any], identity: Identity, said: Mapping[str, Any]) -> Document:
    """Returns the key ``sourceValues`` once this source has said these values, too; nothing if it said none."""
    if not said:
        return {}
    own = {**identity._asdict(), "values": {**(said_before(customer, identity) or {}), **said}}
    others = [each for each in customer.get("sourceValues", ()) if (each["source"], each["id"]) != identity]
    return {"sourceValues": sorted([*others, own], key=lambda each: (each["source"], each["id"]))}


def overruled(
    before: Mapping[str, Any], after: Mapping[str, Any], new: Iterable[str]
) -> tuple[Document, list[Document]]:
    """Returns the key ``edited`` without the marks of fields that a source gave new values, and the edits it undid."""
    fields = {MARKED_AS.get(key, key) for key in new}
    marks: list[Document] = before.get("edited", [])
    value_of = customer_fields.value_of
    lost = [
        name for mark in marks if (name := mark["field"]) in fields and value_of(before, name) != value_of(after, name)
    ]
    left = [mark for mark in marks if mark["field"] not in fields]
    return {"edited": left} if marks else {}, differences(before, after, lost)


def labels_to_put(present: Iterable[str], before: Sequence[str] | None, given: Sequence[str]) -> list[str]:
    """Returns the labels that a source puts on: those it gives for the first time, and those that are still there.

    One that it gave before, and that somebody has taken off since, stays off.
    """
    known, there = {folded(tag) for tag in before or ()}, {folded(tag) for tag in present}
    return [tag for tag in given if folded(tag) not in known or folded(tag) in there]
