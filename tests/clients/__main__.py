"""Runs the clients of `examples/clients` against a gateway of their own: `python -m tests.clients apollo urql`.

Without names it runs all. Each folder's packages are installed from its lock file when they are missing. The gateway is
the demo, with few customers, on a MongoDB that ends with this program. Each script prints what held; the exit code is
1 if something did not.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx2
from graphql import build_schema

from app.demo.sample.people import AFFILIATE
from app.domain.access import Role
from app.http.tokens import issue
from app.store.mongod import embedded_mongod
from tests.clients.walk import ROWS, SDL, Walk, documents
from tests.support.browser import find_chromium
from tests.support.node import NODE, NotInstalled, install
from tests.support.processes import ROOT, Gateway, free_ports

EXAMPLES: Final = ROOT / "examples" / "clients"
NAMES: Final = ("apollo", "urql", "relay", "typescript", "python", "stitching", "supergraph", "browser", "live")
CUSTOMERS: Final = 100
"""The customers of the demo, of whom each client walks over the first ones."""
WALKED: Final = 40
SECRET: Final = "a secret of the clients, 32 bytes at least"
ISSUER, AUDIENCE = "https://clients.example", "customer-gateway"
POOR_COST_PER_MINUTE: Final = 50
"""The minute of the role FINANCE, so small that the second request is refused as RATE_LIMITED."""
SCRIPT_SECONDS: Final = 300
_SETTLED_SECONDS: Final = 30


# ---------------------------------------------------------------- the gateway


class NotStarted(Exception):
    """Raised if the demo ends before it answers; the text has its log."""


@contextmanager
def running_demo(folder: Path, origins: Sequence[str]) -> Generator[Gateway]:
    """Starts a demo that pages of these origins may call, with a wallet service that takes every request."""
    (port,) = free_ports(1)
    with embedded_mongod(folder / "mongodb") as uri, running_wallet() as wallet:
        environment = {
            "MONGODB_URI": uri,
            "JWT_SECRET": SECRET,
            "JWKS_URL": "",
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "LOG_LEVEL": "WARNING",
            "CORS_ORIGINS": " ".join(origins),
            "COST_PER_MINUTE": f"2000000000 FINANCE={POOR_COST_PER_MINUTE}",
            "WALLET_PUSH_URL": wallet,
            "WALLET_PUSH_SECRET": "whsec_Y2xpZW50cyBjbGllbnRzIGNsaWVudHMgY2xpZW50cw==",
        }
        command = [sys.executable, "-m", "app", "demo", "--customers", str(CUSTOMERS)]
        gateway = Gateway(command, folder / "gateway.log", environment, port=port)
        gateway.start()
        try:
            assert gateway.running
            while not gateway.lives():
                if gateway.running.poll() is not None:
                    raise NotStarted(f"The demo did not start:\n{gateway.log.read_text()}")
                time.sleep(0.1)
            yield gateway
        finally:
            assert gateway.running
            gateway.running.terminate()
            try:
                gateway.running.wait(timeout=20)
            except subprocess.TimeoutExpired:
                gateway.kill()


@contextmanager
def running_wallet() -> Generator[str]:
    """Runs a wallet service that accepts whatever it gets, and yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def token(role: Role, *, minutes: int = 60, affiliate_id: str | None = None) -> str:
    """Issues a token; with negative ``minutes`` one that has expired."""
    return issue(
        SECRET,
        roles=[role],
        subject=role.lower(),
        name=role.replace("_", " ").capitalize(),
        issuer=ISSUER,
        audience=AUDIENCE,
        lifetime=timedelta(minutes=minutes),
        affiliate_id=affiliate_id,
    )


# ---------------------------------------------------------------- the walk


