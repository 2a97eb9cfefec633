"""Admits merges of customers."""

from collections.abc import Sequence
from typing import Annotated

from app.domain.access import Permission
from app.domain.changes import Invalid
from app.domain.ids import check_id
from app.domain.refusals import BadUserInput
from app.domain.vocabulary import MergeField
from app.resolvers.payloads import Input, document_of, make
from app.schema import changes
from app.schema import merging as schema
from app.schema.base import Document, Info, Source
from app.services import merging
from app.services.changes import Changes, Wrote


async def preview_merge(
    info: Info, into_id: schema.SurvivorId, ids: schema.MergedIds, keep: schema.Kept = None
) -> schema.MergePreview | None:
    info.context.viewer.require(Permission.MERGE_CUSTOMERS)
    _check_ids(into_id, ids, "intoId", "ids")
    kept = _kept(keep)
    try:
        merging.check_ids(into_id, ids, kept)
    except Invalid as refusal:
        raise BadUserInput(str(refusal), *refusal.field) from None
    customers = [await document_of(info, each) for each in (into_id, *ids)]
    for place, customer in enumerate(customers):
        if customer is None:
            raise BadUserInput("There is no such customer.", *(("ids", str(place - 1)) if place else ("intoId",)))
    into, *sources = customers
    preview = await merging.preview(info.context.changes.store, into, sources, dict(kept), info.context.now)
    return _shown(preview)


def _shown(preview: merging.Preview) -> Source:
    return {
        "fields": [
            {"field": each.field, "kept": each.kept, "fromId": each.from_id, "dropped": each.dropped}
            for each in preview.merged.fields
        ],
        "counts": [{"list": name, "count": count} for name, count in preview.counts.items()],
        "points": {
            "before": [{"customerId": each, "points": points} for each, points in preview.balances.items()],
            "after": preview.after,
        },
        "warnings": preview.merged.warnings,
        "blockers": [
            {"customerId": each.customer_id, "error": changes.user_errors_of(each.refusal)[0]}
            for each in preview.blockers
        ],
    }


async def merge_customers(
    info: Info, input: Annotated[schema.MergeCustomersInput, Input]
) -> schema.MergeCustomersPayload | None:
    async def merge(of: Changes, _into: Document) -> Wrote:
        for place, each in enumerate(input.ids):
            check_id(each, "ids", str(place), expected="customers")
        expected: dict[str, int] = {each.customer_id: each.revision for each in input.expected_revisions or ()}
        return await merging.merge(
            of,
            input.into_id,
            input.ids,
            keep=_kept(input.keep),
            expected_revisions=expected,
            reason=input.reason,
            key=input.idempotency_key,
        )

    return await make(info, "mergeCustomers", Permission.MERGE_CUSTOMERS, ("customers", "intoId", input.into_id), merge)


async def unmerge(info: Info, input: Annotated[schema.UnmergeInput, Input]) -> schema.UnmergePayload | None:
    return await make(
        info,
        "unmerge",
        Permission.MERGE_CUSTOMERS,
        ("merges", "mergeId", input.merge_id),
        lambda of, merge: merging.unmerge(of, merge, reason=input.reason, key=input.idempotency_key),
    )


def _check_ids(into_id: str, ids: Sequence[str], *names: str) -> None:
    check_id(into_id, names[0], expected="customers")
    for place, each in enumerate(ids):
        check_id(each, names[1], str(place), expected="customers")


def _kept(keep: Sequence[schema.MergeKeepInput] | None) -> list[tuple[MergeField, str]]:
    return [(MergeField(each.field), each.from_id) for each in keep or ()]
