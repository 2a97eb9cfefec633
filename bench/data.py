"""The data that is measured on: 20,000 sample customers in a mongod of our own, written once and kept."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from app.demo.sample.seed import seed
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod

FOLDER: Final = Path(".data/bench")
DATABASE: Final = "customer_gateway"
CUSTOMERS: Final = 20_000


@contextmanager
def seeded(folder: Path = FOLDER, *, customers: int = CUSTOMERS, database: str = DATABASE) -> Generator[str]:
    """The URI of a mongod with at least so many customers in ``database``, whose indexes are as declared."""
    with embedded_mongod(folder) as uri:
        with MongoClient[dict[str, Any]](uri) as client:
            there = client[database].customers.estimated_document_count()
        words = ["indexes", "--apply"] if there >= customers else ["seed", "--customers", str(customers)]
        environment = {**os.environ, "MONGODB_URI": uri, "MONGODB_DATABASE": database, "REQUEST_TIMEOUT_SECONDS": "300"}
        subprocess.run([sys.executable, "-m", "app", *words], env=environment, check=True)  # noqa: S603 # our own
        yield uri


async def sample(uri: str, database: str, *, customers: int) -> None:
    """Writes sample customers into a database, with all that is declared."""
    async with Store.open(uri, database) as store:
        await indexes.apply(store)
        await seed(store, customers=customers, now=datetime.now(UTC))
