"""The one door to a shared server, whatever stands behind it: its calls and the values that pass through.

A server holds, for each workspace and stream, one history: records numbered 1, 2, 3 … in the order in which they became
visible, and a hash chain over it (domain/sync/chain.py). Numbers are given under a lock that is held until the commit, so
whoever sees number k sees every lower one, or it will never exist. Histories only grow; when one shrinks or changes (a
restored backup) clients notice by their positions, and offer what is missing.

Two things take content away and leave the history. **Retention**: records of months before a stream's *horizon* are gone, for
good; numbers, pushes and positions stay, so cursors and fences from before still hold, pages have holes, and records of those
months are not taken again. Records of no month (``records.month_of`` says ``0000-00``) stay for ever. **Purge**: a record of
the registry of kind ``purge`` names records whose body is ``PURGED`` from then on; they keep number and hash.

A remote belongs to one workspace and one account; it is used by one thread at a time. Every call is one round trip and one
transaction. Any call may raise the errors below, and may have taken effect although it raised: repeating it is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, Protocol

from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.digest import Digest
from ledger_tui.domain.sync.plan import Status
from ledger_tui.domain.sync.records import PURGED as PURGED
from ledger_tui.domain.sync.records import Delivered as Delivered
from ledger_tui.domain.sync.records import Record, Stream
from ledger_tui.errors import SyncError

PROTOCOL = 1
"""The set of calls and their meaning; apart from the formats of records (records.KINDS) and from any schema."""

MAX_PURGED = 1_000
"""How many records one purge can name."""

Fate = Status | Literal["EXPIRED"]
"""What becomes of a pushed record. EXPIRED: of a month before the horizon, so the server neither keeps nor misses it."""


class RemoteUnavailable(SyncError):
    """The server cannot be reached, or stopped in the middle; trying again later is the remedy."""

    default_title = "The shared server does not answer"
    default_remedy = "Nothing is lost: what waits goes with the next sync."


class RemoteRefused(SyncError):
    """The server does not let this account do this."""

    default_title = "The shared server refused"
    default_remedy = "Ask the owner of the shared ledger for access."


class NoLedger(RemoteRefused):
    """The database has no shared ledger."""

    default_title = "There is no shared ledger in this database"
    default_remedy = "Make one with 'ledger-tui sync init', or check the name of the database."


class NoSuchLogin(RemoteRefused):
    """The server knows no login of this name."""

    default_title = "The server has no such login"
    default_remedy = "The one who runs the server makes it first: 'ledger-tui sync login-sql LOGIN ROLE' prints how."


class PasswordWanted(RemoteRefused):
    """The server asks for a password: there was none, or it is not the right one."""

    default_title = "The shared server asks for a password"
    default_remedy = (
        "Set LEDGER_SYNC_PASSWORD, or LEDGER_SYNC_PASSWORD_FILE to the path of a private file, or run the command on a "
        "terminal, where it asks."
    )


class OtherLedger(SyncError):
    """Behind the address is another shared ledger than the one this ledger belongs to; nothing was exchanged."""

    default_title = "This is another shared ledger"
    default_remedy = "Name the address of the one that was joined, or join this one with an empty ledger."


class BadAnswer(SyncError):
    """An answer that breaks what the door promises; nothing of it was taken."""

    default_title = "The shared server's answer makes no sense"


class BatchRefused(SyncError):
    """A push that the server could not even look at record by record (its database refused a value); nothing was written."""

    default_title = "The shared server could not take a batch of records"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. ``device`` is a name for people: nothing relies on its being unique."""

    device: str
    release: str
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a server says of itself."""

    workspace: str
    """The id of the shared ledger behind this address."""
    epoch: str
    """Changes when the server was made anew or a backup was restored and its keeper said so."""
    server_us: int
    """Its clock, in microseconds since 1970: shown beside a clock that is far off, never used to decide."""
    pushes: tuple[Stream, ...]
    """What this account and release may send; ``why_not`` says for people why it is less than everything."""
    pulls: tuple[Stream, ...]
    """What this account may read, and ask about by ``missing`` and ``digest``."""
    ends: Mapping[Stream, Position]
    """Where the histories in ``pulls`` end now (START for an empty one): with nothing to do, meeting is all there is."""
    horizons: Mapping[Stream, str] = field(default_factory=dict)
    """The first month (``YYYY-MM``) that is kept, of the streams in ``pulls`` where older ones were removed. Digests of both ends
    compare when this end leaves out what is older (``domain/sync/records.month_of``; ``0000-00`` is never older)."""
    lost: frozenset[Stream] = frozenset()
    """The streams whose history does not hold the position that the client named: it must compare what both have."""
    why_not: str = ""
    features: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What became of one pushed record; ``seq`` is its number where the server has it, else None."""

    rid: str
    status: Fate
    seq: int | None


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What became of a push. ``rows`` are in the order sent; ``position`` is the end of the history after it.

    fence_lost: the history does not hold the position the client named; then nothing was written and ``rows`` is empty.
    """

    rows: tuple[RowAnswer, ...]
    position: Position
    fence_lost: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a history. ``rows`` ascend by number, all above the position asked from and none above ``upto``; numbers that are
    missing between them were retired.

    fence_lost: as in PushAnswer; then there are no rows. more: whether the history goes on after ``upto``.
    """

    rows: tuple[Delivered, ...]
    upto: Position
    more: bool
    fence_lost: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """Somebody who brought something: the device as it calls itself, and the account."""

    name: str
    account: str
    role: str
    """The account's role now; empty for one that was dismissed."""
    last_us: int
    """When its last push was taken, by the server's clock."""
    records: int
    """How many records were new with it, in all streams."""


