"""Null in a place that must not be null is the client's mistake, wherever the schema has such a place."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from graphql import GraphQLInputObjectType, is_required_argument, is_required_input_field
from structlog.testing import capture_logs

from app.execution import Choice, Execution
from tests.support.battery import sensible
from tests.support.schema_walk import Place, below, schema
from tests.support.thoroughness import part_of
from tests.support.tokens import token
from tests.support.world import World

MISTAKES = {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


@dataclass(frozen=True)
class Position:
    """A place for a value: an operation with ``$it`` in it, whose declaration is to be filled in."""

    name: str
    type: str
    """Without an exclamation mark: null is what we give."""
    must_not_be_null: bool
    operation: str
    path: list[str]
    default: str

    def declared(self, *, default: bool) -> str:
        return self.operation.replace("$it: ?", f"$it: {self.type}{f' = {self.default}' if default else ''}")


@pytest.fixture(params=["compiled", "graphql-core"])
def execution(request: pytest.FixtureRequest) -> Execution:
    """Executes by compiled plans and as graphql-core does."""
    choice: Choice = request.param
    return Execution(choice)


def positions() -> Iterator[Position]:
    """Each argument, input field and list item, of every field that a client can reach, and each directive's."""
    for root, word in ((schema().query_type, "query"), (schema().mutation_type, "mutation")):
        assert root
        for name, field in root.fields.items():
            place = Place(root.name, name, field)
            for at, type_, one_of, arguments in given(field):
                inner = "" if place.is_leaf else " { __typename }"
                yield _position(place, at, type_, one_of, f"{word}($it: ?) {{ {name}({arguments}){inner} }}", [name])
    for place in below("Customer").values():
        for at, type_, one_of, arguments in given(place.field):
            asked, path, above = f"{place.name}({arguments})", [place.name], place.above
            asked += "" if place.is_leaf else " { __typename }"
            while above:
                asked, path, above = above.asked(asked), [above.name, *path], above.above
            query = f"query($it: ?, $id: ID!) {{ node(id: $id) {{ ... on Customer {{ {asked} }} }} }}"
            yield _position(place, at, type_, one_of, query, ["node", *path])
    yield Position("__type(name)", "String", True, "query($it: ?) { __type(name: $it) { name } }", ["__type"], '"x"')
    for directive in ("include", "skip"):
        applied = f"@{directive}(if: $it)"
        for what, selection, path in (
            ("field at the root", f"viewer {applied} {{ name }}", ["viewer"]),
            ("field", f"viewer {{ name {applied} }}", ["viewer"]),
            ("field of a row", f"activityTypes {{ code {applied} }}", ["activityTypes", "0"]),
            ("inline fragment", f"viewer {{ ... {applied} {{ name }} }}", ["viewer"]),
            ("spread", f"viewer {{ ...F {applied} }}", ["viewer"]),
            ("field of the schema", f"__schema {{ types {{ name {applied} }} }}", ["__schema", "types", "0"]),
        ):
            fragment = " fragment F on Viewer { name }" if "...F" in selection else ""
            operation = f"query($it: ?) {{ {selection} }}{fragment}"
            yield Position(f"@{directive} on a {what}", "Boolean", True, operation, path, "true")


def _position(place: Place, at: str, type_: Any, one_of: bool, operation: str, path: list[str]) -> Position:
    nullable = str(type_).removesuffix("!")
    must_not = one_of or nullable != str(type_)
    default = '{number: "x"}' if nullable == "CustomerBy" else sensible(type_, at.split(".")[-1])
    return Position(f"{place.coordinate}({at})", nullable, must_not, operation, path, default)


def given(field: Any) -> Iterator[tuple[str, Any, bool, str]]:
    """Place, its type, whether it is the only one of its object, and all arguments with ``$it`` in it."""
    for name, argument in field.args.items():
        others = [
            f"{other}: {sensible(each.type)}"
            for other, each in field.args.items()
            if other != name and is_required_argument(each)
        ]
        for at, type_, one_of, literal in inside(argument.type, name):
            yield at, type_, one_of, ", ".join([f"{name}: {literal}", *others])


def inside(type_: Any, at: str, *, one_of: bool = False) -> Iterator[tuple[str, Any, bool, str]]:
    yield at, type_, one_of, "$it"
    bare = type_.of_type if str(type_).endswith("!") else type_
    if str(bare).startswith("["):
        for inner, of, one, literal in inside(bare.of_type, f"{at}[]"):
            yield inner, of, one, f"[{literal}]"
    elif isinstance(bare, GraphQLInputObjectType):
        for name, field in bare.fields.items():
            required = [
                f"{other}: {sensible(each.type, other)}"
                for other, each in bare.fields.items()
                if other != name and is_required_input_field(each)
            ]
            for inner, of, one, literal in inside(field.type, f"{at}.{name}", one_of=bare.is_one_of):
                yield inner, of, one, f"{{{', '.join([f'{name}: {literal}', *required])}}}"


async def test_null_where_it_must_not_be_is_the_clients_mistake_and_nothing_to_log(
    client: httpx2.AsyncClient, world: World, execution: Execution
) -> None:
    ada, wrong, met = await world.everything(), dict[str, Any](), 0
    headers = {"Authorization": f"Bearer {token()}"}
    for position in part_of(positions(), 4 if execution.choice == "graphql-core" else 1):
        for default, variables in ((True, {"it": None}), (False, {"it": None}), (False, dict[str, Any]())):
            asked = {"query": position.declared(default=default), "variables": {**variables, "id": ada["_id"]}}
            with capture_logs() as logs:
                response = await client.post("/graphql", json=asked, headers=headers)
            errors = response.json().get("errors", [])
            codes = {error["extensions"]["code"] for error in errors}
            fine = codes <= MISTAKES and not logs
            if position.must_not_be_null and default:
                met += 1
                paths = [[str(key) for key in error.get("path", ()) if not isinstance(key, int)] for error in errors]
                expected = [key for key in position.path if key != "0"]
                fine = fine and codes == {"BAD_USER_INPUT"} and all(path == expected for path in paths)
                fine = fine and all("None" not in error["message"] for error in errors)
            if position.must_not_be_null and variables:
                fine = fine and codes != set()
            if not fine:
                wrong[f"{position.name} {default} {variables}"] = (asked["query"], errors[:1], logs)
    assert wrong == {}, "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert met >= 60
