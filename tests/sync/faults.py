"""Seven planted faults, each a part with one thing wrong: a harness that passes with any of them proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.records import Delivered, Record, Stream
from ledger_tui.sync.door import Page, PushAnswer
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.local import Applied, At
from ledger_tui.sync.memory import History, MemoryServer
from ledger_tui.sync.pushing import Pusher

from tests.sync.file_log import FileLog


class CursorFirst(FileLog):
    """The cursor is committed before the rows it covers."""

    def apply(self, stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position, at: At) -> Applied:
        with self._writing():
            self._set(f"cursor.{stream}", upto)
        at("apply.rows")
        with self._writing() as execute:
            applied = self._take(execute, stream, rows)
            at("apply.cursor")
        return applied


class EarlyPusher(Pusher):
    """Settles first."""

    def _push(self, stream: Stream, batch: Sequence[Record], compared: bool) -> list[Record]:
        self.local.settle(stream, {record.rid: 0 for record in batch}, {}, None)
        return super()._push(stream, batch, compared)


class AckEarly(Engine):
    """Records count as accepted before the server has committed them."""

    pusher = EarlyPusher


class NoOffer(Engine):
    """What a restored server lacks is not offered."""

    def _offer(self, stream: Stream, rids: Sequence[str]) -> None:
        return


class NoFence(MemoryServer):
    """The server holds every position that anybody names."""

    def _holds(self, history: History, position: Position) -> bool:
        return True


class ByArrival(FileLog):
    """Ties are broken by the order in which records came to this device."""

    def ordered(self) -> list[tuple[Record, int | None, int]]:
        return [(record, None, place) for record, _, place in super().ordered()]


class NoDedupe(MemoryServer):
    """A record that comes again is taken again."""

    def _twin(self, rid: str) -> tuple[Stream, Delivered] | None:
        return None


class NaiveSequence(MemoryServer):
    """Numbers are given before the commit: every other push becomes visible only after the one behind it was read."""

    def _begin(self) -> None:
        super()._begin()
        self.hidden: tuple[Stream, int, int] | None = None

    def push(
        self, account: str, stream: Stream, rows: Sequence[Record], fence: Position, device: str = ""
    ) -> PushAnswer:
        before = self.histories[stream].end.seq
        answer = super().push(account, stream, rows, fence, device)
        after = self.histories[stream].end.seq
        if after > before and self.hidden is None:
            self.hidden = (stream, before, after)
        return answer

    def pull(self, account: str, stream: Stream, after: Position, limit: int) -> Page:
        page = super().pull(account, stream, after, limit)
        if self.hidden is None or self.hidden[0] != stream or page.fence_lost:
            return page
        _, low, high = self.hidden
        if page.upto.seq <= high:
            # The transaction that holds the lower numbers is still open, and nothing was committed behind it.
            return Page((), after, more=False) if after.seq <= low else page
        self.hidden = None
        return replace(page, rows=tuple(row for row in page.rows if not low < row.seq <= high))


@dataclass(frozen=True)
class Parts:
    """What a run is built of."""

    log: type[FileLog] = FileLog
    engine: type[Engine] = Engine
    server: type[MemoryServer] = MemoryServer


FAULTS: dict[str, Parts] = {
    "cursor_first": Parts(log=CursorFirst),
    "ack_early": Parts(engine=AckEarly),
    "no_offer": Parts(engine=NoOffer),
    "no_fence": Parts(server=NoFence),
    "arrival_order": Parts(log=ByArrival),
    "naive_sequence": Parts(server=NaiveSequence),
    "no_dedupe": Parts(server=NoDedupe),
}
