"""The registry's end of a sync in a ledger's own tables: a ``LocalLog`` (sync/local.py) for the stream ``meta``.

Where a fact stands is in its ``commit_seq``: none, it is pending; a number above 0, the server gave it; 0, a server had it and the
number was forgotten (a resync is under way); -1, it was set aside, and counts for no view. What is remembered of the server,
and what was refused, are facts about this database (`workspace`), under keys that begin with ``sync.``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlmodel import Session as Session
from sqlmodel import col, delete, select, update

from ledger_tui.domain import clock
from ledger_tui.domain.sync import plan
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.digest import Digest, digest_of
from ledger_tui.domain.sync.records import STREAMS, Delivered, Record, Stream
from ledger_tui.domain.sync.standing import Applied, At, SyncState
from ledger_tui.domain.tables import JournalEntry, Workspace
from ledger_tui.store import folds, sync_facts

if TYPE_CHECKING:
    from ledger_tui.store.database import Database

FORGOTTEN, ASIDE = 0, -1
_STATE = "sync.state"
_REFUSED, _QUARANTINE = "sync.refused.", "sync.quarantine."
_CHUNK = 400
_PAGE = 1_000


class RegistryLog:
    """The registry facts of one ledger, for ``sync.engine``. Its streams: ``meta`` only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> SyncState:
        with self._database.lean() as lean:
            row = lean.one("SELECT value FROM workspace WHERE key = :key", {"key": _STATE})
        return _read(None if row is None else row[0])

    def meet(self, workspace: str, epoch: str) -> None:
        with self._database.session() as session:
            state = _remembered(session)
            if state.workspace is None:
                _remember(session, state, workspace=workspace, epoch=epoch)

    def pending(self, stream: Stream, max_rows: int, max_bytes: int) -> list[Record]:
        if stream != "meta":
            return []
        with self._database.lean() as lean:
            found = [record for _, record in sync_facts.facts_after(lean, 0, max_rows, "waiting")]
        return list(next(plan.batches(found, max_rows, max_bytes), ()))

    def waiting(self, stream: Stream) -> int:
        if stream != "meta":
            return 0
        with self._database.lean() as lean:
            row = lean.one("SELECT COUNT(*) FROM journal WHERE commit_seq IS NULL")
        return 0 if row is None else int(row[0])

    def settle(
        self, stream: Stream, accepted: Mapping[str, int], refused: Mapping[str, str], position: Position | None
    ) -> None:
        with self._database.session() as session:
            touched: set[str] = set()
            shared = False
            for fact in _facts(session, [*accepted, *refused]):
                if fact.commit_seq is not None:
                    continue
                fact.commit_seq = accepted.get(fact.rid, ASIDE)
                session.add(fact)
                if fact.commit_seq == ASIDE:
                    _keep(session, _REFUSED + fact.rid, {"stream": stream, "rid": fact.rid, "why": refused[fact.rid]})
                if fact.prompt_id is None:
                    shared = True
                else:
                    touched.add(fact.prompt_id)
            session.flush()
            folds.refold(session, touched, shared=shared)
            state = _remembered(session)
            if position is not None and position.seq > state.told.get(stream, START).seq:
                _remember(session, state, told={**state.told, stream: position})

    def apply(self, stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position, at: At) -> Applied:
        with self._database.session() as session:
            state = _remembered(session)
            if state.cursor(stream) != cursor:
                return Applied(moved=True)
            taken = sync_facts.take(session, rows)
            for row, why in taken.refused:
                _quarantine(session, stream, row, why)
            _forget(session, [_REFUSED + row.record.rid for row in rows])
            at("apply.rows")
            _remember(session, state, cursors={**state.cursors, stream: upto})
            session.flush()
            at("apply.cursor")
        return Applied(taken.new, taken.known, taken.unread, len(taken.refused))

    def begin_resync(self, name: str) -> None:
        orphaned = plan.REASONS["MISSING_PARENT"]
        with self._database.session() as session:
            _remember(session, _remembered(session), resyncing=name, cursors={}, told={})
            session.exec(update(JournalEntry).where(col(JournalEntry.commit_seq) > 0).values(commit_seq=FORGOTTEN))
            kept = session.exec(select(Workspace).where(col(Workspace.key).startswith(_REFUSED, autoescape=True))).all()
            rids = [row.key.removeprefix(_REFUSED) for row in kept if json.loads(row.value)["why"] == orphaned]
            _mark(session, rids, ASIDE, None)
            _forget(session, [_REFUSED + rid for rid in rids])

    def accepted(self, stream: Stream, after: int, limit: int) -> list[tuple[int, str]]:
        if stream != "meta":
            return []
        sql = "SELECT seq, rid FROM journal WHERE commit_seq >= 0 AND seq > :after ORDER BY seq LIMIT :limit"
        with self._database.lean() as lean:
            return [(int(seq), str(rid)) for seq, rid in lean.fetch(sql, {"after": after, "limit": limit})]

    def offer(self, stream: Stream, rids: Sequence[str]) -> None:
        with self._database.session() as session:
            _mark(session, rids, FORGOTTEN, None)

    def end_resync(self, name: str, epoch: str) -> None:
        with self._database.session() as session:
            state = _remembered(session)
            if state.resyncing == name:
                _remember(session, state, resyncing=None, epoch=epoch)

    def digest(self, stream: Stream) -> Digest:
        if stream != "meta":
            return {}
        with self._database.lean() as lean:
            return digest_of(_pages(lean))

    def set_aside(self) -> int:
        with self._database.lean() as lean:
            row = lean.one(
                "SELECT COUNT(*) FROM workspace WHERE key LIKE 'sync.refused.%' OR key LIKE 'sync.quarantine.%'"
            )
        return 0 if row is None else int(row[0])


