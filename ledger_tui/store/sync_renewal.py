"""Records of a newer release, kept as they came, are read once this release is that one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.records import Delivered, Record, Stream
from ledger_tui.store import (
    sync_asides,
    sync_facts,
    sync_links,
    sync_orphans,
    sync_purge,
    sync_standing,
    sync_telemetry,
    sync_texts,
)
from ledger_tui.store.sync_coming import NEWER
from ledger_tui.store.sync_standing import Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

READS = "sync.reads"
_PAGE = 400
_PENDING = (
    "SELECT 1 FROM journal WHERE kind LIKE '%@%' AND commit_seq IS NULL "
    f"UNION ALL SELECT 1 FROM sync_records WHERE why = '{NEWER}' AND commit_seq IS NULL LIMIT 1"
)


_FACTS = "SELECT rid FROM journal WHERE kind LIKE '%@%' AND commit_seq >= 0 ORDER BY commit_seq, seq"


def is_due(lean: Lean) -> bool:
    """Whether the last program that shared this ledger could read other records than this one."""
    return sync_standing.is_shared(lean) and sync_standing.get(lean, READS) != _reads()


def read_again(lean: Lean) -> int:
    """Read what was kept and can be read now, in the caller's transaction; how many records.

    Those that make no sense after all are put in quarantine. What is pending waits for the server's answer first, and makes this
    due again.
    """
    facts = _facts(lean)
    done = len(facts) + _kept(lean, "telemetry") + _kept(lean, "bodies")
    sync_purge.obey(lean, facts)
    if lean.one(_PENDING) is None:
        sync_standing.put(lean, READS, _reads())
    return done


def _reads() -> dict[str, dict[str, int]]:
    return {stream: dict(kinds) for stream, kinds in records.KINDS.items()}


def _facts(lean: Lean) -> list[Record]:
    """Those that are read now."""
    rids = [str(row[0]) for row in lean.fetch(_FACTS)]
    order = {rid: place for place, rid in enumerate(rids)}
    found = [fact for fact in sync_facts.facts_of(lean, rids) if records.is_known(fact.record)]
    found.sort(key=lambda fact: order[fact.record.rid])
    lean.executemany("DELETE FROM journal WHERE rid = :rid", [{"rid": fact.record.rid} for fact in found])
    rows = [Delivered(fact.record, fact.commit_seq or 0, fact.record.hash) for fact in found]
    taken = sync_facts.take(lean, rows)
    _count(lean, "meta", taken)
    if taken.new:
        sync_facts.take_again(lean)
        sync_links.close(lean)
    refused = {row.record.rid for row, _ in taken.refused}
    return [row.record for row in rows if row.record.rid not in refused]


def _kept(lean: Lean, stream: Stream) -> int:
    sql = (
        "SELECT rid, kind, body, commit_seq FROM sync_records "
        f"WHERE stream = '{stream}' AND why = '{NEWER}' AND commit_seq >= 0 AND rid > :after ORDER BY rid LIMIT {_PAGE}"
    )
    after, done = "", 0
    while page := lean.fetch(sql, {"after": after}):
        after = page[-1][0]
        kept = [(Record(stream, rid, kind, body), seq) for rid, kind, body, seq in page]
        rows = [Delivered(record, seq, record.hash) for record, seq in kept if records.is_known(record)]
        lean.executemany("DELETE FROM sync_records WHERE rid = :rid", [{"rid": row.record.rid} for row in rows])
        if stream == "telemetry":
            _count(lean, stream, sync_telemetry.take(lean, rows))
            sync_orphans.adopt(lean, [row.record.rid for row in rows])
        else:
            _count(lean, stream, sync_texts.take(lean, rows))
        done += len(rows)
    return done


def _count(lean: Lean, stream: Stream, taken: Taken) -> None:
    sync_asides.quarantine(lean, stream, taken.refused)
