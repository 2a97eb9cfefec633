"""Completes what a field found by its type: graphql-core's ``complete_value`` in parts.

Each part gets a value that is there, and raises what graphql-core raises; ``Run.complete_value`` says
where, and what then.
"""

from collections.abc import Iterable, Iterator, Mapping
from inspect import iscoroutine
from typing import Any, Final, cast

import graphql
from graphql import GraphQLAbstractType, GraphQLError, GraphQLLeafType, Undefined, pyutils
from graphql.pyutils import inspect

from app.execution.slots import Complete, Completion, ObjectPlan, Path, Slot
from app.schema.base import Node

_BY_ID: Final = Node.resolve_type.__func__
"""Looks at nothing but the document."""


def leaf_of(type_: GraphQLLeafType) -> Complete:
    coerce: Any = type_.coerce_output_value

    def complete(value: Any, run: Completion, path: Path) -> Any:
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise TypeError(
                f"Expected `{inspect(type_)}.coerce_output_value({inspect(value)})` to return non-nullable value,"
                f" returned: {inspect(coerced)}"
            )
        return coerced

    return complete


def list_of(item: Slot) -> Complete:
    def complete(value: Any, run: Completion, path: Path) -> list[Any]:
        if value.__class__ is not list and not cast(Any, pyutils).is_iterable(value):
            field = item.field
            raise GraphQLError(f"Expected Iterable, but did not find one for field '{field.parent}.{field.name}'.")
        items = iter(cast(Iterable[Any], value))
        try:
            return complete_items(items, run, path)
        except Exception:
            discard_promise([*items])
            raise

    def complete_items(items: Iterator[Any], run: Completion, path: Path) -> list[Any]:
        answer: list[Any] = []
        pending, complete_item = run.pending, item.complete
        for index, each in enumerate(items):
            place = (path, index, each)
            if each.__class__ is not dict:
                if run.is_deferred(each):
                    run.defer(item, each, answer, index, place)
                    answer.append(None)
                else:
                    answer.append(run.complete_value(item, each, place))
                continue
            mark = len(pending)
            try:
                answer.append(complete_item(each, run, place))
            except Exception as error:
                run.discard(mark)
                answer.append(run.handle_field_error(item, error, place))
        return answer

    return complete


def abstract_of(type_: GraphQLAbstractType, slot: Slot, plans: Mapping[str, ObjectPlan]) -> Complete:
    resolve_type: Any = type_.resolve_type or cast(Any, graphql).default_type_resolver
    plain = getattr(resolve_type, "__func__", None) is _BY_ID

    def complete(value: Any, run: Completion, path: Path) -> Any:
        name = resolve_type(value, None if plain else run.info(slot.field, path), type_)
        if not isinstance(name, str) or name not in plans:
            info = run.info(slot.field, path)
            run.execution.fallback.ensure_valid_runtime_type(name, type_, slot.field.details, info, value)  # raises
        return plans[name].complete(value, run, path)

    return complete


def discard_promise(value: Any) -> None:
    """Ends what was promised and is no longer needed: a coroutine, or those in a list."""
    if iscoroutine(value):
        value.close()
    elif isinstance(value, list):
        for each in cast(list[Any], value):
            discard_promise(each)
