"""The customer-service report: what people and systems did to all customers, in a window of time."""

from datetime import datetime
from typing import Annotated, ClassVar, cast

import strawberry

from app.catalogue import CATALOGUE, NOTE_TYPES
from app.domain.access import Permission, Viewer
from app.domain.cursors import size_of
from app.domain.listings import REPORT as ROWS
from app.domain.paging import In, Named, Where, both
from app.domain.refusals import BadUserInput
from app.domain.report import actions
from app.domain.vocabulary import ActorKind
from app.schema.activities import Activity
from app.schema.base import Info, Source
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.enums import AccessLevel, NotesFilter
from app.schema.filters import among, check_types, during, few, terms
from app.schema.rules import REPORT, Access

MAXIMUM_FIELDS = 100


@strawberry.type(description="How often one action was done.")
class ActionTotal:
    access: ClassVar[Access] = REPORT

    type: str = strawberry.field(description="The action: the code of its type in the catalogue.")
    title: str = strawberry.field(description="Its title, exactly as the source system shows it.")
    total: int = strawberry.field(description="How many times; as many rows as `details(types:)` has for it.")


@strawberry.type(description="How often one user set one custom field to one value.")
class CustomFieldTotal:
    access: ClassVar[Access] = REPORT

    username: str = strawberry.field(description="Who did the actions.")
    user_id: str | None = strawberry.field(
        description="Their id in the system where they acted: two people of one name have a row each."
    )
    name: str = strawberry.field(description="The field that they changed.")
    value: str = strawberry.field(description="The value that they set.")
    total: int = strawberry.field(description="How many times they did.")


@strawberry.type(
    description="Two tables and the rows behind them. `total` is the sum of `actions`, and `details` has as many rows."
)
class CustomerServiceReport:
    access: ClassVar[Access] = REPORT

    @strawberry.field(description="How many actions there were in all.")
    @staticmethod
    async def total(report: strawberry.Parent[Where], info: Info) -> int | None:
        return sum((await info.context.loaders.type_totals.load(report) or {}).values())

    @strawberry.field(description="How many of each action, most frequent first. Those that nobody did are left out.")
    @staticmethod
    async def actions(report: strawberry.Parent[Where], info: Info) -> list[ActionTotal] | None:
        return cast(Source, actions(await info.context.loaders.type_totals.load(report) or {}))

    @strawberry.field(description="Who set which custom field to which value, most often first.")
    @staticmethod
    async def custom_fields(
        report: strawberry.Parent[Where],
        info: Info,
        first: Annotated[
            int | None, strawberry.argument(description="How many at most: 100 unless told, never more than 100.")
        ] = MAXIMUM_FIELDS,
    ) -> list[CustomFieldTotal] | None:
        size = size_of(MAXIMUM_FIELDS if first is None else first)
        return cast(Source, await info.context.loaders.fields_set.load((report, size)) if size else [])

    @strawberry.field(description="The actions themselves, newest first.")
    @staticmethod
    async def details(
        report: strawberry.Parent[Where],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        types: Annotated[
            list[str] | None,
            strawberry.argument(description="Only these actions, of those in the report. An empty list matches none."),
        ] = None,
    ) -> Connection[Activity] | None:
        where = both(report, among("type", known_types(types, info.context.viewer)))
        return await page_of_all(info, ROWS, where, first=first, after=after, last=last, before=before)


@strawberry.input(description="A custom field of the order that an action belongs to.")
class CustomFieldFilter:
    name: str = strawberry.field(description="The field's name, exactly.")
    value: str = strawberry.field(description="Its value, exactly.")

    def named(self) -> list[Named]:
        """As it is given, and as it is stored now. Raises BadUserInput."""
        names, values = (terms("customFields", [each]) or [] for each in (self.name, self.value))
        return [Named(name, value) for name in names for value in values]


