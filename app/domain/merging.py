"""Decides what a customer becomes when others are merged into them, and when that is undone. Pure.

The survivor is the one that the caller names. Their own values stand, blanks are filled, and what there may be several
of is united. What moves is in store/schema.py: `ROWS_OF_CUSTOMERS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from app.domain import customer_fields, details, due_diligence, lead_source
from app.domain.changes import LimitExceeded
from app.domain.customers import emails_of, primary_first
from app.domain.points import ReservationOpen
from app.domain.refusals import Refusal
from app.domain.search import folded
from app.domain.statuses import CLOSED, CustomerClosed
from app.domain.tax_ids import with_default
from app.domain.vocabulary import CustomerStatus, MergeField, MergeStatus, MergeWarning

Document = dict[str, Any]
AT_MOST: Final = 10
"""Customers who are merged into one at once."""
_VALUES_AT_MOST: Final = 100
FIELDS: Final[Mapping[MergeField, tuple[str, ...]]] = {
    MergeField.NAME: ("name", "firstName", "lastName"),
    MergeField.ORGANIZATION: ("organization",),
    MergeField.JOB_TITLE: ("jobTitle",),
    MergeField.DATE_OF_BIRTH: ("dateOfBirth",),
    MergeField.WEBSITE: ("website",),
    MergeField.LOCALE: ("locale",),
    MergeField.BILLING_ADDRESS: ("billingAddress",),
    MergeField.COUNTRY: ("country",),
    MergeField.LEAD_SOURCE: ("leadSource",),
    MergeField.FIELDS: ("fields",),
}
"""The keys of each field of which a customer has one value. Those of a field stay together."""
ONE_TIME_TYPES: Final = ("OPT_IN", "PROFILE_COMPLETED", "NEWSLETTER_SUBSCRIBED", "APP_INSTALLED")
"""Types of activity that a loyalty programme rewards once for each person."""


def owners_of(row: Mapping[str, Any]) -> set[str]:
    """Returns the customers whose a row is or was: two rows of one account stay so, whichever of them has moved."""
    return {row.get("customerId", ""), *(each["customerId"] for each in row.get("formerOwners", ()))}


def moved(row: Document, into_id: str) -> Document:
    """Returns a row of another customer as it will be once it has moved to the survivor."""
    if row.get("customerId", into_id) == into_id:
        return row
    former = [*row.get("formerOwners", ()), {"customerId": row["customerId"]}]
    return {**row, "customerId": into_id, "formerOwners": former}


class CustomerMerged(CustomerClosed):
    """Raised for a change of a customer who was merged into another. The client sees a user error.

    The payload's customer names the survivor in ``mergedInto``.
    """

    code = "CUSTOMER_MERGED"

    def __init__(self, survivor_id: str) -> None:
        Refusal.__init__(
            self, f"This customer was merged into {survivor_id}: make the change there. Rows may still be on their way."
        )


class MergeInProgress(Refusal):
    """Raised while rows of a customer move to or from another. The client sees a user error, and may try again."""

    code = "MERGE_IN_PROGRESS"


class AlreadyUndone(Refusal):
    code, field = "ALREADY_UNDONE", ("mergeId",)

    def __init__(self) -> None:
        super().__init__("The merge was undone already.")


def check_open(customer: Mapping[str, Any], *field: str) -> None:
    """Raises CustomerMerged or CustomerClosed for an account on which nothing is changed any more."""
    status, into = customer["status"], customer.get("mergedIntoId")
    if status in CLOSED:
        closed = CustomerMerged(into) if status == CustomerStatus.MERGED and into else CustomerClosed(status)
        closed.field = field or closed.field
        raise closed


class Blocker(NamedTuple):
    """A blocker is a customer who cannot be merged now, and why."""

    customer_id: str
    refusal: Refusal


def blockers(into: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> list[Blocker]:
    """Returns all reasons why these customers cannot be merged now."""
    found: list[Blocker] = []
    for place, customer in enumerate([into, *sources]):
        where = ("intoId",) if place == 0 else ("ids", str(place - 1))
        for check in (check_open, check_settled) if place == 0 else (check_open, check_settled, _check_unreserved):
            try:
                check(customer, *where)
            except Refusal as refusal:
                found.append(Blocker(customer["_id"], refusal))
    return found


def check_settled(customer: Mapping[str, Any], *field: str) -> None:
    """Raises MergeInProgress for a customer who still takes over another one, or of whom a merge is being undone."""
    if customer.get("absorbingIds"):
        message = f"Customer {customer['number']} still takes over another customer. Try again when that is done."
        raise MergeInProgress(message, *field)
    check_not_undoing(customer, *field)


def check_not_undoing(customer: Mapping[str, Any], *field: str) -> None:
    """Raises MergeInProgress for a customer who gets rows back from a merge that was undone, or gives them back."""
    if "undoingId" in customer:
        message = f"A merge of customer {customer['number']} is being undone. Try again when that is done."
        raise MergeInProgress(message, *field)


def _check_unreserved(customer: Mapping[str, Any], *field: str) -> None:
    if reserved := customer.get("points", {}).get("reserved", 0):
        refusal = ReservationOpen(reserved)
        refusal.field = field
        raise refusal


@dataclass(frozen=True, slots=True)
class FieldOutcome:
    """The outcome for a field says which value stands, whose it is, and which others are given up, as texts."""

    field: MergeField
    kept: str | None
    from_id: str
    dropped: Sequence[str]


@dataclass(frozen=True, slots=True)
class Merged:
    """It holds the survivor after a merge, without their points, and what is to be said about it."""

    customer: Document
    fields: Sequence[FieldOutcome] = ()
    warnings: Sequence[MergeWarning] = ()


def merged(
    into: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], keep: Mapping[MergeField, str], *, rewarded: bool
) -> Merged:
    """Returns the survivor. ``keep`` names by field whose value stands; ``rewarded``: one reward was given twice.

    Raises LimitExceeded for more values than a customer can have.
    """
    everybody = [into, *sources]
    after, fields = _joined(into, sources, keep)
    after["paymentCount"] = sum(each["paymentCount"] for each in everybody)
    after["mergedPayments"] = [*into.get("mergedPayments", []), *(each for one in sources for each in _payments(one))]
    after |= _memory(everybody)
    for key, value in after.items():
        if isinstance(value, list) and (length := len(cast(list[Any], value))) > _limit(key):
            message = f"This would make {length} {key}; a customer has at most {_limit(key)}."
            raise LimitExceeded(message, "ids")
    warnings = [
        *([MergeWarning.BLOCKED] if after["status"] != into["status"] else []),
        *([MergeWarning.REWARDED_TWICE] if rewarded else []),
        *([MergeWarning.DUE_DILIGENCE_REQUIRED] if _newly_required(into, after.get("dueDiligence")) else []),
    ]
    return Merged(after, fields, warnings)


def _joined(
    into: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], keep: Mapping[MergeField, str]
) -> tuple[Document, list[FieldOutcome]]:
    """Returns the survivor with what is not counted or added up, and what became of each field."""
    everybody = [into, *sources]
    fields, values = _fields(everybody, keep)
    values |= {key: united for key, united in _unions(everybody).items() if united != into.get(key, [])}
    after = details.with_values(into, values)
    if any(each["status"] == CustomerStatus.BLOCKED for each in sources):
        after["status"] = CustomerStatus.BLOCKED.value
    after["registeredAt"] = min(each["registeredAt"] for each in everybody)
    strictest = due_diligence.merged([each.get("dueDiligence") for each in everybody])
    return after | ({"dueDiligence": strictest} if strictest else {}), fields


def _newly_required(into: Mapping[str, Any], strictest: Mapping[str, Any] | None) -> bool:
    return due_diligence.is_required(strictest) and not due_diligence.is_required(into.get("dueDiligence"))


def _fields(
    everybody: Sequence[Mapping[str, Any]], keep: Mapping[MergeField, str]
) -> tuple[list[FieldOutcome], Document]:
    """Returns what stands of each field of which there is a value, and the survivor's values that are other ones."""
    into = everybody[0]
    fields: list[FieldOutcome] = []
    values: Document = {}
    for name, keys in FIELDS.items():
        having = [each for each in everybody if _has(each, name)]
        if not having:
            continue
        chosen = next((each for each in everybody if each["_id"] == keep.get(name)), None) or having[0]
        if name is MergeField.FIELDS:
            united = customer_fields.united([chosen, *everybody])
            fields.append(_outcome_of_fields(having, united, chosen["_id"]))
            values |= {} if united == into.get("fields") else {"fields": united}
            continue
        kept = _as_text(chosen, name)
        dropped = [text for each in having if (text := _as_text(each, name)) and text != kept]
        fields.append(FieldOutcome(name, kept, chosen["_id"], list(dict.fromkeys(dropped))))
        if chosen is into:
            continue
        if name is MergeField.LEAD_SOURCE:
            own: Mapping[str, Any] = chosen.get("leadSource") or {}
            given = {key: own.get(key) for key in lead_source.LENGTHS}
            values["leadSource"] = lead_source.updated(into.get("leadSource") or own, given) or None
        elif name is MergeField.NAME and not _is_named(chosen):
            values["name"] = chosen["name"]
        else:
            values |= {key: chosen.get(key) for key in keys}
    return fields, values


