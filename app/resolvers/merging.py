"""Admits merges of customers."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from app.domain.access import Permission
from app.domain.changes import NotFound
from app.domain.ids import check_id
from app.domain.refusals import BadUserInput, Refusal
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
    check_id(into_id, "intoId", expected="customers")
    kept = _read(ids, keep)
    into, *sources = await asyncio.gather(*(document_of(info, each) for each in (into_id, *ids)))
    try:
        merging.check_named(into_id, ids, kept)
        if into is None or None in sources:
            return None
        merging.check_ids(into_id, ids, kept)
    except NotFound:
        return None
    except Refusal as refusal:
        raise BadUserInput(str(refusal), *refusal.field) from None
    preview = await merging.preview(info.context.changes.store, into, sources, dict(kept), info.context.now)
    return _shown(preview)


def _shown(preview: merging.MergeOutlook) -> Source:
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
        kept, expected = _read(input.ids, input.keep), dict[str, int]()
        for each in input.expected_revisions or ():
            check_id(each.customer_id, "expectedRevisions", "customerId", expected="customers")
            expected[each.customer_id] = each.revision
        return await merging.merge(
            of,
            input.into_id,
            input.ids,
            keep=kept,
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


def _read(ids: Sequence[str], keep: Sequence[schema.MergeKeepInput] | None) -> list[tuple[MergeField, str]]:
    """Returns by field whose value stands. Raises BadUserInput for a malformed id."""
    for each in ids:
        check_id(each, "ids", expected="customers")
    for each in keep or ():
        check_id(each.from_id, "keep", "fromId", expected="customers")
    return [(MergeField(each.field), each.from_id) for each in keep or ()]
