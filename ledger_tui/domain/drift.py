"""Whether code and ledger agree: for each code prompt, what stands in every place that has a version of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

PlaceKind = Literal["working", "head", "registered", "label", "executed"]
KINDS: tuple[PlaceKind, ...] = ("working", "head", "registered", "label", "executed")


@dataclass(frozen=True, slots=True)
class Place:
    """One place and the hash there; ``sha256`` None: the prompt is not there. A place that is not known is left out.

    name: the label or the environment, '' for the other kinds. version: the number in the ledger, None when it has none.
    at_us: when the label was set or the version ran last.
    """

    kind: PlaceKind
    sha256: str | None
    name: str = ""
    version: int | None = None
    at_us: int | None = None

    @property
    def key(self) -> str:
        """``head``, ``label:production`` ..."""
        return f"{self.kind}:{self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One code prompt. ``path``: its file, '' when not known. ``note``: why a place is not known."""

    name: str
    path: str
    places: tuple[Place, ...]
    note: str = ""

    def place(self, kind: PlaceKind) -> Place | None:
        """The place of a kind that there is once, None when it is not known."""
        return next((place for place in self.places if place.kind == kind), None)

    @property
    def reference(self) -> Place | None:
        """What the others are held against: the working tree, else what is registered."""
        return self.place("working") or self.place("registered")

    def differing(self, kinds: Collection[str] = KINDS) -> tuple[Place, ...]:
        """The places of these kinds whose hash is not the reference's."""
        reference = self.reference
        if reference is None:
            return ()
        return tuple(
            place
            for place in self.places
            if place.kind in kinds and place is not reference and place.sha256 != reference.sha256
        )
