"""Bearer tokens of the tests' own issuer."""

from datetime import timedelta
from typing import Any

from app.domain.access import Role
from app.http.tokens import issue

SECRET = "a secret of the tests, 32 bytes or more"
AUTHORITY: dict[str, Any] = {"issuer": "https://issuer.example", "audience": "tests"}


def token(*roles: Role, **claims: Any) -> str:
    """Issues a token, an administrator's by default."""
    who: dict[str, Any] = {"subject": "tess", "name": "Tess Tester", "lifetime": timedelta(hours=1), **claims}
    return issue(SECRET, roles=roles or (Role.ADMIN,), **AUTHORITY, **who)
