"""Decides what enhanced due diligence knows of a customer: whether it is required, and the score of each factor. Pure.

A person's score stands over an automatic one, until the person takes it away. Automatic scores are those of the
searches that other systems report; of each factor the newest search counts.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from app.domain.changes import Invalid
from app.domain.moments import ORDER
from app.domain.vocabulary import DueDiligenceFactor, DueDiligenceScore

Document = dict[str, Any]
MAX_RESULTS: Final = 100
"""Results of one search."""
DETAILS_AT_MOST: Final = 1_000
_FACTORS: Final = [*DueDiligenceFactor]
_SCORES: Final = [*DueDiligenceScore]
_OF_SEARCH: Final = ("automatic", "searchedAt", ORDER, "nextSearchAt")
_OF_PERSON: Final = ("manual", "manualBy", "manualAt")


def state_of(stored: Mapping[str, Any] | None) -> Document:
    """Returns what is known of a customer by what is stored: every factor, in the order of the vocabulary."""
    known = _by_factor(stored)
    factors = [{"factor": each.value, **known.get(each, {})} for each in _FACTORS]
    return {
        "required": is_required(stored),
        "nextSearchAt": min((each["nextSearchAt"] for each in known.values() if "nextSearchAt" in each), default=None),
        "factors": [{**each, "effective": effective(each)} for each in factors],
    }


def is_required(stored: Mapping[str, Any] | None) -> bool:
    return bool(stored and stored["required"])


def effective(factor: Mapping[str, Any]) -> str | None:
    """Returns the score that counts: the manual one if there is one, else the automatic one."""
    return factor.get("manual") or factor.get("automatic")


# ---------------------------------------------------------------- changes


def require(stored: Mapping[str, Any] | None, *, required: bool) -> Document:
    return _stored(_by_factor(stored), required=required)


def searched(stored: Mapping[str, Any] | None, search: Mapping[str, Any]) -> Document:
    """Returns what is stored after a search: its factor's automatic score is of the newest one, by time and order."""
    known = _by_factor(stored)
    factor = known.get(search["factor"], {})
    moment = (search["searchedAt"], search[ORDER])
    if "searchedAt" not in factor or moment > (factor["searchedAt"], factor[ORDER]):
        found = {"automatic": search["score"], "searchedAt": search["searchedAt"], ORDER: search[ORDER]}
        if "nextSearchAt" in search:
            found["nextSearchAt"] = search["nextSearchAt"]
        known[search["factor"]] = {**_only(factor, "factor", *_OF_PERSON), "factor": search["factor"], **found}
    return _stored(known, required=is_required(stored))


def check_scores(given: Sequence[tuple[str, Any]]) -> None:
    """Raises Invalid for scores of no factor, or of one factor twice."""
    if not 1 <= len(given) <= len(_FACTORS):
        raise Invalid(f"Give the scores of 1 to {len(_FACTORS)} factors.", "scores")
    for place, (factor, _) in enumerate(given):
        if factor in [name for name, _ in given[:place]]:
            raise Invalid(f"{factor} is given twice.", "scores", str(place), "factor")


def with_scores(
    stored: Mapping[str, Any] | None, scores: Mapping[str, str | None], by: Mapping[str, Any], at: datetime
) -> tuple[Document, Sequence[str]]:
    """Returns what is stored with these manual scores, and the factors whose score changed; None takes one away."""
    known = _by_factor(stored)
    changed = [factor for factor, score in scores.items() if known.get(factor, {}).get("manual") != score]
    for factor in changed:
        manual = {"manual": scores[factor], "manualBy": by, "manualAt": at} if scores[factor] else {}
        known[factor] = {"factor": factor, **_only(known.get(factor, {}), *_OF_SEARCH), **manual}
    return _stored(known, required=is_required(stored)), changed


# ---------------------------------------------------------------- merging


def merged(several: Sequence[Mapping[str, Any] | None]) -> Document | None:
    """Returns what is stored of customers who become one: the strictest of all; None if nothing is stored of any."""
    known = [_by_factor(each) for each in several]
    if not any(several):
        return None
    named = dict.fromkeys(factor for each in known for factor in each)
    factors = {factor: _strictest([each[factor] for each in known if factor in each]) for factor in named}
    return _stored(factors, required=any(map(is_required, several)))


def _strictest(entries: Sequence[Document]) -> Document:
    """Returns the factor whose effective score is the worst of these, of equal ones the first that a person scored."""
    worst = max(entries, key=lambda each: (_place(effective(each)), "manual" in each))
    found = _only(worst, "automatic")
    if not found and (others := [each["automatic"] for each in entries if "automatic" in each]):
        found = {"automatic": max(others, key=_place)}  # what counts once the manual score is cleared
    # Only what is searched after all these searches is news.
    newest = max(((each["searchedAt"], each[ORDER]) for each in entries if "searchedAt" in each), default=None)
    if newest:
        found |= {"searchedAt": newest[0], ORDER: newest[1]}
    if due := [each["nextSearchAt"] for each in entries if "nextSearchAt" in each]:
        found["nextSearchAt"] = min(due)
    return {**_only(worst, "factor", *_OF_PERSON), **found}


def _place(score: str | None) -> int:
    return _SCORES.index(DueDiligenceScore(score)) if score else -1


# ---------------------------------------------------------------- what is stored


def _by_factor(stored: Mapping[str, Any] | None) -> dict[str, Document]:
    return {each["factor"]: each for each in stored["factors"]} if stored else {}


def _stored(known: Mapping[str, Document], *, required: bool) -> Document:
    factors = [known[factor] for factor in _FACTORS if len(known.get(factor, ())) > 1]  # of more than its name
    return {"required": required, "factors": factors}


def _only(factor: Mapping[str, Any], *keys: str) -> Document:
    return {key: factor[key] for key in keys if key in factor}
