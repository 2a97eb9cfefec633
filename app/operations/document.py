"""Prepares GraphQL documents: parsed, within limits, valid, priced; each text once.

A document is prepared beside the event loop, one at a time: subjects take turns, and a request that waits too long is
refused. What is kept is the same for every viewer, and bounded by the memory that it takes.
"""

import asyncio
import gc
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
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

from app.execution.document import shape_of
from app.operations import document_limits
from app.operations.admission import Admission
from app.operations.cost import CostPlan, Pricer
from app.operations.errors import InvalidDocument, RequestRefusal
from app.operations.operation import Operation
from app.settings import Limits

_SCHEMA_FIELDS: Final = document_limits.INTROSPECTION | {"_service"}
"""Fields of Query that tell the schema itself."""
_KNOWN: Final = 2_000
"""Bytes that even the smallest document takes."""
_TOKEN: Final = 800
"""Bytes of a token's part of the syntax tree."""
_PLAN_FIELD: Final = 3_500
"""Bytes of a field in a plan."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared document is valid. ``introspects``: any of it asks for the schema itself.

    ``size``: the most bytes of memory that it takes, with all the plans that are kept with it.
    """

    document: DocumentNode
    operations: Mapping[str | None, tuple[Operation, CostPlan]]
    introspects: bool
    size: int

    def chosen(self, operation_name: str | None) -> tuple[Operation, CostPlan]:
        """Returns the operation of that name, or the only one, and what it costs. Raises OperationUnresolved."""
        if operation_name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if operation_name is None or operation_name not in self.operations:
            raise OperationUnresolved(self.operations, operation_name)
        return self.operations[operation_name]


class OperationUnresolved(RequestRefusal):
    """Raised if the request does not say which operation of its document is meant; the client sees a 400."""

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


class Documents:
    """It prepares documents and keeps them. ``compiled``: what only reads is executed by plans."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, compiled: bool = True) -> None:
        self._schema, self._limits, self._pricer = schema, limits, Pricer(schema, compiled=compiled)
        self.rules = _rules(limits.max_comparisons)
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._kept_bytes = 0
        self._dropped_bytes = 0
        """Of what is not kept any more, since garbage was last collected."""
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="documents")
        self._turns = Admission(1, limits.max_waiting, limits.max_waiting_seconds)

    @property
    def kept_bytes(self) -> int:
        """Returns the most bytes of memory that all documents that are kept take."""
        return self._kept_bytes

    def recall(self, text: str) -> Prepared | None:
        """Returns the prepared document, if it is kept."""
        prepared = self._kept.get(text)
        if prepared:
            self._kept.move_to_end(text)
        return prepared

    async def prepared(self, text: str, subject: str, *, suggests: bool) -> Prepared:
        """Returns the prepared document. Raises DocumentLimitExceeded, InvalidDocument, Overloaded.

        ``suggests``: errors may say what the schema has instead.
        """
        if known := self.recall(text):
            return known
        await self._turns.enter(subject)
        if known := self.recall(text):  # somebody else sent it meanwhile
            self._turns.leave()
            return known
        preparing = asyncio.get_running_loop().run_in_executor(self._beside, self._prepare, text, suggests)
        preparing.add_done_callback(partial(self._end_turn, text))
        return await asyncio.shield(preparing)  # a turn lasts as long as the work, even if the client leaves

    def _prepare(self, text: str, suggests: bool) -> Prepared:
        if self._dropped_bytes > self._limits.cached_bytes // 4:
            # Trees and plans are full of cycles, and whole collections are rare (app/__init__.py).
            self._dropped_bytes = 0
            gc.collect()
        document = self._parsed(text)
        document_limits.check(document, self._limits)
        if errors := validate(
            self._schema, document, self.rules, max_errors=self._limits.max_errors, hide_suggestions=not suggests
        ):
            raise InvalidDocument(errors, document)
        operations = Operation.each_of(document, self._schema)
        shapes = {name: shape_of(each.node, each.fragments) for name, each in operations.items()}
        for name, operation in operations.items():
            operation.plans.shape = shapes[name]
        plans = self._pricer.plans(document, shapes)
        for plan in plans.values():
            document_limits.at_most(
                "fields", plan.fields, self._limits.max_fields, "fields, those of fragments counted each time"
            )
        return Prepared(
            document,
            {name: (operations[name], plans[name]) for name in plans},
            _introspects(document),
            _size(text, document, plans.values()),
        )

    def _parsed(self, text: str) -> DocumentNode:
        tokens, characters = self._limits.max_tokens, self._limits.max_document_characters
        if len(text) > characters:
            message = f"The document has {len(text)} characters; at most {characters} are allowed."
            raise document_limits.DocumentLimitExceeded("characters", message, allowed=characters, asked=len(text))
        try:
            return parse(text, max_tokens=tokens)
        except GraphQLSyntaxError as error:
            if f"more than {tokens} tokens" in error.message:
                message = f"The document has more than {tokens} tokens."
                raise document_limits.DocumentLimitExceeded("tokens", message, allowed=tokens) from None
            raise InvalidDocument([error]) from None

    def _end_turn(self, text: str, preparing: asyncio.Future[Prepared]) -> None:
        if preparing.exception() is None:
            self._keep(text, preparing.result())
        else:
            self._dropped_bytes += len(text) // 4 * _TOKEN
        self._turns.leave()

    def _keep(self, text: str, prepared: Prepared) -> None:
        """Keeps a document. Those asked for longest ago make room; for one that would need it all, none does."""
        if prepared.size > self._limits.cached_bytes // 4:
            self._dropped_bytes += prepared.size
            return
        self._kept[text] = prepared
        self._kept_bytes += prepared.size
        while self._kept_bytes > self._limits.cached_bytes:
            dropped = self._kept.popitem(last=False)[1].size
            self._kept_bytes -= dropped
            self._dropped_bytes += dropped


def _size(text: str, document: DocumentNode, plans: Iterable[CostPlan]) -> int:
    planned = sum(plan.fields * plan.variants for plan in plans)
    return _KNOWN + 4 * len(text) + _TOKEN * document.token_count + _PLAN_FIELD * planned


def _introspects(document: DocumentNode) -> bool:
    class IntrospectionFinder(Visitor):
        found = False

        def enter_field(self, node: Any, *_: Any) -> None:
            self.found |= node.name.value in _SCHEMA_FIELDS

    look = IntrospectionFinder()
    visit(document, look)
    return look.found


def _rules(most: int) -> tuple[type[ASTValidationRule], ...]:
    """Returns the specification's rules. The one rule that may take quadratic time and more has a budget."""

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
                raise document_limits.DocumentLimitExceeded("comparisons", message, allowed=most) from None

    return tuple(Bounded if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules)
