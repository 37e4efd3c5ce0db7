"""Registry facts as records, and records as registry facts: the journal's side of a sync.

A record made from a fact that was taken from a record has the same bytes, so any ledger can hand on any fact. A fact of a
newer release is a row too, of a kind that nothing folds (``label@2``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ledger_tui.domain import ids
from ledger_tui.domain.sync import bodies, records
from ledger_tui.domain.sync.meaning import fact_fault
from ledger_tui.domain.sync.records import Delivered, Record
from ledger_tui.store import folds, search_index, sync_asides
from ledger_tui.store.facts import digest
from ledger_tui.store.sync_standing import Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean, Row

_FACT = ("rid", "kind", "field", "value", "base", "action", "undoes", "actor", "device", "at_us", "reason", "extra")
_VERSION = ("content", "author", "message", "git_commit", "git_path", "git_dirty", "created_us", "base_version_id")
_OF_PROMPTS = ("version", "label", "field", "inputs")
_SELECT = f"""
SELECT j.seq, p.name, j.prompt_id, j.commit_seq, {", ".join("j." + n for n in _FACT)}, {", ".join("v." + n for n in _VERSION)}
FROM journal j LEFT JOIN prompts p ON p.id = j.prompt_id
LEFT JOIN prompt_versions v ON j.kind = 'version' AND v.id = j.field
"""
_CHUNK = 400
POINTS_NOWHERE = "it points to a version that is not here"


class Fact(NamedTuple):
    """A fact of the journal as a record, with its place and what a server said of it."""

    seq: int
    record: Record
    prompt_id: str | None
    commit_seq: int | None


Standing = Literal["counting", "waiting", "accepted"]
_STANDING: dict[Standing, str] = {
    "counting": "(j.commit_seq IS NULL OR j.commit_seq >= 0)",
    "waiting": "j.commit_seq IS NULL",
    "accepted": "j.commit_seq >= 0",
}


def facts_after(lean: Lean, seq: int, limit: int, standing: Standing = "counting") -> list[tuple[int, Record]]:
    """(place, record) of registry facts with places above ``seq``, in order.

    standing: only those that no server has (``waiting``) or that one has (``accepted``); else all that were not set aside.
    """
    sql = f"{_SELECT}WHERE j.seq > :seq AND {_STANDING[standing]} ORDER BY j.seq LIMIT :limit"
    return [fact[:2] for fact in map(_fact, lean.fetch(sql, {"seq": seq, "limit": limit}))]


def facts_of(lean: Lean, rids: Sequence[str]) -> Iterator[Fact]:
    """The facts of these ids that are here."""
    for names in _chunks(rids):
        yield from map(_fact, lean.fetch(f"{_SELECT}WHERE j.rid IN ({_marks(names)})", names))


def _fact(row: Row) -> Fact:
    seq, name, prompt_id, commit_seq = row[:4]
    fact = dict(zip(_FACT, row[4:], strict=False))
    version = None
    if fact["kind"] == "version":
        version = _plain_version(dict(zip(_VERSION, row[4 + len(_FACT) :], strict=True)))
    body = bodies.whole(bodies.journal_content(fact, name, version), fact["extra"])
    return Fact(int(seq), Record("meta", fact["rid"], fact["kind"].partition("@")[0], body), prompt_id, commit_seq)


def _plain_version(version: dict[str, Any]) -> dict[str, Any]:
    dirty = version["git_dirty"]
    return {**version, "git_dirty": None if dirty is None else bool(dirty)}


def take(lean: Lean, rows: Sequence[Delivered]) -> Taken:
    """Write registry facts from elsewhere in the caller's transaction, and fold the prompts they touch anew.

    A fact that is here gets its number. Facts must come in their order; one that cannot be taken holds up no other.
    """
    page = _Page(lean)
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        faults = [records.fault(row.record, row.hash) for row in chunk]
        page.look([row for row, why in zip(chunk, faults, strict=True) if why is None])
        for row, fault in zip(chunk, faults, strict=True):
            why = fault or page.add(row)
            if why is not None:
                page.taken.refused.append((row, why))
    page.write()
    folds.refold(lean, page.touched, shared=page.shared)
    for prompt_id in sorted(page.touched):
        search_index.refresh_prompt(lean, prompt_id)
    return page.taken


def take_again(lean: Lean) -> list[str]:
    """Take the labels in quarantine whose version came meanwhile; the ids of their facts."""
    waiting = sync_asides.quarantined(lean, "meta", POINTS_NOWHERE)
    if not waiting:
        return []
    refused = {row for row, _ in take(lean, list(waiting.values())).refused}
    done = {key: row for key, row in waiting.items() if row not in refused}
    sync_asides.drop_asides(lean, list(done))
    return [row.record.rid for row in done.values()]


class _Page:
    """Facts that are being taken: what of theirs is here already, and what has to be written."""

    def __init__(self, lean: Lean) -> None:
        self.taken = Taken()
        self.touched: set[str] = set()
        self.shared = False
        self._lean = lean
        self._mine: dict[str, Fact] = {}
        self._fresh: dict[str, Record] = {}
        self._prompts: dict[str, str] = {}
        """Lower-cased name to name, of prompts that are here."""
        self._versions: dict[str, tuple[str, dict[str, Any]]] = {}
        """Version id to its prompt's id and its row."""
        self._rows: dict[str, list[tuple[Any, ...]]] = {"prompts": [], "prompt_versions": [], "journal": []}
        self._numbers: list[dict[str, Any]] = []

    def look(self, rows: Sequence[Delivered]) -> None:
        """Read at once what sound facts may refer to."""
        self._mine.update((fact.record.rid, fact) for fact in facts_of(self._lean, [row.record.rid for row in rows]))
        names: set[str] = set()
        versions: set[str] = set()
        for row in rows:
            content = row.record.content()
            names.update(text.lower() for text in (content.get("prompt"),) if isinstance(text, str))
            for text in (content.get("field"), content.get("value")):
                if isinstance(text, str) and len(text) <= _LONGEST_ID:
                    versions.add(text.strip('"'))
        for chunk in _chunks(sorted(names)):
            sql = f"SELECT folded_name, name FROM prompts WHERE folded_name IN ({_marks(chunk)})"
            self._prompts.update((row[0], row[1]) for row in self._lean.fetch(sql, chunk))
        for chunk in _chunks(sorted(versions)):
            sql = f"SELECT id, prompt_id, {', '.join(_VERSION)} FROM prompt_versions WHERE id IN ({_marks(chunk)})"
            for found in self._lean.fetch(sql, chunk):
                self._versions[found[0]] = (found[1], _plain_version(dict(zip(_VERSION, found[2:], strict=True))))

    def add(self, row: Delivered) -> str | None:
        """Take one fact; why it cannot be, or None."""
        mine = self._mine.get(row.record.rid)
        if mine is not None:
            return self._known(mine, row)
        before = self._fresh.get(row.record.rid)
        if before is not None:
            self.taken.known += before == row.record
            return None if before == row.record else "this ledger has another record of this id"
        known = records.is_known(row.record)
        why = fact_fault(row.record) if known else None
        return why or self._new(row, known)

    def _known(self, mine: Fact, row: Delivered) -> str | None:
        if mine.record != row.record:
            return "this ledger has another record of this id"
        # A number holds until it is forgotten (a resync): a server that gives another one meanwhile is wrong.
        if (mine.commit_seq or 0) <= 0:
            self._numbers.append({"seq": mine.seq, "commit_seq": row.seq})
            self._touch(mine.prompt_id)
        self.taken.known += 1
        return None

    def _touch(self, prompt_id: str | None) -> None:
        if prompt_id is None:
            self.shared = True
        else:
            self.touched.add(prompt_id)

    def _new(self, row: Delivered, known: bool) -> str | None:
        record, content = row.record, row.record.content()
        columns, version_columns = bodies.journal_row(content)
        name = content["prompt"] if known and record.kind in _OF_PROMPTS else None
        twin = None if name is None else self._prompts.get(name.lower())
        if name is not None and twin is not None and twin != name:
            return f"{twin} exists and differs in case only"
        prompt_id = None if name is None else ids.prompt_id(name)
        if known and record.kind == "label" and self._points_nowhere(prompt_id, columns["value"]):
            return POINTS_NOWHERE
        if name is not None and twin is None:
            self._prompts[name.lower()] = name
            self._rows["prompts"].append((prompt_id, name, name.lower(), columns["at_us"], columns["actor"]))
        version = None
        if known and prompt_id is not None and version_columns is not None:
            version = self._version(prompt_id, columns["field"], version_columns)
        kind = record.kind if known else f"{record.kind}@{content['rv']}"
        made = bodies.journal_content(columns, name, version)
        fact = {
            **columns, "rid": record.rid, "kind": kind, "prompt_id": prompt_id, "commit_seq": row.seq,
            "extra": bodies.residue(content, made),
            "hash": digest(kind, record.rid, prompt_id, columns["field"], columns["value"], columns["base"]),
        }  # fmt: skip
        self._rows["journal"].append(tuple(fact[column] for column in _COLUMNS["journal"]))
        self._touch(prompt_id)
        self._fresh[record.rid] = record
        self.taken.new += 1
        self.taken.unread += not known
        return None

    def _points_nowhere(self, prompt_id: str | None, value: str) -> bool:
        found = self._versions.get(value.strip('"'))
        return value != "null" and (found is None or found[0] != prompt_id)

    def _version(self, prompt_id: str, version_id: str, columns: dict[str, Any]) -> Mapping[str, Any]:
        """The row of a version, new or as it is here: its first writer stays its author."""
        if version_id not in self._versions:
            # That it is canonical was seen before (meaning.fact_fault).
            sha256 = hashlib.sha256(columns["content"].encode()).hexdigest()
            self._versions[version_id] = (prompt_id, columns)
            row = (version_id, prompt_id, sha256, *(columns[name] for name in _VERSION))
            self._rows["prompt_versions"].append(row)
        return self._versions[version_id][1]

    def write(self) -> None:
        """Write what was taken."""
        for table, rows in self._rows.items():
            if rows:
                self._lean.insert_rows(table, _COLUMNS[table], rows)
        if self._numbers:
            sql = "UPDATE journal SET commit_seq = :commit_seq WHERE seq = :seq"
            self._lean.executemany(sql, self._numbers)


