"""Whether code and ledger agree: for each code prompt, what stands in every place that has a version of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ledger_tui.domain.content import PromptContent

PlaceKind = Literal["working", "head", "registered", "label", "executed"]
KINDS: tuple[PlaceKind, ...] = ("working", "head", "registered", "label", "executed")


@dataclass(frozen=True, slots=True)
class Place:
    """One place and the hash there; ``sha256`` None: the prompt is not there. A place that is not known is left out.

    name: the label or the environment, '' for the other kinds. version: the number in the ledger, None when it has none.
    at_us: when the file changed, the commit was made, the version was registered, the label was set or it ran last.
    commit, path, line, dirty: where the text is or was registered from; ``dirty``: the file was not what that commit holds.
    trace_id: of the last run. content: what was read from code; the ledger's is asked for by its hash.
    """

    kind: PlaceKind
    sha256: str | None
    name: str = ""
    version: int | None = None
    at_us: int | None = None
    commit: str | None = None
    path: str = ""
    line: int | None = None
    dirty: bool | None = None
    trace_id: str | None = None
    content: PromptContent | None = field(default=None, compare=False, repr=False)

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
    mode: str = ""
    """``tracking``, ``full``, or '' when the ledger does not know the prompt."""

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

    def at(self, key: str) -> Place | None:
        """The place of a key, None when it is not known."""
        return next((place for place in self.places if place.key == key), None)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where was looked. ``git``: what there is of it; ``reading``: how the code's prompts were found.

    wanted: what the project file names. elsewhere: code prompts whose file this repository never had. unplaced: those
    that were registered without a file. watched: the files that tell by their time that something changed.
    """

    folder: str
    git: Literal["work tree", "no work tree", "no git"]
    top: str = ""
    branch: str = ""
    commit: str | None = None
    commit_us: int | None = None
    reading: Literal["files that were registered", "folder"] = "files that were registered"
    wanted: str = ""
    elsewhere: int = 0
    unplaced: int = 0
    watched: tuple[Path, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Every code prompt in every place, what differs first."""

    ground: Ground
    rows: tuple[DriftRow, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The keys of all places: working tree, last commit, registered, labels, runs; in this order, names sorted."""
        fixed = [kind for kind in ("working", "head", "registered") if kind != "head" or self.ground.commit]
        return (*fixed, *self._named("label"), *self._named("executed"))

    def _named(self, kind: str) -> list[str]:
        found = {place.key for row in self.rows for place in row.places if place.kind == kind}
        return sorted(found, key=lambda key: (key != "label:production", key))

    @property
    def drifted(self) -> tuple[DriftRow, ...]:
        """The rows in which a place differs."""
        return tuple(row for row in self.rows if row.differing())


def drifted_first(rows: Iterable[DriftRow]) -> tuple[DriftRow, ...]:
    """The rows in the order in which they are read: what differs first, then by name."""
    return tuple(sorted(rows, key=lambda row: (not row.differing(), row.name)))


def place_words(place: Place) -> str:
    """A place in words, such as ``last commit`` or ``last run in dev``."""
    if place.kind == "label":
        return f"label {place.name}"
    if place.kind == "executed":
        return f"last run in {place.name}"
    return {"working": "working tree", "head": "HEAD", "registered": "registered"}[place.kind]


def drift_words(row: DriftRow) -> str:
    """Where a prompt drifts, in a sentence; '' when it does not."""
    differing, reference = row.differing(), row.reference
    if reference is None or not differing:
        return ""
    places = ", ".join(place_words(place) + (f" (v{place.version})" if place.version else "") for place in differing)
    what = "The code" if reference.kind == "working" else "What is registered"
    if reference.sha256 is None:
        return f"{what} has this prompt no more; it is still in: {places}"
    return f"{what} differs from {places}"
