"""The sending half of a sync: what is pending goes in batches, and what the server says of each is settled here.

While the server works on one batch, a thread settles the batch before it and reads the one behind it. Cut off anywhere, a batch
that the server has and that is not settled goes again, and is known there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.plan import ACCEPTED, MAX_ROUNDS, PUSH_BYTES, PUSH_ROWS, REASONS, REFUSED
from ledger_tui.domain.sync.records import Record, Stream
from ledger_tui.sync.door import BadAnswer, BatchRefused, PushAnswer, Remote
from ledger_tui.sync.local import At, LocalLog


class HistoryLost(Exception):
    """The server does not hold what this ledger was told."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pushed record that was set aside."""

    stream: Stream
    rid: str
    why: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a server said of a batch, as it is to be settled."""

    stream: Stream
    accepted: Mapping[str, int]
    refused: Mapping[str, str]
    """Why, in words."""
    position: Position | None


class Pusher:
    """Sends what is pending of one ledger. Not for two threads at once."""

    def __init__(self, local: LocalLog, remote: Remote, at: At) -> None:
        """at: see ``engine.FAILPOINTS``."""
        self.local = local
        self.remote = remote
        self.at = at
        self.sent: Counter[Stream] = Counter()
        """Records that the server did not have."""
        self.kinds: Counter[str] = Counter()
        """The same by kind."""
        self.refused: list[Refusal] = []
        self.pushed: set[Stream] = set()
        """Streams in which something was settled since ``begin``."""
        self._compared_with: dict[Stream, Position] = {}
        self._told: dict[Stream, Position] = {}
        """Where the server said its histories ended since ``begin``; what was settled of it is in the ledger."""
        self._unsettled: Judgement | None = None

    def begin(self) -> None:
        """A new attempt: what the server said before does not count any more, and what is not settled will go again."""
        self.pushed, self._compared_with, self._told, self._unsettled = set(), {}, {}, None

    def compared_with(self, stream: Stream, end: Position) -> None:
        """Everything of a stream was compared with a history that ended there: what it had must be in the one pushed to."""
        self._compared_with[stream] = end

    def push_stream(self, stream: Stream, *, compared: bool, after_batch: Callable[[int, int], None]) -> None:
        """Send all that is pending. compared: everything was compared just now, so what still lacks a parent never had one.

        after_batch: called after each batch with how many records went and how many there are. Raises HistoryLost.
        """
        total, done = self.local.waiting(stream), 0
        batch = self.local.pending(stream, PUSH_ROWS, PUSH_BYTES) if total else []
        for _ in range(MAX_ROUNDS):
            if not batch:
                break
            ahead = self._push(stream, batch, compared)
            done += len(batch)
            after_batch(done, max(done, total))
            batch = ahead or self._pending(stream)
        self._settle_rest()

    def _pending(self, stream: Stream) -> list[Record]:
        self._settle_rest()
        return self.local.pending(stream, PUSH_ROWS, PUSH_BYTES)

    def _push(self, stream: Stream, batch: Sequence[Record], compared: bool) -> list[Record]:
        """Push one batch; one that cannot be looked at is halved until the record that is in the way stands alone.

        What waits behind it is read meanwhile; that is the answer, empty where nothing was read.
        """
        self.at("push.before_send")
        try:
            answer, ahead = self._sent(stream, batch, compared)
        except BatchRefused:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._push(stream, batch[:middle], compared)
                self._push(stream, batch[middle:], compared)
            else:
                self._settle(Judgement(stream, {}, {batch[0].rid: REASONS["REFUSED"]}, None))
            return []
        self.at("push.after_send")
        if answer.fence_lost:
            raise HistoryLost
        found = _judgement(stream, batch, answer, compared)
        self._count(stream, batch, answer)
        if ahead:
            self._unsettled = found
        else:
            self._settle(found)
        if not compared and any(row.status == "MISSING_PARENT" for row in answer.rows):
            raise HistoryLost
        return ahead

    def _sent(self, stream: Stream, batch: Sequence[Record], compared: bool) -> tuple[PushAnswer, list[Record]]:
        state = self.local.state()
        if state.resyncing is not None and not compared:
            # Another program began to compare: what this batch was written on may have to go before it.
            raise HistoryLost
        positions = (state.fence(stream), self._compared_with.get(stream, START), self._told.get(stream, START))
        fence = max(positions, key=lambda position: position.seq)
        if len(batch) < PUSH_ROWS:
            self._settle_rest()
            answer, ahead = self.remote.push(stream, batch, fence), []
        else:
            with ThreadPoolExecutor(1, "sync-reader") as reader:
                behind = reader.submit(self._meanwhile, stream)
                answer = self.remote.push(stream, batch, fence)
                ahead = behind.result()
        self._told[stream] = answer.position
        return answer, ahead

    def _meanwhile(self, stream: Stream) -> list[Record]:
        self._settle_rest()
        return self.local.behind(stream, PUSH_ROWS, PUSH_BYTES)

    def _settle_rest(self) -> None:
        found, self._unsettled = self._unsettled, None
        if found is not None:
            self._settle(found)

    def _settle(self, found: Judgement) -> None:
        self.local.settle(found.stream, found.accepted, found.refused, found.position)
        self.pushed.add(found.stream)
        self.refused += [Refusal(found.stream, rid, why) for rid, why in found.refused.items()]
        self.at("push.settled")

    def _count(self, stream: Stream, batch: Sequence[Record], answer: PushAnswer) -> None:
        new = [record.kind for record, row in zip(batch, answer.rows, strict=True) if row.status == "NEW"]
        self.sent[stream] += len(new)
        self.kinds.update(new)


def _judgement(stream: Stream, batch: Sequence[Record], answer: PushAnswer, compared: bool) -> Judgement:
    """What is to be settled of an answer; raises BadAnswer for one that does not fit what was sent."""
    if [row.rid for row in answer.rows] != [record.rid for record in batch]:
        raise BadAnswer("it does not answer for each record that was sent")
    accepted: dict[str, int] = {}
    refused: dict[str, str] = {}
    for row in answer.rows:
        if row.status in ACCEPTED and row.seq is not None:
            accepted[row.rid] = row.seq
        elif row.status == "EXPIRED":
            # Of a month that the server no longer keeps: it has no number, and needs none.
            accepted[row.rid] = 0
        elif row.status in REFUSED or (compared and row.status == "MISSING_PARENT"):
            refused[row.rid] = REASONS[row.status]
        elif row.status != "MISSING_PARENT":
            raise BadAnswer(f"it says {row.status!r} of a record")
    return Judgement(stream, accepted, refused, answer.position)
