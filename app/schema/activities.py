"""The timeline: what happened, who says so, and how to look through it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar

import strawberry

from app.catalogue import ATTRIBUTE_NAMES, CATALOGUE
from app.catalogue.model import ActivityGroup as Group
from app.domain.access import Forbidden, Permission, Viewer
from app.domain.activities import available_actions
from app.domain.attributes import Raw, items, kind_of, label_of, to_text
from app.domain.paging import In, Where
from app.domain.refusals import BadUserInput, Refusal, unknown
from app.domain.vocabulary import ActorKind as Kind
from app.schema.base import Document, Info, Node, Source, awaited, follow, follow_own, reads
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
from app.schema.filters import among, check_types, during, few, terms
from app.schema.notes import Note
from app.schema.people import Actor
from app.schema.rules import ACTOR, ATTRIBUTES, MAIL, NOTE, WITH_OWNER, WORDS, Access

if TYPE_CHECKING:
    from app.schema.customers import Customer

_Customer = Annotated["Customer", strawberry.lazy("app.schema.customers")]
_IS_NOTE: dict[NotesFilter | None, list[bool]] = {NotesFilter.ONLY: [True], NotesFilter.EXCLUDE: [False]}


@strawberry.type(description="Something that an activity tells beyond its type and time.")
class ActivityAttribute:
    access: ClassVar[Access] = WITH_OWNER

    name: str = strawberry.field(description="Its name, as in `attribute(name:)`.")
    label: str = strawberry.field(description="Its name for people.")
    kind: AttributeKind = strawberry.field(description="What its value is.")
    value: str = strawberry.field(description='Canonical text: ISO dates, "12.50 EUR", plain digits; a list is joined.')
    values: list[str] | None = strawberry.field(description="The items of a list; null for any other kind.")


@strawberry.type(description="Something that happened on a customer's account, as its source system told it.")
class Activity(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id type title group icon source occurred_at recorded_at is_note legacy points "
        "subject available_actions customer",
        ACTOR: "actor",
        WORDS: "message",
        ATTRIBUTES: "attributes attribute",
        MAIL: "email",
        NOTE: "note",
    }

    type: str = strawberry.field(description="The code of its type in the catalogue: SUBSCRIPTION_RENEWED.")
    source: str = strawberry.field(description='Which system said so; "platform" for what this gateway wrote itself.')
    occurred_at: datetime = strawberry.field(description="When it happened.")
    recorded_at: datetime = strawberry.field(description="When this gateway stored it; later for what arrived late.")
    actor: Actor = strawberry.field(description="Who did it.")
    message: str | None = strawberry.field(description="What was said about it, by a person or by the system.")
    is_note: bool = strawberry.field(description="Whether an agent wrote it as a note.")
    legacy: bool = strawberry.field(description="Outside the catalogue: shown with what it has, never found by type.")
    group: ActivityGroup = strawberry.field(description="The grouping of its type.")
    points: int | None = strawberry.field(description="The points it moved, with their sign; null where it moved none.")

    @strawberry.field(description="Its title, exactly as the source system shows it.")
    @staticmethod
    @reads("type title")
    def title(activity: strawberry.Parent[Document]) -> str:
        row = CATALOGUE.get(activity["type"])
        return row.title if row else activity.get("title") or label_of(activity["type"].lower())

    @strawberry.field(description='A stable key for its icon, one per type; "legacy" outside the catalogue.')
    @staticmethod
    @reads("type")
    def icon(activity: strawberry.Parent[Document]) -> str:
        row = CATALOGUE.get(activity["type"])
        return row.icon if row else "legacy"

    @strawberry.field(description="Everything it tells, in the catalogue's order; what the catalogue lacks comes last.")
    @staticmethod
    @reads("type attributes")
    def attributes(activity: strawberry.Parent[Document]) -> list[ActivityAttribute] | None:
        return _attributes(activity)

    @strawberry.field(description="One attribute as canonical text, for a table's column; null where it has none.")
    @staticmethod
    @reads("attributes legacy")
    def attribute(
        activity: strawberry.Parent[Document],
        name: Annotated[str, strawberry.argument(description="The attribute's name, as the catalogue has it.")],
    ) -> str | None:
        raw = activity.get("attributes", {}).get(name)
        if isinstance(raw, Refusal):
            raise raw
        if raw is not None:
            return to_text(raw)
        if name not in ATTRIBUTE_NAMES and not activity["legacy"]:
            raise unknown("attribute", name, ATTRIBUTE_NAMES, "name")
        return None

    @strawberry.field(description="The mail that this interaction sent, if any.")
    @staticmethod
    @reads("emailId customerId")
    def email(activity: strawberry.Parent[Document], info: Info) -> Email | None:
        return follow_own(info, activity, "emailId")

    @strawberry.field(description="The note that it is about, with its mentions and links.")
    @staticmethod
    @reads("noteId customerId")
    def note(activity: strawberry.Parent[Document], info: Info) -> Note | None:
        return follow_own(info, activity, "noteId")

    @strawberry.field(description="What it is about: a coupon, pass, transaction, points entry, e-mail or note.")
    @staticmethod
    @reads("subjectId customerId")
    def subject(activity: strawberry.Parent[Document], info: Info) -> Node | None:
        return follow_own(info, activity, "subjectId")

    @strawberry.field(description="What can be done from its tile, in display order.")
    @staticmethod
    async def available_actions(activity: strawberry.Parent[Document], info: Info) -> list[ActivityAction] | None:
        subject, customer = await asyncio.gather(
            awaited(follow_own(info, activity, "subjectId")), awaited(follow(info, activity, "customerId"))
        )
        context = info.context
        return available_actions(activity, subject, customer, context.viewer, wallet=context.changes.outgoing.wallet)

    @strawberry.field(description="Whose account it happened on.")
    @staticmethod
    @reads("customerId")
    def customer(activity: strawberry.Parent[Document], info: Info) -> _Customer | None:
        return follow(info, activity, "customerId")


def _attributes(activity: Document) -> Source:
    row = CATALOGUE.get(activity["type"])
    raw = {name: value for name, value in activity.get("attributes", {}).items() if not isinstance(value, Refusal)}
    known = [
        _attribute(attribute.name, attribute.label, attribute.kind, raw.pop(attribute.name))
        for attribute in (row.attributes if row else ())
        if attribute.name in raw
    ]
    return known + [_attribute(name, label_of(name), kind_of(value), value) for name, value in raw.items()]


def _attribute(name: str, label: str, kind: AttributeKind, raw: Raw) -> Document:
    return {"name": name, "label": label, "kind": kind, "value": to_text(raw), "values": items(raw)}


@strawberry.type(description="A type of activity that an account really has.")
class ActivityFacet:
    access: ClassVar[Access] = WITH_OWNER

    type: str = strawberry.field(description="Its code.")
    title: str = strawberry.field(description="Its title, exactly as the source system shows it.")
    icon: str = strawberry.field(description="Its icon's key.")
    group: ActivityGroup = strawberry.field(description="The grouping it belongs to.")
    count: int = strawberry.field(description="How many such activities the account has.")


@strawberry.type(description="A grouping that an account really has activities of.")
class ActivityGroupCount:
    access: ClassVar[Access] = WITH_OWNER

    group: ActivityGroup = strawberry.field(description="The grouping.")
    count: int = strawberry.field(description="How many activities of it the account has.")


def facets_of(counts: Mapping[str, int], viewer: Viewer) -> Source:
    """In the order of ``counts``."""
    return [
        {"type": code, "title": row.title, "icon": row.icon, "group": row.group, "count": count}
        for code, count in counts.items()
        if (row := CATALOGUE.get(code)) and viewer.knows(row)
    ]


def group_counts_of(counts: Mapping[str, int], viewer: Viewer) -> Source:
    """In the order in which the groups are declared."""
    totals = dict.fromkeys(Group, 0)
    for facet in facets_of(counts, viewer):
        totals[facet["group"]] += facet["count"]
    return [{"group": group, "count": total} for group, total in totals.items() if total]


@strawberry.input(description="Which activities; what is left out does not filter, all that is given must hold.")
class ActivityFilter:
    from_: datetime | None = strawberry.field(name="from", default=None, description="Happened not before this moment.")
    to: datetime | None = strawberry.field(default=None, description="Happened before this moment.")
    types: list[str] | None = strawberry.field(
        default=None, description="Only these types, by their codes in the catalogue. An empty list matches none."
    )
    groups: list[ActivityGroup] | None = strawberry.field(
        default=None, description="Only these groupings. An empty list matches none."
    )
    actor_kinds: list[ActorKind] | None = strawberry.field(
        default=None, description="Only what these kinds of actor did. An empty list matches none."
    )
    actor_ids: list[str] | None = strawberry.field(
        default=None,
        description="Only what these people or programs did, by their id where they acted (`actor.userId`), which "
        "tells namesakes apart. An empty list matches none. Not for customers.",
    )
    sources: list[str] | None = strawberry.field(
        default=None,
        description="Only what these systems said, by the activity's own source: of the catalogue, or of any activity "
        "that was imported. Any other name is an error. Empty matches none.",
    )
    notes: NotesFilter | None = strawberry.field(
        default=NotesFilter.INCLUDE, description="What to do with agents' notes."
    )
    hide_system: bool | None = strawberry.field(
        default=False, description="Leave out what systems, API calls and imports did."
    )
    legacy: bool | None = strawberry.field(
        default=False,
        description="Show entries outside the catalogue as well. They cannot be filtered by time or type: "
        "with from, to, types, groups or the order TYPE this is an error.",
    )

    def where(self, viewer: Viewer) -> Where:
        """Conditions, those that select most first: the first that has an index of its own is the one that is used.

        Raises BadUserInput, Forbidden.
        """
        if self.notes == NotesFilter.ONLY:
            viewer.require(Permission.READ_NOTES)
        excluded = {"from": self.from_, "to": self.to, "types": self.types, "groups": self.groups}
        if self.legacy and (given := [name for name, value in excluded.items() if value is not None]):
            raise BadUserInput(
                f"Legacy entries cannot be filtered by time or type: leave out {', '.join(given)}.", given[0]
            )
        few("sources", self.sources)
        if self.actor_ids is not None and not viewer.reads_actors:
            raise Forbidden("Your role may not filter by who acted.", "actorIds")
        check_types(self.types or (), viewer, "types")
        return (
            *among("type", self.types),
            *among("group", self.groups),
            *among("isNote", _IS_NOTE.get(self.notes)),
            *among("source", self.sources),
            *among("actor.id", terms("actorIds", self.actor_ids)),
            *among("actor.kind", self._actor_kinds()),
            *during("occurredAt", self.from_, self.to),
            ("legacy", In((False, True) if self.legacy else (False,))),
        )

    def _actor_kinds(self) -> list[Kind] | None:
        people = [Kind.AGENT, Kind.CUSTOMER]
        if not self.hide_system:
            return self.actor_kinds
        return people if self.actor_kinds is None else [kind for kind in self.actor_kinds if kind in people]


@strawberry.input(description="How to sort activities.")
class ActivityOrder:
    field: ActivityOrderField = strawberry.field(default=ActivityOrderField.OCCURRED_AT, description="What to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")
