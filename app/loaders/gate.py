"""Lets documents in: those that the viewer may see, as the viewer may see them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from app.domain import segments
from app.domain.access import Masks, Role, Viewer, request_rows
from app.domain.ids import collection_of
from app.store.driver import Document, Store
from app.store.schema import ROWS_OF_CUSTOMERS

MasksFor = Callable[[frozenset[Role]], Masks]
_ASKERS: Final = {"exports": "requestedBy", "uploads": "createdBy"}
"""Where a document names its asker, if nobody else sees it."""


class Gate:
    """For an administrator it stands open; other staff pay no copy and no command either.

    A document is masked by those of the viewer's roles that reach its owner (``Viewer.roles_on``). Rows of an admitted
    owner need only be ``masked``.
    """

    def __init__(self, store: Store, viewer: Viewer, masks_for: MasksFor) -> None:
        self._store, self._viewer = store, viewer
        own = viewer.roles_on(viewer.customer_id or "")
        self._own = own_masks = masks_for(own)
        self.masks = masks_for(viewer.roles_on("") or own)
        """Those of customers who are not the viewer."""
        masks = self.masks
        self._hidden = own_masks.hidden | masks.hidden
        self.moving: dict[str, tuple[str, ...]] = {}
        """Of customers who are being merged: whose rows theirs are for now (`parts`)."""
        self._open = own == viewer.roles_on("") and not (masks.hidden or masks.changes or viewer.activity_rows)

    async def admitted(
        self, documents: Mapping[str, Document], customer_keys: Collection[str] | None = None
    ) -> Mapping[str, Document]:
        """Returns by id the documents whose owner the viewer sees. It takes one command for an affiliate, else none.

        Of customers only ``customer_keys`` may be looked at, and what is there; None means everything.
        """
        self.notice(documents.values())
        if self._open:
            return documents
        owners = {node_id: _owner(document) for node_id, document in documents.items()}
        seen = None if self._viewer.sees_all_customers else await self._seen(owners.values())
        admitted: dict[str, Document] = {}
        for node_id, document in documents.items():
            owner, collection = owners[node_id], collection_of(node_id)
            if (seen is None or owner in seen) and self._exists(collection, owner, document):
                keys = customer_keys if collection == "customers" else None
                admitted[node_id] = self._masks_on(owner).applied(collection, document, keys)
        return admitted

    def notice(self, customers: Iterable[Document]) -> None:
        """Marks those whose rows are on their way to a survivor: every customer passes here before their lists do."""
        for customer in customers:
            if "absorbingIds" in customer:
                self.moving[customer["_id"]] = (customer["_id"], *customer["absorbingIds"])
            elif "rowsMoving" in customer:
                self.moving[customer["_id"]] = ()

    def parts(self, collection: str, customer_id: str) -> tuple[str, ...]:
        """Returns whose rows a customer's list has: those of several, or of nobody, while a merge moves them."""
        return self.moving.get(customer_id, (customer_id,)) if collection in ROWS_OF_CUSTOMERS else (customer_id,)

    def _masks_on(self, customer_id: str) -> Masks:
        return self._own if customer_id == self._viewer.customer_id else self.masks

    def hidden_on(self, customer_id: str) -> frozenset[str]:
        """Returns the collections of which nothing of that customer exists for the viewer."""
        return self._masks_on(customer_id).hidden

    @property
    def reaches(self) -> tuple[tuple[Mapping[str, str], Masks], ...]:
        """Returns the conditions under which a customer exists for the viewer, each with its masks."""
        viewer = self._viewer
        if viewer.sees_all_customers:
            return (({}, self.masks),)
        own = (({"_id": viewer.customer_id or ""}, self._own),) if Role.CUSTOMER in viewer.roles else ()
        referred = (({"affiliateId": viewer.affiliate_id or ""}, self.masks),) if Role.AFFILIATE in viewer.roles else ()
        return (*own, *referred)

    def masks_key(self, collection: str, key: str) -> bool:
        """Returns whether any document that the viewer sees hides the value of that key."""
        changes = (*self._own.changes.get(collection, ()), *self.masks.changes.get(collection, ()))
        return any(name == key for name, _ in changes)

    def hides(self, collection: str, parent: str) -> bool:
        """Returns whether that customer's rows do not exist for the viewer. Other parents came with their rows."""
        if collection not in self._hidden:
            return False
        return parent.startswith("cus_") and collection in self._masks_on(parent).hidden

    def masked(self, collection: str, parent: str, documents: list[Document]) -> list[Document]:
        """Returns the rows of a page as the viewer may see them. ``parent`` is most often their customer."""
        if collection == "customers":
            self.notice(documents)
        if self._own is self.masks:
            if collection not in self.masks.changes:
                return documents
            return [self.masks.applied(collection, document) for document in documents]
        return [self._masked_row(collection, parent, document) for document in documents]

    def _masked_row(self, collection: str, parent: str, document: Document) -> Document:
        owner = document["_id"] if collection == "customers" else document.get("customerId", parent)
        if owner.startswith("cus_"):
            return self._masks_on(owner).applied(collection, document)
        # Its owner was not read: as little as any of the two would show.
        return self._own.applied(collection, self.masks.applied(collection, document))

    def _exists(self, collection: str, owner: str, document: Document) -> bool:
        """Whether such a document is there at all for this viewer."""
        hidden = self._masks_on(owner).hidden
        if collection == "activities":
            return all(document.get(key) in condition.values for key, condition in self._viewer.activity_rows)
        if collection == "requests" and any(
            document.get(key) not in condition.values for key, condition in request_rows(self._viewer.roles)
        ):
            return False
        if collection == "segments":
            return segments.is_visible(document, self._viewer) and collection not in hidden
        if collection in _ASKERS and not self._viewer.owns(document[_ASKERS[collection]]):
            return False
        return collection not in hidden

    async def _seen(self, customer_ids: Iterable[str]) -> set[str]:
        viewer, wanted = self._viewer, set(customer_ids)
        seen = {viewer.customer_id} & wanted if Role.CUSTOMER in viewer.roles else set[str]()
        if Role.AFFILIATE in viewer.roles:
            referred = {"_id": {"$in": list(wanted)}, "affiliateId": viewer.affiliate_id}
            seen |= {row["_id"] for row in await self._store.find("customers", referred, fields={"_id": 1})}
        return {customer_id for customer_id in seen if customer_id}


def _owner(document: Document) -> str:
    return document.get("customerId") or document["_id"]
