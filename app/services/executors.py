"""Reads which systems are asked, and a company's own kinds of requests, from one file: docs/requests.md."""

import re
import tomllib
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.catalogue.external_requests import REQUEST_KINDS, RequestGroup, RequestGuard, RequestKind
from app.catalogue.model import AttributeKind, CatalogueAttribute
from app.domain.executors import Endpoint, Executors, usable_url
from app.domain.signatures import secret_of

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)


def _usable_secret(text: str) -> str:
    secret_of(text)
    return text


class _Endpoint(BaseModel):
    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,49}$")
    url: Annotated[str, AfterValidator(usable_url)]
    secrets: Annotated[tuple[Annotated[str, AfterValidator(_usable_secret)], ...], Field(min_length=1, max_length=2)]
    kinds: tuple[str, ...]
    private: bool = False

    @property
    def row(self) -> Endpoint:
        secrets = tuple(secret_of(each) for each in self.secrets)
        return Endpoint(self.name, self.url, secrets, frozenset(self.kinds), self.private)


class _Attribute(BaseModel):
    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z][A-Za-z0-9]{0,49}$")
    label: str = Field(min_length=1, max_length=100)
    kind: AttributeKind = AttributeKind.TEXT
    required: bool = True
    personal: bool = True


class _Kind(BaseModel):
    model_config = _STRICT

    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,49}$")
    title: str = Field(min_length=1, max_length=100)
    description: str = Field(min_length=1, max_length=500)
    group: RequestGroup = RequestGroup.OTHER
    guard: Literal[RequestGuard.NONE, RequestGuard.ONE_OPEN] = RequestGuard.ONE_OPEN
    gives_link: bool = False
    due_after_hours: float = Field(24, gt=0, le=24 * 365)
    attributes: tuple[_Attribute, ...] = ()

    @model_validator(mode="after")
    def _own(self) -> "_Kind":
        if self.code in REQUEST_KINDS:
            raise ValueError(f"{self.code} is a kind of the gateway's own")
        names = [each.name for each in self.attributes]
        if len({*names}) < len(names):
            raise ValueError(f"{self.code} has two attributes of one name")
        return self

    @property
    def row(self) -> RequestKind:
        attributes = (CatalogueAttribute(**each.model_dump()) for each in self.attributes)
        return RequestKind(
            self.code,
            self.title,
            self.description,
            self.group,
            "REQUEST_OTHER",
            tuple(attributes),
            guard=self.guard,
            gives_link=self.gives_link,
            due_after=timedelta(hours=self.due_after_hours),
        )


class _File(BaseModel):
    model_config = _STRICT

    endpoints: tuple[_Endpoint, ...] = ()
    kinds: tuple[_Kind, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "_File":
        if not (self.endpoints or self.kinds):
            raise ValueError("it has neither endpoints nor kinds")
        own = [each.code for each in self.kinds]
        if len({*own}) < len(own):
            raise ValueError("two kinds have one code")
        names = [each.name for each in self.endpoints]
        if len({*names}) < len(names):
            raise ValueError("two endpoints have one name")
        served = [kind for each in self.endpoints for kind in each.kinds]
        if len({*served}) < len(served):
            raise ValueError("a kind has two endpoints")
        if strangers := {*served} - {*own, *REQUEST_KINDS}:
            raise ValueError(f"no kind is called {' or '.join(sorted(strangers))}")
        return self


@cache
def executors_of(path: Path | None) -> Executors:
    """Returns what the file says; without one, people do it all. Raises ValueError as `read_executors` does."""
    return read_executors(path) if path else Executors()


def read_executors(path: Path) -> Executors:
    """Returns what the file says. Raises ValueError with what is wrong with it, and no secret of it."""
    try:
        read = _File.model_validate(tomllib.loads(path.read_text()))
    except OSError as fault:
        raise ValueError(f"{path} cannot be read: {fault.strerror}") from None
    except tomllib.TOMLDecodeError as fault:
        raise ValueError(f"{path} is not TOML: {fault}") from None
    except ValidationError as fault:
        faults = [(".".join(map(str, each["loc"])), each["msg"]) for each in fault.errors()]
        said = "; ".join(re.sub(r"^: ", "", f"{place}: {message}") for place, message in faults)
        raise ValueError(f"{path}: {said}") from None
    own = {each.code: each.row for each in read.kinds}
    return Executors({**REQUEST_KINDS, **own}, {each.name: each.row for each in read.endpoints})


def usable_executors(path: Path) -> Path:
    """Returns the path of a file that can be read. Raises ValueError."""
    read_executors(path)
    return path
