"""What maintainers have removed from a shared ledger: texts everywhere, and old months from the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.domain import ids as new_ids
from ledger_tui.errors import InputError, NotFound

if TYPE_CHECKING:
    from ledger_tui.domain.sync.records import Stream
    from ledger_tui.services.sync_outcome import Listener
    from ledger_tui.store.database import Database
    from ledger_tui.store.purge_targets import Targets
    from ledger_tui.store.sync_purge import Purge
    from ledger_tui.sync.door import Remote
    from ledger_tui.sync.engine import Receipt

OLD: tuple[Stream, ...] = ("telemetry", "bodies")
"""The streams of which months can be removed; what is decided about prompts stays for ever."""


@dataclass(frozen=True)
class PurgeLook:
    """Whose texts would go everywhere, and how many of them the server has."""

    of: str
    """What was asked for, in words."""
    targets: Targets
    at_server: int
    """Records of texts that the server has, also those that were purged before."""


@dataclass(frozen=True)
class Purged:
    """What was asked of everybody."""

    facts: Sequence[str]
    """The ids of the purges, of up to 1,000 records each."""
    records: int
    """How many records of texts they name, whether anybody has them or not."""


@dataclass(frozen=True)
class RetireLook:
    """What the server would lose."""

    before: str
    records: dict[Stream, int] = field(default_factory=dict)


class SyncKeeping:
    """The part of ``SyncService`` that removes. Every call but ``purges`` asks the server."""

    if TYPE_CHECKING:
        _database: Database
        _author: Callable[[], str]
        _device: Callable[[], str]
        _before_read: Callable[[], None]

        def open(self) -> AbstractContextManager[Remote]: ...
        def _alone(self) -> AbstractContextManager[None]: ...
        def _exchange(self, remote: Remote, listener: Listener | None = ..., *, anew: bool = False) -> Receipt: ...

    def purge_look(
        self, ids: Sequence[str] = (), *, sessions: Sequence[str] = (), users: Sequence[str] = ()
    ) -> PurgeLook:
        """Whose texts ``purge`` would take: of traces, calls and renders by id, and of all that sessions and users are named in.

        Raises InputError when nothing is asked for, NotFound for what is not here, SyncError.
        """
        from ledger_tui.domain.sync.plan import ASK_ROWS

        if not (ids or sessions or users):
            raise InputError(
                "name a trace, a call or a render by its id, a session or a user", title="Nothing to purge"
            )
        self._before_read()
        targets = self._targets(ids, sessions, users)
        rids = targets.text_rids()
        with self.open() as remote:
            held = sum(len(part) - len(remote.missing("bodies", part)) for part in _parts(rids, ASK_ROWS))
        # Who a person is may be just what has to go: sessions and users are counted, not named.
        parts = [*ids, *("a session" for _ in sessions), *("a user" for _ in users)]
        return PurgeLook(", ".join(parts), targets, held)

    def purge(self, look: PurgeLook, reason: str = "") -> Purged:
        """Have texts taken away everywhere: here and at the server now, on each other machine with its next exchange.

        Their numbers stay. Raises RemoteRefused for an account that may not (nothing is gone then), Conflict while another program
        syncs this ledger, SyncError.
        """
        from ledger_tui.store import sync_purge
        from ledger_tui.store.registry import Pen
        from ledger_tui.sync.door import MAX_PURGED

        rids = look.targets.text_rids()
        pen = Pen(actor=self._author(), device=self._device(), action=new_ids.new_id())
        with self.open() as remote, self._alone():
            with self._database.lean_write() as lean:
                places, runs = look.targets.steps(lean), look.targets.runs()
                facts = []
                for part in _parts(rids, MAX_PURGED):
                    steps = [places[rid] for rid in part if rid in places]
                    named = [runs[rid] for rid in part if rid in runs]
                    facts.append(sync_purge.write(lean, pen, part, look.of, reason, steps=steps, runs=named))
            receipt = self._exchange(remote)
        refused = [one for one in receipt.refused if one.rid in set(facts)]
        if refused:
            self._withdraw([one.rid for one in refused], refused[0].why)
        return Purged(facts, len(rids))

    def purges(self, limit: int = 50) -> list[Purge]:
        """Who had texts taken away, of what and why, newest first; from the ledger alone."""
        from ledger_tui.store import sync_purge

        with self._database.lean() as lean:
            return sync_purge.listed(lean, limit)

    def retire_look(self, before: str, streams: Sequence[Stream] = OLD) -> RetireLook:
        """How many records of months before this one (``YYYY-MM``, UTC) the server has. Raises InputError, SyncError."""
        _check_month(before)
        with self.open() as remote:
            counts: dict[Stream, int] = {}
            for stream in streams:
                whole, kept = (
                    sum(cell.records for cell in remote.digest(stream, since=since).values())
                    for since in (None, before)
                )
                counts[stream] = whole - kept
        return RetireLook(before, counts)

    def retire(self, before: str, streams: Sequence[Stream] = OLD) -> dict[Stream, int]:
        """Remove records of months before this one (``YYYY-MM``, UTC) from the server for good; how many. Machines keep theirs.

        Raises InputError, RemoteRefused for an account that may not, SyncError.
        """
        _check_month(before)
        with self.open() as remote:
            return {stream: remote.retire(stream, before) for stream in streams}

    def _targets(self, ids: Sequence[str], sessions: Sequence[str], users: Sequence[str]) -> Targets:
        from ledger_tui.store import purge_targets

        parts = []
        with self._database.lean() as lean:
            for word, values, column in (
                ("", ids, ""),
                ("session ", sessions, "session_id"),
                ("user ", users, "user_identifier"),
            ):
                for value in values:
                    found = purge_targets.of_party(lean, column, value) if column else purge_targets.of_id(lean, value)
                    if not found:
                        raise NotFound(
                            f"nothing here is {word or 'a trace, a call or a render '}{value}", title="Nothing to purge",
                            remedy="Run 'ledger-tui sync' first if it was recorded elsewhere.",
                        )  # fmt: skip
                    parts.append(found)
        return purge_targets.merged(parts)

    def _withdraw(self, rids: Sequence[str], why: str) -> None:
        from ledger_tui.store import sync_asides
        from ledger_tui.sync.door import RemoteRefused

        with self._database.lean_write() as lean:
            sync_asides.drop_asides(lean, ["out." + rid for rid in rids])
        raise RemoteRefused(
            why, title="The server refused the purge", remedy="Ask a maintainer of the shared ledger to do it."
        )


def _parts(rids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (rids[start : start + size] for start in range(0, len(rids), size))


def _check_month(month: str) -> None:
    year, dash, number = month.partition("-")
    if not (dash and len(year) == 4 and len(number) == 2 and (year + number).isdecimal() and 1 <= int(number) <= 12):
        raise InputError(f"{month!r} is no month; write it as 2026-01", title="Which months?")
