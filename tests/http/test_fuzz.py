"""A short run of the fuzz; the long one is a command of its own."""

from app.store.driver import Driver
from tests.http.fuzz import fuzz


def test_nothing_that_is_drawn_from_the_schema_goes_unexplained(
    mongodb_uri: str, database_name: str, driver: Driver
) -> None:
    report = fuzz(mongodb_uri, f"{database_name}_fuzz", cases=100, driver=driver, seconds=60)
    assert report.found == {}
    assert report.cases >= 30
    assert report.executed >= 10
    assert len(report.roles) >= 4