_LONGEST_ID = 64
_COLUMNS: dict[str, tuple[str, ...]] = {
    "prompts": ("id", "name", "folded_name", "created_us", "created_by"),
    "prompt_versions": ("id", "prompt_id", "sha256", *_VERSION),
    "journal": (*_FACT, "prompt_id", "commit_seq", "hash"),
}


def waiting(lean: Lean) -> int:
    """How many facts no server has."""
    row = lean.one("SELECT COUNT(*) FROM journal WHERE commit_seq IS NULL")
    return 0 if row is None else int(row[0])


def accepted(lean: Lean, after: int, limit: int) -> Iterator[tuple[int, str]]:
    """(place, rid) of facts that a server has or had, with places above ``after``, in their order."""
    sql = "SELECT seq, rid FROM journal WHERE commit_seq >= 0 AND seq > :after ORDER BY seq LIMIT :limit"
    return ((int(seq), str(rid)) for seq, rid in lean.fetch(sql, {"after": after, "limit": limit}))


def settle(lean: Lean, standings: Mapping[str, int]) -> None:
    """Write down what a server said of facts that are still pending: numbers, or that they are set aside."""
    touched: set[str] = set()
    shared = False
    changed = []
    for names in _chunks(list(standings)):
        sql = f"SELECT seq, rid, prompt_id FROM journal WHERE commit_seq IS NULL AND rid IN ({_marks(names)})"
        for seq, rid, prompt_id in lean.fetch(sql, names):
            changed.append({"seq": seq, "commit_seq": standings[rid]})
            shared |= prompt_id is None
            touched.update([prompt_id] if prompt_id is not None else [])
    lean.executemany("UPDATE journal SET commit_seq = :commit_seq WHERE seq = :seq", changed)
    folds.refold(lean, touched, shared=shared)


