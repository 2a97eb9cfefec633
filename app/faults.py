"""What goes wrong while answering, told twice: a code and a sentence for the client, the document's id for the log.

A refusal keeps its words. Anything else that happens inside a field is ours to mend: the client learns that much and
no more, since an exception's text may hold what is stored.
"""

import re
import traceback
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import isawaitable
from typing import Any, Final, cast

import graphql
import structlog
from asgi_correlation_id import correlation_id
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    get_variable_values,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.language import SourceLocation
from graphql.pyutils import Path
from graphql.utilities import coerce_input_value  # pyright: ignore[reportUnknownVariableType] # open generics
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.domain.refusals import BadUserInput, Refusal
from app.settings import Limits
from app.store.driver import Unavailable

_log = structlog.get_logger("gateway")
_CORE: Final[Any] = graphql
_LINE_END: Final = re.compile("\r\n|[\n\r]")
INTERNAL: Final = "This could not be read. The fault is ours and has been logged."
MESSAGE_CHARACTERS: Final = 500
"""A message may repeat what the client sent; nobody reads a megabyte of it."""

_PASSING: Final = {"UNAVAILABLE", "OVERLOADED", "DEADLINE_EXCEEDED", "RATE_LIMITED"}
_RETRY_AFTER_SECONDS: Final = 1
"""Unless more is known."""
UNAVAILABLE: Final = "The database cannot be reached just now. Try again in a moment."


class TooManyErrors(Refusal):
    """More of an answer failed than anybody will read; each failure costs as much as many values."""

    code = "TOO_MANY_ERRORS"

    def __init__(self, most: int) -> None:
        super().__init__(f"More than {most} fields of the answer failed. Ask for less, or for what your role may read.")


@dataclass(slots=True)
class Plans:
    """What ``Execution`` has worked out about an operation. It is kept as long as the operation is."""

    shape: Any = None
    by_values: dict[Any, Any] = field(default_factory=dict[Any, Any])
    """By the values of the variables that decide what is included."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One of a valid document, and what graphql-core finds out about it before it looks at a request."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDetails]
    _signatures: Sequence[Any]
    _is_plain: bool
    """Whether its variables are values and lists of them, and no objects."""
    plans: "Plans" = field(default_factory=lambda: Plans(), compare=False)

    @classmethod
    def each_of(cls, document: DocumentNode, schema: GraphQLSchema) -> "dict[str | None, Operation]":
        """By name. Raises GraphQLError if the document is not valid."""
        fragments = {
            each.name.value: FragmentDetails(each, {one.name: one for one in _signatures(each, schema)} or None)
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        return {
            each.name.value if each.name else None: cls._of(each, fragments, schema)
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode)
        }

    @classmethod
    def _of(
        cls, node: OperationDefinitionNode, fragments: Mapping[str, FragmentDetails], schema: GraphQLSchema
    ) -> "Operation":
        signatures = _signatures(node, schema)
        is_plain = all(is_leaf_type(get_named_type(each.type)) for each in signatures)
        return cls(schema, node, fragments, signatures, is_plain)

    def executor(self, variables: dict[str, Any], limits: Limits, *, suggests: bool) -> "Executor | list[GraphQLError]":
        """With its variables, or what is wrong with them."""
        values = self._values(variables) or get_variable_values(
            self.schema, self.node.variable_definitions or (), variables, limits.max_errors, not suggests
        )
        if isinstance(values, list):
            return values
        return Executor(self, values, max_failed=limits.max_failed_fields, suggests=suggests)

    def _values(self, given: Mapping[str, Any]) -> VariableValues | None:
        """None where graphql-core has to judge."""
        values = VariableValues({}, {})
        if not self._is_plain:
            return None
        for signature in self._signatures:
            name = signature.name
            value = coerce_input_value(given[name], signature.type) if name in given else Undefined
            if value is Undefined:
                return None
            values.sources[name] = VariableValueSource(signature, given[name])
            values.coerced[name] = value
        return values


def _signatures(definition: OperationDefinitionNode | FragmentDefinitionNode, schema: GraphQLSchema) -> list[Any]:
    """graphql-core's own, whose types are open generics. Raises GraphQLError."""
    signatures: list[Any] = []
    for each in definition.variable_definitions or ():
        signature = get_variable_signature(schema, each)
        if isinstance(signature, GraphQLError):
            raise signature
        signatures.append(signature)
    return signatures


