"""A shared server in memory, with exactly the semantics of the door: for tests, here and of programs that use us.

It is thread-safe. A restored or a wiped server can be had too: ``restore`` and ``wipe``. What it counts as one history is one
list of records and one of commits, as the tables of a real server are.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ledger_tui.domain import clock
from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.conflicts import PROTECTED
from ledger_tui.domain.sync.digest import Digest, digest_of_hashes
from ledger_tui.domain.sync.plan import ASK_ROWS
from ledger_tui.domain.sync.records import NO_MONTH, STREAMS, Delivered, Record, Stream
from ledger_tui.sync.door import (
    MAX_PURGED,
    PROTOCOL,
    PURGED,
    Client,
    Device,
    Fate,
    Page,
    PushAnswer,
    RemoteRefused,
    RowAnswer,
    Welcome,
)
from ledger_tui.sync.history import Commit, made_version
from ledger_tui.sync.history import History as History
from ledger_tui.sync.listening import MemoryListener
from ledger_tui.sync.people import ROLES

_MAY_PUSH: dict[str, tuple[Stream, ...]] = {"reader": (), "ingest": ("telemetry", "bodies")}
_MAY_PULL: dict[str, tuple[Stream, ...]] = {"reader": ("meta",), "ingest": ()}
_MONTHS = frozenset(f"{month:02d}" for month in range(1, 13))
_KEEPERS = ("owner", "admin", "maintainer")


class MemoryServer:
    """One workspace's shared server."""

    def __init__(self, *, protected: Collection[str] = PROTECTED, protocol: int = PROTOCOL) -> None:
        """protected: labels that only maintainers may move."""
        self.workspace = str(uuid.uuid4())
        self.protected = frozenset(protected)
        self.protocol = protocol
        self.members: dict[str, str] = {}
        self._guard = threading.RLock()
        self.heard = threading.Condition(self._guard)
        self._begin()

    def _begin(self) -> None:
        self.epoch = str(uuid.uuid4())
        self.histories: dict[Stream, History] = {stream: History() for stream in STREAMS}
        self.commits: list[Commit] = []
        self._known: dict[str, tuple[Stream, Delivered]] = {}
        self._purged: set[tuple[Stream, str]] = set()

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
                history, was = self.histories[commit.stream], old[commit.stream]
                history.horizon = was.horizon
                self._commit(commit, was.between(history.end.seq, commit.position.seq))
                history.versions = {version: seq for version, seq in was.versions.items() if seq <= history.end.seq}

    def wipe(self) -> None:
        """Begin anew with nothing, under another epoch."""
        with self._guard:
            self._begin()

    def push(
        self, account: str, stream: Stream, rows: Sequence[Record], fence: Position, device: str = ""
    ) -> PushAnswer:
        """As ``Remote.push``, for an account and a device."""
        with self._guard:
            role = self._role(account)
            if stream not in _MAY_PUSH.get(role, STREAMS):
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
                    seq = history.end.seq + len(fresh) + 1
                    fresh[record.rid] = Delivered(record, seq, record.hash, account)
                    made.update(made_version(record))
                elif status == "DUP":
                    seq = (fresh.get(record.rid) or self._known[record.rid][1]).seq
                answers.append(RowAnswer(record.rid, status, seq))
            if fresh:
                added = list(fresh.values())
                self._commit(Commit(stream, history.after(added), account, device, clock.now_us(), len(added)), added)
            return PushAnswer(tuple(answers), history.end)

    def pull(self, account: str, stream: Stream, after: Position, limit: int) -> Page:
        """As ``Remote.pull``, for an account."""
        with self._guard:
            self._check_pull(account, stream)
            history = self.histories[stream]
            if not self._holds(history, after):
                return Page((), history.end, more=False, fence_lost=True)
            upto = history.page_end(after.seq, limit)
            if upto is None:
                return Page((), after, more=False)
            rows = tuple(history.between(after.seq, upto))
            return Page(rows, Position(upto, history.ends[upto]), more=upto < history.end.seq)

    def missing(self, account: str, stream: Stream, rids: Sequence[str]) -> list[str]:
        """As ``Remote.missing``, for an account."""
        if len(rids) > ASK_ROWS:
            raise ValueError(f"at most {ASK_ROWS} ids at once")
        with self._guard:
            self._check_pull(account, stream)
            there, expired = self._known, self.histories[stream].is_expired
            return [rid for rid in rids if (rid not in there or there[rid][0] != stream) and not expired(rid)]

    def digest(self, account: str, stream: Stream, month: str | None, since: str | None) -> Digest:
        """As ``Remote.digest``, for an account."""
        with self._guard:
            self._check_pull(account, stream)
            pairs = []
            for row in self.histories[stream].rows:
                found = records.month_of(row.record.rid)
                if month in (None, found) and (since is None or found == NO_MONTH or found >= since):
                    pairs.append((row.hash, records.cost_of(row.record)))
            return digest_of_hashes(pairs)

    def retire(self, account: str, stream: Stream, before: str) -> int:
        """As ``Remote.retire``, for an account."""
        with self._guard:
            role = self._role(account)
            if role not in _KEEPERS:
                raise RemoteRefused(f"the role {role} may not do this")
            if stream == "meta" or before[5:] not in _MONTHS or not "1970" <= before <= clock.now().strftime("%Y-%m"):
                raise RemoteRefused("months of telemetry or bodies can go, before a month that has begun")
            history = self.histories[stream]
            history.horizon = max(history.horizon, before)
            gone = list(history.expired())
            for row in gone:
                del self._known[row.record.rid]
            history.rows = [row for row in history.rows if row.record.rid in self._known]
            return len(gone)

    def devices(self, account: str) -> list[Device]:
        """As ``Remote.devices``, for an account."""
        with self._guard:
            self._check_pull(account, "telemetry")
            found: dict[tuple[str, str], Device] = {}
            for commit in self.commits:
                name = (commit.device, commit.pusher)
                count = commit.rows + (found[name].records if name in found else 0)
                found[name] = Device(*name, self.members.get(commit.pusher, ""), commit.at_us, count)
            return sorted(found.values(), key=lambda device: (-device.last_us, device.name, device.account))

    def welcome(self, account: str, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        """As ``Remote.hello``, for an account."""
        with self._guard:
            role = self._role(account)
            fits = client.protocol >= self.protocol
            why_not = "" if fits else f"this server needs protocol {self.protocol} or newer: upgrade ledger-tui"
            pushes, pulls = _MAY_PUSH.get(role, STREAMS) if fits else (), _MAY_PULL.get(role, STREAMS)
            if fits and pushes != STREAMS:
                why_not = f"the role {role} may not send everything"
            ends = {stream: self.histories[stream].end for stream in pulls}
            mine = [stream for stream in fences if stream in pushes or stream in pulls]
            lost = frozenset(stream for stream in mine if not self._holds(self.histories[stream], fences[stream]))
            horizons = {stream: self.histories[stream].horizon for stream in pulls if self.histories[stream].horizon}
            return Welcome(self.workspace, self.epoch, clock.now_us(), pushes, pulls, ends, horizons, lost, why_not)

    def _role(self, account: str) -> str:
        if account not in self.members:
            raise RemoteRefused("there is no such shared ledger for this account")
        return self.members[account]

    def _check_pull(self, account: str, stream: Stream) -> None:
        role = self._role(account)
        if stream not in _MAY_PULL.get(role, STREAMS):
            raise RemoteRefused(f"the role {role} may not read {stream}")

    def _holds(self, history: History, position: Position) -> bool:
        return history.holds(position)

    def _judge(self, role: str, stream: Stream, record: Record, fresh: dict[str, Delivered], made: set[str]) -> Fate:
        """What becomes of one row; fresh, made: the rows before it in this push and the versions that they make."""
        wrong = "it belongs to another stream" if record.stream != stream else records.fault(record)
        if wrong is not None:
            return "TOO_BIG" if wrong.startswith("it is larger") else "CORRUPT"
        if record.kind == "purge" and stream == "meta" and not _is_purge(record):
            return "CORRUPT"
        if stream != "meta" and self.histories[stream].is_expired(record.rid):
            return "EXPIRED"
        there = self._twin(record.rid)
        if there is None and record.rid in fresh:
            there = (stream, fresh[record.rid])
        if there is not None:
            return "DUP" if there[0] == stream and there[1].hash == record.hash else "HASH_CONFLICT"
        version = records.version_of(record)
        if version is not None and not set(version[1]) <= self.histories["meta"].versions.keys() | made:
            return "MISSING_PARENT"
        return "DENIED" if self._denies(role, record) else "NEW"

    def _twin(self, rid: str) -> tuple[Stream, Delivered] | None:
        return self._known.get(rid)

    def _denies(self, role: str, record: Record) -> bool:
        if role in _KEEPERS or record.stream != "meta":
            return False
        moved = record.content().get("field") if record.kind == "label" else None
        return record.kind == "purge" or moved in self.protected

    def _commit(self, commit: Commit, fresh: Sequence[Delivered]) -> None:
        """Make rows visible and the history longer by one push."""
        history = self.histories[commit.stream]
        history.add(fresh, commit.position)
        for row in fresh:
            self._known[row.record.rid] = (commit.stream, row)
        self.commits.append(commit)
        for row in fresh:
            if row.record.kind == "purge" and commit.stream == "meta":
                content = row.record.content()
                self._purged.update((content["stream"], rid) for rid in content["rids"])
                self._blank(content["rids"])
        self._blank([row.record.rid for row in fresh])
        if commit.stream == "meta":
            self.heard.notify_all()

    def _blank(self, rids: Collection[str]) -> None:
        """Blank the purged ones of these records."""
        for rid in rids:
            if rid not in self._known:
                continue
            stream, row = self._known[rid]
            if (stream, rid) in self._purged and row.record.kind != "purge":
                row = replace(row, record=replace(row.record, body=PURGED))
                self.histories[stream].replace(row)
                self._known[rid] = (stream, row)


def _is_purge(record: Record) -> bool:
    content = record.content()
    rids = content.get("rids")
    fits = isinstance(rids, list) and 1 <= len(rids) <= MAX_PURGED and all(isinstance(rid, str) for rid in rids)
    return fits and content.get("stream") in STREAMS


class MemoryRemote:
    """A ``Remote`` on a server in memory."""

    def __init__(self, server: MemoryServer, account: str) -> None:
        self.server = server
        self.account = account
        self._device = ""

    def hello(self, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        self._device = client.device
        return self.server.welcome(self.account, client, fences)

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        return self.server.push(self.account, stream, rows, fence, self._device)

    def pull(self, stream: Stream, after: Position, limit: int) -> Page:
        return self.server.pull(self.account, stream, after, limit)

    def missing(self, stream: Stream, rids: Sequence[str]) -> list[str]:
        return self.server.missing(self.account, stream, rids)

    def digest(self, stream: Stream, month: str | None = None, since: str | None = None) -> Digest:
        return self.server.digest(self.account, stream, month, since)

    def retire(self, stream: Stream, before: str) -> int:
        return self.server.retire(self.account, stream, before)

    def devices(self) -> list[Device]:
        return self.server.devices(self.account)

    def listener(self) -> MemoryListener:
        return MemoryListener(self.server.heard, lambda: sum(c.stream == "meta" for c in self.server.commits))

    def close(self) -> None:
        """There is nothing to let go of."""
