"""The image and the compose file, read as text: no engine runs them here, so what can be judged without one is."""

import ast
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml  # pyright: ignore[reportMissingModuleSource] # of the development tools' own dependencies
from typer.main import get_command

from app.__main__ import cli
from app.environment import Settings

ROOT: Final = Path(__file__).parents[1]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
COMPOSE: Final = cast(dict[str, Any], yaml.safe_load((ROOT / "compose.yaml").read_text()))
SERVICES: Final = cast(dict[str, dict[str, Any]], COMPOSE["services"])
OURS: Final = {name: service for name, service in SERVICES.items() if service["image"].startswith("customer-gateway")}


def test_there_are_the_gateway_a_worker_and_what_prepares_the_database() -> None:
    assert OURS.keys() == {"gateway", "worker", "indexes"}
    waits = {name: service["depends_on"] for name, service in OURS.items()}
    assert waits["gateway"] == waits["worker"] == {"indexes": {"condition": "service_completed_successfully"}}
    assert waits["indexes"] == {"mongodb": {"condition": "service_healthy"}}


def test_one_image_is_built_once_and_fetched_from_nowhere() -> None:
    assert len({service["image"] for service in OURS.values()}) == 1
    assert [name for name, service in OURS.items() if "build" in service] == ["gateway"]
    assert {service["pull_policy"] for name, service in OURS.items() if name != "gateway"} == {"never"}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_only_what_they_need(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_has_limits_and_no_port_but_on_this_machine(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_there_is_more_time_to_end_than_the_gateway_takes() -> None:
    from app import serving

    takes = float(Settings.model_fields["drain_seconds"].default) + serving._FINISH_SECONDS  # pyright: ignore[reportPrivateUsage]
    for name in ("gateway", "worker"):
        assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > takes


@pytest.mark.parametrize("name", OURS)
def test_each_command_and_each_variable_is_one_that_we_know(name: str) -> None:
    service = OURS[name]
    assert set(service["environment"]) <= {field.upper() for field in Settings.model_fields}
    words = service.get("command", ["python", "-m", "app", "serve"])
    assert words[:3] == ["python", "-m", "app"]
    command = cast(Any, get_command(cli)).commands[words[3]]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words[4:] if word.startswith("-")} <= options


def test_the_image_runs_as_a_number_that_is_not_root_and_that_owns_nothing() -> None:
    (user,) = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert "--chown" not in DOCKERFILE
    assert "chown" not in DOCKERFILE


def test_the_image_has_what_is_locked_and_no_extras() -> None:
    assert "--require-hashes --constraint requirements.lock --requirement pyproject.toml" in DOCKERFILE
    assert "extra" not in "".join(line for line in DOCKERFILE.splitlines() if line.startswith("RUN"))


# ---------------------------------------------------------------- health


def checks() -> dict[str, str]:
    """What is run to find out whether a container lives: Python, by where it is written."""
    (image,) = re.findall(r'^HEALTHCHECK .* CMD \["python", "-c", \\\n\s+(".*")\]$', DOCKERFILE, re.MULTILINE)
    return {"image": cast(str, ast.literal_eval(image)), "worker": OURS["worker"]["healthcheck"]["test"][-1]}


@contextmanager
def answering(status: int) -> Generator[tuple[int, list[str]]]:
    """A server's port, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("where", "path"), [("image", "/livez"), ("worker", "/metrics")])
@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_container_is_healthy_as_long_as_it_lives(where: str, path: str, status: int) -> None:
    with answering(status) as (port, asked):
        check = checks()[where].replace("9100", str(port))
        environment = {"PORT": str(port), "http_proxy": "http://127.0.0.1:9"}  # a proxy is for others
        ran = subprocess.run([sys.executable, "-c", check], env=environment, capture_output=True)
    assert (ran.returncode == 0) == (status == 200)
    assert asked == [path]


@pytest.mark.parametrize("where", ["image", "worker"])
def test_a_container_that_does_not_answer_is_not_healthy(where: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = str(taken.getsockname()[1])
        check = checks()[where].replace("9100", port)
        ran = subprocess.run([sys.executable, "-c", check], env={"PORT": port}, capture_output=True)
    assert ran.returncode != 0
