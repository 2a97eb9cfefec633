"""Random valid queries of our schema: all features of the language; values that find something and some that do not."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    parse,
    validate,
)

from app.domain.kinds import BY_PREFIX, KINDS


@dataclass(frozen=True)
class Words:
    """What arguments are filled with: ids by kind, customer numbers, e-mail addresses, cursors."""

    ids: Sequence[str]
    numbers: Sequence[str]
    addresses: Sequence[str]
    attributes: Sequence[str]
    types: Sequence[str]
    cursors: list[str]


@dataclass
class Document:
    """A query, and values of its variables."""

    text: str
    variables: dict[str, Any]


class Writer:
    """Writes one document. Deep fields get rarer, so that it ends."""

    def __init__(self, schema: GraphQLSchema, words: Words, rng: random.Random) -> None:
        self.schema, self.words, self.rng = schema, words, rng
        self.variables: dict[str, Any] = {}
        self.declared: list[str] = []
        self.fragments: dict[str, tuple[str, str]] = {}
        self.again = itertools.count().__next__

    def document(self) -> Document:
        query = self.schema.query_type
        assert query
        body = self.selection(query, 0, at_most=3)
        declared = f"({', '.join(self.declared)})" if self.declared else ""
        fragments = "".join(f"\nfragment {name} on {on} {inner}" for name, (on, inner) in self.fragments.items())
        return Document(f"query Q{declared} {body}{fragments}", self.variables)

    def selection(self, type_: Any, depth: int, *, at_most: int = 5) -> str:
        if not isinstance(type_, GraphQLObjectType):
            return self.of_abstract(type_, depth)
        parts = [self.field(type_, depth) for _ in range(self.rng.randint(1, at_most))]
        if self.rng.random() < 0.15:
            parts.append("__typename")
        if self.rng.random() < 0.1:
            parts.append(f"... {self.directive()} {{ {self.field(type_, depth)} }}")
        if self.rng.random() < 0.1:
            parts.append(f"... on {type_.name} {{ {self.field(type_, depth)} {self.field(type_, depth)} }}")
        if self.rng.random() < 0.12:
            parts.append(f"...{self.fragment(type_, depth)} {self.directive()}")
        self.rng.shuffle(parts)
        return "{ " + " ".join(parts) + " }"

    def of_abstract(self, type_: Any, depth: int) -> str:
        possible = [*self.schema.get_possible_types(type_)]
        likely = [each for each in possible if each.name in ("Customer", "Activity", "Transaction", "Note")]
        chosen = self.rng.sample(possible, 2) + self.rng.choices(likely, k=2)
        parts = [f"... on {each.name} {self.selection(each, depth + 1)}" for each in chosen]
        if self.rng.random() < 0.5:
            parts += ["... on Node { id }" if isinstance(type_, GraphQLUnionType) else "id", "__typename"]
        self.rng.shuffle(parts)
        return "{ " + " ".join(parts) + " }"

    def fragment(self, type_: GraphQLObjectType, depth: int) -> str:
        known = [name for name, (on, _) in self.fragments.items() if on == type_.name]
        if known and self.rng.random() < 0.5:
            return self.rng.choice(known)
        inner = self.selection(type_, depth + 2)  # before it has its name: no fragment spreads itself
        name = f"F{len(self.fragments)}"
        self.fragments[name] = (type_.name, inner)
        return name

    def field(self, type_: GraphQLObjectType, depth: int) -> str:
        fields = dict(type_.fields)
        leaves = [name for name, each in fields.items() if not hasattr(_named(each.type), "fields")]
        inner = [name for name in fields if name not in leaves and name != "auditLog"]
        odds = (0.9, 0.55, 0.4, 0.3, 0.15, 0.08, 0.02, 0)[min(depth, 7)]
        go_deeper = inner and (not leaves or self.rng.random() < odds)
        name = self.rng.choice(inner if go_deeper else leaves or inner)
        if type_.name == "Query":
            name = self.rng.choice(
                ["customer"] * 4 + ["nodes"] * 3 + ["_entities", "node", "viewer", "activityTypes", "auditLog"]
            )
        definition = fields[name]
        arguments = self.arguments(definition)
        alias = f"{name}_{self.rng.randint(1, 2)}: " if self.rng.random() < 0.2 else ""
        if arguments:  # two fields of one name must have the same
            alias = f"{name}{self.again()}: "
        below = _named(definition.type)
        selected = self.selection(below, depth + 1) if hasattr(below, "fields") or hasattr(below, "types") else ""
        return f"{alias}{name}{arguments} {self.directive()} {selected}"

    def directive(self) -> str:
        if self.rng.random() > 0.08:
            return ""
        kind = self.rng.choice(["skip", "include"])
        if self.rng.random() < 0.5:
            return f"@{kind}(if: {self.rng.choice(['true', 'false'])})"
        return f"@{kind}(if: ${self.variable('Boolean!', self.rng.random() < 0.5)})"

    def variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self.declared)}"
        if not type_.endswith("!") and self.rng.random() < 0.2:
            self.declared.append(f"${name}: {type_}")  # not given
        elif type_.endswith("!") or self.rng.random() < 0.8:
            self.declared.append(f"${name}: {type_}")
            self.variables[name] = _plain(value)
        else:
            self.declared.append(f"${name}: {type_} = {_literal(value)}")
        return name

    def arguments(self, definition: Any) -> str:
        given: list[str] = []
        for name, argument in definition.args.items():
            required = isinstance(argument.type, GraphQLNonNull)
            if not required and self.rng.random() < (0.9 if name in ("after", "before", "last") else 0.5):
                continue
            value = self.value(argument.type, name)
            if self.rng.random() < 0.3:
                given.append(f"{name}: ${self.variable(str(argument.type), value)}")
            else:
                given.append(f"{name}: {_literal(value)}")
        return f"({', '.join(given)})" if given else ""

    def value(self, type_: Any, name: str) -> Any:
        """Enum values are wrapped, so that they are written without quotes."""
        rng, words = self.rng, self.words
        inner: Any = getattr(type_, "of_type", None)
        match type_:
            case GraphQLNonNull():
                return self.value(inner, name)
            case GraphQLList():
                return [self.value(inner, name) for _ in range(rng.choice([0, 1, 1, 2, 5]))]
            case GraphQLEnumType():
                return Enum(rng.choice([*type_.values]))
            case GraphQLInputObjectType():
                names = [*type_.fields]
                chosen = (
                    [rng.choice(names)]
                    if type_.is_one_of
                    else rng.sample(names, min(len(names), rng.choice([0, 0, 1, 1, 2])))
                )
                required = [key for key, each in type_.fields.items() if isinstance(each.type, GraphQLNonNull)]
                needed = [] if type_.is_one_of else [key for key in required if type_.fields[key].default is None]
                return {key: self.value(type_.fields[key].type, key) for key in dict.fromkeys([*chosen, *needed])}
            case _:
                pass
        match type_.name, name:
            case "Int", _:
                return rng.choice([0, 1, 2, 2, 3, 5, 5, 10, 20, 20, 100, 101, -1])
            case "Boolean", _:
                return rng.random() < 0.5
            case "_Any", _:
                node_id = rng.choice([*words.ids])
                kind = rng.choice(KINDS) if rng.random() < 0.1 else BY_PREFIX[node_id.partition("_")[0]]
                return {"__typename": kind.type, "id": node_id}
            case "DateTime", _:
                return rng.choice(["2026-01-31T09:30:00Z", "2020-01-01T00:00:00+01:00", "2026-01-31T12:00:00.000Z"])
            case "ID", _:
                return rng.choice([*words.ids] * 6 + ["cus_nobody", "xyz", "act_"])
            case _, "after" | "before":
                return rng.choice([*words.cursors[-20:], "nonsense"])
            case _, "number":
                return rng.choice([*words.numbers, "C-0"])
            case _, "email":
                return rng.choice([*words.addresses, "nobody@example.com"])
            case _, "name":
                return rng.choice(words.attributes)
            case _, "types":
                return rng.choice(words.types)
            case _, "id":
                return rng.choice(words.numbers)
            case _:
                return rng.choice(["esuite", "platform", "billing", "nowhere"])


@dataclass(frozen=True)
class Enum:
    """A value of an enum, which is written without quotes."""

    name: str = field()


def _named(type_: Any) -> Any:
    while hasattr(type_, "of_type"):
        type_ = type_.of_type
    return type_


def _literal(value: Any) -> str:
    match value:
        case Enum():
            return value.name
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case [*items]:
            return f"[{', '.join(map(_literal, items))}]"
        case {**keys}:
            return "{" + ", ".join(f"{key}: {_literal(each)}" for key, each in keys.items()) + "}"
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.name
        case [*items]:
            return [*map(_plain, items)]
        case {**keys}:
            return {key: _plain(each) for key, each in keys.items()}
        case _:
            return value


def written(schema: GraphQLSchema, words: Words, rng: random.Random) -> Document:
    """Writes a valid document: those in which fields of one name conflict are thrown away."""
    while True:
        document = Writer(schema, words, rng).document()
        if len(document.text) < 3_000 and not validate(schema, parse(document.text)):
            return document
