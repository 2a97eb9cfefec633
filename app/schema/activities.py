"""Declares the timeline: what happened, who says so, and how to look through it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import strawberry

from app.catalogue import ATTRIBUTE_NAMES, CATALOGUE
from app.catalogue.model import ActivityGroup as Group
from app.catalogue.model import AttributeKind as Attribute
from app.domain import customer_fields
from app.domain.access import STAFF, Forbidden, Permission, Role, Viewer, reads_actors, require
from app.domain.activities import available_actions, title_of
from app.domain.attributes import Raw, items, kind_of, label_of, to_text
from app.domain.external_requests import Refunding
from app.domain.ids import is_id_of
from app.domain.paging import AnyOf, Contains, In, Sorting, Where
from app.domain.refusals import BadUserInput, Refusal, unknown
from app.domain.search import pattern_of
from app.domain.vocabulary import ActorKind as Kind
from app.schema.base import Document, Info, Node, Source, follow, follow_own, load_deferred, reads
from app.schema.emails import Email
from app.schema.enums import (
    ActivityAction,
    ActivityGroup,
    ActivityOrderField,
    ActorKind,
    AttributeKind,
    NotesFilter,
    OrderDirection,
)
from app.schema.filters import TimeRange, among, check_types, during, few, search_term, terms
from app.schema.notes import Note
from app.schema.origins import Reported
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import ACTOR, ATTRIBUTES, CONTACT, FIELD_CHANGES, MAIL, NOTE, WITH_OWNER, WORDS, Access
from app.schema.transactions import Money

if TYPE_CHECKING:
    from app.schema.customers import Customer

ACTOR_KEYS: Final = ("actor.kind", "actor.id", "actor.name", "actor.accessLevel")
_Customer = Annotated["Customer", strawberry.lazy("app.schema.customers")]
_IS_NOTE: dict[NotesFilter | None, list[bool]] = {NotesFilter.ONLY: [True], NotesFilter.EXCLUDE: [False]}


NUMBER: Final = (
    "The number as JSON has it, for the kinds INTEGER and DECIMAL; null for any other. `value` has all digits of one "
    "that JSON rounds."
)
BOOLEAN: Final = "The truth, for the kind BOOLEAN; null for any other."
TIME: Final = "The point in time, for the kind DATETIME; null for any other."


def number_of(valued: strawberry.Parent[Document]) -> float | None:
    return float(valued["raw"]) if valued["kind"] in (Attribute.INTEGER, Attribute.DECIMAL) else None


def boolean_of(valued: strawberry.Parent[Document]) -> bool | None:
    return valued["raw"] if valued["kind"] == Attribute.BOOLEAN else None


def time_of(valued: strawberry.Parent[Document]) -> datetime | None:
    return valued["raw"] if valued["kind"] == Attribute.DATETIME else None


@strawberry.type(description="A named value that an activity carries beside its type and time.")
class ActivityAttribute:
    access: ClassVar[Access] = WITH_OWNER

    name: str = strawberry.field(description="The name, as `attribute(name:)` takes it.")
    label: str = strawberry.field(description="The name to show to people.")
    kind: AttributeKind = strawberry.field(description="The kind of the value, which says how to show it.")
    value: str = strawberry.field(
        description='The value as canonical text: ISO 8601 dates, "12.50 EUR", plain digits; list items joined by ", ".'
    )
    values: list[str] | None = strawberry.field(description="The items of a list; null for any other kind.")

    @strawberry.field(description="The amount, for the kind MONEY; null for any other.")
    @staticmethod
    def money(attribute: strawberry.Parent[Document]) -> Money | None:
        return attribute["raw"] if attribute["kind"] == Attribute.MONEY else None

    number: float | None = strawberry.field(resolver=number_of, description=NUMBER)
    boolean: bool | None = strawberry.field(resolver=boolean_of, description=BOOLEAN)
    time: datetime | None = strawberry.field(resolver=time_of, description=TIME)


@strawberry.type(description="A detail of a customer that was changed.")
class FieldChange:
    access: ClassVar[Access] = WITH_OWNER

    field: str = strawberry.field(
        description="The field of `Customer`, such as firstName, or fields.loyaltyTier for one of this "
        "gateway's own catalogue."
    )

    @strawberry.field(description="The name of the field to show to people.")
    @staticmethod
    def label(change: strawberry.Parent[Document]) -> str:
        return customer_fields.label_of(change["field"])

    from_: str | None = strawberry.field(
        name="from", description="The value before, as people read it. Null if there was none."
    )
    to: str | None = strawberry.field(description="The value after, as people read it. Null if it was cleared.")


@strawberry.type(description="An event on a customer's account, as its source system reported it.")
class Activity(Reported, Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id type title group icon source occurred_at recorded_at is_note legacy points "
        "subject available_actions customer",
        ACTOR: "actor",
        WORDS: "message",
        ATTRIBUTES: "attributes attribute",
        MAIL: "email",
        NOTE: "note",
        FIELD_CHANGES: "changes",
        CONTACT: "source_id",
    }

    type: str = strawberry.field(
        description="The code of the activity type in the catalogue, such as SUBSCRIPTION_RENEWED."
    )
    source: str = strawberry.field(
        description='The system that reported it; "platform" for what this gateway wrote itself.'
    )
    occurred_at: datetime = strawberry.field(description="The time when it happened.")
    recorded_at: datetime = strawberry.field(
        description="The time when this gateway stored it. Later than `occurredAt` for events that arrived late."
    )
    actor: Actor = strawberry.field(description="The person or program that did it.")
    message: str | None = strawberry.field(
        description="A free text about it, written by a person or by the source system."
    )
    is_note: bool = strawberry.field(description="Whether an agent wrote it as a note.")
    legacy: bool = strawberry.field(
        description="Whether its type is not in the catalogue. Such entries are shown with what they have, "
        "and cannot be found by type."
    )
    group: ActivityGroup = strawberry.field(description="The group that the activity type belongs to.")
    points: int | None = strawberry.field(
        description="The points that it moved, negative for points taken away. Null if it moved none."
    )

    changes: list[FieldChange] | None = strawberry.field(
        description="The details of the customer that it changed, with what they were before. Null if it changed none, "
        "or a source system does not say."
    )

    @strawberry.field(description="The title, exactly as the source system shows it.")
    @staticmethod
    @reads("type title")
    def title(activity: strawberry.Parent[Document]) -> str:
        return title_of(activity["type"], activity.get("title"))

    @strawberry.field(description='The stable key of the icon, one per type; "legacy" for types outside the catalogue.')
    @staticmethod
    @reads("type")
    def icon(activity: strawberry.Parent[Document]) -> str:
        row = CATALOGUE.get(activity["type"])
        return row.icon if row else "legacy"

    @strawberry.field(
        description="All attributes, in the order of the catalogue; attributes that the catalogue lacks come last."
    )
    @staticmethod
    @reads("type attributes")
    def attributes(activity: strawberry.Parent[Document]) -> list[ActivityAttribute] | None:
        return _attributes(activity)

    @strawberry.field(
        description="The value of one attribute as canonical text, for a column of a table. Null if the "
        "activity lacks it."
    )
    @staticmethod
    @reads("attributes legacy")
    def attribute(
        activity: strawberry.Parent[Document],
        name: Annotated[str, strawberry.argument(description="The name of the attribute in the catalogue.")],
    ) -> str | None:
        raw = activity.get("attributes", {}).get(name)
        if isinstance(raw, Refusal):
            raise raw
        if raw is not None:
            return to_text(raw)
        if name not in ATTRIBUTE_NAMES and not activity["legacy"]:
            raise unknown("attribute", name, ATTRIBUTE_NAMES, "name")
        return None

    @strawberry.field(description="The e-mail that this event sent, if it sent one.")
    @staticmethod
    @reads("emailId customerId")
    def email(activity: strawberry.Parent[Document], info: Info) -> Email | None:
        return follow_own(info, activity, "emailId")

    @strawberry.field(description="The note that the event is about, with mentions and links.")
    @staticmethod
    @reads("noteId customerId")
    def note(activity: strawberry.Parent[Document], info: Info) -> Note | None:
        return follow_own(info, activity, "noteId")

    @strawberry.field(
        description="What the event is about, such as a coupon, a transaction, an e-mail or an order. Null if there is "
        "nothing, or if the viewer may not read it."
    )
    @staticmethod
    @reads("subjectId customerId")
    def subject(activity: strawberry.Parent[Document], info: Info) -> Node | None:
        return follow_own(info, activity, "subjectId")

    @strawberry.field(description="The actions that this viewer can take from the event's tile, in display order.")
    @staticmethod
    async def available_actions(activity: strawberry.Parent[Document], info: Info) -> list[ActivityAction] | None:
        subject, customer, refunding = await asyncio.gather(
            load_deferred(follow_own(info, activity, "subjectId")),
            load_deferred(follow(info, activity, "customerId")),
            _refunding(activity, info),
        )
        context, outgoing = info.context, info.context.changes.outgoing
        return available_actions(
            activity,
            subject,
            customer,
            context.viewer,
            wallet=outgoing.wallet,
            executors=outgoing.executors,
            refunding=refunding,
        )

    customer = owner("The customer on whose account it happened.")


async def _refunding(activity: Document, info: Info) -> Refunding | None:
    """Returns what may still be refunded, if that is what the event is about, and of any use to the viewer."""
    subject_id = str(activity.get("subjectId", ""))
    if not is_id_of("transactions", subject_id) or not info.context.viewer.may(Permission.REQUEST_REFUND):
        return None
    return await info.context.loaders.refundings.load(subject_id)


def _attributes(activity: Document) -> Source:
    row = CATALOGUE.get(activity["type"])
    raw = {name: value for name, value in activity.get("attributes", {}).items() if not isinstance(value, Refusal)}
    known = [
        attribute_of(attribute.name, attribute.label, attribute.kind, raw.pop(attribute.name))
        for attribute in (row.attributes if row else ())
        if attribute.name in raw
    ]
    return known + [attribute_of(name, label_of(name), kind_of(value), value) for name, value in raw.items()]


def attribute_of(name: str, label: str, kind: AttributeKind, raw: Raw) -> Document:
    return {"name": name, "label": label, "kind": kind, "value": to_text(raw), "values": items(raw), "raw": raw}


@strawberry.type(description="An activity type that occurs on the account, with its count.")
class ActivityFacet:
    access: ClassVar[Access] = WITH_OWNER

    type: str = strawberry.field(description="The code in the catalogue.")
    title: str = strawberry.field(description="The title, exactly as the source system shows it.")
    icon: str = strawberry.field(description="The stable key of the icon.")
    group: ActivityGroup = strawberry.field(description="The group that it belongs to.")
    count: int = strawberry.field(description="The number of such activities on the account.")


@strawberry.type(description="An actor on the account, with the number of their activities.")
class ActivityActorCount:
    access: ClassVar[Access] = WITH_OWNER

    actor: Actor = strawberry.field(description="The person or program.")
    count: int = strawberry.field(description="The number of activities.")


@strawberry.type(description="A source of activities on the account, with their number.")
class ActivitySourceCount:
    access: ClassVar[Access] = WITH_OWNER

    source: str = strawberry.field(description="The system that reported them.")
    count: int = strawberry.field(description="The number of activities.")


@strawberry.type(description="An activity group that occurs on the account, with its count.")
class ActivityGroupCount:
    access: ClassVar[Access] = WITH_OWNER

    group: ActivityGroup = strawberry.field(description="The group.")
    count: int = strawberry.field(description="The number of activities of the group on the account.")


def facets_of(counts: Mapping[str, int], viewer: Viewer) -> Source:
    """Returns the facets that the viewer may know, in the order of ``counts``."""
    return [
        {"type": code, "title": row.title, "icon": row.icon, "group": row.group, "count": count}
        for code, count in counts.items()
        if (row := CATALOGUE.get(code)) and viewer.knows(row)
    ]


def counts_named(name: str, counts: Sequence[Document]) -> Source:
    """Returns the counts of values, each value under the name that its type has for it."""
    return [{name: each["value"], "count": each["count"]} for each in counts]


def actor_counts_of(counts: Sequence[Document]) -> list[Document]:
    """Returns the counts of actors, most active first: once for each id, and for each name of those without one."""
    totals: dict[tuple[str, str], Document] = {}
    for each in counts:  # most frequent first: the first name of an id is the one that stays
        actor = each["value"]
        key = ("id", actor["id"]) if actor.get("id") else (actor["kind"], actor["name"])
        total = totals.setdefault(key, {"actor": actor, "count": 0})
        total["count"] += each["count"]
    return sorted(totals.values(), key=lambda total: -total["count"])


def group_counts_of(counts: Mapping[str, int], viewer: Viewer) -> Source:
    """Returns the counts of groups, in the order in which the groups are declared."""
    totals = dict.fromkeys(Group, 0)
    for facet in facets_of(counts, viewer):
        totals[facet["group"]] += facet["count"]
    return [{"group": group, "count": total} for group, total in totals.items() if total]


@strawberry.input(
    description="A filter on activities. Conditions that are given must all hold; conditions that are "
    "left out do not filter."
)
class ActivityFilter:
    occurred_at: TimeRange | None = strawberry.field(default=None, description="Only what happened in this window.")
    types: list[str] | None = strawberry.field(
        default=None,
        description="Only these activity types, by their codes in the catalogue. An empty list matches no rows.",
    )
    groups: list[ActivityGroup] | None = strawberry.field(
        default=None, description="Only these groups. An empty list matches no rows."
    )
    actor_kinds: list[ActorKind] | None = strawberry.field(
        default=None, description="Only what these kinds of actor did. An empty list matches no rows."
    )
    actor_ids: list[str] | None = strawberry.field(
        default=None,
        description="Only what these people or programs did, by their id (`actor.userId`), which tells "
        "namesakes apart. An empty list matches no rows. Not for customers.",
    )
    sources: list[str] | None = strawberry.field(
        default=None,
        description="Only what these systems reported, by the activity's own source: a source of the catalogue, or of "
        "any imported activity. Any other name is an error. An empty list matches no rows.",
    )
    notes: NotesFilter | None = strawberry.field(
        default=NotesFilter.INCLUDE, description="Whether agents' notes are included."
    )
    text: str | None = strawberry.field(
        default=None,
        description="Only activities that contain this text in their title, message or attributes, ignoring case and "
        "accents. At most 100 characters. For staff.",
    )
    hide_system: bool | None = strawberry.field(
        default=False, description="Leave out what systems, API calls and imports did."
    )
    legacy: bool | None = strawberry.field(
        default=False,
        description="Include activities outside the catalogue. They cannot be filtered by time or type: true "
        "together with occurredAt, types, groups or the order TYPE is an error.",
    )

    def where(self, roles: frozenset[Role]) -> Where:
        """Returns conditions, those that select most first: the first with an index of its own is used.

        Raises BadUserInput, Forbidden.
        """
        if self.notes == NotesFilter.ONLY:
            require(roles, Permission.READ_NOTES)
        window = during("occurredAt", self.occurred_at)
        excluded = {"occurredAt": window or None, "types": self.types, "groups": self.groups}
        if self.legacy and (given := [name for name, value in excluded.items() if value is not None]):
            raise BadUserInput(
                f"Legacy entries cannot be filtered by time or type: leave out {', '.join(given)}.", given[0]
            )
        few("sources", self.sources)
        if self.actor_ids is not None and not reads_actors(roles):
            raise Forbidden("Your role may not filter by who acted.", "actorIds")
        check_types(self.types or (), roles, "types")
        if self.text is not None and not roles & STAFF:
            raise Forbidden("Your role may not search in texts.", "text")
        return (
            *among("type", self.types),
            *among("group", self.groups),
            *among("isNote", _IS_NOTE.get(self.notes)),
            *among("source", self.sources),
            *among("actor.id", terms("actorIds", self.actor_ids)),
            *among("actor.kind", self._actor_kinds()),
            *window,
            *(_contains(search_term("text", self.text, at_most=100)) if self.text is not None else ()),
            ("legacy", In((False, True) if self.legacy else (False,))),
        )

    def _actor_kinds(self) -> list[Kind] | None:
        people = [Kind.AGENT, Kind.CUSTOMER]
        if not self.hide_system:
            return self.actor_kinds
        return people if self.actor_kinds is None else [kind for kind in self.actor_kinds if kind in people]


def _contains(text: str) -> Where:
    pattern = pattern_of(text)
    titled = tuple(
        code
        for code, row in CATALOGUE.items()
        if any(re.search(pattern, title, re.IGNORECASE) for title in (row.title, *row.titles.values()))
    )
    return (
        (
            "text",
            AnyOf(
                (
                    (("type", In(titled)),),
                    (("title", Contains(pattern)),),
                    (("message", Contains(pattern)),),
                    (("attributes", Contains(pattern, in_values=True)),),
                )
            ),
        ),
    )


@strawberry.input(description="A sort order for activities.")
class ActivityOrder:
    default: ClassVar[str] = "Newest first"

    field: ActivityOrderField = strawberry.field(
        default=ActivityOrderField.OCCURRED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, asked: ActivityFilter) -> Sorting:
        """Returns the sorting. Raises BadUserInput for legacy entries by type."""
        if asked.legacy and self.field == ActivityOrderField.TYPE:
            raise BadUserInput("Legacy entries cannot be sorted by type: choose another order.", "orderBy")
        return Sorting(self.field, self.direction == OrderDirection.DESC)
