"""Operations that nobody thought of, over the whole schema: `python -m tests.http.fuzz --cases 20000`.

schemathesis draws for each way in, hypothesis-graphql for all of them at once; half of them valid, half with one fault.
In valid ones ids and page sizes are often made real, so that more than the gate is tried. Each is asked as some role,
of the whole application on a real database. Every answer must be well formed and have an explained code for each error.
"""

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
import schemathesis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from graphql import (
    GraphQLError,
    IntValueNode,
    ListValueNode,
    StringValueNode,
    Visitor,
    build_schema,
    parse,
    parse_const_value,
    print_ast,
    visit,
)
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import Mode, mutations, queries
from schemathesis import GenerationMode
from schemathesis.graphql import nodes, scalar
from schemathesis.specs.graphql.scalars import CUSTOM_SCALARS

from app import sdl
from app.domain.access import Role
from app.http.request import JSON, RESPONSE
from app.http.tokens import verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.settings import Limits
from app.store import indexes
from app.store.driver import Driver, Store
from app.store.mongod import embedded_mongod
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import World

INTERNALS: Final = ("mongo", "bson", "traceback", "exception", ".py", "strawberry", "graphql-core")
OF_THE_TEXT: Final = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
EXPLAINED: Final = OF_THE_TEXT | {
    "BAD_USER_INPUT",
    "BAD_CURSOR",
    "AMBIGUOUS",
    "FORBIDDEN",
    "QUERY_LIMIT_EXCEEDED",
    "COST_LIMIT_EXCEEDED",
    "TOO_MANY_ERRORS",
}

scalar("Date", st.dates().map(str).map(nodes.String))
scalar("DateTime", st.datetimes().map(lambda at: nodes.String(f"{at.isoformat()}Z")))
scalar("_Any", st.just('{__typename: "Customer", id: "cus_x"}').map(parse_const_value))
scalar("Decimal", st.decimals(allow_nan=False, allow_infinity=False, places=2).map(nodes.String))


@dataclass(frozen=True)
class Asked:
    query: str
    valid: bool


def operations() -> st.SearchStrategy[Asked]:
    """Each strategy is made once: what it knows of the schema takes a while to find out."""
    schema = build_schema(sdl.printed())
    way: Any = schemathesis.graphql.from_file(sdl.printed())  # its types say little
    drawn: list[st.SearchStrategy[Asked]] = []
    for valid in (True, False):
        of_all, of_one = (Mode.POSITIVE, GenerationMode.POSITIVE) if valid else (Mode.NEGATIVE, GenerationMode.NEGATIVE)
        drawn += [
            made(schema, custom_scalars=CUSTOM_SCALARS, mode=of_all).map(partial(Asked, valid=valid))
            for made in (queries, mutations)
        ]
        drawn += [
            result.ok().as_strategy(generation_mode=of_one).map(partial(_of_case, valid))
            for result in way.get_all_operations()
        ]
    return st.one_of(drawn).filter(lambda asked: asked.valid or _may_be_faulty(asked.query))


def _of_case(valid: bool, case: Any) -> Asked:
    return Asked(case.body, valid)


def _may_be_faulty(query: str) -> bool:
    """Whether there is an argument. Faults are drawn into arguments: where there are none, there is no fault."""
    return "(" in query


def grounded(query: str, ids: list[str], dice: random.Random) -> str:
    """Puts ids of things that exist and page sizes in bounds into most places; leaves alone what cannot be read."""

    class Ground(Visitor):
        def enter_argument(self, node: Any, *_: Any) -> Any:
            return replace(node, value=real(node.name.value, node.value))

        enter_object_field = enter_argument

    def real(name: str, value: Any) -> Any:
        if dice.random() < 0.2:
            return value
        match value:
            case IntValueNode() if name in ("first", "last"):
                return IntValueNode(value=str(dice.randrange(8)))
            case StringValueNode() if name.lower().endswith("id"):
                return StringValueNode(value=dice.choice(ids))
            case ListValueNode() if name == "ids":
                return ListValueNode(values=tuple(StringValueNode(value=dice.choice(ids)) for _ in value.values))
            case _:
                return value

    try:
        document = parse(query)
    except (GraphQLError, RecursionError):
        return query
    return print_ast(visit(document, Ground()))


# ---------------------------------------------------------------- what an answer must be


