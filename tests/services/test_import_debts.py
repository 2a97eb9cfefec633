"""What an import says is owed, however many customers owe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.importing import points
from app.services.importing.points import Debt, Debts

STEPS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), max_size=40)


@given(STEPS, st.sampled_from([1, 2, 5, 100]))
def test_who_owed_nothing_before_is_counted_exactly_also_beyond_what_is_remembered(
    steps: list[tuple[str, int]], at_most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "_DEBTORS_AT_MOST", at_most)
        debts, owed = Debts(), dict[str, int]()
        for customer_id, after in steps:
            debts.note({customer_id: Debt(owed.get(customer_id, 0), after)})
            owed[customer_id] = after
        assert (debts.points, debts.customers) == (sum(owed.values()), sum(map(bool, owed.values())))


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3)), STEPS)
def test_a_debt_from_before_that_shrinks_is_no_new_one_and_hides_none(
    before: dict[str, int], steps: list[tuple[str, int]]
) -> None:
    debts, owed = Debts(), dict(before)
    for customer_id, after in steps:
        debts.note({customer_id: Debt(owed.get(customer_id, 0), after)})
        owed[customer_id] = after
    more = [after - before.get(customer_id, 0) for customer_id, after in owed.items()]
    assert debts.points == sum(max(0, each) for each in more)
    assert debts.customers == sum(each > 0 for each in more)