@dataclass
class Asking:
    """Sends queries without a cache."""

    client: httpx2.Client

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Returns the response, errors and all."""
        return self.client.post("", json={"query": query, "variables": variables}).json()

    def data(self, query: str, **variables: Any) -> Any:
        response = self.ask(query, **variables)
        assert "errors" not in response, (query, response["errors"])
        return response["data"]


def make_one_of_each(asking: Asking, customer: str) -> list[str]:
    """Makes the nodes that a new demo lacks, waits until they rest, and returns their ids."""
    found = asking.data(
        "query ($id: ID!) { customer(by: {id: $id})"
        " { emailHistory(first: 1) { nodes { id } } passes(first: 1) { nodes { id } } } }",
        id=customer,
    )["customer"]
    inputs: dict[str, tuple[str, dict[str, Any]]] = {
        "requestPointsAdjustment": ("adjustment", {"customerId": customer, "points": 5_000_000, "reason": "A walk"}),
        "resendEmail": ("delivery", {"emailId": found["emailHistory"]["nodes"][0]["id"]}),
        "pushPass": ("push", {"passId": found["passes"]["nodes"][0]["id"]}),
        "exportCustomers": ("export", {"format": "CSV"}),
        "createWebhookEndpoint": (  # of a type that the demo does not write: deliveries would not rest
            "webhookEndpoint",
            {"name": "A walk", "url": "http://127.0.0.1:9/", "types": ["BIRTHDAY"]},
        ),
        "addToBlocklist": (
            "entry",
            {
                "customerId": customer,
                "type": "COUNTRY",
                "value": "AQ",
                "reason": "A walk",
                "expiresAt": "2999-01-01T00:00:00Z",
            },
        ),
    }
    made: list[str] = []
    for name, (node, values) in inputs.items():
        type_ = f"{name[0].upper()}{name[1:]}Input!"
        payload = asking.data(
            f"mutation ($input: {type_}) {{ {name}(input: $input) {{ {node} {{ id }} userErrors {{ message }} }} }}",
            input=values | {"idempotencyKey": name},
        )[name]
        assert payload["userErrors"] == [], payload
        made.append(payload[node]["id"])
    wait_until_none_is_queued(asking, made)
    return made


def wait_until_none_is_queued(asking: Asking, ids: list[str]) -> None:
    states = "... on EmailDelivery { d: status } ... on PassPush { p: status } ... on Export { e: status }"
    deadline = time.monotonic() + _SETTLED_SECONDS
    while {"QUEUED", "RUNNING"} & {
        state
        for node in asking.data(f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ id {states} }} }}", ids=ids)["nodes"]
        for state in node.values()
    }:
        assert time.monotonic() < deadline, "deliveries and exports did not end"
        time.sleep(0.2)


def plan_walk(asking: Asking, sdl: str) -> dict[str, Any]:
    """Returns what a client asks for: documents, each with the variables that it is sent with."""
    schema = build_schema(sdl)
    first = asking.data("query ($n: Int!) { customers(first: $n) { nodes { id } } }", n=WALKED)
    customers = [node["id"] for node in first["customers"]["nodes"]]
    assert len(customers) == WALKED
    (everything,) = asking.data('{ customer(by: {number: "C-100001"}) { id } }').values()
    customers = [everything["id"], *(each for each in customers if each != everything["id"])][:WALKED]
    made = make_one_of_each(asking, everything["id"])
    now = time.gmtime()
    report = {"occurredAt": {"from": f"{now.tm_year - 1}-01-01T00:00:00Z", "to": f"{now.tm_year + 1}-01-01T00:00:00Z"}}
    variables: dict[str, list[dict[str, Any]]] = {
        "Customer": [{"id": each} for each in customers],
        "report": [{"filter": report}],
        "search": [{"text": "C-1000"}, {"text": "an"}],
    }
    walked, seen = list[dict[str, Any]](), set(made)
    by_id = list[Walk]()
    for position, walk in enumerate(documents(schema)):
        if "$ids" in walk.query:
            by_id.append(walk)
            continue
        of_it = variables.get(walk.root, [{}])
        query = affordable(
            asking, lambda rows, at=position, first=of_it[0]: (list(documents(schema, rows))[at].query, first)
        )[0]
        walked.append({"name": walk.name, "query": query, "variables": of_it})
        answers = [asking.data(query, **each) for each in of_it[:5]]
        seen |= set(re.findall(r'"id": ?"([a-z]{3}_[a-z0-9]+)"', json.dumps(answers)))
    types = types_by_prefix(asking, seen)
    for walk in by_id:
        ids = [each for each in sorted(seen) if types.get(each[:3]) == walk.root][:100]
        if ids:
            _, chunk = affordable(asking, lambda rows, walk=walk, ids=ids: (walk.query, {"ids": ids[:rows]}))
            size = len(chunk["ids"])
            parts = [{"ids": ids[start : start + size]} for start in range(0, len(ids), size)]
            walked.append({"name": walk.name, "query": walk.query, "variables": parts})
    unmet = {walk.root for walk in by_id} - set(types.values())
    if unmet:
        print(f"The demo has no {', '.join(sorted(unmet))} to walk over.")
    return {"documents": walked}


def affordable(asking: Asking, make: Callable[[int], tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """Returns a query and variables with as many rows as the gateway lets one operation cost."""
    for rows in (ROWS, ROWS // 2, ROWS // 4, ROWS // 8):
        query, variables = make(rows)
        if "COST_LIMIT_EXCEEDED" not in json.dumps(asking.ask(query, **variables).get("errors", [])):
            return query, variables
    raise AssertionError(f"too dear with one row: {make(1)}")


def types_by_prefix(asking: Asking, ids: set[str]) -> dict[str, str]:
    """Returns the type that each prefix of an id stands for."""
    one_of_each = list({each[:3]: each for each in ids}.values())
    nodes = asking.data("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=one_of_each)["nodes"]
    return {node["id"][:3]: node["__typename"] for node in nodes if node}


# ---------------------------------------------------------------- the scripts


@dataclass
class Outcome:
    name: str
    held: int
    failed: int
    seconds: float


def run_script(name: str, environment: Mapping[str, str]) -> Outcome:
    """Runs one folder's script and prints its lines as they come."""
    folder = EXAMPLES / name
    command = [str(python_of(folder)), "check.py"] if name == "python" else [str(NODE), "check.js"]
    print(f"\n{name}", flush=True)
    began, lines = time.monotonic(), list[str]()
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PATH": path, **environment}, stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdout
        for line in script.stdout:
            lines.append(line)
            print(f"  {line}", end="", flush=True)
    failed = sum(line.startswith("FAILED") for line in lines)
    if script.returncode and not failed:
        print(f"  FAILED the script ended with exit code {script.returncode}")
        failed = 1
    return Outcome(name, sum(line.startswith("ok") for line in lines), failed, time.monotonic() - began)


