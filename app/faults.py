"""What goes wrong while answering, told twice: a code and a sentence for the client, the document's id for the log.

A refusal keeps its words. Anything else that happens inside a field is ours to mend: the client learns that much and
no more, since an exception's text may hold what is stored.
"""

import traceback
from typing import Any, Final, cast

import structlog
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    visit,
)
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.domain.refusals import Refusal
from app.store.driver import Unavailable

_log = structlog.get_logger("gateway")
_INTERNAL: Final = "This could not be read. The fault is ours and has been logged."
UNAVAILABLE: Final = "The database cannot be reached just now. Try again in a moment."


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's, which also knows whose field failed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sources: dict[int, object] = {}

    def execute_fields(
        self, parent_type: Any, source_value: Any, path: Path | None, grouped_field_set: Any, position_context: Any
    ) -> Any:
        self._sources[id(path)] = source_value  # a child's path holds on to this one for as long as it can fail
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def handle_field_error(self, raw_error: Exception, return_type: Any, field_details_list: Any, path: Path) -> None:
        # What already has a path is on its way up from a field that must not be null, and was logged there.
        if getattr(raw_error, "path", None) is None:
            name = f"{path.typename}.{path.key}" if path.typename else str(path.key)
            log_failure(raw_error, name, self._document_at(path))
        cast(Any, super()).handle_field_error(raw_error, return_type, field_details_list, path)

    def _document_at(self, path: Path | None) -> str | None:
        """The id of the nearest document on the way up."""
        while path is not None:
            path = path.prev
            source = self._sources.get(id(path))
            if isinstance(source, dict) and "_id" in source:
                return str(cast(dict[str, Any], source)["_id"])
        return None


def log_failure(error: Exception, field: str, document: str | None) -> None:
    """Of a field that failed: its name, and the id of the nearest document. A refusal is no failure."""
    if not isinstance(error, Refusal):
        _log.error("field failed", field=field, document=document, fault=type(error).__name__, at=_where(error))


def _where(error: Exception) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else None


def answer(error: GraphQLError) -> dict[str, Any]:
    """The error as the client sees it: a message, where, and ``extensions.code``."""
    code, message = _verdict(error)
    located = error.path or (_path_in_request(error) if code == "BAD_USER_INPUT" else None)
    cause = _cause(error)
    return {
        "message": message,
        **({"locations": [location.formatted for location in error.locations]} if error.locations else {}),
        **({"path": located} if located else {}),
        "extensions": {
            "code": code,
            **({"field": list(cause.field)} if isinstance(cause, Refusal) and cause.field else {}),
        },
    }


def _verdict(error: GraphQLError) -> tuple[str, str]:
    cause = _cause(error)
    if isinstance(cause, Refusal):
        return cause.code, str(cause)
    if isinstance(cause, Unavailable):
        return "UNAVAILABLE", UNAVAILABLE
    if error.path is not None or (cause and not error.nodes):
        return "INTERNAL", _INTERNAL
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED", error.message
    node = error.nodes[0] if error.nodes else None
    in_a_value = isinstance(node, ValueNode | ObjectFieldNode) and not isinstance(node, VariableNode)
    in_a_variable = isinstance(node, VariableDefinitionNode) and "has invalid value" in error.message
    return ("BAD_USER_INPUT" if in_a_value or in_a_variable else "GRAPHQL_VALIDATION_FAILED"), error.message


def _cause(error: GraphQLError) -> Exception | None:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error:
        cause = cause.original_error
    return cause


# ---------------------------------------------------------------- which field a bad value was meant for


def _path_in_request(error: GraphQLError) -> list[str | int] | None:
    """The field whose argument is wrong, by response keys from the operation down: nothing was executed yet."""
    if not error.nodes or error.source is None:
        return None
    node, document = error.nodes[0], parse(error.source)
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
