"""Admits those who follow the changes of all customers."""

from typing import cast

from app.domain.access import Permission
from app.domain.cursors import DEFAULT_SIZE, page_request_of
from app.domain.feed import FeedExpired
from app.domain.listings import FEED
from app.domain.paging import Page, Sorting
from app.schema.base import Info, Source
from app.schema.connection import After, First, selection_of
from app.schema.feed import CustomerChanges


async def changes(info: Info, first: First = DEFAULT_SIZE, after: After = None) -> CustomerChanges | None:
    """Returns a page of the feed.

    Numbers have no gaps, so that a gap tells of what was deleted: raises FeedExpired. Raises BadUserInput, BadCursor.
    """
    viewer, loaders = info.context.viewer, info.context.loaders
    viewer.require(Permission.FOLLOW_CHANGES)
    selection = selection_of(FEED, viewer.roles, sorting=Sorting("SEQUENCE", descending=False))
    asked = page_request_of(selection, "", first=first, after=after, last=None, before=None)
    page: Page | None = await loaders.pages.defer("", asked)
    if page is not None and asked.position and asked.size:
        (told,) = asked.position
        if page.rows[0]["sequence"] != told + 1 if page.rows else await loaders.feed.lacks_after(told):
            raise FeedExpired
    return cast(Source, page)
