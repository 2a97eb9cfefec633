"""Makes tokens without an issuer of tokens: for development and the demo, never for `serve`."""

import secrets
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from app.domain.access import Role
from app.environment import Settings, SettingsError
from app.http.tokens import issue


def with_issuer(settings: Settings) -> Settings:
    """Returns settings with an issuer, and a secret kept beside the data if the environment names no keys."""
    issuer = settings.jwt_issuer or "development"
    if settings.jwks_url or settings.jwt_secret:
        return settings.model_copy(update={"jwt_issuer": issuer})
    kept = _secret_file(settings)
    if not kept.exists():
        settings.data.mkdir(parents=True, exist_ok=True)
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(48))
    return settings.model_copy(update={"jwt_secret": SecretStr(kept.read_text()), "jwt_issuer": issuer})


def has_secret(settings: Settings) -> bool:
    """Returns whether a demo made a secret beside the data."""
    return _secret_file(settings).exists()


def _secret_file(settings: Settings) -> Path:
    return settings.data / "jwt-secret"


def development_token(
    settings: Settings,
    role: Role,
    *,
    subject: str | None = None,
    name: str | None = None,
    customer_id: str | None = None,
    affiliate_id: str | None = None,
) -> str:
    """Returns a token, valid for a week. Raises SettingsError where only the issuer of JWKS_URL could make one."""
    if settings.jwt_secret is None:
        raise SettingsError("JWT_SECRET is not set: with JWKS_URL, tokens come from the issuer whose keys it has.")
    return issue(
        settings.jwt_secret.get_secret_value(),
        roles=[role],
        subject=subject or role.lower(),
        name=name or title(role),
        issuer=settings.jwt_issuer or "",
        audience=settings.jwt_audience,
        lifetime=timedelta(days=7),
        names=settings,
        customer_id=customer_id,
        affiliate_id=affiliate_id,
    )


def people(settings: Settings) -> dict[str, str]:
    """Returns a token for each role, an agent's first; the customer is C-100001, the affiliate has customers."""
    from app.demo.sample.people import AFFILIATE, AGENTS, customer_id

    agents = {agent["accessLevel"]: agent for agent in AGENTS}
    ids: dict[Role, dict[str, str | None]] = {
        Role.CUSTOMER: {"customer_id": customer_id("C-100001")},
        Role.AFFILIATE: {"affiliate_id": AFFILIATE["id"]},
    }
    return {
        title(role): development_token(
            settings,
            role,
            subject=agents.get(role, {}).get("id"),
            name=agents.get(role, {}).get("name"),
            **ids.get(role, {}),
        )
        for role in sorted(Role, key=lambda role: role != Role.CUSTOMER_SERVICE_AGENT)
    }


def title(role: Role) -> str:
    return role.replace("_", " ").capitalize()