class Listener(Protocol):
    """Hears that the registry of a shared ledger grew. A hint: what is missed here is found by the next pull."""

    def wait(self, timeout_s: float, stop: Event) -> bool:
        """Until something is heard (True), or the time is over or ``stop`` is set (False).

        The first call begins to listen and is True at once: what came before is found by a pull. Raises RemoteUnavailable or
        RemoteRefused; the next call then begins anew, and when to make it is the caller's business.
        """

    def close(self) -> None:
        """Listen no more."""


class Remote(Protocol):
    """A shared server, seen by one account and one workspace."""

    def hello(self, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        """Meet. Writes nothing.

        fences: for each stream the highest position this client was ever told (as in ``push``; a stream left out is at START).
        ``lost`` names the streams, among those this account may send or read, where no commit ended exactly there.
        A server that does not know the account or the workspace raises RemoteRefused, in the same words for both, so that
        nobody learns what exists.
        """

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        """Add records to a history, as one commit.

        fence: the highest position this client was ever told, by a push or a pull; START for none. Under the lock of the
        stream's counter: when fence is not START and no commit ended exactly at it (number and chain), answer fence_lost
        and write nothing. Otherwise judge the rows in their order, each against what is there and the rows before it:

        * CORRUPT: ``records.fault`` finds something wrong (but for its size), or a purge does not say ``stream`` and one to
          ``MAX_PURGED`` ``rids``; TOO_BIG: larger than ``MAX_BODY_BYTES``;
        * EXPIRED: its month lies before the horizon of the stream; it needs no number and is done with;
        * the rid is there, in whatever stream: DUP with its number when stream and hash are the same, else HASH_CONFLICT;
        * MISSING_PARENT: a version (``records.version_of``) names a parent that the history does not hold;
        * DENIED: this account may not write it, such as a protected label or a purge, or any meta record for an account that
          only ingests; never tells more;
        * otherwise NEW: numbered next. A purge takes effect with it, and a record purged before is kept as ``PURGED``.

        The hash kept is computed here, not taken from the client. The chain grows by the NEW rows' hashes in order
        (``chain.extend``) as one commit; with no NEW row nothing changes and no commit is written. ``position`` is the end of
        the history. An account that may not push this stream at all gets RemoteRefused.
        """

    def pull(self, stream: Stream, after: Position, limit: int) -> Page:
        """Records after a position, in order, whole pushes only: as many commits as hold no more than ``limit`` records, at least
        one. One snapshot for the check and the rows. Retired records are left out, and a page can be empty and lead on.

        When after is not START and no commit ended exactly at it: fence_lost. At the end of the history: no rows and
        ``upto == after`` (START for an empty history).
        """

    def missing(self, stream: Stream, rids: Sequence[str]) -> list[str]:
        """Those of the rids that the history does not hold, in the order asked; at most ``plan.ASK_ROWS`` at once.

        Those of months before the horizon are not missed.
        """

    def digest(self, stream: Stream, month: str | None = None, since: str | None = None) -> Digest:
        """The digest of what is held of a history (domain/sync/digest.py): all, one month (``records.month_of``), or from the month
        ``since`` on and of no month. A purged record counts with its hash and costs nothing."""

    def retire(self, stream: Stream, before: str) -> int:
        """Remove the records of telemetry or bodies of months before this one (``YYYY-MM``, begun already) for good, and move the
        horizon there; how many went. The horizon never goes back. For maintainers and above; others get RemoteRefused."""

    def devices(self) -> list[Device]:
        """Who brought something, the last ones first, 1,000 at most; for those who may read telemetry, others get RemoteRefused."""

    def listener(self) -> Listener | None:
        """A new listener for this ledger; None where the server has no such thing. Its owner closes it."""

    def close(self) -> None:
        """Let go of the connection; the remote can be used again afterwards."""
