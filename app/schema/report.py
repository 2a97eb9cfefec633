"""Declares the customer-service report: what people and systems did to all customers, in a window of time."""

from typing import Annotated, ClassVar, cast

import strawberry

from app.catalogue import CATALOGUE, NOTE_TYPES
from app.domain.access import Permission, Viewer
from app.domain.cursors import DEFAULT_SIZE, size_of
from app.domain.listings import REPORT as ROWS
from app.domain.paging import In, Named, Selection, Where, both
from app.domain.refusals import BadUserInput
from app.domain.report import MAX_OPTIONS, OPTION_KEYS, actions
from app.domain.vocabulary import ActorKind
from app.schema.activities import Activity
from app.schema.base import Date, Info, Source, fingerprint
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.enums import AccessLevel, NotesFilter, ReportDimension
from app.schema.filters import TimeRange, among, beginning, check_types, during, few, search_term, terms
from app.schema.rules import REPORT, Access

MAXIMUM_FIELDS = 100


@strawberry.type(description="The number of times that one type of action was done.")
class ActionTotal:
    access: ClassVar[Access] = REPORT

    type: str = strawberry.field(description="The code of the activity type in the catalogue.")
    title: str = strawberry.field(description="The title, exactly as the source system shows it.")
    total: int = strawberry.field(
        description="The number of times, which is the number of rows of `details(types:)` for it."
    )


@strawberry.type(description="The number of actions on one day.")
class DayTotal:
    access: ClassVar[Access] = REPORT

    day: Date = strawberry.field(description="The day, by UTC.")
    total: int = strawberry.field(description="The number of actions.")


@strawberry.type(description="The number of times that one user set one custom field to one value.")
class CustomFieldTotal:
    access: ClassVar[Access] = REPORT

    username: str = strawberry.field(description="The name of the user who set it.")
    user_id: str | None = strawberry.field(
        description="The id of the user in the system where they acted. Two users of the same name have a row each."
    )
    name: str = strawberry.field(description="The field that was set.")
    value: str = strawberry.field(description="The value that it was set to.")
    total: int = strawberry.field(description="The number of times.")


@strawberry.type(
    description="The two tables of the report, and the activities behind them. `total` is the sum of "
    "`actions` and the number of rows in `details`."
)
class CustomerServiceReport:
    access: ClassVar[Access] = REPORT

    @strawberry.field(
        description="A stable id per filter for client caches; another viewer's report of the same filter may have "
        "another. Not a node."
    )
    @staticmethod
    def id(report: strawberry.Parent[Where]) -> strawberry.ID:
        return strawberry.ID(f"report.{fingerprint(report)}")

    @strawberry.field(description="The total number of actions.")
    @staticmethod
    async def total(report: strawberry.Parent[Where], info: Info) -> int | None:
        return sum((await info.context.loaders.type_totals.load(report) or {}).values())

    @strawberry.field(
        description="The number of actions by type, most frequent first. Types without actions are left out."
    )
    @staticmethod
    async def actions(report: strawberry.Parent[Where], info: Info) -> list[ActionTotal] | None:
        return cast(Source, actions(await info.context.loaders.type_totals.load(report) or {}))

    @strawberry.field(
        description="The number of actions by day (UTC), oldest first. Days without actions are left out. The first "
        "and the last day have only what is in the window."
    )
    @staticmethod
    async def days(report: strawberry.Parent[Where], info: Info) -> list[DayTotal] | None:
        totals = await info.context.loaders.day_totals.load(report) or {}
        return cast(Source, [{"day": f"{day:%Y-%m-%d}", "total": total} for day, total in totals.items()])

    @strawberry.field(
        description="The number of times that each user set each custom field to each value, most frequent first."
    )
    @staticmethod
    async def custom_fields(
        report: strawberry.Parent[Where],
        info: Info,
        first: Annotated[
            int | None, strawberry.argument(description="The number of rows to return. Default 100, maximum 100.")
        ] = MAXIMUM_FIELDS,
    ) -> list[CustomFieldTotal] | None:
        size = size_of(MAXIMUM_FIELDS if first is None else first)
        return cast(Source, await info.context.loaders.fields_set.load((report, size)) if size else [])

    @strawberry.field(description="The activities, newest first.")
    @staticmethod
    async def details(
        report: strawberry.Parent[Where],
        info: Info,
        first: First = DEFAULT_SIZE,
        after: After = None,
        last: Last = None,
        before: Before = None,
        types: Annotated[
            list[str] | None,
            strawberry.argument(description="Only these of the report's action types. An empty list matches no rows."),
        ] = None,
    ) -> Connection[Activity] | None:
        where = both(report, among("type", known_types(types, info.context.viewer)))
        return await page_of_all(info, ROWS, where, first=first, after=after, last=last, before=before)


