"""A ledger of bare records in a SQLite file: the shortest ``LocalLog`` there can be, and what others are measured by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger_tui.domain.sync import conflicts, lineage, plan, records
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.conflicts import Fact
from ledger_tui.domain.sync.digest import Digest, digest_of, merged
from ledger_tui.domain.sync.records import STREAMS, Delivered, Record, Stream
from ledger_tui.store import sqlite
from ledger_tui.sync.local import Applied, At, Place, SyncState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (lsn INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, rid TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL, body TEXT NOT NULL, pending INT NOT NULL, commit_seq INT, why TEXT);
CREATE TABLE IF NOT EXISTS state (k TEXT PRIMARY KEY, v TEXT);
CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY, stream TEXT, rid TEXT, why TEXT, raw TEXT);
"""
ACCEPTED, PENDING, ASIDE = 0, 1, 2


class FileLog:
    """Records in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # No write is made durable: what dies here is the program, never the machine.
        self.connection: Any = sqlite.library().connect(str(path), isolation_level=None, timeout=5)
        self.connection.execute("PRAGMA synchronous=OFF")
        self.connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file; an open transaction is lost."""
        self.connection.close()

    @contextmanager
    def _writing(self) -> Any:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection.execute
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _all(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return list(self.connection.execute(sql, parameters).fetchall())

    def _set(self, name: str, value: object) -> None:
        self.connection.execute("INSERT OR REPLACE INTO state (k, v) VALUES (?, ?)", (name, json.dumps(value)))

    def write(self, record: Record) -> str:
        """A new local record."""
        with self._writing() as execute:
            self._insert(execute, record, PENDING, None)
        return record.rid

    def _insert(self, execute: Any, record: Record, pending: int, seq: int | None) -> None:
        values = (record.stream, record.rid, record.kind, record.body, pending, seq)
        execute("INSERT INTO log (stream, rid, kind, body, pending, commit_seq) VALUES (?, ?, ?, ?, ?, ?)", values)

    def state(self) -> SyncState:
        found = {name: json.loads(value) for name, value in self._all("SELECT k, v FROM state")}
        cursors, told = (
            {s: Position(*found[f"{what}.{s}"]) for s in STREAMS if f"{what}.{s}" in found}
            for what in ("cursor", "told")
        )
        return SyncState(found.get("workspace"), found.get("epoch"), found.get("resyncing"), cursors, told)

    def meet(self, workspace: str, epoch: str) -> None:
        with self._writing():
            if self.state().workspace is None:
                self._set("workspace", workspace)
                self._set("epoch", epoch)

    def pending(self, stream: Stream, max_rows: int, max_bytes: int) -> list[Record]:
        sql = "SELECT stream, rid, kind, body FROM log WHERE stream = ? AND pending = 1 ORDER BY lsn LIMIT ?"
        return list(
            next(plan.batches((Record(*row) for row in self._all(sql, stream, max_rows)), max_rows, max_bytes), ())
        )

    def behind(self, stream: Stream, max_rows: int, max_bytes: int) -> list[Record]:
        return []

    def waiting(self, stream: Stream) -> int:
        return int(self._all("SELECT COUNT(*) FROM log WHERE stream = ? AND pending = 1", stream)[0][0])

    def settle(
        self, stream: Stream, accepted: Mapping[str, int], refused: Mapping[str, str], position: Position | None
    ) -> None:
        with self._writing() as execute:
            for rid, seq in accepted.items():
                execute("UPDATE log SET pending = 0, commit_seq = ? WHERE rid = ? AND pending = 1", (seq, rid))
            for rid, why in refused.items():
                execute("UPDATE log SET pending = 2, why = ? WHERE rid = ? AND pending = 1", (why, rid))
            if position is not None and position.seq > self.state().told.get(stream, START).seq:
                self._set(f"told.{stream}", position)

    def apply(self, stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position, at: At) -> Applied:
        with self._writing() as execute:
            if self.state().cursor(stream) != cursor:
                return Applied(moved=True)
            applied = self._take(execute, stream, rows)
            at("apply.rows")
            self._set(f"cursor.{stream}", upto)
            at("apply.cursor")
        return applied

    def _take(self, execute: Any, stream: Stream, rows: Sequence[Delivered]) -> Applied:
        new = known = unread = bad = 0
        for row in rows:
            record = row.record
            why = records.fault(record, row.hash)
            mine = self._all("SELECT stream, rid, kind, body FROM log WHERE rid = ?", record.rid)
            if why is None and mine and Record(*mine[0]) != record:
                why = "this ledger has another record of this id"
            if why is not None:
                raw = json.dumps([record.kind, record.body, row.hash])
                values = (stream, record.rid, why, raw)
                execute("INSERT INTO quarantine (stream, rid, why, raw) VALUES (?, ?, ?, ?)", values)
                bad += 1
            elif mine:
                execute("UPDATE log SET pending = 0, commit_seq = ? WHERE rid = ?", (row.seq, record.rid))
                known += 1
            else:
                self._insert(execute, record, ACCEPTED, row.seq)
                new += 1
                unread += not records.is_known(record)
        return Applied(new, known, unread, bad)

    def begin_resync(self, name: str) -> None:
        with self._writing() as execute:
            self._set("resyncing", name)
            execute("DELETE FROM state WHERE k LIKE 'cursor.%' OR k LIKE 'told.%'")
            execute("UPDATE log SET commit_seq = NULL")
            execute("UPDATE log SET pending = 1 WHERE pending = 2 AND why = ?", (plan.REASONS["MISSING_PARENT"],))

    def accepted(self, stream: Stream, after: Place | None, limit: int) -> list[tuple[Place, str]]:
        sql = "SELECT lsn, rid FROM log WHERE stream = ? AND pending = 0 AND lsn > ? ORDER BY lsn LIMIT ?"
        return [(int(lsn), str(rid)) for lsn, rid in self._all(sql, stream, after or 0, limit)]

    def offer(self, stream: Stream, rids: Sequence[str]) -> None:
        with self._writing() as execute:
            for rid in rids:
                execute("UPDATE log SET pending = 1 WHERE rid = ? AND pending = 0", (rid,))

    def end_resync(self, name: str, epoch: str) -> None:
        with self._writing():
            if self.state().resyncing == name:
                self._set("resyncing", None)
                self._set("epoch", epoch)

    def digests(self, stream: Stream, told: Callable[[int], None] = lambda done: None) -> Mapping[str, Digest]:
        sql = "SELECT stream, rid, kind, body FROM log WHERE stream = ? AND pending = 0"
        found = [Record(*row) for row in self._all(sql, stream)]
        months = {records.month_of(record.rid) for record in found}
        return {m: digest_of(record for record in found if records.month_of(record.rid) == m) for m in months}

    def digest(self, stream: Stream) -> Digest:
        """The digest of everything that is accepted."""
        return merged(self.digests(stream).values())

    def set_aside(self) -> int:
        return int(self._all("SELECT (SELECT COUNT(*) FROM log WHERE pending = 2) + COUNT(*) FROM quarantine")[0][0])

    def rids(self) -> set[str]:
        """Every record that is here."""
        return {str(rid) for (rid,) in self._all("SELECT rid FROM log")}

    def ordered(self) -> list[tuple[Record, int | None, int]]:
        """The records that count, each with its number and its place here."""
        sql = "SELECT stream, rid, kind, body, commit_seq, lsn FROM log WHERE pending < 2"
        return [(Record(*row[:4]), row[4], int(row[5])) for row in self._all(sql)]

    def version_of(self, rid: str) -> str:
        """The version that a fact is of."""
        return str(json.loads(self._all("SELECT body FROM log WHERE rid = ?", rid)[0][0])["field"])

    def view(self) -> dict[str, Any]:
        """What a person sees."""
        return fold(self.ordered())


def fold(found: Sequence[tuple[Record, int | None, int]]) -> dict[str, Any]:
    """The view of (record, number, place) triples: versions and registers of each prompt, calls, and money."""
    versions: dict[str, list[lineage.VersionFact]] = {}
    registers: dict[tuple[str, str], list[Fact]] = {}
    for record, seq, place in found:
        body = record.content()
        if record.kind == "version":
            fact = lineage.VersionFact(record.rid, body["field"], tuple(body.get("base", ())), seq, place)
            versions.setdefault(body["prompt"], []).append(fact)
        elif record.kind == "label":
            value = Fact(record.rid, body["value"], tuple(body["base"]), seq, place)
            registers.setdefault((body["prompt"], body["field"]), []).append(value)
    return {
        "versions": {prompt: lineage.versions(facts) for prompt, facts in sorted(versions.items())},
        "registers": {
            key: conflicts.register(facts, protected=conflicts.is_protected("label", key[1]))
            for key, facts in sorted(registers.items())
        },
        "calls": sorted(record.rid for record, _, _ in found if record.stream == "telemetry"),
        "cost_nusd": sum(records.cost_of(record) for record, _, _ in found),
    }
