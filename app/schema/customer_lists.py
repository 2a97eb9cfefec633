"""Declares which customers a list has, and in which order: segments, conditions, searches."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import strawberry

from app.catalogue.model import AttributeKind, CatalogueField
from app.domain import customer_fields
from app.domain.access import Forbidden, Permission, Role, Viewer
from app.domain.listings import CUSTOMERS
from app.domain.paging import AnyOf, Between, Condition, Exactly, HasNamed, In, Sorting, Where
from app.domain.refusals import BadUserInput, unknown
from app.domain.report import MAX_OPTIONS
from app.domain.search import address
from app.schema.base import Info, SafeInt, Source
from app.schema.enums import CustomerOrderField, CustomerSegment, CustomerStatus, OrderDirection
from app.schema.filters import (
    TimeRange,
    among,
    beginning,
    bound,
    check_types,
    during,
    few,
    folded_term,
    has_beginning,
    search_term,
    terms,
)
from app.schema.rules import WITH_OWNER, Access

_TAG_AT_MOST = 100


@strawberry.input(description="A range of whole numbers, both ends included. An end that is left out is open.")
class IntRange:
    min: SafeInt | None = strawberry.field(default=None, description="The smallest number.")
    max: SafeInt | None = strawberry.field(default=None, description="The largest number.")

    def bounds(self, name: str) -> Between:
        """Returns the bounds of the range. Raises BadUserInput if it holds no number."""
        if self.min is not None and self.max is not None and self.min > self.max:
            raise BadUserInput(f"{name}: min must not be greater than max.", name)
        return Between(self.min, None if self.max is None else self.max + 1)


@strawberry.input(description="A condition that an activity of a type exists, at any time or since a point in time.")
class HasActivity:
    type: str = strawberry.field(description="The code of the activity type in the catalogue.")
    since: datetime | None = strawberry.field(
        default=None, description="Only activities at or after this time. Default: at any time."
    )


@strawberry.input(
    description="A condition on a field that this gateway's own catalogue adds to customers, and declares to be "
    "filterable. With nothing but its name: that the customer has any value."
)
class CustomerFieldCondition:
    name: str = strawberry.field(description="The name of the field; `customerFields` lists all.")
    values: list[str] | None = strawberry.field(
        default=None,
        description="Only customers with one of these values, as text. At most 100; an empty list matches no rows.",
    )
    from_: str | None = strawberry.field(
        name="from",
        default=None,
        description="Only customers with this value or one above it, as text. For numbers, dates and times.",
    )
    to: str | None = strawberry.field(
        default=None, description="Only customers with a value below this one, as text. For numbers, dates and times."
    )

    def where(self, roles: frozenset[Role]) -> Where:
        """Raises BadUserInput."""
        known = {field.name: field for field in customer_fields.known(roles)}
        field = known.get(self.name)
        if field is None:
            raise unknown("field of customers", self.name, known, "fields")
        if not field.filterable:
            able = ", ".join(each.name for each in known.values() if each.filterable) or "none"
            raise BadUserInput(
                f"Customers cannot be filtered by {field.name}: its declaration in the catalogue does not say that it "
                f"is filterable. Those that can be filtered by: {able}.",
                "fields",
            )
        few("values", self.values)
        if self.values is not None and (self.from_ is not None or self.to is not None):
            raise BadUserInput(f"{field.name}: give either values, or from and to.", "fields")
        if self.values is not None:
            given = In(tuple(dict.fromkeys(self._read(field, each, "values") for each in self.values)))
            return (("fields", HasNamed(field.name, given)),)
        return (("fields", HasNamed(field.name, self._range(field))),)

    def _range(self, field: CatalogueField) -> Between:
        ends = {"from": self.from_, "to": self.to}
        given = {name: self._read(field, text, name) for name, text in ends.items() if text is not None}
        if given and field.kind in (AttributeKind.TEXT, AttributeKind.BOOLEAN):
            raise BadUserInput(f"{field.name} has no order: give values instead of from and to.", "fields")
        at_least, below = given.get("from"), given.get("to")
        if at_least is not None and below is not None and at_least >= below:
            raise BadUserInput(f"{field.name}: from must be less than to.", "fields")
        return Between(at_least, below)

    @staticmethod
    def _read(field: CatalogueField, text: str, name: str) -> Any:
        try:
            return customer_fields.read(field, text)
        except ValueError as wrong:
            raise BadUserInput(f"{field.name}: {name} must be {wrong}", "fields") from None


@strawberry.input(
    description="A filter on customers. Conditions that are given must all hold; conditions that are left "
    "out do not filter. Texts are compared ignoring case and accents, and no character in "
    "them has a special meaning."
)
class CustomerFilter:
    segment: CustomerSegment | None = strawberry.field(
        default=None, description="Only customers of this built-in segment."
    )
    statuses: list[CustomerStatus] | None = strawberry.field(
        default=None, description="Only customers with one of these statuses. An empty list matches no rows."
    )
    tags: list[str] | None = strawberry.field(
        default=None,
        description="Only customers with one of these labels. Needs SEARCH_BY_LABEL. An empty list matches no rows.",
    )
    countries: list[str] | None = strawberry.field(
        default=None,
        description="Only customers from one of these countries, by two-letter code. An empty list matches no rows.",
    )
    fields: list[CustomerFieldCondition] | None = strawberry.field(
        default=None,
        description="Only customers who meet all of these conditions on fields of this gateway's own catalogue. At "
        "most 10; an empty list does not filter.",
    )
    registered_at: TimeRange | None = strawberry.field(
        default=None, description="Only customers who registered in this window."
    )
    payments: IntRange | None = strawberry.field(
        default=None, description="Only customers with a number of payments in this range."
    )
    campaigns: list[str] | None = strawberry.field(
        default=None,
        description="Only customers with an activity of one of these campaigns. Needs SEARCH_BY_LABEL. An "
        "empty list matches no rows.",
    )
    has_activity: HasActivity | None = strawberry.field(
        default=None, description="Only customers with an activity of this type, such as a renewal since January."
    )
    spendable_points: IntRange | None = strawberry.field(
        default=None,
        description="Only customers with a number of spendable points in this range. Points that have just "
        "expired count until the expiry is recorded, within a minute or so.",
    )
    number: str | None = strawberry.field(
        default=None, description="Only the customer with exactly this customer number."
    )
    name: str | None = strawberry.field(
        default=None, description="Only customers whose full name begins with this text."
    )
    last_name: str | None = strawberry.field(
        default=None, description="Only customers whose family name begins with this text."
    )
    email: str | None = strawberry.field(
        default=None,
        description="Only customers with exactly this e-mail address among theirs. Needs SEARCH_BY_CONTACT.",
    )
    email_prefix: str | None = strawberry.field(
        default=None,
        description="Only customers with an e-mail address that begins with this text. Needs SEARCH_BY_CONTACT.",
    )

    def where(self, viewer: Viewer) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput, and Forbidden for what the viewer may not read."""
        return (
            *self._named(),
            *self._reached(viewer),
            *self._labelled(viewer),
            *self._counted(),
            *self._placed(viewer),
            *self._with_fields(viewer),
        )

    def _with_fields(self, viewer: Viewer) -> Where:
        few("fields", self.fields, at_most=10)
        wheres = [each.where(viewer.roles) for each in self.fields or ()]
        return tuple((f"field {at}?", AnyOf((where,))) for at, where in enumerate(wheres))

    def _named(self) -> Where:
        return (
            *(() if self.number is None else (("searchNumber", In((folded_term("number", self.number),))),)),
            *(() if self.name is None else beginning("searchName", folded_term("name", self.name))),
            *(() if self.last_name is None else beginning("searchLastName", folded_term("lastName", self.last_name))),
        )

    def _reached(self, viewer: Viewer) -> Where:
        if self.email is None and self.email_prefix is None:
            return ()
        viewer.require(Permission.SEARCH_BY_CONTACT)
        conditions: list[tuple[str, Condition]] = []
        if not viewer.may_to_all(Permission.SEARCH_BY_CONTACT):
            conditions.append(("_id", Exactly(viewer.customer_id or "")))
        if self.email is not None:
            conditions.append(("searchEmails", Exactly(address(search_term("email", self.email)))))
        if self.email_prefix is not None:
            term = address(search_term("emailPrefix", self.email_prefix))
            conditions.append(("emailPrefix?", AnyOf((has_beginning("searchEmails", term),))))
        return tuple(conditions)

    def _labelled(self, viewer: Viewer) -> Where:
        if self.tags is not None or self.campaigns is not None:
            viewer.require(Permission.SEARCH_BY_LABEL)
        few("tags", self.tags)
        tags = None if self.tags is None else [folded_term("tags", tag, at_most=_TAG_AT_MOST) for tag in self.tags]
        campaigns = terms("campaigns", self.campaigns)
        return (*among("searchTags", tags), *among("campaigns", campaigns), *self._active(viewer))

    def _active(self, viewer: Viewer) -> Where:
        if self.has_activity is None:
            return ()
        check_types([self.has_activity.type], viewer.roles, "hasActivity")
        since = bound(self.has_activity.since) or _EVER
        return ((f"lastByType.{self.has_activity.type}", Between(since)),)

    def _counted(self) -> Where:
        payments = self.payments.bounds("payments") if self.payments else Between()
        if self.segment == CustomerSegment.LEADS:
            payments = Between(payments.at_least, min(payments.below or 1, 1))
        elif self.segment == CustomerSegment.CUSTOMERS:
            payments = Between(max(payments.at_least or 1, 1), payments.below)
        spendable = self.spendable_points.bounds("spendablePoints") if self.spendable_points else Between()
        both = (("paymentCount", payments), ("spendable", spendable))
        return tuple((key, bounds) for key, bounds in both if bounds != Between())

    def _placed(self, viewer: Viewer) -> Where:
        known = terms("countries", self.countries)
        conditions = (*among("status", self.statuses), *during("registeredAt", self.registered_at))
        if known is None:
            return conditions
        countries = In(tuple(dict.fromkeys(known)))
        if not viewer.may_to_all(Permission.SEARCH_BY_CONTACT):  # what an address says is not theirs to read
            return (*conditions, ("country", countries))
        of_address: Where = (("country", In((None,))), ("billingAddress.country", countries))
        return (*conditions, ("country?", AnyOf(((("country", countries),), of_address))))


