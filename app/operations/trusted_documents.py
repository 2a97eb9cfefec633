"""Finds trusted documents by their ids, as they were loaded from manifests; docs/decisions/0029."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.operations.errors import RequestRefusal
from app.store import trusted_documents
from app.store.driver import Store

FOUND_SECONDS: Final = 60
"""How long a document is remembered: one that was dropped is executed for as long as this."""
MISSING_SECONDS: Final = 5
"""How long it is remembered that there is none: one that was just loaded is refused for as long as this."""
_ENTRY_BYTES: Final = 1_000
"""What even the smallest entry takes."""


class PersistedQueryNotSupported(RequestRefusal):
    """Raised for an id where documents are not known by ids; the client sees a 400.

    By these very words Apollo's, urql's and other clients know that they are to send texts from now on, and do; any
    other refusal ends each of their queries for good.
    """

    code = "PERSISTED_QUERY_NOT_SUPPORTED"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class PersistedQueryNotFound(RequestRefusal):
    """Raised for an id of no document that we have, to those who may send texts; the client sees a 400.

    By these very words clients know that they are to send the text of this one document.
    """

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class DocumentNotTrusted(RequestRefusal):
    """Raised for a text, or an unknown id, of somebody whose roles may send trusted documents only.

    The client sees a 403, and words by which none sends the text after its id, which would be refused as well.
    """

    code = "DOCUMENT_NOT_TRUSTED"

    def __init__(self, *, is_id: bool) -> None:
        super().__init__(
            "No trusted document has this id. Its operator loads a manifest by `python -m app documents load FILE`."
            if is_id
            else "Your role may send trusted documents only: send the documentId of one instead of a query."
        )


class _Answer(NamedTuple):
    text: str | None
    until: float


@dataclass(slots=True)
class TrustedDocuments:
    """It keeps documents by their ids for a while, and for a shorter one which ids are of none.

    ``max_bytes`` bounds both: those asked for longest ago make room.
    """

    max_bytes: int
    clock: Callable[[], float] = time.monotonic
    _answers: OrderedDict[str, _Answer] = field(default_factory=OrderedDict[str, _Answer])
    _bytes: int = 0
    is_empty: bool = True
    """Whether there was no document at all when one was last looked up."""

    @property
    def kept_bytes(self) -> int:
        """Returns the most bytes of memory that all that is remembered takes."""
        return self._bytes

    def remembers(self, document_id: str) -> bool:
        answer = self._answers.get(document_id)
        return answer is not None and answer.until > self.clock()

    async def text(self, document_id: str, store: Store) -> str | None:
        """Returns the document's text; None if there is no such document. Raises StoreError.

        What is not remembered is read, by one command.
        """
        if self.remembers(document_id):
            self._answers.move_to_end(document_id)
            return self._answers[document_id].text
        text, self.is_empty = await trusted_documents.find(store, document_id)
        self._forget(document_id)
        seconds = MISSING_SECONDS if text is None else FOUND_SECONDS
        self._answers[document_id] = _Answer(text, self.clock() + seconds)
        self._bytes += _size(document_id, text)
        while self._bytes > self.max_bytes:
            self._forget(next(iter(self._answers)))
        return text

    def _forget(self, document_id: str) -> None:
        if answer := self._answers.pop(document_id, None):
            self._bytes -= _size(document_id, answer.text)


def _size(document_id: str, text: str | None) -> int:
    return _ENTRY_BYTES + 4 * (len(document_id) + len(text or ""))
