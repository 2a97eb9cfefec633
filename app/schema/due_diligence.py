"""Declares enhanced due diligence: whether it is required, the score of each factor, and the searches behind them."""

from datetime import datetime
from typing import Any, ClassVar, cast

import strawberry
from strawberry.types.maybe import Some

from app.domain.changes import Invalid
from app.domain.listings import SEARCHES
from app.schema.base import Document, Node
from app.schema.changes import KEY, Changed
from app.schema.connection import paged
from app.schema.enums import DueDiligenceFactor, DueDiligenceScore
from app.schema.origins import Imported
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import DUE_DILIGENCE, WITH_OWNER, Access

_REASON = "The reason, at most 1,000 characters. All staff read it on the timeline."


@strawberry.type(description="A result of a search.")
class DueDiligenceResult:
    access: ClassVar[Access] = DUE_DILIGENCE

    url: str = strawberry.field(description="The address of what was found, which begins with http:// or https://.")
    details: str | None = strawberry.field(description="What was found there.")


@strawberry.type(
    description="A search for one factor, as the system that searched reported it. It is imported and never changed."
)
class DueDiligenceSearch(Imported, Node):
    access: ClassVar[Access] = DUE_DILIGENCE

    factor: DueDiligenceFactor = strawberry.field(description="What was searched for.")
    score: DueDiligenceScore = strawberry.field(description="The score that the system gave.")
    searched_at: datetime = strawberry.field(description="The time of the search.")
    next_search_at: datetime | None = strawberry.field(description="The time when the system will search again.")
    results: list[DueDiligenceResult] = strawberry.field(description="What was found; at most 100.")
    customer = owner("The customer whom the search was about.")


@strawberry.type(description="A factor of a customer's due diligence, with its scores. Null scores: nobody gave one.")
class DueDiligenceScores:
    access: ClassVar[Access] = DUE_DILIGENCE

    factor: DueDiligenceFactor = strawberry.field(description="What is looked for.")
    manual: DueDiligenceScore | None = strawberry.field(description="The score that a person set.")
    automatic: DueDiligenceScore | None = strawberry.field(description="The score of the newest search.")
    effective: DueDiligenceScore | None = strawberry.field(
        description="The score that counts: the manual one, else the automatic one."
    )
    manual_by: Actor | None = strawberry.field(description="The person who set the manual score.")
    manual_at: datetime | None = strawberry.field(description="The time when the manual score was set.")


@strawberry.type(
    description="The enhanced due diligence of a customer. What is required and manual scores are decided here; "
    "searches and automatic scores are imported."
)
class DueDiligence:
    access: ClassVar[Access] = DUE_DILIGENCE

    @strawberry.field(description="A stable id per customer for client caches. Not a node.")
    @staticmethod
    def id(diligence: strawberry.Parent[Document]) -> strawberry.ID:
        return strawberry.ID(f"{diligence['_id']}.dueDiligence")

    required: bool = strawberry.field(
        description="Whether it is required. It is recorded here and enforced by the systems that ask."
    )
    next_search_at: datetime | None = strawberry.field(description="The time of the next search, for any factor.")
    factors: list[DueDiligenceScores] = strawberry.field(description="All four factors, whether scored or not.")
    searches = paged(SEARCHES, DueDiligenceSearch, description="All searches, newest first.")


# ---------------------------------------------------------------- changes


@strawberry.input(description="Whether due diligence is required of a customer.")
class RequireDueDiligenceInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    required: bool = strawberry.field(description="Whether it is required from now on.")
    reason: str = strawberry.field(description=_REASON)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `requireDueDiligence`. If nothing was to change, `activity` is null.")
class RequireDueDiligencePayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.input(description="A manual score of one factor.")
class DueDiligenceScoreInput:
    factor: DueDiligenceFactor = strawberry.field(description="The factor.")
    score: strawberry.Maybe[DueDiligenceScore | None] = strawberry.field(
        description="The score, which stands over the automatic one. Null clears the manual score; leaving it out is "
        "refused."
    )


@strawberry.input(description="Manual scores to set or to clear. Factors that are left out stay as they are.")
class SetDueDiligenceScoresInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    scores: list[DueDiligenceScoreInput] = strawberry.field(description="The scores, of 1 to 4 different factors.")
    reason: str = strawberry.field(description=_REASON)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `setDueDiligenceScores`. If nothing was to change, `activity` is null.")
class SetDueDiligenceScoresPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


def scores_of(input: SetDueDiligenceScoresInput) -> list[tuple[str, str | None]]:
    """Returns the factors and their scores; None clears one. Raises Invalid for a score that is left out."""
    scores: list[tuple[str, str | None]] = []
    for place, each in enumerate(input.scores):
        if each.score is None:
            raise Invalid("Give a score, or null to clear it.", "scores", str(place), "score")
        score = cast(Some[Any], each.score).value
        scores.append((DueDiligenceFactor(each.factor).value, score and DueDiligenceScore(score).value))
    return scores
