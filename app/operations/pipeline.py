"""Answers a request in four stages: prepare, price, admit, execute. Each may refuse, the cheapest first."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing, suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from asgi_correlation_id import correlation_id
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, OperationType

from app import metrics, tracing
from app.context import Context
from app.domain.access import Forbidden, Masks, Role, Viewer
from app.domain.vocabulary import CustomerStatus, ReadGroup
from app.execution import Execution
from app.execution.context import ExecutionContext
from app.execution.errors import cause_of
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.operations.admission import Admission, Overloaded
from app.operations.cost import (
    ERROR,
    LOOKUP,
    REQUEST,
    CostPlan,
    TooExpensive,
    cost_extension,
    price_of_body,
    price_of_dearest,
    price_of_plan,
    price_of_text,
)
from app.operations.document import Documents, Prepared
from app.operations.document_limits import changes, check_variables
from app.operations.errors import InvalidDocument, RequestRefusal, format_error, refusal_body
from app.operations.looks import Looks
from app.operations.operation import GraphQLRequest
from app.operations.rates import RateLimited, Rates
from app.operations.subscriptions import END, Subscriptions, source_events
from app.operations.trusted_documents import (
    DocumentNotTrusted,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
    TrustedDocuments,
)
from app.services.changes import Changes, CustomerLocks, DeliveryPolicy
from app.services.live import Live
from app.services.watches import Watches
from app.settings import Limits, TrustByRole
from app.store.deadline import Deadline
from app.store.driver import Database, Store, StoreError, Unavailable, is_away

_SHARE_FOR_CHANGES: Final = 0.9
"""Of a request's time. The rest is for undoing what could not be made, or for reading back what was."""
_SHARE_FOR_IDS: Final = 8
"""The texts that are remembered by their ids may take this part of what documents may take, on top of it."""
_GRACE_SECONDS: Final = 0.5
"""After the time of a request, in which every command to the database has ended: what remains is our own work."""
_EVENTS_AT_ONCE: Final = 4
"""Events of streams that are executed at once: requests come first."""
_SHARE_OF_AN_EVENT: Final = 0.25
"""Of a request's time. An event that waited longer for its client is read with the rights and the deadline of then."""
_KILL_SECONDS: Final = 10
"""For ending in the database what nobody waits for; nobody waits for that either."""

Cancel: TypeAlias = Callable[[float], AbstractContextManager[None]]
"""A scope that is cancelled after so many seconds (TimeoutError), or where its caller has left (Abandoned)."""


class Abandoned(Exception):
    """Raised where nobody waits for a response any more: what is read for it ends, here and in the database."""


class ChangeByGet(RequestRefusal):
    """Raised for a change that came by a method which may change nothing; the client sees a 405."""

    code = "METHOD_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__("Send changes and subscriptions by POST.")


class NotASubscription(RequestRefusal):
    """Raised for a subscription where one response was to come; the client sees a 406."""

    code = "NOT_ACCEPTABLE"

    def __init__(self) -> None:
        super().__init__(
            "A subscription is a stream: accept text/event-stream, or subscribe by WebSocket (graphql-transport-ws)."
        )