def number(lean: Lean, numbers: Mapping[str, int]) -> None:
    """Give facts that are here the numbers of a server, where they have none."""
    rows = [{"rid": rid, "seq": seq} for rid, seq in numbers.items()]
    sql = "UPDATE journal SET commit_seq = :seq WHERE rid = :rid AND (commit_seq IS NULL OR commit_seq <= 0)"
    lean.executemany(sql, rows)


def forget(lean: Lean) -> None:
    """Forget the numbers that a server gave."""
    lean.execute("UPDATE journal SET commit_seq = 0 WHERE commit_seq > 0")


def mark(lean: Lean, rids: Sequence[str], before: int, after: int | None) -> None:
    """Change where facts stand, as far as they stand where they are thought to."""
    for names in _chunks(rids):
        sql = f"UPDATE journal SET commit_seq = :after WHERE commit_seq = :before AND rid IN ({_marks(names)})"
        lean.execute(sql, {**names, "after": after, "before": before})


def _chunks(values: Sequence[str]) -> Iterator[dict[str, str]]:
    for start in range(0, len(values), _CHUNK):
        yield {f"v{n}": value for n, value in enumerate(values[start : start + _CHUNK])}


def _marks(names: Iterable[str]) -> str:
    return ", ".join(":" + name for name in names)
