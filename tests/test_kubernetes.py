"""The Kubernetes example: each object is one that the API takes, and all that it says of the gateway is true."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pytest
import yaml  # pyright: ignore[reportMissingModuleSource] # of the development tools' own dependencies
from typer.main import get_command

from app import metrics, serving
from app.__main__ import cli
from app.delivery.relay import _LAST_WORDS_SECONDS  # pyright: ignore[reportPrivateUsage]
from app.environment import Settings
from app.http import health, metrics_endpoint

ROOT: Final = Path(__file__).parents[1]
BASE: Final = ROOT / "deploy" / "kubernetes" / "base"
BY_COST: Final = ROOT / "deploy" / "kubernetes" / "by-cost"
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()


def documents(path: Path) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all(path.read_text())]


KUSTOMIZATION: Final = documents(BASE / "kustomization.yaml")[0]
OBJECTS: Final = {
    f"{path.stem}/{each['kind']} {each['metadata']['name']}": each
    for path in sorted(BASE.glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for each in documents(path)
}
WORKLOADS: Final = {
    each["metadata"]["name"]: each["spec"]["template"]["spec"]
    for each in OBJECTS.values()
    if each["kind"] in ("Deployment", "Job")
}
CONTAINERS: Final[Mapping[str, dict[str, Any]]] = {name: pod["containers"][0] for name, pod in WORKLOADS.items()}
SETTINGS: Final = dict(each.split("=", 1) for each in KUSTOMIZATION["configMapGenerator"][0]["literals"])


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in OBJECTS.values() if each["kind"] == kind}


@cache
def model(api_version: str, kind: str) -> Any:
    """Returns the form that Kubernetes publishes of such objects."""
    group, _, version = api_version.rpartition("/")
    module = import_module(f"lightkube.models.{group.removesuffix('.k8s.io') or 'core'}_{version}")
    return getattr(module, kind)


@pytest.mark.parametrize("name", OBJECTS)
def test_each_object_has_the_form_that_the_api_publishes_and_no_key_besides(name: str) -> None:
    assert as_taken(OBJECTS[name]) == OBJECTS[name]


def as_taken(given: dict[str, Any]) -> dict[str, Any]:
    """Returns what the API would keep of an object. Raises msgspec.ValidationError."""
    taken = msgspec.convert(given, model(given["apiVersion"], given["kind"]), strict=True)
    return without_none(msgspec.to_builtins(taken))


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in cast(dict[str, Any], value).items() if each is not None}
    if isinstance(value, list):
        return [without_none(each) for each in cast(list[Any], value)]
    return value


@pytest.mark.parametrize("key", ["replica", "selector", "template"])
def test_a_key_that_is_wrong_or_missing_is_found(key: str) -> None:
    worker = OBJECTS["worker/Deployment worker"]
    if key == "replica":
        assert as_taken({**worker, "spec": {**worker["spec"], key: 2}}) == worker
    else:
        with pytest.raises(msgspec.ValidationError, match=f"missing required field `{key}`"):
            as_taken({**worker, "spec": {name: each for name, each in worker["spec"].items() if name != key}})


def test_the_kustomization_names_every_file_and_the_version_of_this_source() -> None:
    assert {*KUSTOMIZATION["resources"]} == {each.name for each in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    (image,) = KUSTOMIZATION["images"]
    assert {each["image"] for each in CONTAINERS.values()} == {image["name"]}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert image["newTag"] == version
    assert KUSTOMIZATION["namespace"] in named("Namespace")


def test_there_are_gateways_workers_and_what_prepares_the_database() -> None:
    assert CONTAINERS.keys() == {"gateway", "worker", "indexes"}
    assert named("HorizontalPodAutoscaler")["gateway"]["spec"]["minReplicas"] >= 2
    assert "replicas" not in named("Deployment")["gateway"]["spec"]
    assert named("Deployment")["worker"]["spec"]["replicas"] >= 2


@pytest.mark.parametrize("name", CONTAINERS)
def test_each_command_and_each_setting_is_one_that_we_know(name: str) -> None:
    container = CONTAINERS[name]
    words = container["args"]
    assert words[:3] == ["python", "-m", "app"]
    command = cast(Any, get_command(cli)).commands[words[3]]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words[4:] if word.startswith("-")} <= options
    known = {field.upper() for field in Settings.model_fields}
    assert {each["name"] for each in container["env"]} <= known
    assert {*SETTINGS} <= known
    (taken,) = container["envFrom"]
    assert taken == {"configMapRef": {"name": KUSTOMIZATION["configMapGenerator"][0]["name"]}}
    Settings(**{key.lower(): value for key, value in SETTINGS.items()})  # pyright: ignore[reportArgumentType] # raises


@pytest.mark.parametrize("name", CONTAINERS)
def test_secrets_are_named_and_nowhere_written(name: str) -> None:
    for each in CONTAINERS[name]["env"]:
        assert "value" not in each
        assert each["valueFrom"]["secretKeyRef"]["name"] == "customer-gateway"
        assert each["valueFrom"]["secretKeyRef"]["key"] == each["name"]
    assert not {*SETTINGS} & {"MONGODB_URI", "SMTP_URL", "JWT_SECRET", "WALLET_PUSH_SECRET"}
    assert not named("Secret")


@pytest.mark.parametrize("name", WORKLOADS)
def test_each_pod_may_do_only_what_it_needs(name: str) -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    pod, container = WORKLOADS[name], CONTAINERS[name]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user[0]),
        "runAsGroup": int(user[1]),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert pod["volumes"][0]["name"] == "tmp"
    for each in ("requests", "limits"):
        assert container["resources"][each].keys() == {"cpu", "memory"}


def test_there_is_more_time_to_end_than_it_takes() -> None:
    drains = float(SETTINGS["DRAIN_SECONDS"]) + serving._FINISH_SECONDS  # pyright: ignore[reportPrivateUsage]
    assert WORKLOADS["gateway"]["terminationGracePeriodSeconds"] > drains
    assert WORKLOADS["worker"]["terminationGracePeriodSeconds"] > _LAST_WORDS_SECONDS


def probes() -> Iterator[tuple[str, str, str]]:
    for name, container in CONTAINERS.items():
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe in container:
                yield name, probe, container[probe]["httpGet"]["path"]


def test_each_probe_asks_for_a_path_that_is_there_at_a_port_that_is_open() -> None:
    nobody = cast(Any, None)
    paths = {cast(Any, each).path for each in (*health.routes(nobody), *metrics_endpoint.routes(nobody))}
    asked = [*probes()]
    assert {path for _, _, path in asked} == paths == {"/livez", "/readyz", "/metrics"}
    assert ("gateway", "readinessProbe", "/readyz") in asked
    assert ("gateway", "livenessProbe", "/livez") in asked  # a database that is away is no reason to restart
    ports = {port["name"]: str(port["containerPort"]) for each in CONTAINERS.values() for port in each.get("ports", ())}
    assert ports == {"http": str(Settings.model_fields["port"].default), "metrics": CONTAINERS["worker"]["args"][-1]}
    for name, probe, _ in asked:
        assert CONTAINERS[name][probe]["httpGet"]["port"] in ports
    for name in ("gateway", "worker"):
        scraped = named("Deployment")[name]["spec"]["template"]["metadata"]["annotations"]
        assert scraped["prometheus.io/path"] in paths
        assert scraped["prometheus.io/port"] in ports.values()


def labels(name: str) -> dict[str, str]:
    (found,) = (
        each["spec"]["template"]["metadata"]["labels"]
        for each in OBJECTS.values()
        if each["kind"] in ("Deployment", "Job") and each["metadata"]["name"] == name
    )
    return found


def test_whatever_selects_pods_selects_some() -> None:
    for name, each in named("Deployment").items():
        assert each["spec"]["selector"]["matchLabels"] == labels(name)
        for spread in each["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert spread["labelSelector"]["matchLabels"] == labels(name)
    for name, each in named("PodDisruptionBudget").items():
        assert each["spec"]["selector"]["matchLabels"] == labels(name)
    assert named("Service")["gateway"]["spec"]["selector"] == labels("gateway")


def test_nothing_goes_in_or_out_but_what_is_said() -> None:
    policies = {name: each["spec"] for name, each in named("NetworkPolicy").items()}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ports: dict[str, set[str | int]] = {
        name: {port["port"] for way in ("ingress", "egress") for rule in spec.get(way, ()) for port in rule["ports"]}
        for name, spec in policies.items()
    }
    assert ports == {
        "nothing": set(),
        "names-and-mongodb": {53, 27017},
        "mails-and-the-internet": {587, 465, 443},
        "to-the-gateway": {"http"},
        "to-the-worker": {"metrics"},
    }
    for name in ("to-the-gateway", "to-the-worker"):
        assert all(rule["from"] for rule in policies[name]["ingress"])


def test_it_can_be_scaled_by_a_figure_of_ours() -> None:
    (patch,) = documents(BY_COST / "autoscaling.yaml")
    whole = named("HorizontalPodAutoscaler")["gateway"]
    patched = {**whole, "spec": {**whole["spec"], **patch["spec"]}}
    assert as_taken(patched) == patched
    assert documents(BY_COST / "kustomization.yaml")[0]["resources"] == ["../base"]
    (rule,) = documents(BY_COST / "adapter.yaml")[0]["rules"]
    series = rule["seriesQuery"].partition("{")[0]
    assert series in {sample.name for sample in next(iter(metrics.COST.collect())).samples}
    assert rule["name"]["as"] == patch["spec"]["metrics"][0]["pods"]["metric"]["name"]
