"""Resolves the viewer."""

from typing import cast

from app.schema.base import Info, Source
from app.schema.viewer import ViewerType


def viewer(info: Info) -> ViewerType | None:
    return cast(Source, info.context.viewer)
