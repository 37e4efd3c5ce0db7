"""Looks up the prompts that texts include, each set in one read transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ledger_tui.domain import ids
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.includes import Included, LookUp, Reference
from ledger_tui.errors import IncludeRefused, InputError, NotFound
from ledger_tui.store import includes as reads
from ledger_tui.store import prompts

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean


class IncludeService:
    """Prompts of one ledger as others include them. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def reading(self) -> Iterator[LookUp]:
        """A look-up whose answers all belong to one moment; it raises IncludeRefused, the block StoreError."""
        with self._database.lean() as lean:
            yield lambda wanted: look_up(lean, wanted)


def look_up(lean: Lean, wanted: Reference) -> Included:
    """The version that a reference means; raises IncludeRefused, with likely spellings, when there is none."""
    from ledger_tui.services.registry import pick_version

    versions = reads.versions(lean, ids.prompt_id(wanted.prompt))
    if not versions:
        raise IncludeRefused(f"there is no prompt named {wanted.prompt}{_meant(wanted.prompt, reads.names(lean))}")
    try:
        version = pick_version(versions, wanted.ref, wanted.prompt)
    except NotFound as error:
        labels = sorted({label for version in versions for label in version.labels})
        raise IncludeRefused(
            f"{error.cause}{_meant(wanted.ref, labels)}", remedy=f"{error.remedy} Its labels are {', '.join(labels)}."
        ) from None
    except InputError as error:
        raise IncludeRefused(error.cause, remedy=error.remedy) from None
    content = PromptContent.from_json(prompts.content(lean, version.id) or "")
    return Included(version.id, wanted.prompt, version.number, content.messages)


def _meant(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if not near:
        # A folder that was left out or is another one: the last part often is right.
        near = [one for one in known if one.rpartition("/")[2] == name.rpartition("/")[2]]
    return f", did you mean {near[0]}?" if near else ""
