"""Asking around a mask: whoever may not read a thing learns nothing of it by filter, order, count, page or export.

The attacker guesses: each argument that the schema has anywhere is given what is hidden, parts of it, and moments and
numbers on both sides of it. What they may not read then changes, and everything is asked again. If all answers are the
same, byte for byte, no search finds it, a binary one included. Roles share the guesses out: each asks one in three.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeAlias, cast

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_input_field,
)

from app.domain.access import Role
from app.settings import Limits
from app.store import previews
from app.store.driver import DeleteMany, Document, UpdateOne
from tests.support.accounts import CANARY, STRANGERS, Account, account_of, allowed_of, canary, token_of
from tests.support.entities import representation_of
from tests.support.gateway import Ask
from tests.support.schema_walk import schema
from tests.support.thoroughness import part_of
from tests.support.world import NOW, World

Literal: TypeAlias = str
"""A value as it is written in a query."""

ATTACKERS: list[tuple[Role, ...]] = [
    *((role,) for role in Role if role not in (Role.ADMIN, Role.FINANCE)),
    (Role.CUSTOMER, Role.AFFILIATE),
]
"""An administrator may read everything, and finance what supervisors may: there is nothing to find for them."""
HOUR = timedelta(hours=1)
ELSEWHERE = NOW + 2 * HOUR
"""Where hidden moments move to; ``NOW + HOUR`` divides them."""
_MOMENTS = [f'"{moment.isoformat()}"' for moment in (NOW - HOUR, NOW + HOUR, NOW + 3 * HOUR)]
_KINDS = ("contact", "label", "words", "note", "staff", "legacy", "personal", "code", "agent", "adjustment", "audit")
_CODES = ("NOTE_ADDED", "FRAUD_RESULT", "BIRTHDAY", "MOON_PHASE_SEEN", "EMAIL_SENT")
_WHOSE = ("own", "referred", "other")


@pytest.fixture
def limits() -> Limits:
    """Sets the widest limits: many guesses are made at once."""
    return Limits(
        max_tokens=10**6,
        max_body_bytes=10**7,
        max_document_characters=10**7,
        max_aliases=10**5,
        max_root_fields=10**5,
        max_fields=10**6,
        max_failed_fields=10**5,
        max_errors=10**5,
        max_cost=10**9,
        cost_per_minute=10**12,
        changes_per_minute=10**9,
    )


# ---------------------------------------------------------------- guesses


@cache
def texts() -> list[Literal]:
    """What is hidden, whole where a filter compares it whole, and parts where it takes beginnings."""
    hidden = [canary(whose, kind) for whose in _WHOSE for kind in ("contact", "label", "agent", "code")]
    hidden += [canary("own", kind) for kind in _KINDS]
    addresses = [f"{canary(whose, 'contact')}@example.com" for whose in _WHOSE]
    parts = [canary(whose, "contact")[:-3] for whose in _WHOSE]
    return [json.dumps(text) for text in dict.fromkeys((*hidden, *addresses, *parts, *_CODES, "DE", "esuite"))]


def values(type_: Any, ids: tuple[str, ...], depth: int = 2) -> list[Literal]:
    """Guesses for an argument or a field of an input."""
    match type_:
        case GraphQLNonNull():
            return values(cast(Any, type_).of_type, ids, depth)
        case GraphQLList():
            return ["[]", *(f"[{each}]" for each in values(cast(Any, type_).of_type, ids, depth))]
        case GraphQLEnumType():
            return [*type_.values]
        case GraphQLInputObjectType():
            return [*inputs(type_, ids, depth)] if depth else []
        case GraphQLScalarType(name="DateTime"):
            return _MOMENTS
        case GraphQLScalarType(name="Boolean"):
            return ["true", "false"]
        case GraphQLScalarType(name="ID"):
            return [json.dumps(each) for each in ids]
        case GraphQLScalarType(name="Int" | "SafeInt"):
            return ["0", "1", "50"]
        case GraphQLScalarType(name="_Any"):
            them = map(representation_of, ids)
            return [f'{{__typename: "{each["__typename"]}", id: "{each["id"]}"}}' for each in them]
        case _:
            return texts()


def inputs(type_: GraphQLInputObjectType, ids: tuple[str, ...], depth: int) -> Iterator[Literal]:
    """Each field by itself with each guess, beside something plausible for all that is required."""
    needed = {
        name: f"{name}: {PLAUSIBLE.get(name) or values(field.type, ids, depth - 1)[0]}"
        for name, field in type_.fields.items()
        if is_required_input_field(field)
    }
    for name, field in type_.fields.items():
        beside = [given for other, given in needed.items() if other != name]
        for one in written(name, field, ids, depth):
            yield "{" + " ".join((*beside, one)) + "}"
            if name in needed:  # what is optional says more of it
                for other, more in type_.fields.items():
                    if other not in needed:
                        yield "{" + " ".join((*beside, one, written(other, more, ids, depth)[0])) + "}"


PLAUSIBLE: Mapping[str, Literal] = {"from": _MOMENTS[0], "to": _MOMENTS[-1], "source": '"esuite"'}


def written(name: str, field: GraphQLInputField | GraphQLArgument, ids: tuple[str, ...], depth: int) -> list[Literal]:
    return [f"{name}: {value}" for value in values(cast(Any, field).type, ids, depth - 1)]


PAGE = ("first", "after", "last", "before")


def guesses(of: GraphQLObjectType, ids: tuple[str, ...]) -> Iterator[str]:
    """Every field of a type, with every guess for each of its arguments, and all that tells how many rows there are."""
    for name, field in of.fields.items():
        named = cast(GraphQLNamedType, get_named_type(field.type))
        for argument, definition in field.args.items():
            if argument in PAGE:
                continue
            others = [
                next(iter(written(other, each, ids, 3)))
                for other, each in field.args.items()
                if other != argument and str(each.type).endswith("!")
            ]
            for guess in written(argument, definition, ids, 3):
                yield f"{name}({' '.join((guess, *others))}) {shown(named)}"


def shown(type_: GraphQLNamedType) -> str:
    if isinstance(type_, GraphQLUnionType):
        return "{ ... on Node { id } }"
    if not isinstance(type_, GraphQLObjectType):
        return "{ id }" if hasattr(type_, "fields") else ""
    if type_.name.endswith("Connection"):
        return "{ totalCount pageInfo { hasNextPage } nodes { id } }"
    leaves = [name for name, field in type_.fields.items() if is_leaf_type(get_named_type(field.type))]
    telling = [name for name in ("id", "total", "number", "type", "count", "text", "value") if name in leaves]
    return "{ __typename " + " ".join(telling) + " }"


def questions(accounts: Mapping[str, Account]) -> list[str]:
    ids = tuple(
        each["_id"]
        for account in accounts.values()
        for each in (account.customer, account.documents["Note"], account.documents["Email"], account.activities[2])
    )
    query = schema().query_type
    assert query
    asked = [*guesses(query, ids)]
    customer = cast(GraphQLObjectType, schema().get_type("Customer"))
    for account in accounts.values():
        inside = f'customer(by: {{id: "{account.customer["_id"]}"}})'
        asked += [f"{inside} {{ {guess} }}" for guess in guesses(customer, ids)]
    return asked


# ---------------------------------------------------------------- what is hidden, changed


def changed(value: Any, hidden: set[tuple[str, str]]) -> Any:
    """The value with another text for every canary that is hidden, which is as long and sorts elsewhere."""
    match value:
        case str():
            return CANARY.sub(
                lambda found: found[0].replace("canary", "zebras") if found.groups() in hidden else found[0], value
            )
        case dict():
            return {key: changed(inner, hidden) for key, inner in cast(Document, value).items()}
        case list():
            return [changed(inner, hidden) for inner in cast(list[Any], value)]
        case _:
            return value


COLLECTIONS = (
    "customers activities points coupons transactions passes pushes statuses emails deliveries notes audit adjustments"
).split()


async def hide_elsewhere(world: World, roles: tuple[Role, ...]) -> int:
    """Changes all that these roles may not read, in every account. Returns the number of documents that changed."""
    learnable, count = allowed_of(roles), 0
    every = {(whose, kind) for whose in _WHOSE for kind in (*_KINDS, "mail", "birthday", "attribute", "export")}
    hidden = every - learnable
    by_customer = {each["_id"]: each for each in await world.store.find("customers", {})}
    for collection in COLLECTIONS:
        for document in await world.store.find(collection, {}):
            owner = by_customer[document["_id"] if collection == "customers" else document["customerId"]]
            whose = cast(Any, CANARY.search(owner["name"]))[1]
            new = changed(document, hidden)
            if collection == "customers":
                new |= _summary(new, whose, hidden, roles)
            if collection == "activities" and _row_is_hidden(document, whose, learnable):
                new["occurredAt"] = ELSEWHERE
            if new != document:
                count += 1
                await world.store.write(collection, [UpdateOne({"_id": document["_id"]}, {"$set": new})])
    await previews.refresh_stale(world.store)
    return count


def _row_is_hidden(activity: Document, whose: str, learnable: set[tuple[str, str]]) -> bool:
    """Whether these roles do not see at all that the row is there."""
    kind = "note" if activity["isNote"] else {"STAFF": "staff", "OWNER": "birthday"}.get(activity["audience"])
    return bool(kind) and (whose, kind) not in learnable


def _summary(customer: Document, whose: str, hidden: set[tuple[str, str]], roles: tuple[Role, ...]) -> Document:
    """The copies by which customers are listed, moved where the roles may not read what they tell of."""
    moved: dict[str, datetime] = {}
    for type_, kind in (("NOTE_ADDED", "note"), ("FRAUD_RESULT", "staff"), ("BIRTHDAY", "birthday")):
        if (whose, kind) in hidden:
            moved[type_] = ELSEWHERE
    summary: Document = {"lastByType": {**customer["lastByType"], **moved}}
    if set(roles) <= STRANGERS and Role.CUSTOMER in roles:
        summary["lastActivityAt"] = ELSEWHERE + (HOUR if whose == "referred" else -HOUR)
    if (whose, "contact") in hidden:
        summary |= {"dateOfBirth": "1970-12-31", "billingAddress": {**customer["billingAddress"], "country": "DE"}}
    return summary


# ---------------------------------------------------------------- the attack


async def answers(ask: Ask, bearer: str, asked: list[str]) -> dict[str, Any]:
    """What each question is answered: its value, and the errors at its path."""
    found: dict[str, Any] = {}
    for part in parts(asked):
        query = "{ " + " ".join(f"q{index}: {each}" for index, each in enumerate(part)) + " }"
        answer = await ask(query, token=bearer)
        assert "data" in answer, answer
        data: dict[str, Any] = answer["data"] or {}
        for index, each in enumerate(part):
            errors = [error for error in answer.get("errors", []) if error["path"][0] == f"q{index}"]
            said = [(error["message"], error["path"][1:], error["extensions"]["code"]) for error in errors]
            found[each] = (data.get(f"q{index}"), said)
    return found


def parts(asked: list[str]) -> Iterator[list[str]]:
    """Many in one request, but alone what would take the others with it where it is refused."""
    query_type = schema().query_type
    assert query_type
    alone = {name for name, field in query_type.fields.items() if str(field.type).endswith("!")}
    together = [each for each in asked if each.partition("(")[0] not in alone]
    yield from ([each] for each in asked if each.partition("(")[0] in alone)
    yield from (together[number : number + 200] for number in range(0, len(together), 200))


@pytest.mark.parametrize("roles", ATTACKERS, ids="-".join)
async def test_no_argument_finds_what_may_not_be_read(roles: tuple[Role, ...], ask: Ask, world: World) -> None:
    accounts = {
        "own": await account_of(world, "own", affiliateId="aff-2"),
        "referred": await account_of(world, "referred", affiliateId="aff-1"),
        "other": await account_of(world, "other", affiliateId="aff-2"),
    }
    await previews.refresh_stale(world.store)
    bearer = token_of(roles[0], accounts["own"], *roles[1:])
    asked = part_of(questions(accounts), 6, turn=ATTACKERS.index(roles))
    before = await answers(ask, bearer, asked)
    assert len(before) > 500
    changes = await hide_elsewhere(world, roles)
    assert changes >= 3 or roles == (Role.ADMIN,)  # all but an administrator may not read the audit log
    after = await answers(ask, bearer, asked)
    differing = [each for each in asked if before[each] != after[each]]
    assert differing == []
    codes = {code for _, errors in before.values() for *_, code in errors}
    assert codes <= {"FORBIDDEN", "BAD_USER_INPUT", "AMBIGUOUS"}


@pytest.mark.parametrize("roles", ATTACKERS, ids="-".join)
async def test_an_export_is_refused_what_the_list_that_it_is_an_export_of_is_refused(
    roles: tuple[Role, ...], ask: Ask, world: World
) -> None:
    own = await account_of(world, "own")
    bearer, day = token_of(roles[0], own, *roles[1:]), 'occurredAt: {from: "2026-01-01T00:00:00Z"}'
    may_export = not set(roles) <= STRANGERS | {Role.CUSTOMER_SERVICE_AGENT, Role.API_USER}
    compared = 0
    for export, columns, list_, inner in (
        ("exportCustomers", "", "customers", "totalCount"),
        ("exportReport", "table: DETAILS", "customerServiceReport", "total"),
    ):
        query_type = schema().query_type
        assert query_type
        arguments: Mapping[str, Any] = query_type.fields[list_].args
        for name, argument in arguments.items():
            type_ = cast(GraphQLNamedType, get_named_type(argument.type))
            if not isinstance(type_, GraphQLInputObjectType):
                continue
            for field_name, field in type_.fields.items():
                if field_name == "occurredAt":
                    continue
                guess = written(field_name, field, (own.customer["_id"],), 3)[-1]
                given = f"{name}: {{{day if list_ == 'customerServiceReport' else ''} {guess}}}"
                listed = await ask(f"{{ {list_}({given}) {{ {inner} }} }}", token=bearer)
                key = f'idempotencyKey: "{compared}"'
                change = f"{export}(input: {{format: CSV {columns} {key} {given}}}) {{ userErrors {{ code }} }}"
                exported = await ask(f"mutation {{ {change} }}", token=bearer)
                compared += 1
                if not may_export or (export == "exportCustomers" and _exports_own_actions_only(roles)):
                    assert _codes(exported) == ["FORBIDDEN"], (given, exported)
                else:
                    assert _codes(exported) == _codes(listed), (given, exported, listed)
                await world.store.write("exports", [DeleteMany({})])
    assert compared > 20


def _exports_own_actions_only(roles: tuple[Role, ...]) -> bool:
    return Role.SALES_REP in roles and not {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE} & set(roles)


def _codes(answer: Document) -> list[str]:
    return [error["extensions"]["code"] for error in answer.get("errors", [])]