class Pipeline:
    """Answers requests to one schema."""

    def __init__(
        self,
        schema: GraphQLSchema,
        database: Database,
        *,
        masks_for: Callable[[frozenset[Role]], Masks],
        timeout_seconds: float,
        outgoing: DeliveryPolicy,
        rates: Rates,
        limits: Limits,
        execution: Execution,
        looks: Looks,
        phone_region: str | None = None,
        watches: Watches | None = None,
    ) -> None:
        self._watches = watches or Watches(database)
        self.subscriptions = Subscriptions(
            limits.max_subscriptions, limits.max_subscriptions_of_subject, limits.max_subscription_seconds
        )
        self._database, self._masks_for, self._phone_region = database, masks_for, phone_region
        self._timeout_seconds, self._limits, self._rates, self._outgoing = timeout_seconds, limits, rates, outgoing
        self._execution, self._looks, self._locks = execution, looks, CustomerLocks()
        self._documents = Documents(schema, limits, compiled=execution.choice == "compiled")
        self._trust = TrustByRole.read(limits.trusted_documents)
        self._refuses_texts = self._trust.refuses_texts
        self._trusted = TrustedDocuments(limits.cached_bytes // _SHARE_FOR_IDS)
        self._admission = Admission(limits.max_at_once, limits.max_waiting, limits.max_waiting_seconds)
        self._event_turns = asyncio.Semaphore(_EVENTS_AT_ONCE)
        self._killing: set[asyncio.Task[None]] = set()
        self._process, self._queries = secrets.token_hex(8), itertools.count()
        self._readers_of_schema = frozenset(map(Role, limits.introspection_roles.split()))

    def admit(self, viewer: Viewer) -> None:
        """Lets a viewer in, before their request is read. Raises Forbidden, Overloaded, RateLimited."""
        if not viewer.roles:
            raise Forbidden("Your token has no role that this gateway knows.")
        self._admission.reject_if_full(viewer.subject)
        self._rates.spend(viewer, REQUEST)  # also for what turns out to be no request that can be answered

    def require_schema(self, viewer: Viewer) -> None:
        """Raises Forbidden for those who may not read the schema."""
        if not viewer.is_one_of(self._readers_of_schema):
            raise Forbidden("Your role may not read the schema.")

    def charge_body(self, viewer: Viewer, size: int) -> None:
        """Charges a part of a request's body, or a file that is sent. Raises RateLimited."""
        if price := price_of_body(size):
            self._rates.spend(viewer, price)

    async def respond(
        self, request: GraphQLRequest, viewer: Viewer, cancel: Cancel
    ) -> dict[str, Any] | AsyncGenerator[dict[str, Any]]:
        """Returns the response's body; for a subscription a stream of them, which has to be closed.

        Raises Refusal, InvalidDocument, Unavailable, TimeoutError, Abandoned: there is no response of GraphQL's then.
        """
        prepared, execution, plan = await self._prepare(request, viewer)
        cost = plan.cost(execution.variable_values.coerced)
        spent = self._price(execution, plan, cost, viewer)
        if execution.operation.operation == OperationType.SUBSCRIPTION:
            self.subscriptions.reject_if_full(viewer)
            return self._stream(prepared, request, execution, cost, viewer)
        try:
            result = await self._admitted(execution, prepared.document, viewer, cancel)
        except (Overloaded, *Unavailable) as refusal:
            if isinstance(refusal, Overloaded) or is_away(refusal):
                self._rates.give_back(viewer, spent)
            raise
        if result.errors:
            if any(is_away(cause_of(error)) for error in result.errors):
                self._rates.give_back(viewer, spent)
            else:
                self._rates.charge(viewer, ERROR * len(result.errors))
        return self._body(result, prepared, execution, cost)

    def _body(
        self, result: ExecutionResult, prepared: Prepared, execution: ExecutionContext, cost: int
    ) -> dict[str, Any]:
        errors = [format_error(error, prepared.document) for error in result.errors or ()]
        extensions: dict[str, Any] = {"cost": cost_extension(cost, self._limits.max_cost)}
        if execution.masked:
            extensions["masked"] = sorted(execution.masked)
        return {"data": result.data, **({"errors": errors} if errors else {}), "extensions": extensions}

    # ------------------------------------------------------------ subscribe

    async def _stream(
        self, prepared: Prepared, request: GraphQLRequest, execution: ExecutionContext, cost: int, viewer: Viewer
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yields a response for each event, each executed as a query of that moment; one with a refusal is the last.

        It ends at the end of the token, after an hour, and where this process drains.
        """
        with self.subscriptions.place(viewer) as lifetime:
            context = await self._context(viewer, *2 * (self._database.within(self._timeout_seconds),))
            renewed_at = time.monotonic()

            async def renew() -> None:
                nonlocal renewed_at
                renewed_at = time.monotonic()
                self._rates.charge(viewer, REQUEST)
                store = self._database.within(self._timeout_seconds)
                fresh = await self._context(viewer, store, store)
                context.now, context.changes, context.new_loaders = fresh.now, fresh.changes, fresh.new_loaders
                context.loaders, context.reads = fresh.loaders, fresh.reads

            context.stream = Live(self._watches, renew)
            execution.context_value = context
            try:
                async with aclosing(await source_events(execution)) as events:
                    while (event := await lifetime.next(events)) is not END:
                        if time.monotonic() - renewed_at > self._timeout_seconds * _SHARE_OF_AN_EVENT:
                            await renew()
                        yield await self._event(event, prepared, request, context, cost)
            except GraphQLError as refused:  # an argument, or what the resolver says before the first event
                yield {"errors": [format_error(refused, prepared.document)]}
            except Exception as ended:
                yield refusal_body(ended)

    async def _event(
        self, event: Any, prepared: Prepared, request: GraphQLRequest, context: Context, cost: int
    ) -> dict[str, Any]:
        """Returns the response for one event. Raises Unavailable: with its cursor the event would count as told."""
        operation, _ = prepared.chosen(request.operation_name)
        execution = operation.execution(request.variables, self._limits, suggests=False)
        assert isinstance(execution, ExecutionContext)
        execution.context_value, execution.root_value = context, event
        async with self._event_turns:
            with tracing.span("execute", operation="subscription"):
                result = await self._execution.run(execution)
        for cause in map(cause_of, result.errors or ()):
            if isinstance(cause, Unavailable):
                raise cause
        if context.reads and result.data is not None:
            self._looks.add(context.viewer, context.now, context.reads)
        await self._spend_patiently(context.viewer, cost)
        metrics.EVENTS.inc()
        return self._body(result, prepared, execution, cost)

    async def _spend_patiently(self, viewer: Viewer, cost: int) -> None:
        """Spends what an event costs. Where the rate is used up, the stream waits: its events are in the feed."""
        while True:
            try:
                self._rates.spend(viewer, cost)
                return
            except RateLimited as limited:
                await asyncio.sleep(limited.seconds)

    # ------------------------------------------------------------ prepare

    async def _prepare(self, request: GraphQLRequest, viewer: Viewer) -> tuple[Prepared, ExecutionContext, CostPlan]:
        """Raises Forbidden, InvalidDocument, and any RequestRefusal."""
        if self._refuses_texts or request.document_id is not None:
            request = await self._with_text(request, viewer)
        reads_schema = viewer.is_one_of(self._readers_of_schema)
        known = self._documents.recall(request.query)
        if known is None:
            self._rates.spend(viewer, price_of_text(request.query))
        with tracing.span("prepare"):
            prepared = known or await self._documents.prepared(request.query, viewer.subject, suggests=reads_schema)
        if prepared.introspects:
            self.require_schema(viewer)
        operation, plan = prepared.chosen(request.operation_name)
        check_variables(request.variables, self._limits)
        execution = operation.execution(request.variables, self._limits, suggests=reads_schema)
        if isinstance(execution, list):
            raise InvalidDocument(execution, prepared.document)
        if execution.operation.operation != OperationType.QUERY and not request.may_change:
            raise ChangeByGet
        return prepared, execution, plan

    async def _with_text(self, request: GraphQLRequest, viewer: Viewer) -> GraphQLRequest:
        """Returns the request with the text that its id names, or with its own where the viewer may send one.

        Raises DocumentNotTrusted, PersistedQueryNotFound, PersistedQueryNotSupported, RateLimited, Overloaded,
        StoreError.
        """
        document_id, takes_texts = request.document_id, self._trust.takes_texts(viewer.roles)
        if request.query and takes_texts:
            return request
        if document_id is None:
            raise DocumentNotTrusted(is_id=False)
        if not self._trust.takes_ids(viewer.roles):
            raise PersistedQueryNotSupported
        store = self._database.within(self._timeout_seconds)
        if self._trusted.remembers(document_id):
            text = await self._trusted.text(document_id, store)
        else:
            self._rates.spend(viewer, LOOKUP)
            async with self._admission.turn(viewer.subject):
                text = await self._trusted.text(document_id, store)
        if text is not None:
            return request._replace(query=text)
        if not takes_texts:
            raise DocumentNotTrusted(is_id=True)
        # Where nothing was loaded, a client that asks by each document's id in turn would ask for each twice.
        raise PersistedQueryNotSupported if self._trusted.is_empty else PersistedQueryNotFound

    # ------------------------------------------------------------ price

    def _price(self, execution: ExecutionContext, plan: CostPlan, cost: int, viewer: Viewer) -> int:
        """What was spent of the viewer's rate. Raises TooExpensive, RateLimited."""
        if cost > self._limits.max_cost:
            self._rates.charge(viewer, price_of_dearest(plan.fields))
            dearest = plan.dearest(execution.variable_values.coerced)
            raise TooExpensive(cost=cost, limit=self._limits.max_cost, dearest=dearest)
        metrics.COST.observe(cost)
        spent = cost - REQUEST + (price_of_plan(plan.fields) if self._execution.makes_plan(execution) else 0)
        self._rates.spend(viewer, spent)
        return spent

    # ------------------------------------------------------------ admit

    async def _admitted(
        self, execution: ExecutionContext, document: DocumentNode, viewer: Viewer, cancel: Cancel
    ) -> ExecutionResult:
        """In a turn of the viewer's. Raises Overloaded, RateLimited, and whatever executing does."""
        await self._admission.enter(viewer.subject)
        try:
            deadline = Deadline.after(self._timeout_seconds)  # the database is asked from here on
            if execution.operation.operation == OperationType.QUERY:
                return await self._query(execution, viewer, deadline, cancel)
            # What was begun is ended, whoever leaves: a change is asked for again by its key.
            store = self._database.until(deadline)
            await self._rates.change(viewer, changes(document, execution.operation), store)
            writing = store.within(self._timeout_seconds * _SHARE_FOR_CHANGES)
            return await self._execute(execution, viewer, store, writing)
        finally:
            self._admission.leave()

    # ------------------------------------------------------------ execute

    async def _query(
        self, execution: ExecutionContext, viewer: Viewer, deadline: Deadline, cancel: Cancel
    ) -> ExecutionResult:
        """As long as its caller is there and its time lasts, here and in the database.

        Raises Forbidden, Unavailable, Abandoned, TimeoutError.
        """
        # The first part may be the client's own.
        tag = f"{correlation_id.get()}/{self._process}.{next(self._queries)}"
        try:
            with cancel(self._timeout_seconds + _GRACE_SECONDS):
                store = self._database.reader(deadline, tag=tag)
                return await self._execute(execution, viewer, store, store)
        except (Abandoned, TimeoutError):
            killing = asyncio.create_task(self._kill(tag))
            self._killing.add(killing)  # a task that nobody holds may vanish
            killing.add_done_callback(self._killing.discard)
            raise

    async def _kill(self, tag: str) -> None:
        with suppress(StoreError):
            await self._database.within(_KILL_SECONDS).kill_operations(tag)

    async def _execute(
        self, execution: ExecutionContext, viewer: Viewer, store: Store, writing: Store
    ) -> ExecutionResult:
        """Executes an operation by the store's deadline; changes are made by that of ``writing``, or given up.

        Raises Forbidden, Unavailable.
        """
        execution.context_value = context = await self._context(viewer, store, writing)
        with tracing.span("execute", operation=execution.operation.operation.value):
            result = await self._execution.run(execution)
        if context.reads and result.data is not None:  # what ended in an error showed nothing
            self._looks.add(viewer, context.now, context.reads)
        return result

    async def _context(self, viewer: Viewer, store: Store, writing: Store) -> Context:
        """Raises Forbidden for a customer who is no longer active."""
        gate = Gate(store, viewer, self._masks_for)
        # Stored times have milliseconds: what a change returns is what it stored.
        now = datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1_000, UTC)
        changes = Changes(writing, self._locks, viewer, now, correlation_id.get() or "", self._outgoing)
        reads = dict[str, frozenset[ReadGroup]]() if self._looks.records(viewer) else None
        context = Context(viewer, now, changes, lambda: Loaders(store, gate), self._phone_region, reads)
        if Role.CUSTOMER in viewer.roles:
            own = await context.loaders.documents.load(viewer.customer_id or "")
            if own is None or own["status"] != CustomerStatus.ACTIVE:
                raise Forbidden("This account is not active.")
        return context
