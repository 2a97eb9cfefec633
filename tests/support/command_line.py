"""Runs `python -m app` as people and scripts do, in this process: starting one is slow."""

import os
import sys
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Protocol

import pytest

from app.__main__ import main
from app.environment import Settings


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code, and what it said."""

    code: int
    out: str
    err: str


class App(Protocol):
    """Runs `python -m app WORDS` in an environment of its own."""

    def __call__(self, *words: str | Path, stdin: str = "", **environment: str) -> Ended: ...


def app_in_this_process(driver: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> App:
    """Returns what runs `python -m app WORDS`, with nothing set but what is given."""

    def app(*words: str | Path, stdin: str = "", **environment: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["app", *map(str, words)])
            patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin.encode())))
            patch.setattr(os, "environ", bare_environment(**{"MONGODB_DRIVER": driver, **environment}))
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return app


def command(*words: str | Path) -> list[str]:
    """Returns the words that run it in a process of its own."""
    return [sys.executable, "-m", "app", *map(str, words)]


def bare_environment(**given: str) -> dict[str, str]:
    """Returns this environment without any setting but what is given."""
    unset = {*(name.upper() for name in Settings.model_fields), "PYTHONDONTWRITEBYTECODE"}
    own = {
        "COLUMNS": "200",  # so that no message is broken where a test looks for it
        "PYTHONPYCACHEPREFIX": str(Path(".data/pycache").absolute()),  # the second process starts twice as fast
    }
    return {name: value for name, value in os.environ.items() if name not in unset} | own | given
