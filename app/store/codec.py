"""Makes Python's values of what the driver reads, and what it writes of ours: aware times, and decimals."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from bson import CodecOptions, Decimal128, decode, encode  # pyright: ignore[reportUnknownVariableType] # bson's own types have a gap
from bson.codec_options import TypeEncoder, TypeRegistry

Document: TypeAlias = dict[str, Any]
_COEFFICIENT: Final = 2**113 - 1
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 # as the driver reads times
_EPOCH_IN_UTC: Final = _EPOCH.replace(tzinfo=UTC)


class _DecimalEncoder(TypeEncoder):
    """Decimal128 in the database, ``Decimal`` in Python: money is never a float, and bson stays in this room."""

    python_type = Decimal  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] # bson declares it as a property

    def transform_python(self, value: Decimal) -> Decimal128:
        return Decimal128(value)


# The driver can make times aware and decimals ours, too: a time takes it ten times as long, and with a decoder for
# decimals it reads each reply twice.
CODEC: Final[CodecOptions[Document]] = CodecOptions(type_registry=TypeRegistry([_DecimalEncoder()]))


def to_python(document: Document) -> Document:
    """Returns it with times that know they are UTC and decimals that are Python's, in place and however deep."""
    for key, value in document.items():
        kind = value.__class__
        if kind is str or kind is int:
            continue
        if kind is datetime:
            document[key] = _EPOCH_IN_UTC + (value - _EPOCH)  # seven times as fast as replace(tzinfo=UTC)
        elif kind is dict:
            to_python(value)
        elif kind is list:
            list_to_python(value)
        elif kind is Decimal128:
            document[key] = _decimal(value)
    return document


def as_stored(document: Document) -> Document:
    """Returns a copy as it is read once it was written."""
    return to_python(decode(encode(document, codec_options=CODEC), CODEC))


def list_to_python(values: list[Any]) -> None:
    for index, value in enumerate(values):
        kind = value.__class__
        if kind is dict:
            to_python(value)
        elif kind is datetime:
            values[index] = _EPOCH_IN_UTC + (value - _EPOCH)
        elif kind is list:
            list_to_python(value)
        elif kind is Decimal128:
            values[index] = _decimal(value)


def _decimal(value: Decimal128) -> Decimal:
    number = int.from_bytes(value.bid, "little")
    if number >> 125 & 3 == 3:  # infinite, or no number
        return value.to_decimal()
    # The same as to_decimal, which looks at each byte, in a tenth of its time.
    sign, exponent = "-" if number >> 127 else "", (number >> 113 & 0x3FFF) - 6176
    return Decimal(f"{sign}{number & _COEFFICIENT}E{exponent}")
