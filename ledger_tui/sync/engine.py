"""One sync: push what is pending, pull what is new, and heal a server that lost something. Knows no database and no screen.

Correct however often and wherever it is cut off, and with several of them on one ledger: each step either happened or will
happen again, and happening twice changes nothing. When the server no longer holds a position that this ledger was told, both
ends compare what they have (a resync), and this ledger offers what the server lacks, also what others wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ledger_tui.domain import ids
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.digest import Digest, agreement, differing, merged
from ledger_tui.domain.sync.plan import ASK_ROWS, MAX_RESYNCS, MAX_ROUNDS, PULL_ROWS, page_fault
from ledger_tui.domain.sync.records import NO_MONTH, STREAMS, Delivered, Stream
from ledger_tui.sync.door import BadAnswer, Client, OtherLedger, Remote, Welcome
from ledger_tui.sync.local import Applied, At, LocalLog, Place, SyncState
from ledger_tui.sync.pushing import HistoryLost, Pusher, Refusal

FAILPOINTS = (
    "push.before_send", "push.after_send", "push.settled", "pull.before", "pull.received", "apply.rows", "apply.cursor",
    "pull.applied", "resync.begun", "resync.asked", "resync.offered", "resync.ending", "between",
)  # fmt: skip
"""The names that ``at`` is called with; ``between`` lies between the pushes and the pulls of a sync."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sync has come in one stream; ``total`` is what was known at its beginning."""

    stream: Stream
    doing: str
    """``send``, ``receive`` or ``compare``."""
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one sync did."""

    sent: Mapping[Stream, int] = field(default_factory=dict)
    """Records the server did not have."""
    came: Mapping[Stream, int] = field(default_factory=dict)
    """Records this ledger did not have."""
    unread: int = 0
    """Of those that came: of a newer release, kept for later."""
    quarantined: int = 0
    refused: tuple[Refusal, ...] = ()
    unsent: Mapping[Stream, int] = field(default_factory=dict)
    """What stays here, in streams that this account may not send or that were not asked for."""
    why_not: str = ""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """The records of ``sent`` by kind: what left this machine."""
    resyncs: int = 0
    agreed: str | None = None
    """Four hex digits when both ends hold the same; None when something waits or was set aside."""
    server_us: int = 0

    @property
    def did_something(self) -> bool:
        """Whether anything went, came, or was refused."""
        return bool(self.sent or self.came or self.refused or self.quarantined or self.resyncs)

    def as_json(self) -> dict[str, Any]:
        """Plain data for keeping and for scripts."""
        return {
            "sent": dict(self.kinds), "came": dict(self.came), "refused": len(self.refused), "unread": self.unread,
            "quarantined": self.quarantined, "unsent": dict(self.unsent), "why_not": self.why_not,
            "resyncs": self.resyncs, "agreed": self.agreed,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a sync would do now."""

    sending: Mapping[Stream, int]
    coming: Mapping[Stream, int]
    resync: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Records of this month whose hash begins with this byte differ between the two ends.

    month: ``YYYY-MM``, ``0000-00`` for ids without a moment; None when the month is not known here.
    """

    stream: Stream
    month: str | None
    bucket: int
    mine: int
    theirs: int


REGISTRY_EVERY_S = 1.0
"""How long the registry waits at most while a backlog of another stream is exchanged."""


def _nothing(_: object) -> None:
    """Nobody is told."""


class Engine:
    """Syncs one ledger with one server. Not for two threads at once."""

    pusher = Pusher

    def __init__(
        self,
        local: LocalLog,
        remote: Remote,
        client: Client,
        *,
        streams: Collection[Stream] = ("meta", "telemetry"),
        at: At = _nothing,
        on_progress: Callable[[Progress], None] = _nothing,
    ) -> None:
        """streams: those to exchange, as far as the account may. at: see ``FAILPOINTS``."""
        self.local = local
        self.remote = remote
        self.client = client
        self.streams = tuple(stream for stream in STREAMS if stream in streams)
        self.at = at
        self.on_progress = on_progress
        self._begin()
        self._registry_s = time.monotonic()
        self.compared: dict[Stream, Digest] = {}
        """The server's digests that ``verify`` compared."""

    def sync(self, *, anew: bool = False) -> Receipt:
        """Exchange everything once. Raises SyncError (door.py), OtherLedger before anything is written.

        anew: forget what was told, as after a restore, so that both ends send each other all that the other lacks.
        """
        self._begin()
        welcome, state = self._meet()
        must_compare = anew or self._must_compare(welcome, state)
        for attempt in range(MAX_RESYNCS + 1):
            try:
                self._pusher.begin()
                name = self._resync(welcome) if must_compare or attempt else None
                self._push_all(welcome, compared=name is not None)
                self.at("between")
                self._pull_all(welcome, everything=name is not None)
            except HistoryLost:
                welcome, _ = self._hello()
                continue
            if name is not None:
                self.at("resync.ending")
                self.local.end_resync(name, welcome.epoch)
            return self._finished(welcome)
        raise BadAnswer("its history changed again and again", remedy="Try again later; nothing is lost.")

    def push_only(self) -> Receipt:
        """Send what is pending, and read nothing; a server that lost something is left to the next whole sync."""
        self._begin()
        welcome, state = self._meet()
        if state.resyncing is None and not self._lost(welcome, state):
            try:
                self._push_all(welcome, compared=False)
            except HistoryLost:
                pass
        return self._finished(welcome)

    def _begin(self) -> None:
        self._receipt = Receipt()
        self._pusher = self.pusher(self.local, self.remote, self.at)

    def outlook(self) -> Outlook:
        """What a sync would send and bring; changes nothing."""
        welcome, state = self._hello()
        coming = {
            stream: max(0, welcome.ends.get(stream, START).seq - state.cursor(stream).seq)
            for stream in self._pulls(welcome)
        }
        sending = {stream: self.local.waiting(stream) for stream in self._pushes(welcome)}
        return Outlook(sending, coming, self._must_compare(welcome, state))

    def verify(self) -> list[Difference]:
        """Compare both ends by digests: where they differ; empty when both hold the same accepted records."""
        welcome, _ = self._hello()
        found: list[Difference] = []
        for stream in self._pulls(welcome):
            found += self._differences(stream, welcome.horizons.get(stream), welcome.ends.get(stream, START).seq)
        return found

    def _differences(self, stream: Stream, horizon: str | None, total: int) -> list[Difference]:
        """Where both ends of a stream differ: as a whole first, and only then month by month. total: about how many records."""

        def told(done: int) -> None:
            self.on_progress(Progress(stream, "compare", done, max(done, total)))

        told(0)
        kept = {
            month: digest
            for month, digest in self.local.digests(stream, told).items()
            if horizon is None or month >= horizon or month == NO_MONTH
        }
        mine, theirs = merged(kept.values()), self.remote.digest(stream, None, horizon)
        self.compared[stream] = theirs
        if not differing(mine, theirs):
            return []
        found = [
            difference
            for month, digest in kept.items()
            for difference in _cells(stream, month, digest, self.remote.digest(stream, month))
        ]
        return found or _cells(stream, None, mine, theirs)

    def _hello(self) -> tuple[Welcome, SyncState]:
        # The state is read first: another process may be told more meanwhile, and that is no loss.
        state = self.local.state()
        welcome = self.remote.hello(self.client, {stream: state.fence(stream) for stream in self.streams})
        self._check_ledger(welcome, state)
        return welcome, state

    def _meet(self) -> tuple[Welcome, SyncState]:
        welcome, state = self._hello()
        if state.workspace is None:
            self.local.meet(welcome.workspace, welcome.epoch)
            state = self.local.state()
        self._receipt = replace(self._receipt, server_us=welcome.server_us, why_not=welcome.why_not)
        return welcome, state

    def _check_ledger(self, welcome: Welcome, state: SyncState) -> None:
        if state.workspace not in (None, welcome.workspace):
            raise OtherLedger(f"this ledger belongs to {state.workspace}, the address leads to {welcome.workspace}")

    def _must_compare(self, welcome: Welcome, state: SyncState) -> bool:
        return state.resyncing is not None or self._lost(welcome, state) or self._was_left_out(welcome, state)

    def _was_left_out(self, welcome: Welcome, state: SyncState) -> bool:
        """Whether a stream took no part when everything was compared last, as it was not to be sent then: its positions are
        forgotten, and what a server had of it has no number."""
        return any(
            state.fence(stream) == START and self.local.accepted(stream, None, 1) for stream in self._pushes(welcome)
        )

    def _lost(self, welcome: Welcome, state: SyncState) -> bool:
        """Whether meeting alone shows that the server was made anew or went back."""
        return state.epoch not in (None, welcome.epoch) or not welcome.lost.isdisjoint(self.streams)

    def _pushes(self, welcome: Welcome) -> list[Stream]:
        return [stream for stream in self.streams if stream in welcome.pushes]

    def _pulls(self, welcome: Welcome) -> list[Stream]:
        return [stream for stream in self.streams if stream in welcome.pulls]

    def _push_all(self, welcome: Welcome, *, compared: bool) -> None:
        for stream in self._pushes(welcome):
            if stream == "bodies" and "meta" in self._pulls(welcome):
                self._hear_of_purges(welcome)
            self._push_stream(welcome, stream, compared)

    def _hear_of_purges(self, welcome: Welcome) -> None:
        """Before texts go: what others decided meanwhile comes, which may be that some of them are to go nowhere."""
        end = welcome.ends.get("meta")
        if end is not None and self.local.waiting("bodies") and self.local.state().cursor("meta") != end:
            self._pull(welcome, "meta", end)

    def _push_stream(self, welcome: Welcome, stream: Stream, compared: bool) -> None:
        def passed(done: int, total: int) -> None:
            self.on_progress(Progress(stream, "send", done, total))
            self._let_registry_pass(welcome, stream, compared)

        self._pusher.push_stream(stream, compared=compared, after_batch=passed)

    def _let_registry_pass(self, welcome: Welcome, stream: Stream, compared: bool) -> None:
        """Between two batches of a backlog: what was decided about prompts meanwhile goes and comes without waiting for it."""
        now_s = time.monotonic()
        if stream == "meta" or now_s - self._registry_s < REGISTRY_EVERY_S:
            return
        self._registry_s = now_s
        if "meta" in self._pushes(welcome):
            self._push_stream(welcome, "meta", compared)
        if "meta" in self._pulls(welcome):
            self._pull(welcome, "meta", START)

    def _pull_all(self, welcome: Welcome, *, everything: bool) -> None:
        for stream in self._pulls(welcome):
            end = welcome.ends.get(stream)
            if everything or stream in self._pusher.pushed or self.local.state().cursor(stream) != end:
                self._pull(welcome, stream, START if end is None else end)

    def _pull(self, welcome: Welcome, stream: Stream, end: Position) -> None:
        for _ in range(MAX_ROUNDS):
            cursor = self.local.state().cursor(stream)
            self.at("pull.before")
            page = self.remote.pull(stream, cursor, PULL_ROWS)
            self.at("pull.received")
            if page.fence_lost:
                raise HistoryLost
            wrong = page_fault(stream, cursor, page.rows, page.upto, page.more)
            if wrong is not None:
                raise BadAnswer(f"a page of {stream} cannot be taken: {wrong}")
            if page.rows:
                self._catch_up(welcome, stream)
            applied = Applied() if page.upto == cursor else self._apply(stream, cursor, page.rows, page.upto)
            self.on_progress(Progress(stream, "receive", page.upto.seq, max(page.upto.seq, end.seq)))
            if not page.more and not applied.moved:
                return
            self._let_registry_pass(welcome, stream, compared=False)

    def _catch_up(self, welcome: Welcome, stream: Stream) -> None:
        """Bring what the records of a page may name and others sent meanwhile: runs name prompts, texts name runs.

        Whatever a record names was on the server before it.
        """
        before = STREAMS[: STREAMS.index(stream)]
        if before and before[-1] in self._pulls(welcome):
            self._pull(welcome, before[-1], START)

    def _apply(self, stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position) -> Applied:
        applied = self.local.apply(stream, cursor, rows, upto, self.at)
        self.at("pull.applied")
        was = self._receipt
        self._receipt = replace(
            was,
            came=_added(was.came, stream, applied.new),
            unread=was.unread + applied.unread,
            quarantined=was.quarantined + applied.quarantined,
        )
        return applied

    def _resync(self, welcome: Welcome) -> str:
        """Forget what was told, and make pending again what the server lacks; the name under which it ends."""
        name = ids.new_id()
        self.local.begin_resync(name)
        self._receipt = replace(self._receipt, resyncs=self._receipt.resyncs + 1)
        self.at("resync.begun")
        for stream in self._pushes(welcome):
            place: Place | None = None
            compared = 0
            while found := self.local.accepted(stream, place, ASK_ROWS):
                place = found[-1][0]
                compared += len(found)
                rids = [rid for _, rid in found]
                # An account that may only send cannot ask: it sends everything again, and the server knows what it has.
                lacking = self.remote.missing(stream, rids) if stream in welcome.pulls else rids
                self.at("resync.asked")
                self._offer(stream, [rid for rid in rids if rid in set(lacking)])
                self.on_progress(Progress(stream, "compare", compared, compared))
            # What the server was said to have is there as long as it holds where it stood before it was asked.
            end = welcome.ends.get(stream, START)
            self._pusher.compared_with(stream, end)
            self.local.settle(stream, {}, {}, end)
        self.at("resync.offered")
        return name

    def _offer(self, stream: Stream, rids: Sequence[str]) -> None:
        if rids:
            self.local.offer(stream, rids)

    def _finished(self, welcome: Welcome) -> Receipt:
        waiting = {stream: self.local.waiting(stream) for stream in STREAMS}
        unsent = {stream: count for stream, count in waiting.items() if count}
        state = self.local.state()
        agreed = None
        if (
            not any(stream in unsent for stream in self.streams)
            and not self.local.set_aside()
            and state.resyncing is None
        ):
            agreed = agreement({stream: state.cursor(stream) for stream in self._pulls(welcome)})
        pusher = self._pusher
        return replace(
            self._receipt,
            sent=dict(+pusher.sent),
            kinds=dict(pusher.kinds),
            refused=tuple(pusher.refused),
            unsent=unsent,
            agreed=agreed,
        )


def _cells(stream: Stream, month: str | None, mine: Digest, theirs: Digest) -> list[Difference]:
    return [
        Difference(stream, month, bucket, *(end[bucket].records if bucket in end else 0 for end in (mine, theirs)))
        for bucket in differing(mine, theirs)
    ]


def _added(counts: Mapping[Stream, int], stream: Stream, more: int) -> Mapping[Stream, int]:
    return {**counts, stream: counts.get(stream, 0) + more} if more else counts
