"""Reads what the environment decides, once; an unusable value stops the start with a message that names it."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.catalogue import read_own
from app.delivery.mail import MailServer, sender_of
from app.domain.executors import usable_url
from app.domain.search import usable_region
from app.domain.signatures import secret_of
from app.services.executors import usable_executors
from app.services.letters import usable_letters
from app.services.mappings import usable_mappings
from app.settings import MOST, ClaimNames, Limits
from app.store.driver import ReadsAside, usable_uri

T = TypeVar("T")
LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
_SIMILARITY: Final = 0.87
"""From which on a name is taken for a mistyped setting: MONGO_INITDB_DATABASE (0.86) is not, MAX_COSTS (0.94) is."""
_SHORTEST_HINT: Final = 6
"""HOSTS, PORT1 or DATE are others' more often than ours."""

EXAMPLES: Final = {
    "MONGODB_URI": "mongodb://127.0.0.1:27017/?replicaSet=rs0",
    "MONGODB_DATABASE": "customer_gateway",
    "MONGODB_DRIVER": "motor",
    "REPORTS_READ_FROM": "secondaryPreferred",
    "EXECUTOR": "graphql-core",
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "DATA": ".data/mongodb",
    "JWKS_URL": "https://login.example.com/.well-known/jwks.json",
    "JWT_SECRET": "at-least-32-bytes-for-development-only",
    "JWT_ISSUER": "https://login.example.com/",
    "JWT_AUDIENCE": "customer-gateway",
    "OIDC_AUTHORITY": "https://login.example.com",
    "OIDC_CLIENT_ID": "customer-desk",
    "REQUEST_TIMEOUT_SECONDS": "5",
    "SMTP_URL": "smtp://user:password@mail.example.com:587",
    "MAIL_FROM": "Customer service <service@example.com>",
    "CATALOGUE": "/etc/customer-gateway/catalogue.toml",
    "MAPPINGS": "/etc/customer-gateway/mappings",
    "LETTERS": "/etc/customer-gateway/letters",
    "REQUEST_EXECUTORS": "/etc/customer-gateway/executors.toml",
    "WALLET_PUSH_URL": "https://wallet.example.com/pushes",
    "WALLET_PUSH_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "DELIVERY_TIMEOUT_SECONDS": "30",
    "DELIVERY_GIVE_UP_HOURS": "24",
    "POINTS_TIME_ZONE": "Europe/Oslo",
    "PHONE_REGION": "DE",
    "LOG_LEVEL": "INFO",
    "CORS_ORIGINS": "https://desk.example.com https://portal.example.com",
    "INTROSPECTION_ROLES": "ADMIN API_USER",
    "TRUSTED_DOCUMENTS": "ALLOW CUSTOMER=ONLY",
}


def _usable(read: Callable[[T], object]) -> Callable[[T], T]:
    """Returns a check that ``read`` can read a text, and leaves it as it is."""

    def usable(text: T) -> T:
        read(text)
        return text

    return usable


def _check_database(name: str) -> None:
    """Raises ValueError for a database of MongoDB itself: two take no transactions, and ``admin`` holds its users."""
    if name.lower() in ("admin", "config", "local"):
        raise ValueError("it is MongoDB's own; name another one, and give authSource in MONGODB_URI")


def _usable_secret(secret: SecretStr) -> SecretStr:
    secret_of(secret.get_secret_value())
    return secret


def _usable_authority(url: str) -> str:
    """Returns the address unchanged. Raises ValueError."""
    parts = urlsplit(usable_url(url))
    # Its origin becomes a word of the pages' policy.
    if parts.query or not re.fullmatch(r"[a-z0-9.:\[\]-]+", parts.netloc, re.ASCII | re.IGNORECASE):
        raise ValueError("it does not have the form of the example")
    return url


WebAddress: TypeAlias = Annotated[str, Field(pattern=r"^https?://[^\s/]"), AfterValidator(_usable(urlsplit))]