class Executor:
    """Of one operation with its variables. The context is set before it runs.

    It knows what to make of a field that failed, whoever executes; graphql-core's own executor is made where that does.
    """

    context_value: Any = None

    def __init__(self, operation: Operation, values: VariableValues, *, max_failed: int, suggests: bool) -> None:
        self.schema, self.operation, self.fragments = operation.schema, operation.node, operation.fragments
        self.plans = operation.plans
        self.variable_values, self.hide_suggestions = values, not suggests
        self._failed, self._max_failed = 0, max_failed

    @cached_property
    def core(self) -> "_Core":
        resolvers = (_CORE.default_field_resolver, _CORE.default_type_resolver, _CORE.default_field_resolver)
        definitions = {name: each.definition for name, each in self.fragments.items()}
        return _Core(
            self.schema,
            definitions,
            self.fragments,
            None,
            self.context_value,
            self.operation,
            self.variable_values,
            *resolvers,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=self.hide_suggestions,
            failed=self.failed,
        )

    async def run(self) -> ExecutionResult:
        result: Any = cast(Any, self.core).execute_operation()
        return await result if isawaitable(result) else result

    def failed(
        self,
        error: Exception,
        field: str,
        path: list[str | int],
        nodes: Sequence[Node],
        document: Callable[[], str | None],
    ) -> GraphQLError:
        """Of a field that failed, the error with its place: logged, and counted. Raises what ``is_final``."""
        error = argument_refusal(error) or error
        if not isinstance(error, Refusal):
            log("field failed", error, field=field, document=document())
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
        """Where each line of the document begins."""
        loc = cast(Any, self.operation).loc
        return [0, *(found.end() for found in _LINE_END.finditer(loc.source.body))]


