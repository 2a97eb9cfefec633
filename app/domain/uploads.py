"""Says which files may be sent to be attached, and checks one while it comes. Pure.

A file is looked at as bytes and never unpacked, decoded or run. It may well be two kinds of file at once: it is given
out as a file to keep, under the type that it was checked for, with a name that ends as that type's do.
"""

import codecs
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

from app.domain.access import Viewer
from app.domain.changes import Invalid, formed, read_each, text
from app.domain.import_forms import matching
from app.domain.links import Opened, seal, unseal
from app.domain.refusals import Refusal

PATH: Final = "/uploads"
MOST_BYTES: Final = 25 * 1024 * 1024
MOST_OPEN: Final = 20
"""Uploads of one person that are attached to nothing yet."""
KEPT: Final = timedelta(days=1)
"""How long one may wait to be attached."""
GRACE: Final = timedelta(hours=1)
"""Later than that nobody is still sending it or attaching it, whatever the clocks of our machines say."""
TEXT_AT_MOST: Final = 255
"""Characters of a name and of a description."""
MOST_ATTACHED: Final = 10
"""To one note."""

_JSON: Final = "application/json"
_ENDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/gif": (".gif",),
    "application/pdf": (".pdf",),
    _JSON: (".json",),
    "application/zip": (".zip",),
    "text/csv": (".csv",),
}
MIME_TYPES: Final = tuple(_ENDINGS)
_BEGINNINGS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "application/pdf": (b"%PDF-",),
    "application/zip": (b"PK\x03\x04", b"PK\x05\x06"),
}
"""How files that are no texts begin."""
_LONGEST_BEGINNING: Final = 8
_BLANK: Final = " \t\r\n"
_BRACKETS: Final = {"{": "}", "[": "]"}
_DIGEST: Final = matching(r"[0-9a-f]{64}", "64 hexadecimal digits")


class TypeNotAllowed(Refusal):
    code, field = "TYPE_NOT_ALLOWED", ("mimeType",)


class TooLarge(Refusal):
    code, field = "TOO_LARGE", ("bytes",)


class HashMismatch(Refusal):
    """Raised if a file is not the declared one; who sent it sees 422 and HASH_MISMATCH."""

    code = "HASH_MISMATCH"


class TooManyUploads(Refusal):
    code = "TOO_MANY_UPLOADS"

    def __init__(self) -> None:
        super().__init__(f"{MOST_OPEN} of your uploads are not attached yet. Attach some, or wait until they expire.")


class UploadMissing(Refusal):
    """Raised for an upload that cannot be attached, whoever's it is and whatever the reason."""

    code = "UPLOAD_MISSING"


class Attaching(NamedTuple):
    """It says which upload is to be attached, and what the file is."""

    upload_id: str
    description: str | None = None


# ---------------------------------------------------------------- what is declared


def name_of(name: str) -> str:
    """Returns a file's name as it is stored. Raises Invalid, also for the name of a path."""
    name = text(name, "name", at_most=TEXT_AT_MOST, lines=False)
    if not {"/", "\\"}.isdisjoint(name):
        raise Invalid("name must be a file's name, without the folders where it lies.", "name")
    return name


def check_type(mime_type: str) -> None:
    if mime_type not in MIME_TYPES:
        raise TypeNotAllowed(f"mimeType must be one of {', '.join(MIME_TYPES)}.")


def check_size(size: int) -> None:
    if size < 1:
        raise Invalid("bytes must be at least 1: an empty file has nothing to show.", "bytes")
    if size > MOST_BYTES:
        raise TooLarge(f"A file may have {MOST_BYTES:,} bytes; this one has {size:,}.")


def digest_of(digest: str) -> str:
    """Returns a SHA-256 as it is stored. Raises Invalid."""
    return formed(_DIGEST, digest.strip().lower(), "sha256")


def read_attaching(given: Sequence[Attaching]) -> list[Attaching]:
    """Returns what is to be attached, as it is stored. Raises Invalid, Refusals."""
    if len(given) > MOST_ATTACHED:
        raise Invalid(f"A note has at most {MOST_ATTACHED} attachments; this one has {len(given)}.", "attachments")
    read = read_each(
        {f"{at}": each for at, each in enumerate(given)}, lambda at, each: _read_attaching(each, "attachments", at)
    )
    ids = [each.upload_id for each in given]
    if twice := [f"{at}" for at, each in enumerate(ids) if each in ids[:at]]:
        raise Invalid("An upload is attached once.", "attachments", twice[0], "uploadId")
    return [*read.values()]


def _read_attaching(given: Attaching, *field: str) -> Attaching:
    if given.description is None:
        return given
    return given._replace(description=text(given.description, *field, "description", at_most=TEXT_AT_MOST, lines=False))


