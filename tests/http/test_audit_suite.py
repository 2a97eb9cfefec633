"""The GraphQL-over-HTTP audit of npm's graphql-http, against the whole application on a real port.

Node and npm come with the development dependencies; the audit itself is installed from its lock file when first run.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TypedDict

import pytest

from app.environment import read_settings
from app.store.driver import Driver
from tests.support.node import NODE, NotInstalled, install
from tests.support.threads import served
from tests.support.tokens import AUTHORITY, SECRET, token

AUDIT = Path(__file__).with_name("audit")


class Verdict(TypedDict):
    id: str
    name: str
    status: str
    reason: str | None


@pytest.fixture
def address(mongodb_uri: str, database_name: str, driver: Driver) -> Generator[str]:
    """Runs the application, and says where GraphQL is."""
    settings = read_settings(
        mongodb_database=database_name,
        mongodb_driver=driver,
        jwt_secret=SECRET,
        jwt_issuer=AUTHORITY["issuer"],
        jwt_audience=AUTHORITY["audience"],
    )
    with served(settings, mongodb_uri) as address:
        yield f"{address}/graphql"


def node(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment}
    command = [str(NODE), *arguments]
    return subprocess.run(command, cwd=AUDIT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.xdist_group("audit")
def test_every_audit_is_passed(address: str) -> None:
    try:
        install(AUDIT)
    except NotInstalled as failed:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(failed))
    audited = node("audit.js", address, TOKEN=token())
    assert audited.returncode == 0, audited.stderr
    verdicts: list[Verdict] = json.loads(audited.stdout)
    failed = [(each["id"], each["name"], each["reason"]) for each in verdicts if each["status"] != "ok"]
    assert failed == []
    assert Counter(each["status"] for each in verdicts) == {"ok": 61}


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (AUDIT / "package-lock.json").read_text()