_EVER = datetime.min.replace(tzinfo=UTC)


@strawberry.input(description="A sort order for customers.")
class CustomerOrder:
    field: CustomerOrderField = strawberry.field(default=CustomerOrderField.NAME, description="The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="The direction to sort in.")

    def sorting(self, *asked: CustomerFilter) -> Sorting:
        """Returns the sorting; customers found by the beginning of their name come in the order of that index."""
        searched = any(each.name is not None for each in asked) and self.field == CustomerOrderField.NAME
        return Sorting("SEARCHED_NAME" if searched else self.field.value, self.direction == OrderDirection.DESC)


def check_order(info: Info, order: CustomerOrder) -> None:
    """Raises Forbidden for an order by what is masked: where a row stands would tell what it hides."""
    keys = CUSTOMERS.orders[order.field].keys
    if any(info.context.loaders.gate.masks_key("customers", key) for key in keys):
        raise Forbidden("Your role may not sort by what it may not read.", "orderBy")


async def visible_customers(info: Info) -> Where:
    """Returns the condition that a customer exists for the viewer; the gate applies it to what is asked for by name."""
    viewer = info.context.viewer
    if viewer.sees_all_customers:
        return ()
    wheres: list[Where] = []
    if Role.AFFILIATE in viewer.roles:
        wheres.append((("affiliateId", Exactly(viewer.affiliate_id or "")),))
    if Role.CUSTOMER in viewer.roles:
        own: Source = await info.context.loaders.documents.load(viewer.customer_id or "")
        wheres.append((("number", Exactly(own["number"])),))
    return (("seen?", AnyOf(tuple(wheres))),)


@strawberry.type(description="The labels that customers have, to choose from in a filter.")
class CustomerTags:
    access: ClassVar[Access] = WITH_OWNER

    values: list[str] = strawberry.field(
        description=f"The labels in alphabetical order, capitals first; at most {MAX_OPTIONS:,}."
    )
    has_more: bool = strawberry.field(description="Whether there are more. `startsWith` narrows them.")