@strawberry.input(description="A custom field of the order that an action belongs to.")
class CustomFieldFilter:
    name: str = strawberry.field(description="The name of the field; must match exactly.")
    value: str = strawberry.field(description="The value of the field; must match exactly.")

    def named(self) -> list[Named]:
        """Returns the field as it is given, and as it is stored now. Raises BadUserInput."""
        names, values = (terms("customFields", [each]) or [] for each in (self.name, self.value))
        return [Named(name, value) for name in names for value in values]


@strawberry.input(
    description="A filter on actions. Conditions that are given must all hold, and of a list any one "
    "value; an empty list matches no rows. Conditions on orders match only actions that "
    "belong to an order."
)
class ReportFilter:
    occurred_at: TimeRange = strawberry.field(description="Only actions in this window.")
    campaigns: list[str] | None = strawberry.field(default=None, description="Only these campaigns.")
    campaign_categories: list[str] | None = strawberry.field(
        default=None, description="Only campaigns of these categories."
    )
    products: list[str] | None = strawberry.field(default=None, description="Only these products.")
    call_centers: list[str] | None = strawberry.field(default=None, description="Only these call centres.")
    users: list[str] | None = strawberry.field(
        default=None, description='Only these users, by the name that is shown (`actor.name`); "System" is one of them.'
    )
    user_ids: list[str] | None = strawberry.field(
        default=None, description="Only these users, by their id (`actor.userId`), which tells namesakes apart."
    )
    access_levels: list[AccessLevel] | None = strawberry.field(
        default=None, description="Only users with these access levels."
    )
    currencies: list[str] | None = strawberry.field(default=None, description="Only orders in these base currencies.")
    countries: list[str] | None = strawberry.field(default=None, description="Only orders from these countries.")
    types: list[str] | None = strawberry.field(
        default=None, description="Only these action types, by their codes in the catalogue."
    )
    custom_fields: list[CustomFieldFilter] | None = strawberry.field(
        default=None, description="Only actions of orders with these custom fields."
    )
    notes: NotesFilter | None = strawberry.field(
        default=NotesFilter.INCLUDE,
        description="Whether agents' notes are included. EXCLUDE together with a type of note is an error, "
        "and so is ONLY together with any other type.",
    )
    hide_system: bool | None = strawberry.field(
        default=False,
        description="Leave out what systems, API calls and imports did. True together with the access level "
        "API_USER is an error.",
    )

    def where(self, viewer: Viewer) -> Where:
        """Returns conditions, those that select most first: the first with an index of its own is used.

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
            *among("actor.id", terms("userIds", self.user_ids)),
            *among("actor.name", terms("users", self.users)),
            *among("currency", terms("currencies", self.currencies)),
            *among("country", terms("countries", self.countries)),
            *self._types(viewer),
            *among("actor.accessLevel", self.access_levels),
            *among("actor.kind", kinds),
            *during("occurredAt", self.occurred_at),
        )
        return both(_reported_to(viewer), asked)

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


def _reported_to(viewer: Viewer) -> Where:
    """Returns the conditions under which an action is reported to this viewer."""
    own: Where = (("actor.id", In((viewer.subject,))), ("actor.kind", In((ActorKind.AGENT,))))
    return both(own if viewer.reports_own_actions_only else (), viewer.activity_rows)


@strawberry.type(description="The values of one dimension of the report, to choose from in its filter.")
class ReportOptions:
    access: ClassVar[Access] = REPORT

    values: list[str] = strawberry.field(
        description=f"The values in alphabetical order, capitals first; at most {MAX_OPTIONS:,}. Each is its own label."
    )
    has_more: bool = strawberry.field(description="Whether there are more values. `startsWith` narrows them.")


def options_of(
    viewer: Viewer, dimension: ReportDimension, window: TimeRange | None, starts_with: str | None
) -> Selection:
    """Returns the actions that have an option's value. Raises BadUserInput, Forbidden."""
    viewer.require(Permission.REPORT)
    prefix = "" if starts_with is None else search_term("startsWith", starts_with)
    kinds = [ActorKind.AGENT] if dimension == ReportDimension.USER else None
    where = (
        *among("actor.kind", kinds),
        *beginning(OPTION_KEYS[dimension], prefix),
        *during("occurredAt", window),
    )
    return Selection(ROWS, both(_reported_to(viewer), where), next(iter(ROWS.orders)))


def known_types(codes: list[str] | None, viewer: Viewer) -> list[str] | None:
    """Returns the codes unchanged. Raises BadUserInput for a code that the catalogue lacks."""
    few("types", codes, at_most=len(CATALOGUE))
    check_types(codes or (), viewer.roles, "types")
    return codes