def _outcome_of_fields(
    having: Sequence[Mapping[str, Any]], united: Sequence[Mapping[str, Any]], from_id: str
) -> FieldOutcome:
    kept = customer_fields.texts_of({"fields": united})
    dropped = [text for each in having for text in customer_fields.texts_of(each) if text not in kept]
    return FieldOutcome(MergeField.FIELDS, ", ".join(kept) or None, from_id, list(dict.fromkeys(dropped)))


def _has(customer: Mapping[str, Any], name: MergeField) -> bool:
    if name is MergeField.NAME:  # a name that was made of an address or an organisation stands for no person
        return _is_named(customer) or customer["name"] != details.full_name(customer)
    return any(key in customer for key in FIELDS[name])


def _is_named(customer: Mapping[str, Any]) -> bool:
    return "firstName" in customer or "lastName" in customer


def _as_text(customer: Mapping[str, Any], name: MergeField) -> str | None:
    return details.as_text(customer.get(FIELDS[name][0])) or None


def _unions(everybody: Sequence[Mapping[str, Any]]) -> Document:
    """Returns what a customer may have several of: all of them, with the survivor's primary one and default."""
    into = everybody[0]
    emails = _contacts([emails_of(each) for each in everybody])
    phones = _contacts([each.get("phones", []) for each in everybody])
    tags = {folded(tag): tag for each in reversed(everybody) for tag in reversed(each.get("tags", []))}
    tax_ids = {(each["type"], each["value"]): each for one in reversed(everybody) for each in one.get("taxIds", [])}
    ordered = [tax_ids[key] for key in dict.fromkeys(_tax_keys(everybody))]
    default = next(
        (place for place, each in enumerate(ordered) if each in into.get("taxIds", []) and each["isDefault"]), 0
    )
    return {
        "emails": emails,
        "phones": phones,
        "tags": [tags[key] for key in dict.fromkeys(folded(tag) for each in everybody for tag in each.get("tags", []))],
        "taxIds": with_default(ordered, default),
        "mergedFromIds": _former_ids(everybody),
        "mergedIdentities": _merged_identities(everybody),
        **{key: _distinct(everybody, key) for key in ("tagSources", "identities", "campaigns")},
    }


