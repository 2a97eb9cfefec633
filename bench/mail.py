"""From the click to the mail server: `python -m bench.mail`, with a gateway process and a mongod of its own.

`resendEmail` is sent over HTTP at a modest rate to `python -m app serve`, whose own relay hands the mails to a real
SMTP server in this process: until its answer, and until the server has the mail. About 25 seconds.
"""

import asyncio
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.domain.access import Role
from app.http.tokens import issue
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.support.processes import gateways
from tests.support.smtp_server import mail_server  # the same that the tests speak to
from tests.support.world import World

DOMAIN = "gateway.example.com"
RESEND = """mutation($input: ResendEmailInput!) { resendEmail(input: $input) {
  delivery { id status } userErrors { code } } }"""
CLICKS, A_SECOND, WARM_UP = 200, 10, 20
SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}


async def measure(uri: str, folder: Path) -> None:
    async with Store.open(uri, "bench_mail") as store, mail_server() as peer:
        await store.drop()
        await indexes.apply(store)
        world, email_ids = World(store), list[str]()
        for number in range(WARM_UP + CLICKS):
            customer = await world.customer(email=f"bench-{number}@example.com")
            email = await world.email(customer, text="Hello\n" * 100, html="<p>Hello</p>\n" * 1_000)
            email_ids.append(email["_id"])
        environment = {"MONGODB_URI": uri, "MONGODB_DATABASE": "bench_mail", "JWT_SECRET": SECRET, "JWKS_URL": ""}
        environment |= {"JWT_ISSUER": AUTHORITY["issuer"], "JWT_AUDIENCE": AUTHORITY["audience"]}
        environment |= {
            "CHANGES_PER_MINUTE": "1000000",
            "MAX_SENDS_OF_A_MAIL": "1000000",
            "MAX_MAILS_PER_DAY": "1000000",
        }
        environment |= {"SMTP_URL": peer.url, "MAIL_FROM": f"service@{DOMAIN}"}
        token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(hours=1), **AUTHORITY)
        clicked, answered = dict[str, float](), list[float]()
        with gateways(1, folder, environment) as (gateway,):
            await asyncio.to_thread(gateway.wait_until_well)
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(base_url=gateway.url, headers=headers, timeout=30, trust_env=False) as http:

                async def click(email_id: str) -> None:
                    given = {"emailId": email_id, "idempotencyKey": email_id}
                    start = time.monotonic()
                    answer = await http.post("/graphql", json={"query": RESEND, "variables": {"input": given}})
                    answered.append(time.monotonic() - start)
                    clicked[f"<{answer.json()['data']['resendEmail']['delivery']['id']}@{DOMAIN}>"] = start

                async with asyncio.TaskGroup() as clicks:
                    for email_id in email_ids:
                        clicks.create_task(click(email_id))
                        await asyncio.sleep(1 / A_SECOND)
                for _ in range(600):  # a minute, if it must
                    if len(peer.mails) == len(email_ids):
                        break
                    await asyncio.sleep(0.1)
        await store.drop()
    arrived = [mail.at - clicked[mail.id] for mail in peer.mails[WARM_UP:]]
    print(f"{'click to answer':24} {_figures(answered[WARM_UP:])}")
    print(f"{'click to mail server':24} {_figures(arrived)}   {len(arrived)} mails at {A_SECOND} a second")


def _figures(seconds: list[float]) -> str:
    median, p99 = statistics.median(seconds) * 1_000, statistics.quantiles(seconds, n=100)[98] * 1_000
    return f"median {median:6.1f} ms   p99 {p99:6.1f} ms"


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as logs,
        embedded_mongod(Path(".data/bench")) as mongod,
    ):
        asyncio.run(measure(mongod, Path(logs)))