@strawberry.input(
    description="Which actions. All filters that are given must hold, any one value of a list is enough; an empty list "
    "matches none. A filter by what an order says matches only actions that belong to an order which says it."
)
class ReportFilter:
    from_: datetime = strawberry.field(name="from", description="Done not before this moment.")
    to: datetime = strawberry.field(description="Done before this moment.")
    campaigns: list[str] | None = strawberry.field(default=None, description="The campaigns the customer came through.")
    campaign_categories: list[str] | None = strawberry.field(default=None, description="The campaigns' categories.")
    products: list[str] | None = strawberry.field(default=None, description="The products bought.")
    call_centers: list[str] | None = strawberry.field(default=None, description="The call centres.")
    users: list[str] | None = strawberry.field(
        default=None, description='Who did it, by the name that is shown: `actor.name`; "System" is one of them.'
    )
    user_ids: list[str] | None = strawberry.field(
        default=None, description="Who did it, by their id where they acted: `actor.userId`. It tells namesakes apart."
    )
    access_levels: list[AccessLevel] | None = strawberry.field(
        default=None, description="The access levels of whoever did it."
    )
    currencies: list[str] | None = strawberry.field(default=None, description="The orders' base currencies.")
    countries: list[str] | None = strawberry.field(default=None, description="The orders' countries.")
    types: list[str] | None = strawberry.field(
        default=None, description="The actions, by their codes in the catalogue."
    )
    custom_fields: list[CustomFieldFilter] | None = strawberry.field(
        default=None, description="Custom fields of the order that the action belongs to."
    )
    notes: NotesFilter | None = strawberry.field(
        default=NotesFilter.INCLUDE,
        description="What to do with agents' notes. EXCLUDE with a type that is a note is an error, "
        "and so is ONLY with one that is none.",
    )
    hide_system: bool | None = strawberry.field(
        default=False,
        description="Leave out what systems, API calls and imports did. With the access level API_USER it is an error.",
    )

    def where(self, viewer: Viewer) -> Where:
        """Conditions, those that select most first: the first that has an index of its own is the one that is used.

        Raises BadUserInput for what contradicts itself, Forbidden.
        """
        viewer.require(Permission.REPORT)
        few("customFields", self.custom_fields)
        kinds = [ActorKind.AGENT, ActorKind.CUSTOMER] if self.hide_system else None
        if self.hide_system and AccessLevel.API_USER in (self.access_levels or ()):
            raise BadUserInput("API calls count as system: show system actions, or leave out API_USER.", "hideSystem")
        fields = self.custom_fields
        asked: Where = (
            *among(
                "orderCustomFields", None if fields is None else [named for each in fields for named in each.named()]
            ),
            *among("campaign", terms("campaigns", self.campaigns)),
            *among("product", terms("products", self.products)),
            *among("callCenter", terms("callCenters", self.call_centers)),
            *among("campaignCategory", terms("campaignCategories", self.campaign_categories)),
            *self._user_ids(viewer),
            *among("actor.name", terms("users", self.users)),
            *among("currency", terms("currencies", self.currencies)),
            *among("country", terms("countries", self.countries)),
            *self._types(viewer),
            *among("actor.accessLevel", self.access_levels),
            *among("actor.kind", kinds),
            *during("occurredAt", self.from_, self.to),
        )
        own = (("actor.kind", In((ActorKind.AGENT,))),) if viewer.reports_own_actions_only else ()
        return both(both(asked, own), viewer.activity_rows)

    def _user_ids(self, viewer: Viewer) -> Where:
        asked = among("actor.id", terms("userIds", self.user_ids))
        own = (("actor.id", In((viewer.subject,))),) if viewer.reports_own_actions_only else ()
        return both(asked, own)

    def _types(self, viewer: Viewer) -> Where:
        types = known_types(self.types, viewer)
        given = set(types or ())
        if self.notes == NotesFilter.EXCLUDE:
            if notes := sorted(given & NOTE_TYPES):
                raise BadUserInput(f"{notes[0]} is a note, and notes are excluded: choose one of the two.", "notes")
            return among("type", types) if types is not None else among("isNote", [False])
        if self.notes == NotesFilter.ONLY:
            if others := sorted(given - NOTE_TYPES):
                raise BadUserInput(
                    f"{others[0]} is no note, and only notes are asked for: choose one of the two.", "notes"
                )
            return among("type", sorted(NOTE_TYPES) if types is None else types)
        return among("type", types)


def known_types(codes: list[str] | None, viewer: Viewer) -> list[str] | None:
    """The same. Raises BadUserInput for a code that the catalogue does not have."""
    few("types", codes, at_most=len(CATALOGUE))
    check_types(codes or (), viewer.roles, "types")
    return codes
