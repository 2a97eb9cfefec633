"""Prometheus' own judge of rules: it parses expressions, and evaluates them on samples as the server would."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

HOW_TO_GET_IT: Final = "promtool is not on the PATH. It is in Debian's package prometheus: see .ci/run."
Scrape = Mapping[str, float] | None
"""Values by series; None: nobody answered."""


def promtool(*words: str | Path) -> str:
    """Returns what it says. Skips the test where there is none; fails where it finds fault."""
    found = shutil.which("promtool")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    ran = subprocess.run([found, *words], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def series_of(text: str, *, instance: str) -> dict[str, float]:
    """Reads what /metrics says, as a scrape of one gateway."""
    return {
        f"{sample.name}{{{labels}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("gateway_")
        for labels in [
            ",".join(f"{name}={json.dumps(value)}" for name, value in {**sample.labels, "instance": instance}.items())
        ]
    }


def fired(rules: Path, scrapes: Sequence[Scrape], folder: Path) -> set[str]:
    """Returns the alerts that fire after these scrapes, a minute apart, or have fired before."""
    names = sorted({name for scrape in scrapes if scrape for name in scrape})
    lines = [" ".join(repr(scrape[name]) if scrape and name in scrape else "_" for scrape in scrapes) for name in names]
    series = [{"series": name, "values": values} for name, values in zip(names, lines, strict=True)]
    alerts = re.findall(r"- alert: (\w+)", rules.read_text())
    firing = 'max_over_time(ALERTS{{alertname="{}",alertstate="firing"}}[1d])'
    found: set[str] = set()
    for alert in alerts:
        test = {
            "rule_files": [str(rules.resolve())],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": series,
                    "promql_expr_test": [
                        {
                            "expr": f"count({firing.format(alert)}) > bool 0",
                            "eval_time": f"{len(scrapes)}m",
                            "exp_samples": [{"labels": "{}", "value": 1}],
                        }
                    ],
                }
            ],
        }
        path = folder / f"{alert}.json"
        path.write_text(json.dumps(test))
        ran = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
        if ran.returncode == 0:
            found.add(alert)
        else:
            assert "got:" in ran.stderr + ran.stdout, ran.stderr + ran.stdout
    return found
