"""A shared server in PostgreSQL, as a ``Remote``: each call is one statement, one round trip and one transaction there.

Nothing a server answers is trusted: pages are cut off when they grow beyond what was asked, values are checked before they
become ours, and texts of errors are made printable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.digest import Cell, Digest
from ledger_tui.domain.sync.plan import ACCEPTED, ASK_ROWS, REFUSED, Status
from ledger_tui.domain.sync.records import STREAMS, Delivered, Record, Stream
from ledger_tui.domain.text import printable
from ledger_tui.errors import SyncError
from ledger_tui.sync.door import (
    BadAnswer,
    Client,
    Device,
    Page,
    PushAnswer,
    RemoteRefused,
    RowAnswer,
    Welcome,
)
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.listening import PostgresListener
from ledger_tui.sync.people import MAX_MEMBERS, ROLES, Member
from ledger_tui.sync.postgres_errors import stranger
from ledger_tui.sync.postgres_line import Line, understood
from ledger_tui.sync.server import schema

MAX_PAGE_ROWS = 20_000
"""A whole push can be larger than the limit of a page, but not larger than this."""
MAX_DEVICES = 1_000
_SURELY_SMALL = records.MAX_BODY_BYTES // 4
"""Characters that are never more bytes than a body may have."""
_STATUSES = frozenset({*ACCEPTED, *REFUSED, "MISSING_PARENT", "EXPIRED"})
_HELLO = """SELECT
workspace, role, epoch, server_us, schema, min_client, features, pushes, pulls, months_ahead, writable, ends, horizons, lost
FROM sync.hello_v1(%s::uuid, %s::json)"""
_PUSH = """SELECT fence_lost, upto, upto_chain, statuses, seqs FROM sync.push_v1(
%s::uuid, %s, %s, string_to_array(%s, E'\\n'), string_to_array(%s, E'\\n'), string_to_array(%s, E'\\n'), %s, %s)"""
_PULL = "SELECT seq, rid, kind, body, hash, pusher FROM sync.pull_v1(%s::uuid, %s, %s, %s, %s)"
_MISSING = "SELECT m.rid FROM sync.missing_v1(%s::uuid, %s, %s::text[]) AS m(rid)"
_DIGEST = "SELECT bucket, records, xored, cost_nusd FROM sync.digest_v1(%s::uuid, %s, %s, %s)"
_RETIRE = "SELECT sync.retire_v1(%s::uuid, %s, %s)"
_DEVICES = "SELECT device, login, role, last_us, records FROM sync.devices_v1(%s::uuid)"
_MEMBERS = "SELECT login, role, since_us FROM sync.members_v1(%s::uuid)"


class PostgresRemote:
    """One account's door to one shared ledger; connects at the first call, and anew after an error."""

    def __init__(self, target: Target, workspace: str | None = None, *, vouched: bool = False) -> None:
        """workspace: which ledger, when the account belongs to several; None for the only one.

        vouched: the caller sends only records whose bodies it made canonical or checked (``records.fault``) itself, so that
        this is not done again for each.
        """
        self.target = target
        self.workspace = workspace
        self.vouched = vouched
        self._line = Line(target)
        self._device = ""
        self._cared = False

    def hello(self, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        self._device = client.device
        row = self._line.one(_HELLO, (self.workspace, json.dumps(fences)))
        with understood():
            _check_schema(row[4], self.target)
            return self._welcome(client, row[:7], row[7:])

    def _welcome(self, client: Client, about: tuple[Any, ...], standing: tuple[Any, ...]) -> Welcome:
        """What a server says of itself, and how this account stands there."""
        workspace, role, epoch, server_us, _, min_client, features = about
        pushes, pulls, ahead, writable, ends, horizons, lost = standing
        self.workspace = str(workspace)
        why_not = _why_not(client, role, min_client, writable, len(pushes) == len(STREAMS))
        may_push = writable and client.protocol >= min_client
        if may_push and ahead < 2 and role in ("owner", "admin", "maintainer", "member"):
            self._care()
        return Welcome(
            workspace=self.workspace,
            epoch=str(epoch),
            server_us=int(server_us),
            pushes=_streams(pushes) if may_push else (),
            pulls=_streams(pulls),
            ends={stream: _position(*(ends or {}).get(stream, START)) for stream in _streams(pulls)},
            horizons={stream: _month(horizons[stream]) for stream in _streams(horizons or ())},
            lost=frozenset(_streams(lost)),
            why_not=why_not,
            features=frozenset(map(_text, features)),
        )

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        judged = _own_faults(stream, rows, vouched=self.vouched)
        sent = [record for place, record in enumerate(rows) if place not in judged] if judged else rows
        # Neither ids nor kinds nor canonical JSON can hold a line feed.
        columns = [[record.rid for record in sent], [record.kind for record in sent], [record.body for record in sent]]
        given = (self._ledger(), stream, self._device, *map("\n".join, columns), fence.seq, fence.chain)
        lost, upto, upto_chain, statuses, seqs = self._line.one(_PUSH, given)
        position = _position(upto, upto_chain)
        if lost:
            return PushAnswer((), position, fence_lost=True)
        with understood():
            answers = _row_answers(sent, position, statuses, seqs)
        for place in sorted(judged):
            answers.insert(place, RowAnswer(rows[place].rid, judged[place], None))
        return PushAnswer(tuple(answers), position)

    def pull(self, stream: Stream, after: Position, limit: int) -> Page:
        given = (self._ledger(), stream, after.seq, after.chain, limit)
        found = self._line.rows(_PULL, given, max(limit, MAX_PAGE_ROWS) + 1)
        if not found or found[0][1] is not None or found[0][2] not in ("MORE", "END", "LOST"):
            raise BadAnswer("a page does not say where it ends")
        upto = _position(found[0][0], found[0][4])
        if found[0][2] == "LOST":
            return Page((), upto, more=False, fence_lost=True)
        return Page(tuple(_delivered(stream, row) for row in found[1:]), upto, more=found[0][2] == "MORE")

    def missing(self, stream: Stream, rids: Sequence[str]) -> list[str]:
        if len(rids) > ASK_ROWS:
            raise ValueError(f"at most {ASK_ROWS} ids at once")
        found = {row[0] for row in self._line.rows(_MISSING, (self._ledger(), stream, list(rids)), len(rids))}
        return [rid for rid in rids if rid in found]

    def digest(self, stream: Stream, month: str | None = None, since: str | None = None) -> Digest:
        rows = self._line.rows(_DIGEST, (self._ledger(), stream, _number(month), _number(since)), 256)
        with understood():
            return {int(bucket): Cell(int(count), int(xor) % 2**64, int(cost)) for bucket, count, xor, cost in rows}

    def retire(self, stream: Stream, before: str) -> int:
        (gone,) = self._line.one(_RETIRE, (self._ledger(), stream, _number(before)))
        with understood():
            return int(gone)

    def devices(self) -> list[Device]:
        rows = self._line.rows(_DEVICES, (self._ledger(),), MAX_DEVICES)
        with understood():
            return [Device(_text(row[0]), _text(row[1]), _text(row[2] or ""), int(row[3]), int(row[4])) for row in rows]

    def listener(self) -> PostgresListener:
        return PostgresListener(self.target, self._ledger())

    def members(self) -> list[Member]:
        """The accounts of this ledger, by name; RemoteRefused for a role that may not see them."""
        rows = self._line.rows(_MEMBERS, (self._ledger(),), MAX_MEMBERS)
        with understood():
            return [Member(_text(row[0]), _text(row[1]), int(row[2])) for row in rows]

    def enrol(self, login: str, role: str) -> None:
        """Give a login of the server a role of ``ROLES`` here, or another one; for owners and admins.

        Raises RemoteRefused when this account may not, or when the server has no such login (``login_script``).
        """
        if role not in ROLES:
            raise ValueError(f"roles are {', '.join(ROLES)}")
        self._line.one("SELECT sync.enrol_v1(%s::uuid, %s, %s)", (self._ledger(), login, role))

    def dismiss(self, login: str) -> None:
        """Take a login's role here away, at once, also on open connections; for owners and admins. The last owner stays."""
        self._line.one("SELECT sync.dismiss_v1(%s::uuid, %s)", (self._ledger(), login))

    def abandon(self) -> None:
        """End the call that waits in another thread, if any: it raises RemoteUnavailable."""
        self._line.abandon()

    def close(self) -> None:
        self._line.close()

    def _ledger(self) -> str:
        """The id of the ledger; met first when it is not known yet."""
        if self.workspace is None:
            self.hello(Client(self._device, ""), {})
        return self.workspace or ""

    def _care(self) -> None:
        """Have partitions made for the months to come; when that cannot be now, the next one to come tries again."""
        if self._cared:
            return
        self._cared = True
        try:
            self._line.one("SELECT sync.care_v1()", ())
        except SyncError:
            self.close()


def _own_faults(stream: Stream, rows: Sequence[Record], *, vouched: bool) -> dict[int, Status]:
    """What can be said of rows without asking, by their place.

    The server cannot tell canonical JSON from other JSON, readers can.
    """
    found: dict[int, Status] = {}
    for place, record in enumerate(rows):
        if record.stream != stream:
            found[place] = "CORRUPT"
        elif len(record.body) > records.MAX_BODY_BYTES:
            found[place] = "TOO_BIG"
        elif not vouched or len(record.body) > _SURELY_SMALL or "\n" in record.body:
            wrong = records.fault(record)
            if wrong is not None:
                found[place] = "TOO_BIG" if wrong.startswith("it is larger") else "CORRUPT"
    return found


def _row_answers(sent: Sequence[Record], position: Position, statuses: Any, seqs: Any) -> list[RowAnswer]:
    """What became of each row sent; without statuses all were new, and are the last of the history."""
    if statuses is None:
        before = position.seq - len(sent)
        if not sent or before < 0:
            raise BadAnswer("a push was answered for another number of records")
        return [RowAnswer(record.rid, "NEW", seq) for seq, record in enumerate(sent, before + 1)]
    if len(statuses) != len(sent) or len(seqs) != len(sent):
        raise BadAnswer("a push was answered for another number of records")
    return [_row_answer(*row) for row in zip([record.rid for record in sent], statuses, seqs, strict=True)]


def _row_answer(rid: str, status: Any, seq: Any) -> RowAnswer:
    if status not in _STATUSES or (status in ACCEPTED) != isinstance(seq, int):
        raise BadAnswer("a push was answered in words that are not known")
    return RowAnswer(rid, status, seq)


def _delivered(stream: Stream, row: tuple[Any, ...]) -> Delivered:
    seq, rid, kind, body, found, pusher = row
    if type(seq) is not int or not (type(rid) is type(kind) is type(body) is type(found) is str):
        raise BadAnswer("a record came without its parts")
    return Delivered(Record(stream, rid, kind, body), seq, found, pusher or "")


def _number(month: str | None) -> int | None:
    """YYYYMM of a month as people write it."""
    return None if month is None else int(month.replace("-", ""))


def _position(seq: Any, chain: Any) -> Position:
    if not isinstance(seq, int) or not isinstance(chain, str) or seq < 0:
        raise BadAnswer("a position is no number with a chain")
    return Position(seq, chain)


def _month(number: Any) -> str:
    if not isinstance(number, int) or not 0 < number < 1_000_000:
        raise BadAnswer("a month is no number")
    return f"{number // 100:04d}-{number % 100:02d}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadAnswer("a name is no text")
    return value


def _streams(names: Iterable[str]) -> tuple[Stream, ...]:
    return tuple(stream for stream in STREAMS if stream in names)


def _why_not(client: Client, role: str, min_client: int, writable: bool, everything: bool) -> str:
    if client.protocol < min_client:
        return f"this server needs protocol {min_client} or newer: upgrade ledger-tui"
    if not writable:
        return "the server takes no writes at the moment: a standby, or a server in maintenance"
    return "" if everything else f"the role {printable(str(role), keep='')} may not send everything"


def _check_schema(there: Any, target: Target) -> None:
    """A server that a newer release made keeps the functions we call; an older one lacks some."""
    if there is None:
        raise stranger()
    if there < schema():
        raise RemoteRefused(
            f"{target.label} has schema {there}, this release needs {schema()}",
            title="The shared ledger was made by an older release",
            remedy="Its owner upgrades it with 'ledger-tui sync init'.",
        )
