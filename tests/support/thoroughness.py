"""How many of the cases that are generated the suite tries: a part of large products, and all with `make thorough`."""

import os
from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeVar

Case = TypeVar("Case")

IS_THOROUGH: Final = bool(os.environ.get("THOROUGH"))


def part_of(cases: Iterable[Case], one_in: int, turn: int = 0) -> list[Case]:
    """Returns every ``one_in``-th case, the same in each run; another ``turn`` begins elsewhere. All where thorough."""
    return list(cases) if IS_THOROUGH else list(islice(cases, turn % one_in, None, one_in))
