"""A shared server in memory, with exactly the semantics of the door: for tests, here and of programs that use us.

It is thread-safe. A restored or a wiped server can be had too: ``restore`` and ``wipe``. What it counts as one history is one
list of records and one of commits, as the tables of a real server are.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ledger_tui.domain import clock
from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.chain import START, Position, extend
from ledger_tui.domain.sync.conflicts import PROTECTED
from ledger_tui.domain.sync.digest import Digest, digest_of
from ledger_tui.domain.sync.plan import ASK_ROWS, Status
from ledger_tui.domain.sync.records import STREAMS, Delivered, Record, Stream
from ledger_tui.sync.door import (
    PROTOCOL,
    Client,
    Page,
    PushAnswer,
    RemoteRefused,
    RowAnswer,
    Welcome,
)

ROLES = ("reader", "ingest", "member", "maintainer")
_MAY_PUSH: dict[str, tuple[Stream, ...]] = {
    "reader": (),
    "ingest": ("telemetry", "bodies"),
    "member": STREAMS,
    "maintainer": STREAMS,
}
_MAY_PULL: dict[str, tuple[Stream, ...]] = {
    "reader": ("meta",),
    "ingest": (),
    "member": STREAMS,
    "maintainer": STREAMS,
}


@dataclass(frozen=True, slots=True)
class Commit:
    """One push that added something: where the history ended after it."""

    stream: Stream
    position: Position
    pusher: str


@dataclass
class History:
    """One stream: records in the order of their numbers (the first is number 1), and where its pushes ended."""

    rows: list[Delivered] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    """Number of the last record of a push, to the chain there; in order."""
    versions: set[str] = field(default_factory=set)

    @property
    def end(self) -> Position:
        """The end of the history."""
        return Position(len(self.rows), self.ends[len(self.rows)]) if self.rows else START

    def holds(self, position: Position) -> bool:
        """Whether a push ended exactly here; nothing is known at START, so every history holds it."""
        return position == START or self.ends.get(position.seq) == position.chain


class MemoryServer:
    """One workspace's shared server."""

    def __init__(self, *, protected: Collection[str] = PROTECTED, protocol: int = PROTOCOL) -> None:
        """protected: labels that only maintainers may move."""
        self.workspace = str(uuid.uuid4())
        self.protected = frozenset(protected)
        self.protocol = protocol
        self.members: dict[str, str] = {}
        self._guard = threading.RLock()
        self._begin()

    def _begin(self) -> None:
        self.epoch = str(uuid.uuid4())
        self.histories: dict[Stream, History] = {stream: History() for stream in STREAMS}
        self.commits: list[Commit] = []
        self._known: dict[str, tuple[Stream, Delivered]] = {}

    def remote(self, account: str, role: str = "member") -> MemoryRemote:
        """The door for an account, which becomes a member in this role."""
        if role not in ROLES:
            raise ValueError(f"roles are {', '.join(ROLES)}")
        self.members[account] = role
        return MemoryRemote(self, account)

    def restore(self, commits: int, *, announced: bool) -> None:
        """Go back to the state after this many commits, as from a backup; announced: its keeper says so (a new epoch)."""
        with self._guard:
            kept, old, epoch = self.commits[:commits], self.histories, self.epoch
            self._begin()
            if not announced:
                self.epoch = epoch
            for commit in kept:
                begin = len(self.histories[commit.stream].rows)
                self._commit(commit.stream, old[commit.stream].rows[begin : commit.position.seq], commit.pusher)

    def wipe(self) -> None:
        """Begin anew with nothing, under another epoch."""
        with self._guard:
            self._begin()

    def push(self, account: str, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        """As ``Remote.push``, for an account."""
        with self._guard:
            role = self._role(account)
            if stream not in _MAY_PUSH[role]:
                raise RemoteRefused(f"the role {role} may not send {stream}")
            history = self.histories[stream]
            if not self._holds(history, fence):
                return PushAnswer((), history.end, fence_lost=True)
            fresh: dict[str, Delivered] = {}
            made: set[str] = set()
            answers: list[RowAnswer] = []
            for record in rows:
                status = self._judge(role, stream, record, fresh, made)
                seq = None
                if status == "NEW":
                    seq = len(history.rows) + len(fresh) + 1
                    fresh[record.rid] = Delivered(record, seq, record.hash, account)
                    made.update(_made(record))
                elif status == "DUP":
                    seq = (fresh.get(record.rid) or self._known[record.rid][1]).seq
                answers.append(RowAnswer(record.rid, status, seq))
            if fresh:
                self._commit(stream, list(fresh.values()), account)
            return PushAnswer(tuple(answers), history.end)

    def pull(self, account: str, stream: Stream, after: Position, limit: int) -> Page:
        """As ``Remote.pull``, for an account."""
        with self._guard:
            self._check_pull(account, stream)
            history = self.histories[stream]
            if not self._holds(history, after):
                return Page((), history.end, more=False, fence_lost=True)
            later = [end for end in history.ends if end > after.seq]
            if not later:
                return Page((), after, more=False)
            within = [end for end in later if end <= after.seq + limit]
            upto = within[-1] if within else later[0]
            rows = tuple(history.rows[after.seq : upto])
            return Page(rows, Position(upto, history.ends[upto]), more=upto < history.end.seq)

    def missing(self, account: str, stream: Stream, rids: Sequence[str]) -> list[str]:
        """As ``Remote.missing``, for an account."""
        if len(rids) > ASK_ROWS:
            raise ValueError(f"at most {ASK_ROWS} ids at once")
        with self._guard:
            self._check_pull(account, stream)
            return [rid for rid in rids if rid not in self._known or self._known[rid][0] != stream]

    def digest(self, account: str, stream: Stream, month: str | None) -> Digest:
        """As ``Remote.digest``, for an account."""
        with self._guard:
            self._check_pull(account, stream)
            rows = self.histories[stream].rows
            return digest_of(r.record for r in rows if month in (None, records.month_of(r.record.rid)))

    def welcome(self, account: str, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        """As ``Remote.hello``, for an account."""
        with self._guard:
            role = self._role(account)
            fits = client.protocol >= self.protocol
            why_not = "" if fits else f"this server needs protocol {self.protocol} or newer: upgrade ledger-tui"
            pushes, pulls = _MAY_PUSH[role] if fits else (), _MAY_PULL[role]
            if fits and pushes != STREAMS:
                why_not = f"the role {role} may not send everything"
            ends = {stream: self.histories[stream].end for stream in pulls}
            mine = [stream for stream in fences if stream in pushes or stream in pulls]
            lost = frozenset(stream for stream in mine if not self._holds(self.histories[stream], fences[stream]))
            return Welcome(self.workspace, self.epoch, clock.now_us(), pushes, pulls, ends, lost, why_not)

    def _role(self, account: str) -> str:
        if account not in self.members:
            raise RemoteRefused("there is no such shared ledger for this account")
        return self.members[account]

    def _check_pull(self, account: str, stream: Stream) -> None:
        role = self._role(account)
        if stream not in _MAY_PULL[role]:
            raise RemoteRefused(f"the role {role} may not read {stream}")

    def _holds(self, history: History, position: Position) -> bool:
        return history.holds(position)

    def _judge(self, role: str, stream: Stream, record: Record, fresh: dict[str, Delivered], made: set[str]) -> Status:
        """What becomes of one row; fresh, made: the rows before it in this push and the versions that they make."""
        wrong = "it belongs to another stream" if record.stream != stream else records.fault(record)
        if wrong is not None:
            return "TOO_BIG" if wrong.startswith("it is larger") else "CORRUPT"
        there = self._twin(record.rid)
        if there is None and record.rid in fresh:
            there = (stream, fresh[record.rid])
        if there is not None:
            return "DUP" if there[0] == stream and there[1].hash == record.hash else "HASH_CONFLICT"
        version = records.version_of(record)
        if version is not None and not set(version[1]) <= self.histories["meta"].versions | made:
            return "MISSING_PARENT"
        return "DENIED" if self._denies(role, record) else "NEW"

    def _twin(self, rid: str) -> tuple[Stream, Delivered] | None:
        return self._known.get(rid)

    def _denies(self, role: str, record: Record) -> bool:
        return record.kind == "label" and role != "maintainer" and record.content().get("field") in self.protected

    def _commit(self, stream: Stream, fresh: Sequence[Delivered], pusher: str) -> None:
        """Make rows visible and the history longer by one push."""
        history = self.histories[stream]
        chain = extend(history.end.chain, (row.hash for row in fresh))
        history.rows.extend(fresh)
        history.ends[len(history.rows)] = chain
        for row in fresh:
            self._known[row.record.rid] = (stream, row)
            history.versions.update(_made(row.record))
        self.commits.append(Commit(stream, history.end, pusher))


def _made(record: Record) -> tuple[str, ...]:
    version = records.version_of(record)
    return () if version is None else version[:1]


class MemoryRemote:
    """A ``Remote`` on a server in memory."""

    def __init__(self, server: MemoryServer, account: str) -> None:
        self.server = server
        self.account = account

    def hello(self, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        return self.server.welcome(self.account, client, fences)

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        return self.server.push(self.account, stream, rows, fence)

    def pull(self, stream: Stream, after: Position, limit: int) -> Page:
        return self.server.pull(self.account, stream, after, limit)

    def missing(self, stream: Stream, rids: Sequence[str]) -> list[str]:
        return self.server.missing(self.account, stream, rids)

    def digest(self, stream: Stream, month: str | None = None) -> Digest:
        return self.server.digest(self.account, stream, month)

    def close(self) -> None:
        """There is nothing to let go of."""