def python_of(folder: Path) -> Path:
    """Returns the Python of the folder's own environment, made from its hashed requirements if it is missing."""
    own, requirements = folder / ".venv", folder / "requirements.txt"
    mark = own / "of.requirements"
    if not mark.exists() or mark.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", own], check=True)
        pip = [own / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "--requirement", requirements], check=True)
        mark.write_text(requirements.read_text())
    return own / "bin" / "python"


def main() -> int:
    arguments = argparse.ArgumentParser(description="Runs the clients of examples/clients against a gateway.")
    arguments.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; default: all")
    names: list[str] = arguments.parse_args().names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        arguments.error(f"There is no client {', '.join(sorted(unknown))}. Clients: {', '.join(NAMES)}.")
    chromium = find_chromium()
    if "browser" in names and chromium is None:
        print("The client browser needs a Chromium: apt-get install chromium, or set CHROMIUM.", file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        for name in names:
            _ = python_of(EXAMPLES / name) if name == "python" else install(EXAMPLES / name)
    except (NotInstalled, subprocess.CalledProcessError) as failed:
        print(failed, file=sys.stderr)
        return 2
    print(f"Packages are installed: {time.monotonic() - began:.0f} s.", flush=True)
    began = time.monotonic()
    (page_port,) = free_ports(1)
    with (
        tempfile.TemporaryDirectory() as temporary,
        running_demo(Path(temporary), [f"http://127.0.0.1:{page_port}"]) as gateway,
    ):
        url = f"{gateway.url}/graphql"
        headers = {"Authorization": f"Bearer {token(Role.ADMIN)}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
            plan = plan_walk(Asking(client), SDL.read_text())
        walk = Path(temporary) / "walk.json"
        walk.write_text(json.dumps(plan))
        tokens = {role.value: token(role) for role in Role if role not in (Role.AFFILIATE, Role.CUSTOMER)}
        tokens["AFFILIATE"] = token(Role.AFFILIATE, affiliate_id=AFFILIATE["id"])
        tokens["EXPIRED"] = token(Role.ADMIN, minutes=-60)
        environment = {"GATEWAY": url, "TOKENS": json.dumps(tokens), "WALK": str(walk), "PAGE_PORT": str(page_port)}
        environment |= {"CHROMIUM": chromium} if chromium else {}
        print(f"The gateway runs, and the walk has {len(plan['documents'])} documents: ", end="")
        print(f"{time.monotonic() - began:.0f} s.", flush=True)
        outcomes = [run_script(name, environment) for name in names]
    print(f"\n{'client':12}{'held':>6}{'failed':>8}{'seconds':>9}")
    for outcome in outcomes:
        print(f"{outcome.name:12}{outcome.held:6}{outcome.failed:8}{outcome.seconds:9.1f}")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