def _merged_identities(everybody: Sequence[Mapping[str, Any]]) -> list[Document]:
    """Returns the identities that came with others: what their systems say of an account being closed is known."""
    into, *sources = everybody
    identities: list[Document] = [*into.get("mergedIdentities", [])]
    for source in sources:
        identities += source.get("identities", [])
    return identities


def _former_ids(everybody: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the ids of all who are the survivor from now on, with those who were merged into them before."""
    into, *sources = everybody
    ids: list[str] = [*into.get("mergedFromIds", [])]
    for source in sources:
        ids += [source["_id"], *source.get("mergedFromIds", [])]
    return [*dict.fromkeys(ids)]


def _tax_keys(everybody: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(each["type"], each["value"]) for one in everybody for each in one.get("taxIds", [])]


def _contacts(several: Sequence[Sequence[Mapping[str, Any]]]) -> list[Document]:
    """Returns all contact points, each once; the first primary one stays it."""
    by_value: dict[str, Document] = {}
    for contacts in several:
        for contact in contacts:
            by_value.setdefault(contact["value"].casefold(), dict(contact))
    united = [*by_value.values()]
    primary = next((contact for contact in united if contact["primary"]), united[0] if united else None)
    return primary_first(united, primary["value"]) if primary else []


def _distinct(everybody: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    united: list[Any] = []
    for each in everybody:
        united += [value for value in each.get(key, []) if value not in united]
    return united


def _limit(key: str) -> int:
    return {
        "tagSources": 1_000,
        "sourceValues": 1_000,
        "campaigns": 2**31,
        "mergedFromIds": 1_000,
        "mergedPayments": 1_000,
    }.get(key, 1_000 if key.startswith("search") else _VALUES_AT_MOST)


def _memory(everybody: Sequence[Mapping[str, Any]]) -> Document:
    """Returns what is remembered of sources and edits: those of identities follow them, marks are the survivor's."""
    said = [each for one in everybody for each in one.get("sourceValues", [])]
    latest = max((each["lastActivityAt"] for each in everybody if "lastActivityAt" in each), default=None)
    by_type: Document = {}
    for each in everybody:
        for type_, at in each.get("lastByType", {}).items():
            by_type[type_] = max(by_type.get(type_, at), at)
    return {
        **({"sourceValues": sorted(said, key=lambda each: (each["source"], each["id"]))} if said else {}),
        **({"lastActivityAt": latest} if latest else {}),
        **({"lastByType": by_type} if by_type else {}),
    }


def _payments(source: Mapping[str, Any]) -> list[Document]:
    """Returns what the survivor remembers of a source's payments: their own, and those of whom they had taken over."""
    others = source.get("mergedPayments", [])
    theirs = [identity for each in others for identity in each["identities"]]
    own = {
        "customerId": source["_id"],
        "count": max(0, source["paymentCount"] - sum(each["count"] for each in others)),
        "identities": [each for each in source.get("identities", []) if each not in theirs],
    }
    return [own, *others]


def told_payments(customer: Mapping[str, Any], identities: Sequence[Mapping[str, Any]], count: int) -> Document:
    """Returns the keys of a customer of whom a source says how many payments the account has that it knows by these.

    A survivor has the payments of all accounts: what is said of one leaves those of the others.
    """
    others: Sequence[Document] = customer.get("mergedPayments", [])
    place = next((at for at, each in enumerate(others) if any(one in each["identities"] for one in identities)), None)
    if place is None:
        return {"paymentCount": count + sum(each["count"] for each in others)}
    known = others[place]
    named = [*known["identities"], *(each for each in identities if each not in known["identities"])]
    told = {**known, "count": count, "identities": named}
    return {
        "paymentCount": max(0, customer["paymentCount"] + count - known["count"]),
        "mergedPayments": [*others[:place], told, *others[place + 1 :]],
    }


# ---------------------------------------------------------------- undone


def payments_back(into: Mapping[str, Any], source: Mapping[str, Any]) -> Document:
    """Returns the keys of a source of a merge with the payments that they have by now, once it is undone."""
    theirs = {source["_id"], *source.get("mergedFromIds", ())}
    payments = [each for each in into.get("mergedPayments", []) if each["customerId"] in theirs]
    if not payments:  # a merge of an earlier version
        return {"paymentCount": source["paymentCount"]}
    others = [each for each in payments if each["customerId"] != source["_id"]]
    return {"paymentCount": sum(each["count"] for each in payments), "mergedPayments": others or None}


def check_undoable(merge: Mapping[str, Any], into: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> None:
    """Raises MergeInProgress, AlreadyUndone, CustomerMerged or CustomerClosed for what cannot be undone now."""
    if merge["status"] == MergeStatus.UNDONE:
        raise AlreadyUndone
    if merge["status"] != MergeStatus.DONE:
        raise MergeInProgress("Rows are still on their way. Try again when that is done.", "mergeId")
    check_settled(into, "mergeId")
    check_open(into, "mergeId")
    for customer in sources:
        if customer.get("mergeId") != merge["_id"]:
            closed = CustomerClosed(customer["status"])
            closed.field = ("mergeId",)
            raise closed


@dataclass(frozen=True, slots=True)
class Unmerged:
    """It holds the survivor after an undone merge, without their points, and what later merges have brought now."""

    customer: Document
    later: Mapping[str, Document]
    """The keys ``before`` and ``after`` of each, by its id."""


def unmerged(into: Mapping[str, Any], merge: Mapping[str, Any], later: Sequence[Mapping[str, Any]] = ()) -> Unmerged:
    """Returns the survivor without what the merge brought, as far as nobody has changed it since.

    ``merge`` has the survivor's keys ``before`` and ``after``, and ``snapshots`` of the others as they were. What it
    brought stands where customers have it, too, who came by one of the ``later`` merges, oldest first: from now on it
    is this one that has brought it.
    """
    sources = merge["snapshots"]
    after = _without(into, merge)
    rest: dict[str, Document] = {}
    for other in later:
        brought = _brought_again(into, after, other["snapshots"])
        new = {key: after.get(key) for key in brought if key not in other["before"]}
        before = {key: value for key, value in _without(other["before"], merge).items() if key in other["before"]}
        gone = {key: None for key in other["before"] if key not in before}
        rest[other["_id"]] = {
            "before": {**before, **gone, **new},
            "after": {**other["after"], **{key: brought[key] for key in new}},
        }
        after |= brought
    payments_given = sum(payments_back(into, each)["paymentCount"] for each in sources)
    after["paymentCount"] = max(0, into["paymentCount"] - payments_given)
    theirs = {each["_id"] for each in sources} | {key for each in sources for key in each.get("mergedFromIds", [])}
    after["mergedFromIds"] = [key for key in into.get("mergedFromIds", []) if key not in theirs] or None
    payments = [each for each in into.get("mergedPayments", []) if each["customerId"] not in theirs]
    after["mergedPayments"] = payments or None
    identities = [each for one in sources for each in one.get("identities", [])]
    after["identities"] = [each for each in into.get("identities", []) if each not in identities]
    after["mergedIdentities"] = [each for each in into.get("mergedIdentities", []) if each not in identities] or None
    own_values = [
        each for each in into.get("sourceValues", []) if {"source": each["source"], "id": each["id"]} not in identities
    ]
    after["sourceValues"] = own_values or None
    after = {key: value for key, value in after.items() if value is not None}
    if emails := after.get("emails"):
        primary = next((each["value"] for each in emails if each["primary"]), emails[0]["value"])
        after["emails"], after["email"] = primary_first(emails, primary), primary
    elif after.get("emails") == []:
        after = {key: value for key, value in after.items() if key not in ("emails", "email")}
    return Unmerged(details.searchable(after), rest)


def _without(into: Mapping[str, Any], merge: Mapping[str, Any]) -> Document:
    """Returns the survivor without what the merge brought of what is put back. Keys without a value are left out."""
    before, left, sources = merge["before"], merge["after"], merge["snapshots"]
    after = dict(into)
    for key in left.keys() | before.keys():
        value = into.get(key)
        if key in _COUNTED or key.startswith("search"):
            continue
        if value == left.get(key):
            after[key] = before.get(key)
        elif isinstance(value, list):
            brought = [_unmarked(each) for one in sources for each in one.get(key, [])]
            own = [*map(_unmarked, before.get(key) or [])]
            present = [(each, _unmarked(each)) for each in cast(list[Any], value)]
            after[key] = [each for each, unmarked in present if unmarked in own or unmarked not in brought]
    there, made, own_fields = map(customer_fields.values_of, (into, left, before))
    as_left = (name for name in made.keys() | own_fields.keys() if there.get(name) == made.get(name))
    after = customer_fields.with_values(after, {customer_fields.key_of(name): own_fields.get(name) for name in as_left})
    return {key: value for key, value in after.items() if value is not None}


_COUNTED: Final = frozenset(
    {"paymentCount", "mergedPayments", "identities", "sourceValues", "mergedFromIds", "mergedIdentities", "fields"}
    | {"lastByType", "lastActivityAt", "points", "spendable", "revision", "detailsRevision"}
)
"""Keys of a survivor that are not put back, but made anew."""


def _brought_again(
    into: Mapping[str, Any], after: Mapping[str, Any], snapshots: Sequence[Mapping[str, Any]]
) -> Document:
    """Returns what an undone merge has taken from the survivor, as far as those of another merge brought it, too."""
    again, _ = _joined(after, snapshots, {})
    brought: Document = {}
    for key, value in again.items():
        if key in _COUNTED - {"fields"} or key.startswith("search") or into.get(key) == after.get(key):
            continue
        if key == "fields":
            names = customer_fields.values_of(into).keys()
            brought[key] = [each for each in value if each["name"] in names]
        elif isinstance(value, list):
            there = [*map(_unmarked, into.get(key, []))]
            brought[key] = [each for each in cast(list[Any], value) if _unmarked(each) in there]
        else:
            brought[key] = value
    return {key: value for key, value in brought.items() if value != after.get(key)}


def _unmarked(each: Any) -> Any:
    """Returns an entry of a list without what says that it is the primary one, or the default."""
    if not isinstance(each, dict):
        return each
    return {key: value for key, value in cast(Document, each).items() if key not in ("primary", "isDefault")}
