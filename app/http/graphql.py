"""GraphQL over HTTP: read, prepare, price, execute, answer. Each stage may refuse, and none costs more than it must."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson
from asgi_correlation_id import correlation_id
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLSchema,
    OperationType,
)
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app import faults, metrics, tracing
from app.context import Context
from app.domain.access import Forbidden, Masks, Role, Viewer
from app.domain.vocabulary import CustomerStatus
from app.execution import Execution
from app.http import graphiql, limits
from app.http.admission import Admission, Overloaded
from app.http.asked import (
    JSON,
    RESPONSE,
    Asked,
    Headers,
    Malformed,
    PersistedQueryNotSupported,
    headers_of,
    media_type,
    read,
)
from app.http.costs import ERROR, REQUEST, TooExpensive, price_of_body, price_of_plan
from app.http.documents import Documents, Invalid, OperationUnresolved, Prepared
from app.http.limits import LimitExceeded
from app.http.presence import InTime, WhileThere
from app.http.rates import RateLimited, Rates
from app.http.tokens import KeysUnavailable, Unauthenticated
from app.loaders import Loaders
from app.loaders.gate import Gate
from app.services.changes import Changes, Outgoing, Turns
from app.settings import Limits
from app.store.driver import Store, StoreError, Unavailable, by_read_preference, is_away, marked, within

_SMALL_BYTES: Final = 65_536
"""A body that is larger, or says nothing of its length, is read in a turn: their senders may take their time."""
_FOR_CHANGES: Final = 0.9
"""Of a request's time. The rest is for undoing what could not be made, or for reading back what was."""

_GRACE_SECONDS: Final = 0.5
"""After the time of a request, in which every command to the database has ended: what remains is our own work."""
_END_SECONDS: Final = 10
"""For ending in the database what nobody waits for; nobody waits for that either."""
_TYPES: Final = {each: (b"content-type", f"{each}; charset=utf-8".encode()) for each in (JSON, RESPONSE)}
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"vary", b"Accept, Accept-Encoding"))
_TOO_LONG: Final = "This took longer than a request may. Ask for less at a time."

Authenticate = Callable[[str | None], Awaitable[Viewer]]
"""From the Authorization header. Raises Unauthenticated, KeysUnavailable."""


class Answer(NamedTuple):
    """``status`` is for clients that know GraphQL's own media type, or where ``always``; others read the body."""

    body: Mapping[str, Any]
    status: int = HTTPStatus.OK
    always: bool = False
    headers: Mapping[str, str] = {}

    @property
    def outcome(self) -> str:
        """The code of its first error, or OK."""
        errors = self.body.get("errors")
        return errors[0]["extensions"]["code"] if errors else "OK"


