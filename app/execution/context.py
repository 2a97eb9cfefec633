"""Holds what is executed: one operation of a valid document, with its coerced variables and its request's context."""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, cast

import graphql
from graphql import GraphQLError, GraphQLSchema, Node, OperationDefinitionNode
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from graphql.language import SourceLocation
from strawberry.execution import optimized_is_awaitable

from app.domain.refusals import Refusal
from app.execution.errors import TooManyErrors, argument_refusal, log_exception
from app.execution.fallback import FallbackExecutor
from app.execution.plan import Plans

_CORE: Final[Any] = graphql
_LINE_END: Final = re.compile("\r\n|[\n\r]")


class ExecutionContext:
    """The context holds one operation with its variables. ``context_value`` is set before it is executed.

    It knows what to make of a field that failed, by either executor; that of graphql-core is made if it executes.
    """

    context_value: Any = None
    root_value: Any = None
    """Of a subscription, the event."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDetails],
        plans: Plans,
        values: VariableValues,
        *,
        max_failed: int,
        suggests: bool,
    ) -> None:
        self.schema, self.operation, self.fragments = schema, operation, fragments
        self.plans = plans
        self.variable_values, self.hide_suggestions = values, not suggests
        self._failed, self._max_failed = 0, max_failed
        self.masked = set[str]()
        """The fields, as ``Type.field``, that are null without an error: the viewer's roles may not read them."""

    @cached_property
    def fallback(self) -> FallbackExecutor:
        resolvers = (_CORE.default_field_resolver, _CORE.default_type_resolver, _CORE.default_field_resolver)
        definitions = {name: each.definition for name, each in self.fragments.items()}
        return FallbackExecutor(
            self.schema,
            definitions,
            self.fragments,
            self.root_value,
            self.context_value,
            self.operation,
            self.variable_values,
            *resolvers,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=self.hide_suggestions,
            locate=self.locate,
            masked=self.masked,
        )

    def locate(
        self,
        error: Exception,
        field: str,
        path: list[str | int],
        nodes: Sequence[Node],
        document: Callable[[], str | None],
    ) -> GraphQLError:
        """Returns the error of a failed field with its place, logged and counted. Raises what ``ends_answer``."""
        error = argument_refusal(error) or error
        if not isinstance(error, Refusal):
            log_exception("field failed", error, field=field, document=document())
        self._failed += 1
        if self._failed > self._max_failed:  # the answer's root is null, and the rest is not even tried
            refusal = TooManyErrors(self._max_failed)
            raise GraphQLError(str(refusal), path=path[:1], original_error=refusal)
        # Without the library's search for the line, which reads the whole document again for every error.
        located = GraphQLError(getattr(error, "message", None) or str(error), path=path, original_error=error)
        located.locations = [self._location(node) for node in nodes]
        return located

    def _location(self, node: Node) -> SourceLocation:
        assert node.loc
        line = bisect_right(self._lines, node.loc.start)
        return SourceLocation(line, node.loc.start - self._lines[line - 1] + 1)

    @cached_property
    def _lines(self) -> list[int]:
        """Returns where each line of the document begins."""
        loc = cast(Any, self.operation).loc
        return [0, *(found.end() for found in _LINE_END.finditer(loc.source.body))]
