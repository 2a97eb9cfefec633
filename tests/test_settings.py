"""Settings: what cannot be used is said so that a person can mend it, and docs/settings.md lists them all."""

import re
from pathlib import Path
from tomllib import loads
from typing import Any

import pytest
from packaging.requirements import Requirement

from app.environment import EXAMPLES, Settings, SettingsError, near_misses, read_settings

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
        (
            "MONGODB_URI",
            "mongodb://host/?retryWrite=true",
            "Unknown option: retrywrite. Did you mean one of (retrywrites",
        ),
        ("MONGODB_URI", "mongodb://host/?tls=flase", "The value of tls must be 'true' or 'false'"),
        ("MONGODB_URI", "mongodb://host/?readPreference=secundary", "secundary is not a valid read preference"),
        ("MONGODB_URI", "mongodb://host/?maxPoolSize=0x", "maxpoolsize must be an integer"),
        ("MONGODB_URI", "mongodb://host/?compressors=zzz", "Unsupported compressor: zzz"),
        ("MONGODB_DATABASE", "a b", "does not have the form of the example"),
        ("MONGODB_DATABASE", "'customer_gateway'", "it stands in quotes"),
        ("JWT_SECRET", f'"{"x" * 40}"', "it stands in quotes"),
        ("MONGODB_DATABASE", "admin", "it is MongoDB's own"),
        ("MONGODB_DRIVER", "x", "'motor' or 'pymongo'"),
        ("REQUEST_TIMEOUT_SECONDS", "0", "greater than 0"),
        ("JWT_SECRET", "short", "too short"),
        ("JWKS_URL", "login.example.com", "does not have the form of the example"),
        ("OIDC_AUTHORITY", "http://login.example.com", "https:// is needed"),
        ("OIDC_AUTHORITY", "https://login.example.com;script-src", "does not have the form of the example"),
        ("OIDC_AUTHORITY", "https://user@login.example.com", "neither a password nor a fragment"),
        ("OIDC_SCOPE", "openid  profile", "does not have the form of the example"),
        ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("POINTS_TIME_ZONE", "Europe/Berln", "No time zone found with key Europe/Berln"),
        ("WALLET_PUSH_URL", "https://", "does not have the form of the example"),
        ("MAX_MAILS_PER_DAY", "9" * 20, "more than 1,000,000,000,000"),
        ("COST_PER_MINUTE", "9" * 20, "does not say how much"),
        ("JWT_ISSUER", " \n", "it is blank"),
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


NUMBERS = [" ", "-1", "0", "1e400", "9" * 25, "abc", "5s", "nan", "inf", "\u0665"]
TEXTS = ["/dev/null", "/", "x" * 5_000, "a\nb", "\udcff", "a,b", "http://", "https://[", "smtp://", "a@b", "\0"]


def read_or_refused(name: str, value: str) -> object:
    try:
        return getattr(read_settings(**{name: value}), name)
    except SettingsError as unusable:
        return str(unusable)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_whatever_a_variable_says_is_read_or_refused_in_one_line(name: str) -> None:
    for value in [*NUMBERS, *TEXTS]:
        read = read_or_refused(name, value)
        if isinstance(read, str) and " cannot be used: " in read:
            assert len(read.splitlines()) == 1, value
            assert read.startswith(f"{name.upper()} "), value
        assert not isinstance(read, int) or read <= 10**12, value


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_nobody_sees_the_spaces_around_a_value_and_they_are_left_out(name: str) -> None:
    plain = read_or_refused(name.lower(), EXAMPLES[name])  # the file of an example is not there
    for around in (" {}", "{} ", "{}\n", "\t{}\r\n"):
        assert read_or_refused(name.lower(), around.format(EXAMPLES[name])) == plain


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_misspelled_setting_is_named_with_the_one_that_is_meant(name: str) -> None:
    setting = name.upper()
    assert near_misses([setting, name]) == []
    if len(setting) < 6:
        return
    middle = len(setting) // 2
    wrong = {
        f"{setting}S",
        setting.replace("_", "", 1),
        *((setting[:middle] + setting[middle + 1] + setting[middle] + setting[middle + 2 :],) if middle > 3 else ()),
        *((f"{setting}_FILE",) if "_" in setting else ()),
    } - {each.upper() for each in Settings.model_fields}
    for each in wrong:
        (hint,) = near_misses([each])
        assert hint.startswith(f"{each} is not a setting, and is ignored. Is "), each
    assert f"Is {setting} meant?" in near_misses([f"{setting}S"])[0]


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("MAX_COSTS", "MAX_COST"),
        ("LOOKS_KEPT_DAY", "LOOKS_KEPT_DAYS"),
        ("MONGO_URI", "MONGODB_URI"),
        ("MONGODB_URL", "MONGODB_URI"),
        ("MONGODB_URI_FILE", "MONGODB_URI"),
        ("REQUEST_TIMEOUT", "REQUEST_TIMEOUT_SECONDS"),
        ("JWT_ISS", "JWT_ISSUER"),
        ("smtp_uri", "SMTP_URL"),
    ],
)
def test_what_people_mistake_for_a_setting_is_named(variable: str, meant: str) -> None:
    assert near_misses([variable]) == [f"{variable} is not a setting, and is ignored. Is {meant} meant?"]


def test_what_systems_and_clusters_set_is_not_taken_for_a_setting() -> None:
    services = ("MONGODB", "CUSTOMER_GATEWAY", "SMTP", "MAIL", "DATA", "GATEWAY", "WALLET", "JWKS", "KUBERNETES")
    ends = "SERVICE_HOST SERVICE_PORT SERVICE_PORT_HTTP PORT PORT_8000_TCP PORT_8000_TCP_ADDR PORT_8000_TCP_PROTO"
    others = """
        PATH HOME HOST HOSTNAME HOSTS HOSTTYPE MAIL MAILCHECK MAILTO MAIL_HOST MAIL_PORT SMTP_HOST SMTP_PORT SMTP_USER
        SMTP_PASSWORD DATABASE_URL DATE PORTS SHELL SHLVL TERM USER LOGNAME LANG LC_ALL TZ PWD OLDPWD EDITOR DISPLAY
        TMPDIR VIRTUAL_ENV PYTHONPATH PYTHONUNBUFFERED HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE JOURNAL_STREAM
        INVOCATION_ID LISTEN_FDS NOTIFY_SOCKET PROMETHEUS_MULTIPROC_DIR OTEL_EXPORTER_OTLP_ENDPOINT OTEL_SERVICE_NAME
        MONGO_INITDB_DATABASE MONGO_INITDB_ROOT_USERNAME GITHUB_ACTIONS CI XDG_RUNTIME_DIR SSH_AUTH_SOCK COLUMNS
    """.split()
    assert near_misses([*others, *(f"{service}_{end}" for service in services for end in ends.split())]) == []


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