class _Core(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's, which also knows whose field failed."""

    def __init__(self, *args: Any, failed: Callable[..., GraphQLError], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sources: dict[int, object] = {}
        self._failed = failed

    def execute_fields(
        self, parent_type: Any, source_value: Any, path: Path | None, grouped_field_set: Any, position_context: Any
    ) -> Any:
        self._sources[id(path)] = source_value  # a child's path holds on to this one for as long as it can fail
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def handle_field_error(self, raw_error: Exception, return_type: Any, field_details_list: Any, path: Path) -> None:
        # What already has a path is on its way up from a field that must not be null, and was dealt with there.
        if getattr(raw_error, "path", None) is None:
            name = f"{path.typename}.{path.key}" if path.typename else str(path.key)
            nodes = [details.node for details in field_details_list]
            raw_error = self._failed(raw_error, name, path.as_list(), nodes, lambda: self._document_at(path))
        elif is_final(raw_error):
            raise raw_error
        cast(Any, super()).handle_field_error(raw_error, return_type, field_details_list, path)

    def _document_at(self, path: Path | None) -> str | None:
        """The id of the nearest document on the way up."""
        while path is not None:
            path = path.prev
            source = self._sources.get(id(path))
            if isinstance(source, dict) and "_id" in source:
                return str(cast(dict[str, Any], source)["_id"])
        return None


def _where(error: Exception) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else None


def answer(error: GraphQLError, document: DocumentNode | None) -> dict[str, Any]:
    """The error as the client sees it: a message, where, and ``extensions.code``."""
    code, message = _verdict(error)
    located = error.path or (_path_in_request(error, document) if document and code == "BAD_USER_INPUT" else None)
    cause = cause_of(error)
    field = {"field": list(cause.field)} if isinstance(cause, Refusal) and cause.field else {}
    return {
        **told(code, message, **field),
        **({"locations": [location.formatted for location in error.locations]} if error.locations else {}),
        **({"path": located} if located else {}),
    }


def told(code: str, message: str, **extensions: object) -> dict[str, Any]:
    """One error. Where the fault is ours, the request's id comes with it: the log has the same.

    What may succeed when it is asked for again says when to.
    """
    if code in ("INTERNAL", "UNAVAILABLE"):
        extensions["requestId"] = correlation_id.get()
    if code in _PASSING:
        extensions.setdefault("retryAfterSeconds", _RETRY_AFTER_SECONDS)
    short = message if len(message) <= MESSAGE_CHARACTERS else f"{message[:MESSAGE_CHARACTERS]}…"
    return {"message": short, "extensions": {"code": code, **extensions}}


def retry_header(error: Mapping[str, Any]) -> Mapping[str, str]:
    """The same time as a header, of an error that says when to return."""
    seconds = error["extensions"].get("retryAfterSeconds")
    return {} if seconds is None else {"Retry-After": f"{seconds:.0f}"}


def argument_refusal(error: Exception) -> BadUserInput | None:
    """The refusal that an error while executing is, if a value of the request cannot be the argument that it is given
    to: null for a variable whose place must not be null, which no validation can foresee (GraphQL September 2025, 6.4.1
    Coercing Field Arguments). graphql-core's errors point at that value then."""
    found: Exception | None = error
    while isinstance(found, GraphQLError):
        if found.nodes and isinstance(found.nodes[0], ValueNode | ObjectFieldNode):
            return BadUserInput(_in_json(found.message))
        found = found.original_error
    return None


def with_refusals(result: ExecutionResult) -> ExecutionResult:
    """The same, where no field but a directive at the root has such an argument: that error has no path yet."""
    for index, error in enumerate(result.errors or ()):
        if error.path is None and (refusal := argument_refusal(error)):
            cast(Any, result.errors)[index] = GraphQLError(str(refusal), error.nodes, original_error=refusal)
    return result


def is_final(error: Exception) -> bool:
    """Whether it ends the whole answer, and not a field of it."""
    return isinstance(error, GraphQLError) and isinstance(cause_of(error), TooManyErrors)


def log(event: str, error: Exception, **where: str | None) -> None:
    """An exception of ours: its kind and its place, and never its text."""
    _log.error(event, **where, fault=type(error).__name__, at=_where(error))


def _verdict(error: GraphQLError) -> tuple[str, str]:
    cause = cause_of(error)
    if isinstance(cause, Refusal):
        return cause.code, str(cause)
    if isinstance(cause, Unavailable):
        return "UNAVAILABLE", UNAVAILABLE
    if error.path is not None or (cause and not error.nodes):
        return "INTERNAL", INTERNAL
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED", error.message
    if error.message.startswith("Too many errors processing variables"):
        return "BAD_USER_INPUT", error.message
    node = error.nodes[0] if error.nodes else None
    in_a_value = isinstance(node, ValueNode | ObjectFieldNode) and not isinstance(node, VariableNode)
    in_a_variable = isinstance(node, VariableDefinitionNode) and "has invalid value" in error.message
    code = "BAD_USER_INPUT" if in_a_value or in_a_variable else "GRAPHQL_VALIDATION_FAILED"
    return code, _in_json(error.message)


def _in_json(message: str) -> str:
    """graphql-core's message with null as clients write it."""
    return message.replace("not to be None", "not to be null")


def cause_of(error: GraphQLError) -> Exception | None:
    """What was raised first, if the error is no more than its place."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error:
        cause = cause.original_error
    return cause


# ---------------------------------------------------------------- which field a bad value was meant for


def _path_in_request(error: GraphQLError, document: DocumentNode) -> list[str | int] | None:
    """The field whose argument is wrong, by response keys from the operation down: nothing was executed yet."""
    if not error.nodes:
        return None
    node = error.nodes[0]
    wanted = _first_use(document, node.variable.name.value) if isinstance(node, VariableDefinitionNode) else node
    for definition in document.definitions:
        if wanted and isinstance(definition, OperationDefinitionNode) and _holds(definition, wanted):
            return _descend(definition.selection_set, wanted)
    return None


def _descend(selections: SelectionSetNode, wanted: Node) -> list[str | int]:
    for selection in selections.selections:
        if _holds(selection, wanted):
            inner = getattr(selection, "selection_set", None)
            below = _descend(inner, wanted) if inner and _holds(inner, wanted) else []
            match selection:
                case FieldNode():
                    return [(selection.alias or selection.name).value, *below]
                case InlineFragmentNode():
                    return below
                case _:
                    return []
    return []


def _holds(outer: Node, inner: Node) -> bool:
    return bool(outer.loc and inner.loc and outer.loc.start <= inner.loc.start and inner.loc.end <= outer.loc.end)


def _first_use(document: DocumentNode, variable: str) -> Node | None:
    """Where the variable is first given to a field."""
    uses: list[Node] = []

    class Uses(Visitor):
        def enter_field(self, field: FieldNode, *_: Any) -> None:
            for argument in field.arguments or ():
                visit(argument, Variables())

    class Variables(Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            if node.name.value == variable:
                uses.append(node)

    visit(document, Uses())
    return uses[0] if uses else None
