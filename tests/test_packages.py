"""Packages of npm are installed once, whoever asks for them at the same time."""

import fcntl
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as finished
from pathlib import Path

import pytest

from tests.support import node


def test_who_asks_while_another_installs_waits_and_does_not_install_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Npm begins by deleting what is there: programs that had just started found their packages gone."""
    lock = tmp_path / "package-lock.json"
    lock.write_text("{}")
    monkeypatch.setattr(node, "NPM", tmp_path / "no npm is there")
    with ThreadPoolExecutor() as threads:
        with lock.open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            asked = threads.submit(node.install, tmp_path)
            assert not finished([asked], timeout=0.2).done
            (tmp_path / "node_modules").mkdir()
            (tmp_path / "node_modules" / "of.lock").write_text("{}")
        asked.result()


def test_what_npm_cannot_install_is_said_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package-lock.json").write_text("{}")
    monkeypatch.setattr(node, "NPM", tmp_path / "no npm is there")
    for _ in range(2):
        with pytest.raises(node.NotInstalled):
            node.install(tmp_path)
