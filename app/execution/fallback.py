"""Executes by graphql-core whatever no plan covers."""

from collections.abc import Callable
from inspect import isawaitable
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError, GraphQLNonNull
from graphql.pyutils import Path as GraphQLPath
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.domain.access import Masked
from app.execution.errors import ends_answer
from app.execution.looks import CUSTOMER, is_in_page, note_read


class FallbackExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes an operation by graphql-core, as Strawberry has it; and knows whose field failed."""

    def __init__(self, *args: Any, locate: Callable[..., GraphQLError], masked: set[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sources: dict[int, object] = {}
        self._locate, self._masked = locate, masked

    def execute_fields(
        self,
        parent_type: Any,
        source_value: Any,
        path: GraphQLPath | None,
        grouped_field_set: Any,
        position_context: Any,
    ) -> Any:
        self._sources[id(path)] = source_value  # a child's path holds on to this one for as long as it can fail
        if parent_type.name == CUSTOMER:
            names = [each[0].node.name.value for each in grouped_field_set.values()]
            note_read(self.context_value, source_value, names, is_in_page=is_in_page(path))
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def handle_field_error(
        self, raw_error: Exception, return_type: Any, field_details_list: Any, path: GraphQLPath
    ) -> None:
        if isinstance(raw_error, Masked) and not isinstance(return_type, GraphQLNonNull):
            of_field = path if path.typename or path.prev is None else path.prev  # else it is an item's, of its list
            self._masked.add(f"{of_field.typename}.{field_details_list[0].node.name.value}")
            return
        # What already has a path is on its way up from a field that must not be null, and was dealt with there.
        if getattr(raw_error, "path", None) is None:
            name = f"{path.typename}.{path.key}" if path.typename else str(path.key)
            nodes = [details.node for details in field_details_list]
            raw_error = self._locate(raw_error, name, path.as_list(), nodes, lambda: self._document_at(path))
        elif ends_answer(raw_error):
            raise raw_error
        cast(Any, super()).handle_field_error(raw_error, return_type, field_details_list, path)

    async def execute(self) -> ExecutionResult:
        result: Any = cast(Any, self).execute_operation()
        return await result if isawaitable(result) else result

    def _document_at(self, path: GraphQLPath | None) -> str | None:
        """Returns the id of the nearest document on the way up."""
        while path is not None:
            path = path.prev
            source = self._sources.get(id(path))
            if isinstance(source, dict) and "_id" in source:
                return str(cast(dict[str, Any], source)["_id"])
        return None
