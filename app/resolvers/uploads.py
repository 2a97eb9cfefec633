"""Admits uploads."""

from functools import partial
from typing import Annotated

from app.domain.access import Permission
from app.resolvers.payloads import Input, make_new
from app.schema import uploads as schema
from app.schema.base import Info
from app.services import uploads


async def create_upload(
    info: Info, input: Annotated[schema.CreateUploadInput, Input]
) -> schema.CreateUploadPayload | None:
    create = partial(
        uploads.create,
        name=input.name,
        mime_type=input.mime_type,
        size=input.bytes,
        sha256=input.sha256,
        key=input.idempotency_key,
    )
    return await make_new(info, "createUpload", Permission.ADD_NOTE, create)
