"""Takes what the rules hide out of a document once, when it enters a request.

Behind that every field is plain, and what staff may read is not touched at all. A field without a rule does not build.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import cast

from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from app.domain.access import Masks, Role
from app.domain.kinds import KINDS
from app.schema.base import key_of
from app.schema.rules import Access, Redact, Rule

Definitions = Mapping[str, StrawberryObjectDefinition]
"""All object types of the schema, by name."""


def rules_of(definitions: Definitions) -> dict[tuple[str, str], Rule]:
    """Returns the rules by type and field, in GraphQL's names.

    Raises TypeError for a field without a rule, or a rule without its field.
    """
    return {
        (name, _graphql_name(field)): rule
        for name, definition in definitions.items()
        for field, rule in _declared(definition)
    }


def described_rules(definitions: Definitions) -> dict[tuple[str, str | None], Rule]:
    """Returns the rules that hide something, by type and field; one for all fields of a type has no field."""
    found: dict[tuple[str, str | None], Rule] = {}
    for name, definition in definitions.items():
        access = _access(definition)
        if isinstance(access, Rule):
            found[name, None] = access
        elif name != "Query":  # what it needs, it says itself
            found |= {(name, _graphql_name(field)): rule for field, rule in _declared(definition)}
    return {place: rule for place, rule in found.items() if rule.sentence}


def masks_of(definitions: Definitions) -> Callable[[frozenset[Role]], Masks]:
    """Returns what documents lose for roles, by the rules of all types."""
    rules = described_rules(definitions)

    @cache
    def masks(roles: frozenset[Role]) -> Masks:
        by_collection = {kind.collection: definitions[kind.type] for kind in KINDS}
        hidden = {
            collection
            for collection, definition in by_collection.items()
            if isinstance(rule := _access(definition), Rule) and rule.for_(roles)
        }
        changes = {
            collection: change
            for collection, definition in by_collection.items()
            if collection not in hidden and (change := tuple(_changes(definition, roles)))
        }
        unreadable = sorted(
            f"{name}.{field}" if field else name for (name, field), rule in rules.items() if rule.hides_from(roles)
        )
        return Masks(frozenset(hidden), changes, tuple(unreadable))

    return masks


def _access(definition: StrawberryObjectDefinition) -> Access:
    access = getattr(definition.origin, "access", None)
    if access is None:
        raise TypeError(f"{definition.name} has no access: say who may read it (schema/rules.py).")
    return cast(Access, access)


def _declared(definition: StrawberryObjectDefinition) -> Iterator[tuple[StrawberryField, Rule]]:
    access, fields = _access(definition), {field.python_name: field for field in definition.fields}
    if isinstance(access, Rule):
        yield from ((field, access) for field in fields.values())
        return
    by_name = {name: rule for rule, names in access.items() for name in names.split()}
    if by_name.keys() != fields.keys() or len(by_name) != sum(len(names.split()) for names in access.values()):
        odd = ", ".join(sorted(by_name.keys() ^ fields.keys())) or "a field under two rules"
        raise TypeError(f"{definition.name}.access and its fields disagree: {odd}.")
    yield from ((fields[name], rule) for name, rule in by_name.items())


def _changes(definition: StrawberryObjectDefinition, roles: frozenset[Role]) -> Iterator[tuple[str, Redact]]:
    """Yields document keys, and what becomes of their values. The field ``email`` may follow the key ``emailId``."""
    for field, rule in _declared(definition):
        if change := rule.for_(roles):
            key = key_of(field.python_name)
            yield key, change
            yield f"{key}Id", change


def _graphql_name(field: StrawberryField) -> str:
    return field.graphql_name or to_camel_case(field.python_name)
