"""Writes the fields of an object as one Python function, for objects that are completed often.

It does what ``ObjectPlan`` does field by field, and hands every value that is not plainly as it should be to the same
``Run.complete_value``. Only names that GraphQL or our schema allow get into its text, as literals.
"""

from typing import Any, Final

from graphql import GraphQLEnumType, is_leaf_type

from app.execution.slots import Execute, Field

_AS_THEY_ARE: Final = {
    "String": "{v}.__class__ is not str",
    "ID": "{v}.__class__ is not str",
    "Boolean": "{v}.__class__ is not bool",
    "Int": "{v}.__class__ is not int or not -2147483648 <= {v} <= 2147483647",
    "SafeInt": "{v}.__class__ is not int or not -9007199254740991 <= {v} <= 9007199254740991",
}
"""Values that their type leaves as they are; the condition is true of all others."""


def inlined(fields: list[Field], otherwise: Execute) -> Execute:
    """Returns a function that executes these fields; ``otherwise`` is for sources that are no documents."""
    names: dict[str, Any] = {"otherwise": otherwise}
    lines = ["def execute(source, run, path):"]
    if any(field.resolver.key for field in fields):
        lines += ["    if source.__class__ is not dict:", "        return otherwise(source, run, path)"]
        lines += ["    get = source.get"]
    is_plain = all(field.resolver.key or field.name == "__typename" for field in fields)
    if not is_plain:
        lines += ["    answer = {}"]
    for number, field in enumerate(fields):
        names[f"f{number}"] = field
        value = f"v{number}"
        found = _found(field, number, names)
        if found is None:
            lines += [f"    run.resolve_field(f{number}, source, answer, path)"]
            continue
        if field.resolver.simple and not is_leaf_type(field.type):
            lines += [f"    {line}" for line in (*found, f"run.complete_or_defer(f{number}, {value}, answer, path)")]
            continue
        lines += [f"    {line}" for line in (*found, *_completed(field, number, names))]
        if not is_plain:
            lines += [f"    answer[{field.key!r}] = {value}"]
    answer = ", ".join(f"{field.key!r}: v{number}" for number, field in enumerate(fields))
    lines += [f"    return {{{answer}}}" if is_plain else "    return answer"]
    exec("\n".join(lines), names)  # noqa: S102 # the text is made of the lines above
    return names["execute"]


def _found(field: Field, number: int, names: dict[str, Any]) -> list[str] | None:
    """Returns lines that leave what the field finds in its variable; None if only its resolver knows how."""
    value, resolver = f"v{number}", field.resolver
    if field.name == "__typename":
        return [f"{value} = {field.parent.name!r}"]
    if resolver.key:
        return [f"{value} = get({resolver.key!r})"]
    if resolver.simple:
        names[f"r{number}"] = resolver.simple
        return ["try:", f"    {value} = r{number}(source)", "except Exception as error:", f"    {value} = error"]
    return None


def _completed(field: Field, number: int, names: dict[str, Any]) -> list[str]:
    """Returns lines that complete the value in the field's variable."""
    value = f"v{number}"
    type_: Any = field.type
    settle = f"{value} = run.complete_value(f{number}, {value}, (path, {field.key!r}, {value}))"
    if field.name == "__typename":
        return []
    present = f"{value} is not None" if field.nullable else None
    if not is_leaf_type(type_):
        return [f"if {present}:", f"    {settle}"] if present else [settle]
    if odd := _AS_THEY_ARE.get(type_.name):
        odd = odd.format(v=value)
        return [f"if {present} and ({odd}):" if present else f"if {odd}:", f"    {settle}"]
    if isinstance(type_, GraphQLEnumType):
        names[f"e{number}"] = _words(type_)
        words = f"e{number}.get({value}) if {value}.__class__ is str else None"
        lines = [f"w = {words}", "if w is None:", f"    {settle}", "else:", f"    {value} = w"]
        return [f"if {present}:", *(f"    {line}" for line in lines)] if present else lines
    names[f"c{number}"] = type_.coerce_output_value
    lines = ["try:", f"    w = c{number}({value})", "except Exception:", "    w = None"]
    lines += ["if w is None:", f"    {settle}", "else:", f"    {value} = w"]
    return [f"if {present}:", *(f"    {line}" for line in lines)] if present else lines


def _words(type_: GraphQLEnumType) -> dict[str, str]:
    """Returns what each text in the database becomes."""
    words: dict[str, str] = {}
    for value in type_.values.values():
        if isinstance(value.value, str):
            words[str(value.value)] = type_.coerce_output_value(str(value.value))
    return words
