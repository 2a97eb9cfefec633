"""A real identity provider (npm's oidc-provider), in a process of its own."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import pytest

from tests.support.node import NODE, NotInstalled, install
from tests.support.processes import Process, free_ports, within

FOLDER: Final = Path(__file__).parents[1] / "desk" / "provider"
START_SECONDS: Final = 60


@dataclass
class Provider(Process):
    """A provider at which anybody can sign in by a name: its roles are in ``provider.js``."""

    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/.well-known/openid-configuration").is_success
        except httpx2.TransportError:
            return False

    def wait_until_it_answers(self) -> None:
        within(START_SECONDS, self.answers, "a provider")


@contextmanager
def provider(log: Path, gateway: str, **environment: str) -> Generator[Provider]:
    """Starts a provider for the pages of a gateway, and gives it once it answers."""
    try:
        install(FOLDER)
    except NotInstalled as failed:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(failed))
    (port,) = free_ports(1)
    own = {"PORT": str(port), "PAGES": f"{gateway}/desk {gateway}/graphql", **environment}
    made = Provider([str(NODE), str(FOLDER / "provider.js")], log, own, port=port)
    made.start()
    try:
        made.wait_until_it_answers()
        yield made
    finally:
        made.kill()