def safe_name(name: str, mime_type: str) -> str:
    """Returns the name with an ending of its type: a file is opened by its name, once it is on somebody's disk."""
    endings = _ENDINGS[mime_type]
    return name if name.lower().endswith(endings) else name + endings[0]


# ---------------------------------------------------------------- who may send and use it


def link(upload: Mapping[str, Any], until: datetime, asker: Viewer) -> str:
    """Returns the path to which everybody who has it may send this upload's content, until then."""
    return seal(PATH, upload["_id"], until=min(until, upload["expiresAt"]), asker=asker)


def open_link(token: str) -> Opened | None:
    """Returns what a link was made of: an upload's id; None for a token that ``link`` never made."""
    return unseal(PATH, token)


def is_usable(upload: Mapping[str, Any], viewer: Viewer, now: datetime) -> bool:
    """Returns whether the viewer may attach it: their own, all there, attached to nothing, not expired."""
    is_open = "fileId" in upload and "noteId" not in upload and now < upload["expiresAt"]
    return is_open and upload["createdBy"]["subject"] == viewer.subject


def attachment(upload: Mapping[str, Any], given: Attaching, by: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a note holds of an upload that is attached to it."""
    kept = {key: upload[key] for key in ("name", "mimeType", "bytes", "sha256")}
    described = {} if given.description is None else {"description": given.description}
    # An id of its own: clients keep objects by their ids, whatever their type.
    own = {"_id": f"att_{upload['_id'].partition('_')[2]}", "uploadId": upload["_id"]}
    return {**own, **kept, "uploadedBy": by, "uploadedAt": upload["completedAt"], **described}


# ---------------------------------------------------------------- what comes


class Intake:
    """An intake checks a file that comes in pieces, and keeps none of them."""

    def __init__(self, upload: Mapping[str, Any]) -> None:
        self._type, self._bytes, self._digest = upload["mimeType"], upload["bytes"], upload["sha256"]
        self.size = 0
        self._hash = sha256()
        self._beginning = b""
        self._first = self._last = ""
        """The characters of a text that are not blank."""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()

    def check_length(self, length: int) -> None:
        """Raises TooLarge or HashMismatch if it is not the declared length."""
        if length > self._bytes:
            raise TooLarge(f"{self._bytes:,} bytes were declared; more are coming.")
        if length < self._bytes:
            raise HashMismatch(f"{self._bytes:,} bytes were declared; {length:,} came.")

    def take(self, piece: bytes) -> None:
        """Looks at the next piece. Raises TooLarge at the first byte too many, TypeNotAllowed as soon as that shows."""
        self.size += len(piece)
        if self.size > self._bytes:
            self.check_length(self.size)
        self._hash.update(piece)
        if len(self._beginning) < _LONGEST_BEGINNING:
            self._beginning += piece[: _LONGEST_BEGINNING - len(self._beginning)]
            if len(self._beginning) == _LONGEST_BEGINNING:
                self._check_beginning()
        if self._type not in _BEGINNINGS:
            self._check_text(piece)

    def finish(self) -> None:
        """Raises HashMismatch or TypeNotAllowed if the whole is not what was declared."""
        self.check_length(self.size)
        if self._hash.hexdigest() != self._digest:
            raise HashMismatch(f"The content's SHA-256 is {self._hash.hexdigest()}; another one was declared.")
        self._check_beginning()
        if self._type == _JSON:
            self._check_json(b"", is_last=True)
            if self._last != _BRACKETS.get(self._first):
                raise self._lie()

    def _check_beginning(self) -> None:
        """Checks how it begins: as its type says, and a text as no other type."""
        is_type = (
            self._beginning.startswith(_BEGINNINGS[self._type])
            if self._type in _BEGINNINGS
            else not any(map(self._beginning.startswith, _BEGINNINGS.values()))
        )
        if not is_type:
            raise self._lie()

    def _check_text(self, piece: bytes) -> None:
        if b"\0" in piece:
            raise self._lie()
        if self._type == _JSON:
            self._check_json(piece)

    def _check_json(self, piece: bytes, *, is_last: bool = False) -> None:
        """Checks that it is UTF-8, and that its first bracket is its first character."""
        try:
            content = self._decoder.decode(piece, is_last).strip(_BLANK)
        except UnicodeDecodeError:
            raise self._lie() from None
        self._first, self._last = self._first or content[:1], content[-1:] or self._last
        if self._first and self._first not in _BRACKETS:
            raise self._lie()

    def _lie(self) -> TypeNotAllowed:
        return TypeNotAllowed(f"The content is not what {self._type} says.")