# All are frozen, and pydantic merges their configurations.
class Settings(BaseSettings, Limits, ClaimNames):  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    """The settings have one attribute per variable: ``mongodb_uri`` is MONGODB_URI."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    mongodb_uri: Annotated[str, Field(pattern=r"^mongodb(\+srv)?://"), AfterValidator(usable_uri)] | None = Field(
        None, description="Where MongoDB is, a replica set. Unset: the demo, the tests and the tools run their own."
    )
    mongodb_database: Annotated[
        str, Field(pattern=r'^[^/\\. "$\x00]{1,63}$'), AfterValidator(_usable(_check_database))
    ] = Field("customer_gateway", description="The database's name.")
    mongodb_driver: Literal["motor", "pymongo"] = Field("motor", description="Motor, or PyMongo's asynchronous client.")
    reports_read_from: Literal["secondary", "secondaryPreferred"] | None = Field(
        None,
        description="Where the report and exports are read, so that they leave the primary alone (docs/scale.md). "
        "Unset: the report is read as other queries are, and exports from the primary.",
    )
    reports_max_staleness_seconds: Annotated[int, Field(ge=90, le=86_400)] = Field(
        120, description="How far a secondary that they are read from may be behind the primary."
    )
    executor: Literal["compiled", "graphql-core"] = Field(
        "compiled", description="What executes read queries: plans of ours, or graphql-core, several times as slow."
    )
    host: Annotated[str, Field(min_length=1)] = Field("127.0.0.1", description="The address to listen on.")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(8000, description="The port to listen on; 0 takes a free one.")
    jwks_url: WebAddress | None = Field(None, description="Where the issuer of tokens publishes its keys.")
    jwt_secret: Annotated[SecretStr, Field(min_length=32)] | None = Field(
        None, description="Instead of JWKS_URL, for development: a secret shared with the issuer."
    )
    jwt_issuer: str | None = Field(None, description="The `iss` that tokens must have.")
    jwt_audience: str = Field("customer-gateway", description="The `aud` that tokens must have.")
    oidc_authority: Annotated[str, AfterValidator(_usable_authority)] | None = Field(
        None,
        description="Where people sign in to the desk and GraphiQL (OpenID Connect): the issuer's address. "
        "Unset: they bring a token.",
    )
    oidc_client_id: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="What the desk and GraphiQL are called there: a public client with PKCE."
    )
    oidc_scope: Annotated[str, Field(pattern=r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$")] = Field(
        "openid",
        description="What they ask for there, with spaces between; some give refresh tokens for `offline_access`.",
    )
    data: Path = Field(Path(".data/mongodb"), description="The folder of the MongoDB that we run ourselves.")
    request_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        5, description="How long the database may take to be found or to answer."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        5, description="How long `serve` answers on after SIGTERM, not ready, until everybody has heard of it."
    )
    smtp_url: Annotated[str, AfterValidator(_usable(MailServer.of))] | None = Field(
        None, description="Where mails go; smtps:// is TLS from the start. Unset: they wait for a process that has it."
    )
    mail_from: Annotated[str, AfterValidator(_usable(sender_of))] | None = Field(
        None, description="The sender of mails, with or without a name."
    )
    letters: Annotated[Path, AfterValidator(usable_letters)] | None = Field(
        None, description="A folder with letters of your own (docs/letters.md). Those that are not in it are ours."
    )
    catalogue: Annotated[Path, AfterValidator(_usable(read_own))] | None = Field(
        None,
        description="A file with activity types of your own systems, and titles in other languages "
        "(docs/catalogue.md).",
    )
    mappings: Annotated[Path, AfterValidator(usable_mappings)] | None = Field(
        None,
        description="A folder with mappings, by which `POST /import` takes exports of other systems (docs/import.md).",
    )
    request_executors: Annotated[Path, AfterValidator(usable_executors)] | None = Field(
        None,
        description="A file that says which systems do what agents ask for (docs/requests.md). "
        "Unset: agents do it there, "
        "and say so here.",
    )
    wallet_push_url: WebAddress | None = Field(
        None,
        description="The wallet service, which is informed of passes to update. Unset: pushPass says WALLET_OFF.",
    )
    wallet_push_secret: Annotated[SecretStr, AfterValidator(_usable_secret)] | None = Field(
        None, description="What the requests to it are signed with (Standard Webhooks)."
    )
    delivery_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        30, description="How long handing one mail or wallet message over may take."
    )
    delivery_give_up_hours: Annotated[float, Field(gt=0, le=168)] = Field(
        24, description="How long that is tried again before it is given up."
    )
    max_sends_of_a_mail: PositiveInt = Field(
        5, description="The most deliveries of one mail in a day, whoever asks for them."
    )
    max_mails_per_day: PositiveInt = Field(
        20, description="The most mails to one customer, and to one address, in a day."
    )
    export_kept_hours: Annotated[float, Field(gt=0, le=720)] = Field(
        24, description="How long the file of an export is kept."
    )
    export_link_minutes: Annotated[float, Field(gt=0, le=1_440)] = Field(
        5, description="How long a link to it is good; each look at the export makes a new one."
    )
    max_unfinished_exports: PositiveInt = Field(3, description="The most exports of one subject that are not finished.")
    looks_kept_days: Annotated[int, Field(ge=0, le=3_650)] = Field(
        365, description="How long it is kept who looked at customers' records; 0 records nothing."
    )
    points_time_zone: Annotated[str, AfterValidator(_usable(ZoneInfo))] = Field(
        "UTC", description="Where the points' programme is: a day of points ends at midnight there."
    )
    phone_region: Annotated[str, AfterValidator(_usable(usable_region))] | None = Field(
        None, description="Where phone numbers without a country code are from, by two letters, for `search`."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least that is logged.")
    access_log: bool = Field(
        False, description="Whether each request is logged: who, path, status. Never its query or its body."
    )
    graphiql: Literal["on", "off"] = Field(
        "on",
        description="Whether `serve` has GraphiQL and the desk for browsers; a visitor signs in there, or brings a "
        "token. The demo always has both.",
    )
    cors_origins: Annotated[str, Field(pattern=r"^https?://[^\s/,*]+( +https?://[^\s/,*]+)*$")] | None = Field(
        None, description="Which other origins' pages may call us, with spaces between them. Unset: none."
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _plain(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        """Reads a text without the spaces and line breaks around it, which nobody sees. Raises ValueError."""
        if isinstance(value, str):
            value = value.strip()
            if not value:
                raise ValueError("it is blank; leave it empty for the default")
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                raise ValueError("it stands in quotes, which are part of it here, as in a file for docker --env-file")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise ValueError("it is not UTF-8")
        try:
            usable = read(value)
        except LookupError as unknown:  # a time zone
            raise ValueError(str(unknown.args[0])) from None
        except OSError as unreadable:
            raise ValueError(f"it cannot be read: {unreadable.strerror}") from None
        if isinstance(usable, int) and usable > MOST:
            raise ValueError(f"it is more than {MOST:,}")
        return usable


class SettingsError(Exception):
    """Raised with a line for each variable that cannot be used: its name, its fault, an example.

    The command line prints it and ends.
    """


def read_settings(**given: object) -> Settings:
    """Reads the environment; ``given`` (the command line's options) wins. Raises SettingsError."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # pyright: ignore[reportArgumentType] # pydantic judges
    except ValidationError as invalid:
        lines = [
            f"{name.upper()} cannot be used: {_fault(error)}. Example: {name.upper()}={_example(name)}"
            for error in invalid.errors(include_input=False, include_url=False)
            for name in [str(error["loc"][0])]
        ]
        raise SettingsError("\n".join(lines)) from None


def near_misses(variables: Iterable[str]) -> list[str]:
    """Returns a sentence for each variable that is not a setting and looks like one that was meant."""
    settings = [name.upper() for name in Settings.model_fields]
    meant = {name: _meant(name.upper(), settings) for name in sorted(variables)}
    return [
        f"{name} is not a setting, and is ignored. Is {setting} meant?" for name, setting in meant.items() if setting
    ]


def _meant(name: str, settings: Iterable[str]) -> str | None:
    """Returns the setting that a name nearly is: mistyped, cut off, or with a word more; None for a setting itself."""
    if name in settings or len(name) < _SHORTEST_HINT:
        return None
    longer = [each for each in settings if "_" in name and each.startswith(name)]
    shorter = [each for each in settings if "_" in each and name.startswith(f"{each}_")]
    close = get_close_matches(name, settings, n=1, cutoff=_SIMILARITY)
    return next(iter([*close, *longer, *sorted(shorter, key=len, reverse=True)]), None)


def with_pairs(settings: Settings) -> Settings:
    """Returns the settings unchanged. Raises SettingsError if a variable is set without another that it needs."""
    pairs = (
        ("smtp_url", "mail_from"),
        ("wallet_push_url", "wallet_push_secret"),
        ("oidc_authority", "oidc_client_id"),
        ("oidc_client_id", "oidc_authority"),
    )
    for name, needed in pairs:
        if getattr(settings, name) and not getattr(settings, needed):
            name, needed = name.upper(), needed.upper()
            raise SettingsError(f"{name} is set, but {needed} is not. Example: {needed}={EXAMPLES[needed]}")
    return settings


def reads_aside(settings: Settings) -> ReadsAside | None:
    """Returns where reports and exports are read, if not as queries are."""
    if settings.reports_read_from is None:
        return None
    return ReadsAside(settings.reports_read_from, settings.reports_max_staleness_seconds)


def _example(name: str) -> str:
    return EXAMPLES.get(name.upper()) or str(Settings.model_fields[name].default)


_PLAINER: Final = {
    "string_pattern_mismatch": "it does not have the form of the example",
    "too_short": "it is too short",
}


def _fault(error: ErrorDetails) -> str:
    """Returns Pydantic's words, except where they mean little to people who set variables."""
    return _PLAINER.get(error["type"]) or " ".join(error["msg"].removeprefix("Value error, ").split()).rstrip(".")