class GraphQLEndpoint:
    """Answers programs with JSON, and a browser that comes to look with GraphiQL. Without a token: 401 and nothing."""

    def __init__(
        self,
        schema: GraphQLSchema,
        store: Store,
        *,
        authenticate: Authenticate,
        masks_for: Callable[[frozenset[Role]], Masks],
        page: Callable[[Request], Response] | None,
        timeout_seconds: float,
        outgoing: Outgoing,
        rates: Rates,
        limits: Limits,
        execution: Execution,
        phone_region: str | None = None,
    ) -> None:
        self.execution, self._phone_region = execution, phone_region
        self._limits = limits
        self._documents = Documents(schema, limits, compiled=execution.choice == "compiled")
        self._page, self._timeout_seconds, self._turns = page, timeout_seconds, Turns()
        self._store, self._authenticate, self._masks_for = store, authenticate, masks_for
        self._outgoing, self._rates = outgoing, rates
        self._admission = Admission(limits.max_at_once, limits.max_waiting, limits.max_waiting_seconds)
        self._large = Admission(limits.max_at_once, limits.max_waiting, limits.max_waiting_seconds)
        self._ending: set[asyncio.Task[None]] = set()
        self._readers_of_schema = frozenset(map(Role, limits.introspection_roles.split()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST" and self._page and graphiql.asks_for_page(request := Request(scope)):
            await self._page(request)(scope, receive, send)
            return
        start = time.perf_counter()
        headers = headers_of(scope)
        try:
            with tracing.span("request"):
                answer = await self._answer(scope, headers, receive)
        except ClientDisconnect:
            metrics.answered("CLIENT_GONE").inc()
            return
        metrics.answered(answer.outcome).inc()
        metrics.SECONDS.observe(time.perf_counter() - start)
        await _tell(answer, _type_or_json(headers), send)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        try:
            media_type(headers.get(b"accept", b""))
            return await self._answer_to(scope, headers, receive)
        except Malformed as malformed:
            return _failed(malformed.status, malformed.code, str(malformed), headers=malformed.headers)
        except Unauthenticated as refusal:
            challenge = {"WWW-Authenticate": "Bearer"}
            return _failed(HTTPStatus.UNAUTHORIZED, refusal.code, str(refusal), headers=challenge)
        except Forbidden as refusal:
            return _failed(HTTPStatus.FORBIDDEN, refusal.code, str(refusal))
        except KeysUnavailable as refusal:
            return _failed(HTTPStatus.SERVICE_UNAVAILABLE, refusal.code, str(refusal))
        except Unavailable:
            return _failed(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", faults.UNAVAILABLE)
        except RateLimited as refusal:
            seconds = refusal.seconds
            return _failed(HTTPStatus.TOO_MANY_REQUESTS, refusal.code, str(refusal), retryAfterSeconds=seconds)
        except Overloaded as refusal:
            return _failed(HTTPStatus.SERVICE_UNAVAILABLE, refusal.code, str(refusal))
        except TimeoutError:
            return _failed(HTTPStatus.SERVICE_UNAVAILABLE, "DEADLINE_EXCEEDED", _TOO_LONG)
        except LimitExceeded as refusal:
            return _refused(faults.told(refusal.code, str(refusal), limit=refusal.limit))
        except (OperationUnresolved, PersistedQueryNotSupported) as refusal:
            return _refused(faults.told(refusal.code, str(refusal)))
        except Invalid as invalid:
            return _refused(*(faults.answer(error, invalid.document) for error in invalid.errors))
        except ClientDisconnect:
            raise
        except Exception as error:  # whatever it is, its text stays here
            faults.log("request failed", error)
            return _failed(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", faults.INTERNAL)

    async def _answer_to(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        """Raises whatever ``_answer`` knows what to say to."""
        viewer = await self._authenticate(headers.get(b"authorization", b"").decode("latin-1") or None)
        if not viewer.roles:
            raise Forbidden("Your token has no role that this gateway knows.")
        self._admission.knock(viewer.subject)
        self._rates.spend(viewer, REQUEST)  # also for what turns out to be no request that can be answered
        asked = await self._read(scope, headers, receive, viewer)
        reads_schema = viewer.is_one_of(self._readers_of_schema)
        self._rates.spend(viewer, self._documents.price(asked.query))
        with tracing.span("prepare"):
            prepared = await self._documents.prepared(asked.query, viewer.subject, suggests=reads_schema)
        if prepared.introspects and not reads_schema:
            raise Forbidden("Your role may not read the schema.")
        operation, plan = prepared.chosen(asked.operation_name)
        executor = self._executor(operation, prepared, asked, suggests=reads_schema)
        cost = plan.cost(executor.variable_values.coerced)
        extensions = {"cost": self._priced(cost)}
        if cost > self._limits.max_cost:
            refusal = TooExpensive(cost=cost, limit=self._limits.max_cost)
            return _refused(faults.told(refusal.code, str(refusal)), extensions=extensions)
        metrics.COST.observe(cost)
        spent = cost - REQUEST + (price_of_plan(plan.fields) if self.execution.makes_plan(executor) else 0)
        self._rates.spend(viewer, spent)
        try:
            result = await self._result(receive, executor, viewer, prepared.document)
        except (Overloaded, *Unavailable) as refusal:
            if isinstance(refusal, Overloaded) or is_away(refusal):
                self._rates.give_back(viewer, spent)
            raise
        if any(is_away(faults.cause_of(error)) for error in result.errors or ()):
            self._rates.give_back(viewer, spent)
        else:
            self._rates.charge(viewer, ERROR * len(result.errors or ()))
        errors = [faults.answer(error, prepared.document) for error in result.errors or ()]
        return Answer({"data": result.data, **({"errors": errors} if errors else {}), "extensions": extensions})

    async def _result(
        self, receive: Receive, executor: faults.Executor, viewer: Viewer, document: DocumentNode
    ) -> ExecutionResult:
        """In a turn of the viewer's. Raises Overloaded, RateLimited, and whatever executing does."""
        async with self._admission.turn(viewer.subject):
            until = time.monotonic() + self._timeout_seconds * _FOR_CHANGES  # the database is asked from here on
            if executor.operation.operation == OperationType.QUERY:
                return await self._read_for(receive, executor, viewer, until)
            # What was begun is ended, whoever leaves: a change is asked for again by its key.
            with within(self._timeout_seconds):
                await self._rates.change(viewer, limits.changes(document, executor.operation))
                return await self._executed(executor, viewer, until)

    def _executor(
        self, operation: faults.Operation, prepared: Prepared, asked: Asked, *, suggests: bool
    ) -> faults.Executor:
        """The chosen operation with its variables, not yet executed. Raises Invalid, LimitExceeded, Malformed."""
        limits.variable_values(asked.variables, self._limits)
        executor = operation.executor(asked.variables, self._limits, suggests=suggests)
        if isinstance(executor, list):
            raise Invalid(executor, prepared.document)
        if executor.operation.operation != OperationType.QUERY and not asked.may_change:
            raise Malformed(HTTPStatus.METHOD_NOT_ALLOWED, "Send changes by POST.", Allow="POST")
        return executor

    def _priced(self, cost: int) -> dict[str, int]:
        limit = self._limits.max_cost
        return {"requested": cost, "limit": limit, "remaining": max(limit - cost, 0)}

    async def _read(self, scope: Scope, headers: Headers, receive: Receive, viewer: Viewer) -> Asked:
        """Raises Malformed, PersistedQueryNotSupported, ClientDisconnect, Overloaded."""
        length = headers.get(b"content-length", b"")
        is_small = scope["method"] == "GET" or (length.isdigit() and len(length) < 10 and int(length) <= _SMALL_BYTES)

        async def receive_part() -> Message:
            message = await receive()
            self._rates.spend(viewer, price_of_body(len(message.get("body", b""))))
            return message

        try:
            async with nullcontext() if is_small else self._large.turn(viewer.subject):
                with InTime(self._timeout_seconds):
                    return await read(scope, headers, receive_part, self._limits)
        except TimeoutError:
            message = "The request did not come in time."
            raise Malformed(HTTPStatus.REQUEST_TIMEOUT, message, Connection="close") from None

    async def _read_for(
        self, receive: Receive, executor: faults.Executor, viewer: Viewer, until: float
    ) -> ExecutionResult:
        """As long as its client is there and its time lasts, here and in the database.

        Raises Forbidden, Unavailable, ClientDisconnect, TimeoutError.
        """
        mark = f"{correlation_id.get()}/{secrets.token_hex(8)}"  # the first half may be the client's own
        try:
            with marked(mark), by_read_preference(), WhileThere(receive, self._timeout_seconds + _GRACE_SECONDS):
                return await self._executed(executor, viewer, until)
        except (ClientDisconnect, TimeoutError):
            ending = asyncio.create_task(self._end(mark))
            self._ending.add(ending)  # a task that nobody holds may vanish
            ending.add_done_callback(self._ending.discard)
            raise

    async def _end(self, mark: str) -> None:
        with suppress(StoreError), within(_END_SECONDS):
            await self._store.end(mark)

    async def _executed(self, executor: faults.Executor, viewer: Viewer, until: float) -> ExecutionResult:
        """What a change has not written by ``until`` is given up. Raises Forbidden, Unavailable."""
        with within(self._timeout_seconds):
            executor.context_value = await self._context(viewer, until)
            with tracing.span("execute", operation=executor.operation.operation.value):
                return await self.execution.run(executor)

    async def _context(self, viewer: Viewer, until: float) -> Context:
        """Raises Forbidden for a customer who is no longer active."""
        gate = Gate(self._store, viewer, self._masks_for)
        # Stored times have milliseconds: what a change returns is what it stored.
        now = datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1_000, UTC)
        changes = Changes(self._store, self._turns, viewer, now, correlation_id.get() or "", until, self._outgoing)
        context = Context(viewer, now, changes, lambda: Loaders(self._store, gate), self._phone_region)
        if Role.CUSTOMER in viewer.roles:
            own = await context.loaders.documents.load(viewer.customer_id or "")
            if own is None or own["status"] != CustomerStatus.ACTIVE:
                raise Forbidden("This account is not active.")
        return context


# ---------------------------------------------------------------- answers


def _failed(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, **extensions: object
) -> Answer:
    """To what never became a request of GraphQL's."""
    error = faults.told(code, message, **extensions)
    return Answer({"errors": [error]}, status, True, {**(headers or {}), **faults.retry_header(error)})


def _refused(*errors: dict[str, Any], extensions: Mapping[str, Any] | None = None) -> Answer:
    """To a request that was understood and not executed: there is no ``data``, not even null."""
    body = {"errors": list(errors), **({"extensions": extensions} if extensions else {})}
    return Answer(body, HTTPStatus.BAD_REQUEST)


def _type_or_json(headers: Headers) -> str:
    try:
        return media_type(headers.get(b"accept", b""))
    except Malformed:
        return JSON


async def _tell(answer: Answer, type_: str, send: Send) -> None:
    """As a Starlette response would, with headers that are known beforehand."""
    body = orjson.dumps(answer.body)
    headers = [_TYPES[type_], (b"content-length", b"%d" % len(body)), *_HEADERS]
    if answer.headers:
        headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    status = answer.status if answer.always or type_ == RESPONSE else HTTPStatus.OK
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