def _pages(lean: Any) -> Iterable[Record]:
    """The accepted facts."""
    after = 0
    while found := sync_facts.facts_after(lean, after, _PAGE, "accepted"):
        after = found[-1][0]
        yield from (record for _, record in found)


def _read(text: str | None) -> SyncState:
    if text is None:
        return SyncState()
    kept = json.loads(text)
    cursors, told = (
        {stream: Position(*kept[what][stream]) for stream in STREAMS if stream in kept[what]}
        for what in ("cursors", "told")
    )
    return SyncState(kept["workspace"], kept["epoch"], kept["resyncing"], cursors, told)


def _remembered(session: Session) -> SyncState:
    row = session.get(Workspace, _STATE)
    return _read(None if row is None else row.value)


def _remember(session: Session, state: SyncState, **changes: Any) -> None:
    kept = {name: getattr(state, name) for name in ("workspace", "epoch", "resyncing", "cursors", "told")}
    _keep(session, _STATE, {**kept, **changes})


def _keep(session: Session, key: str, value: Mapping[str, Any]) -> None:
    session.merge(Workspace(key=key, value=json.dumps(value, sort_keys=True)))
    session.flush()


def _forget(session: Session, keys: Sequence[str]) -> None:
    for start in range(0, len(keys), _CHUNK):
        session.exec(delete(Workspace).where(col(Workspace.key).in_(keys[start : start + _CHUNK])))


def _quarantine(session: Session, stream: Stream, row: Delivered, why: str) -> None:
    """Keep a record that could not be taken, once; its id may be anything, so it is kept under a hash."""
    record = row.record
    raw = {"kind": record.kind, "body": record.body, "hash": row.hash, "seq": row.seq, "pusher": row.pusher}
    value = {"stream": stream, "rid": record.rid, "why": why, "at_us": clock.now_us(), "raw": raw}
    name = hashlib.sha256(json.dumps([stream, record.rid, raw["body"], row.hash]).encode()).hexdigest()
    _keep(session, _QUARANTINE + name[:32], value)


def _facts(session: Session, rids: Sequence[str]) -> Iterable[JournalEntry]:
    for start in range(0, len(rids), _CHUNK):
        chunk = rids[start : start + _CHUNK]
        yield from session.exec(select(JournalEntry).where(col(JournalEntry.rid).in_(chunk))).all()


def _mark(session: Session, rids: Sequence[str], before: int, after: int | None) -> None:
    """Change where facts stand, as far as they stand where they are thought to."""
    for start in range(0, len(rids), _CHUNK):
        chosen = col(JournalEntry.rid).in_(rids[start : start + _CHUNK]), col(JournalEntry.commit_seq) == before
        session.exec(update(JournalEntry).where(*chosen).values(commit_seq=after))
