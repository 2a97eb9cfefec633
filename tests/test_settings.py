"""Settings: what cannot be used is said so that a person can mend it, and docs/settings.md lists them all."""

import re
from pathlib import Path
from tomllib import loads
from typing import Any

import pytest
from packaging.requirements import Requirement

from app.environment import Settings, SettingsError, read_settings

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes every setting out of the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("PORT", "abc", "valid integer"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("MONGODB_URI", "foo", "does not have the form of the example"),
        ("MONGODB_URI", "mongodb://host:port/", "Port contains non-digit characters"),
        ("MONGODB_URI", "mongodb://", "at least one hostname"),
        ("MONGODB_DATABASE", "a b", "does not have the form of the example"),
        ("MONGODB_DRIVER", "x", "'motor' or 'pymongo'"),
        ("REQUEST_TIMEOUT_SECONDS", "0", "greater than 0"),
        ("JWT_SECRET", "short", "too short"),
        ("JWKS_URL", "login.example.com", "does not have the form of the example"),
        ("OIDC_AUTHORITY", "http://login.example.com", "https:// is needed"),
        ("OIDC_AUTHORITY", "https://login.example.com;script-src", "does not have the form of the example"),
        ("OIDC_AUTHORITY", "https://user@login.example.com", "neither a password nor a fragment"),
        ("OIDC_SCOPE", "openid  profile", "does not have the form of the example"),
        ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_an_unusable_value_is_named_with_its_fault_and_an_example_that_works(
    variable: str, value: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as unusable:
        read_settings()
    message = str(unusable.value)
    assert message.startswith(f"{variable} cannot be used: ")
    assert fault in message
    assert len(message.splitlines()) == 1
    example = message.rpartition(f"Example: {variable}=")[2]
    monkeypatch.setenv(variable, example)
    assert read_settings()


def test_every_unusable_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("MONGODB_DRIVER", "x")
    with pytest.raises(SettingsError, match=r"MONGODB_DRIVER cannot.*\n.*PORT cannot"):
        read_settings()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("MONGODB_URI", "")
    assert (read_settings().port, read_settings().mongodb_uri) == (8000, None)


def test_an_option_of_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", "here")
    assert read_settings(data=Path("there")).data == Path("there")
    assert read_settings(data=None).data == Path("here")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_readme_has_every_variable_with_its_default_and_its_meaning(name: str) -> None:
    field = Settings.model_fields[name]
    default = f" `{field.default}` " if field.default is not None else " "
    row = f"| `{name.upper()}` |{default}| {field.description} |"
    assert row in (ROOT / "docs" / "settings.md").read_text().splitlines()


# ---------------------------------------------------------------- what is installed


def test_the_lock_has_everything_that_is_asked_for_in_a_version_that_fits() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, re.MULTILINE))
    project: dict[str, Any] = loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    missing = [
        line
        for line in asked
        for wanted in [Requirement(line)]
        if not wanted.specifier.contains(locked.get(wanted.name, "0"))
    ]
    assert missing == [], "`make lock` writes them"


def test_the_lock_names_no_package_index() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()