def findings(asked: Asked, response: httpx2.Response) -> list[str]:
    """What nobody has explained; empty for a good answer."""
    try:
        answer: Any = json.loads(response.content.decode())
    except ValueError:
        return ["no JSON"]
    errors = answer.get("errors", [])
    found: list[str] = []
    if not response.headers["content-type"].startswith(RESPONSE):
        found.append(f"content type {response.headers['content-type']}")
    if not answer.keys() <= {"data", "errors", "extensions"} or ("errors" in answer and not errors):
        found.append("no answer of GraphQL's")
    if response.status_code != (200 if "data" in answer else 400) and codes(answer) != {"FORBIDDEN"}:
        found.append(f"status {response.status_code}")
    if not errors and answer.get("data") is None:
        found.append("no data and no error")
    if any(not isinstance(error.get("message"), str) or len(error["message"]) > 501 for error in errors):
        found.append("an error without a short message")
    found += [f"code {code}" for code in codes(answer) - EXPLAINED]
    said, asked_for = json.dumps([_plain(error) for error in errors]).lower(), asked.query.lower()
    found += [f"says {word}" for word in INTERNALS if word in said and word not in asked_for]
    if asked.valid and codes(answer) & OF_THE_TEXT:
        found.append("a valid text was not")
    if not asked.valid and not errors:
        found.append("a faulty one was answered")
    return found


def codes(answer: Mapping[str, Any]) -> set[str]:
    return {str(error.get("extensions", {}).get("code")) for error in answer.get("errors", [])}


def _plain(error: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"message": error.get("message"), "extensions": error.get("extensions")}


# ---------------------------------------------------------------- a run


class Enough(Exception):
    """The time is up."""


@dataclass
class Report:
    cases: int = 0
    executed: int = 0
    endings: Counter[str] = field(default_factory=Counter[str])
    roles: Counter[str] = field(default_factory=Counter[str])
    found: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, asked: Asked, query: str, role: Role, response: httpx2.Response) -> None:
        self.cases += 1
        self.roles[role] += 1
        found = findings(asked, response)
        if "no JSON" not in found:
            answer = response.json()
            self.executed += "data" in answer
            self.endings.update(codes(answer) or {"OK"})
        for what in found:
            self.found.setdefault(what, []).append(
                f"as {role}: {query}\n→ {response.status_code} {response.text[:600]}"
            )


@asynccontextmanager
async def door(uri: str, database: str, driver: Driver) -> AsyncGenerator[tuple[httpx2.AsyncClient, list[str], str]]:
    """The application, the ids of all that is in its database, and whose most of it is."""
    async with Store.open(uri, database, driver=driver) as store:
        await store.drop()
        await indexes.apply(store)
        world = World(store)
        ada, _ = await world.everything(), await world.everything()
        ids = [
            row["_id"]
            for name in ("customers", "activities", "points", "coupons", "transactions", "passes", "statuses", "emails")
            for row in await store.find(name, {}, fields={"_id": 1}, limit=5)
        ]
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        plenty = Limits(cost_per_minute=10**9, changes_per_minute=10**9)
        app = build_app(
            routes(
                store.database, authenticate, timeout_seconds=60, limits=plenty, outgoing=DeliveryPolicy(wallet=True)
            )
        )
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
            yield client, [*ids, ada["_id"], ada["_id"]], ada["_id"]
        await store.drop()


def fuzz(uri: str, database: str, *, cases: int, driver: Driver = "motor", start: int = 1, seconds: float) -> Report:
    """Asks for ``seconds`` at most. One ``start`` always draws the same cases."""
    report, until, dice = Report(), time.monotonic() + seconds, random.Random(start)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(door(uri, database, driver)) as opened:
        client, ids, ada = opened
        who: dict[str, Any] = {"customer_id": ada, "affiliate_id": "aff_1", "lifetime": timedelta(days=1)}
        bearers = {role: token(role, **who) for role in Role}

        @seed(start)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        )
        @given(operations(), st.sampled_from([Role.ADMIN, *Role]))
        def ask(asked: Asked, role: Role) -> None:
            if time.monotonic() > until:
                raise Enough
            query = grounded(asked.query, ids, dice) if asked.valid else asked.query  # it might mend the fault
            report.add(asked, query, role, _post(portal, client, query, bearers[role]))

        with suppress(Enough):
            ask()
    return report


def _post(portal: BlockingPortal, client: httpx2.AsyncClient, query: str, bearer: str) -> httpx2.Response:
    async def post() -> httpx2.Response:
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": JSON, "Accept": RESPONSE}
        async with asyncio.timeout(60):
            return await client.post("/graphql", content=json.dumps({"query": query}), headers=headers)

    return portal.call(post)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cases", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=3_600)
    given_ = arguments.parse_args()
    began = time.monotonic()
    with embedded_mongod(Path(".data/fuzz")) as uri:
        report = fuzz(uri, "fuzz", cases=given_.cases, start=given_.seed, seconds=given_.seconds)
    print(f"{report.cases:,} cases in {time.monotonic() - began:.0f} s; {report.executed:,} were executed.")
    print("How they ended:", ", ".join(f"{code} {count:,}" for code, count in report.endings.most_common()))
    print("As:", ", ".join(f"{role} {count:,}" for role, count in report.roles.most_common()))
    print(f"Unexplained: {sum(map(len, report.found.values())):,}")
    for what, examples in report.found.items():
        print(f"\n{what}, {len(examples):,} times, for example\n{examples[0][:2_000]}")


if __name__ == "__main__":
    main()
