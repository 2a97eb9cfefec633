"""A demo with the desk."""

from collections.abc import Generator
from typing import Any

import pytest
from pymongo import MongoClient

from tests.support.desk import Demo


@pytest.fixture(scope="module")
def demo(gateway_url: str, mongodb_uri: str, database_name: str) -> Generator[Demo]:
    """Gives the running demo of this test session."""
    with MongoClient[Any](mongodb_uri, tz_aware=True) as client:
        yield Demo(gateway_url.rstrip("/"), client[f"{database_name}_demo"])
