"""Which contact goes on for each that a batch knows of (N16), with the way back from a person to all their contacts.

Invariants: what a batch decided stands above what the store said when it began: `learn` changes nothing that is known, `put`
does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID


class KnownPersons(Mapping[UUID, UUID]):
    """The contact that goes on, by contact; in the order in which they were met."""

    def __init__(self) -> None:
        self._heads: dict[UUID, UUID] = {}
        self._of: dict[UUID, dict[UUID, None]] = {}

    def __getitem__(self, contact: UUID) -> UUID:
        return self._heads[contact]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._heads)

    def __len__(self) -> int:
        return len(self._heads)

    def of(self, head: UUID) -> tuple[UUID, ...]:
        """The contacts for whom this one goes on."""
        return tuple(self._of.get(head, ()))

    def learn(self, heads: Mapping[UUID, UUID]) -> None:
        """What the store says; what is known already stays."""
        for contact, head in heads.items():
            if contact not in self._heads:
                self._heads[contact] = head
                self._of.setdefault(head, {})[contact] = None

    def put(self, heads: Mapping[UUID, UUID]) -> None:
        """What is so from now on."""
        for contact, head in heads.items():
            before = self._heads.get(contact)
            if before is not None:
                del self._of[before][contact]
            self._heads[contact] = head
            self._of.setdefault(head, {})[contact] = None
