"""Gives recorded model calls the version that their messages come from, while they are moved into the database.

Runs in the thread that drains the spool, never in a program's call. Whatever goes wrong here, the calls are stored.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.conversation import MAX_CHARACTERS, read_conversation
from ledger_tui.domain.link_notes import noted
from ledger_tui.domain.values import FLAG_CUT, FLAG_LINKED, TERMINAL, SpanRecord
from ledger_tui.store import linking as store
from ledger_tui.store.linking import Seen

if TYPE_CHECKING:
    from ledger_tui.services.gathering import Gatherer
    from ledger_tui.services.matching import Match, Matcher
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

log = logging.getLogger("ledger_tui.linking")
MAX_REMEMBERED = 4_096


class Linked(NamedTuple):
    """A record as it is to be stored, and the group it is counted into when no version explains it."""

    record: SpanRecord
    seen: Seen | None


class CallLinker:
    """One thread at a time. Loads what it needs with the first model call."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._matcher: Matcher | None = None
        self._gatherer: Gatherer | None = None
        self._remembered: dict[tuple[Any, ...], Match | None] = {}
        self._fresh = False
        self._renders: list[Mapping[str, Any]] = []
        self._begun: dict[tuple[str, str], str] = {}
        """What calls were asked that began in this batch, by trace and span id."""
        self._others_run: bool | None = None
        """Whether calls run that began in earlier batches; None when nobody looked."""

    def begin_batch(self) -> None:
        """What others wrote since the last batch counts from now on."""
        self._fresh = False
        self._renders.clear()
        self._begun.clear()
        self._others_run = None

    def learn(self, renders: Sequence[Mapping[str, Any]]) -> None:
        """Rows of ``usages`` that are stored together with the calls that are linked next."""
        self._renders += renders

    def link(self, records: Sequence[SpanRecord]) -> list[Linked]:
        """The records in their order, those that are model calls without a version linked where their messages say so."""
        found = [Linked(record, None) for record in records]
        asked = [at for at, record in enumerate(records) if record.kind == "llm" and self._is_asked(record)]
        if not asked:
            return found
        try:
            with self._database.lean() as lean:
                for at in asked:
                    found[at] = self._link(lean, records[at])
        except Exception as error:
            log.warning("calls are stored without a link to their prompts: %s", type(error).__name__)
        return found

    def count(self, lean: Lean, seen: Sequence[Seen | None], keys: Sequence[int]) -> None:
        """Count what was stored under ``keys`` into groups; belongs into the transaction that stores it."""
        counted = [(one, key) for one, key in zip(seen, keys, strict=True) if one is not None]
        if counted and self._gatherer is not None:
            store.count_in(lean, counted)
            self._gatherer.wrote(store.groups_stamp(lean))

    def _is_asked(self, record: SpanRecord) -> bool:
        """Whether a model call is to be linked; what one was asked that only begins is remembered for its end."""
        if record.version_id is not None or record.execution_id is not None:
            return False
        if record.status in TERMINAL:
            return True
        if record.input and not record.flags & FLAG_CUT:
            self._begun[record.trace_id, record.span_id] = record.input
        return False

    def _question(self, lean: Lean, record: SpanRecord) -> str:
        """What an ended call was asked, by its own record or by the one that began it; empty when that is not known."""
        if record.input is not None:
            return "" if record.flags & FLAG_CUT else record.input
        known = self._begun.get((record.trace_id, record.span_id))
        if known is not None:
            return known
        if self._others_run is None:
            self._others_run = store.some_run(lean)
        return (store.begun_with(lean, record.trace_id, record.span_id) or "") if self._others_run else ""

    def _refresh(self, lean: Lean) -> None:
        if self._matcher is None or self._gatherer is None:
            from ledger_tui.services.gathering import Gatherer
            from ledger_tui.services.matching import Matcher

            self._matcher, self._gatherer = Matcher(), Gatherer()
        if self._renders:
            self._matcher.learn(self._renders)
            self._renders.clear()
            self._remembered.clear()
        if self._fresh:
            return
        journal, usage, groups = store.stamps(lean)
        if self._matcher.refresh(lean, journal, usage) or len(self._remembered) > MAX_REMEMBERED:
            self._remembered.clear()
        self._gatherer.refresh(lean, groups)
        self._gatherer.begin_batch()
        self._fresh = True

    def _link(self, lean: Lean, record: SpanRecord) -> Linked:
        asked = self._question(lean, record)
        if not asked or len(asked) > MAX_CHARACTERS:
            return Linked(record, None)
        self._refresh(lean)
        assert self._matcher is not None and self._gatherer is not None
        name = (hash(asked), len(asked), record.prompt_id, record.model)
        known = name in self._remembered
        match = self._remembered.get(name)
        said = read_conversation(asked) if not known or match is None else ()
        if not known and said:
            match = self._matcher.match(lean, said, record.prompt_id, record.model)
        self._remembered[name] = match
        if match is not None:
            return Linked(linked(record, match), None)
        if not said or record.prompt_id is not None or record.model is None:
            return Linked(record, None)
        return Linked(record, self._gatherer.see(said, record.started_us, record.model))


def linked(record: SpanRecord, match: Match) -> SpanRecord:
    """The record with its version."""
    attributes = record.attributes_json or (json.dumps(record.attributes) if record.attributes else "")
    return replace(
        record,
        prompt_id=match.prompt_id,
        version_id=match.version_id,
        flags=record.flags | FLAG_LINKED,
        attributes_json=link_attributes(attributes, match),
    )


def link_attributes(attributes: str, match: Match) -> str:
    """Attributes (JSON text) with the recovered ``variables`` and, under ``linked``, how the version was told."""
    how: dict[str, Any] = {"by": match.by}
    if match.uncertain:
        how["uncertain"] = list(match.uncertain)
    if match.others:
        how["ambiguous"] = list(match.others)
    return noted(attributes, match.values, how)
