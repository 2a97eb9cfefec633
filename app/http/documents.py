"""GraphQL documents, from text to what can be executed: parsed, within limits, valid, priced. Each text once.

A document is prepared beside the event loop, one at a time: who sends a hard one waits for it, and nobody else does.
What is kept is the same for every viewer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)

from app.domain.refusals import Refusal
from app.faults import Operation
from app.http import limits as shape
from app.http.costs import Plan, Pricer
from app.settings import Limits

SMALLEST_TOKENS: Final = 50
"""What even the smallest document counts for in the cache."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A valid document. ``introspects``: whether any of it asks for the schema itself."""

    document: DocumentNode
    operations: Mapping[str | None, tuple[Operation, Plan]]
    introspects: bool

    def chosen(self, operation_name: str | None) -> tuple[Operation, Plan]:
        """An operation, and what it costs. Raises OperationUnresolved."""
        if operation_name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if operation_name is None or operation_name not in self.operations:
            raise OperationUnresolved(self.operations, operation_name)
        return self.operations[operation_name]


class OperationUnresolved(Refusal):
    """Which operation of the document is meant cannot be told; nothing was executed."""

    code = "OPERATION_RESOLUTION_FAILURE"

    def __init__(self, names: Collection[str | None], asked: str | None) -> None:
        if asked is None:
            message = f"The document has {len(names)} operations: name the one to execute in operationName."
        elif None in names and len(names) == 1:
            message = (
                f'The document has no operation "{asked[:100]}": its only one has no name; leave operationName out.'
            )
        else:
            message = f'The document has no operation "{asked[:100]}"; it has {", ".join(map(str, names))}.'
        super().__init__(message)


class Invalid(Exception):
    """A document that cannot be executed, and why. ``document`` is None where there is not even syntax."""

    def __init__(self, errors: Sequence[GraphQLError], document: DocumentNode | None = None) -> None:
        super().__init__()
        self.errors, self.document = errors, document


class Documents:
    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema, self._limits, self._pricer = schema, limits, Pricer(schema)
        self.rules = _rules(limits.max_comparisons)
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._kept_tokens = 0
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="documents")

    async def prepared(self, text: str, *, suggests: bool) -> Prepared:
        """``suggests``: whether errors may say what the schema has instead. Raises LimitExceeded, Invalid."""
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        loop = asyncio.get_running_loop()
        prepared = await loop.run_in_executor(self._beside, self._prepare, text, suggests)
        self._keep(text, prepared)
        return prepared

    def _prepare(self, text: str, suggests: bool) -> Prepared:
        document = self._parsed(text)
        shape.check(document, self._limits)
        if errors := validate(
            self._schema, document, self.rules, max_errors=self._limits.max_errors, hide_suggestions=not suggests
        ):
            raise Invalid(errors, document)
        plans = self._pricer.plans(document)
        operations = Operation.each_of(document, self._schema)
        return Prepared(document, {name: (operations[name], plans[name]) for name in plans}, _introspects(document))

    def _parsed(self, text: str) -> DocumentNode:
        tokens, characters = self._limits.max_tokens, self._limits.max_document_characters
        if len(text) > characters:
            message = f"The document has {len(text)} characters; at most {characters} are allowed."
            raise shape.LimitExceeded("characters", message, allowed=characters, asked=len(text))
        try:
            return parse(text, max_tokens=tokens)
        except GraphQLSyntaxError as error:
            if f"more than {tokens} tokens" in error.message:
                message = f"The document has more than {tokens} tokens."
                raise shape.LimitExceeded("tokens", message, allowed=tokens) from None
            raise Invalid([error]) from None

    def _keep(self, text: str, prepared: Prepared) -> None:
        if text in self._kept:
            return  # somebody else sent it meanwhile
        self._kept[text] = prepared
        self._kept_tokens += _weight(prepared)
        while self._kept_tokens > self._limits.cached_tokens and self._kept:
            self._kept_tokens -= _weight(self._kept.popitem(last=False)[1])


def _weight(prepared: Prepared) -> int:
    return max(prepared.document.token_count, SMALLEST_TOKENS)


def _introspects(document: DocumentNode) -> bool:
    class Look(Visitor):
        found = False

        def enter_field(self, node: Any, *_: Any) -> None:
            self.found |= node.name.value in shape.INTROSPECTION

    look = Look()
    visit(document, look)
    return look.found


def _rules(most: int) -> tuple[type[ASTValidationRule], ...]:
    """What the specification asks for. The one rule that may take quadratic time and more has a budget."""

    class Bounded(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = most

        def enter_selection_set(self, selection_set: SelectionSetNode, _key: Any, parent: Any, *_args: Any) -> None:
            try:
                super().enter_selection_set(selection_set, _key, parent, *_args)
            except GraphQLError:
                if self.rule_context.remaining_complexity_budget >= 0:
                    raise
                message = "Too many fields of the document have the same name: give them aliases, or select them once."
                raise shape.LimitExceeded("comparisons", message, allowed=most) from None

    return tuple(Bounded if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules)
