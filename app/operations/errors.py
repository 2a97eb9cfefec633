"""Formats errors as clients see them: a code for programs, a sentence for people, and where in the request.

What is ours to mend is told as no more than that, since an exception's text may hold what is stored.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asgi_correlation_id import correlation_id
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
    visit,
)

from app.domain.refusals import Refusal
from app.execution.errors import cause_of, log_exception, with_json_null
from app.store.driver import Unavailable

INTERNAL: Final = "This could not be read. The fault is ours and has been logged."
UNAVAILABLE: Final = "The database cannot be reached just now. Try again in a moment."
TOO_LATE: Final = "This took longer than a request may. Ask for less at a time."
MESSAGE_CHARACTERS: Final = 500
"""A message may repeat what the client sent; nobody reads a megabyte of it."""

_TEMPORARY: Final = {"UNAVAILABLE", "OVERLOADED", "DEADLINE_EXCEEDED", "RATE_LIMITED"}
_RETRY_AFTER_SECONDS: Final = 1
"""Unless more is known."""


class RequestRefusal(Refusal):
    """Raised if a request is not executed at all. The endpoint catches it; the client sees its code and its message.

    ``extensions`` stand in the error beside the code, ``response_extensions`` in the response beside the error.
    """

    extensions: Mapping[str, object] = {}
    response_extensions: Mapping[str, object] = {}


class InvalidDocument(Exception):
    """Raised for a document, or variables, that cannot be executed. The client sees each of ``errors``.

    ``document`` is None where there is not even syntax.
    """

    def __init__(self, errors: Sequence[GraphQLError], document: DocumentNode | None = None) -> None:
        super().__init__()
        self.errors, self.document = errors, document


def refusal_body(error: Exception) -> dict[str, Any]:
    """Returns the response to a request that was not executed: it has no ``data``, not even null.

    What is not a refusal is a fault of ours: it is logged.
    """
    match error:
        case InvalidDocument(errors=errors, document=document):
            return {"errors": [format_error(each, document) for each in errors]}
        case RequestRefusal():
            body = {"errors": [error_payload(error.code, str(error), **error.extensions)]}
            return {**body, "extensions": error.response_extensions} if error.response_extensions else body
        case Refusal():
            return {"errors": [error_payload(error.code, str(error))]}
        case _ if isinstance(error, Unavailable):
            return {"errors": [error_payload("UNAVAILABLE", UNAVAILABLE)]}
        case TimeoutError():
            return {"errors": [error_payload("DEADLINE_EXCEEDED", TOO_LATE)]}
        case _:
            log_exception("request failed", error)
            return {"errors": [error_payload("INTERNAL", INTERNAL)]}


def format_error(error: GraphQLError, document: DocumentNode | None) -> dict[str, Any]:
    """Returns the error as the client sees it: a message, where, and ``extensions.code``."""
    code, message = _classify(error)
    located = error.path or (_path_in_request(error, document) if document and code == "BAD_USER_INPUT" else None)
    cause = cause_of(error)
    field = {"field": list(cause.field)} if isinstance(cause, Refusal) and cause.field else {}
    return {
        **error_payload(code, message, **field),
        **({"locations": [location.formatted for location in error.locations]} if error.locations else {}),
        **({"path": located} if located else {}),
    }


def error_payload(code: str, message: str, **extensions: object) -> dict[str, Any]:
    """Returns one error. Where the fault is ours, the request's id comes with it: the log has the same.

    What may succeed when it is asked for again says when to.
    """
    if code in ("INTERNAL", "UNAVAILABLE"):
        extensions["requestId"] = correlation_id.get()
    if code in _TEMPORARY:
        extensions.setdefault("retryAfterSeconds", _RETRY_AFTER_SECONDS)
    short = message if len(message) <= MESSAGE_CHARACTERS else f"{message[:MESSAGE_CHARACTERS]}…"
    return {"message": short, "extensions": {"code": code, **extensions}}


def _classify(error: GraphQLError) -> tuple[str, str]:
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
    return code, with_json_null(error.message)


# ---------------------------------------------------------------- which field a bad value was meant for


def _path_in_request(error: GraphQLError, document: DocumentNode) -> list[str | int] | None:
    """Returns the field whose argument is wrong, by response keys from the operation down: nothing ran yet."""
    if not error.nodes:
        return None
    node = error.nodes[0]
    target = _first_use(document, node.variable.name.value) if isinstance(node, VariableDefinitionNode) else node
    for definition in document.definitions:
        if target and isinstance(definition, OperationDefinitionNode) and _holds(definition, target):
            return _path_to(definition.selection_set, target)
    return None


def _path_to(selections: SelectionSetNode, target: Node) -> list[str | int]:
    for selection in selections.selections:
        if _holds(selection, target):
            inner = getattr(selection, "selection_set", None)
            below = _path_to(inner, target) if inner and _holds(inner, target) else []
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
    """Returns where the variable is first given to a field."""
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
