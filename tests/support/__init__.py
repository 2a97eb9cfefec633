"""What tests share: no fixture, no test. pytest explains a failed assertion in here as it does in a test."""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
