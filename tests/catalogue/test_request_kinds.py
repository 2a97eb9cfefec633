"""The kinds of requests are rows, and each typed mutation asks for all that its row lists, and for nothing else."""

from dataclasses import fields
from typing import Any

import pytest
from graphql import GraphQLInputObjectType
from strawberry.utils.str_converters import to_camel_case

from app.catalogue.external_requests import REQUEST_KINDS, RequestKind
from app.catalogue.model import AttributeKind as K
from app.domain.access import Permission
from app.domain.kinds import BY_COLLECTION
from app.graph import executable
from app.schema import request_doors
from app.schema.request_doors import DOORS, PaymentInstrumentChange

OWN = {"idempotencyKey", "reason", "customerId"}
"""What an input has beside the attributes of its kind."""
TYPED: dict[str, tuple[Any, str]] = {
    **{door.kind: (door.input, door.about[1]) for door in DOORS},
    "REFUND": (request_doors.RequestRefundInput, "transactionId"),
    "OUTSIDE_PAYMENT": (request_doors.RecordOutsidePaymentInput, "customerId"),
}


def names(input: Any) -> set[str]:
    return {to_camel_case(field.name) for field in fields(input)}


@pytest.mark.parametrize("kind", REQUEST_KINDS.values(), ids=lambda kind: kind.code)
def test_a_typed_input_has_the_attributes_of_its_kind(kind: RequestKind) -> None:
    input, about = TYPED[kind.code]
    asked = names(input) - OWN - {about}
    if "change" in asked:  # exactly one of its fields is given
        asked = asked - {"change"} | names(PaymentInstrumentChange)
    if kind.code == "PAYOUT":
        asked -= {"confirmAmount"}  # a check, and nothing that is asked for
    assert asked == {each.name for each in kind.attributes}


def kind_for(type_: str) -> K:
    """Returns the kind of an attribute that a field of this type fills."""
    name = type_.replace("!", "")
    if name == "MoneyInput":
        return K.MONEY
    if isinstance(executable.type_map[name.strip("[]")], GraphQLInputObjectType):
        return K.JSON
    scalars = {"Int": K.INTEGER, "Boolean": K.BOOLEAN, "DateTime": K.DATETIME, "Decimal": K.DECIMAL}
    return K.LIST if name.startswith("[") else scalars.get(name, K.TEXT)


def types(input: Any) -> dict[str, str]:
    type_ = executable.type_map[input.__name__]
    assert isinstance(type_, GraphQLInputObjectType)
    return {name: str(field.type) for name, field in type_.fields.items()}


@pytest.mark.parametrize("kind", REQUEST_KINDS.values(), ids=lambda kind: kind.code)
def test_a_typed_input_has_the_types_of_its_kind(kind: RequestKind) -> None:
    given = types(TYPED[kind.code][0])
    if "change" in given:
        given |= types(PaymentInstrumentChange)
    for each in kind.attributes:
        if (kind.code, each.name) == ("REFUND", "amount"):
            continue  # in the currency of its sale, and all that is left where it is not given
        is_required = given[each.name].endswith("!")
        assert (kind_for(given[each.name]), is_required) == (each.kind, each.required), each.name


@pytest.mark.parametrize("kind", REQUEST_KINDS.values(), ids=lambda kind: kind.code)
def test_a_row_names_what_there_is(kind: RequestKind) -> None:
    assert Permission(kind.permission)
    assert kind.target is None or kind.target in BY_COLLECTION
    assert kind.secrets <= {each.name for each in kind.attributes}
    assert all(each.personal is not None for each in kind.attributes)


def test_each_kind_has_one_mutation() -> None:
    assert TYPED.keys() == REQUEST_KINDS.keys()
    assert len({door.mutation for door in DOORS}) == len(DOORS)
