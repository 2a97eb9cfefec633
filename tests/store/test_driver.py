"""What the seam to the driver takes for granted."""

from app.store.collections import COLLECTIONS
from app.store.driver import HOLD_NO_DECIMALS


def test_what_is_read_without_our_decimals_holds_none() -> None:
    assert COLLECTIONS.keys() >= HOLD_NO_DECIMALS
    assert not [name for name in HOLD_NO_DECIMALS if "decimal" in str(COLLECTIONS[name].validator)]
    assert "decimal" in str(COLLECTIONS["transactions"].validator)
