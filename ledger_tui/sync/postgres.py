"""A shared server in PostgreSQL, as a ``Remote``: each call is one statement, one round trip and one transaction there.

Nothing a server answers is trusted: pages are cut off when they grow beyond what was asked, values are checked before they
become ours, and texts of errors are made printable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.digest import Cell, Digest
from ledger_tui.domain.sync.plan import ACCEPTED, ASK_ROWS, REFUSED, Status
from ledger_tui.domain.sync.records import STREAMS, Delivered, Record, Stream
from ledger_tui.errors import SyncError
from ledger_tui.sync.door import BadAnswer, Client, Page, PushAnswer, RemoteRefused, RowAnswer, Welcome
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres_errors import STRANGER, translated
from ledger_tui.sync.server import schema

MAX_PAGE_ROWS = 20_000
"""A whole push can be larger than the limit of a page, but not larger than this."""
MAX_PAGE_CHARACTERS = 64 * 1024 * 1024
_STATUSES = frozenset({*ACCEPTED, *REFUSED, "MISSING_PARENT"})
_HELLO = """SELECT
workspace, role, epoch, server_us, schema, min_client, features, pushes, pulls, months_ahead, writable, ends, lost
FROM sync.hello_v1(%s::uuid, %s::json)"""
_PUSH = """SELECT fence_lost, upto, upto_chain, statuses, seqs FROM sync.push_v1(
%s::uuid, %s, %s, string_to_array(%s, E'\\n'), string_to_array(%s, E'\\n'), string_to_array(%s, E'\\n'), %s, %s)"""
_PULL = "SELECT seq, rid, kind, body, hash, pusher FROM sync.pull_v1(%s::uuid, %s, %s, %s, %s)"
_MISSING = "SELECT sync.missing_v1(%s::uuid, %s, %s::text[])"
_DIGEST = "SELECT bucket, records, xored, cost_nusd FROM sync.digest_v1(%s::uuid, %s, %s)"


class PostgresRemote:
    """One account's door to one shared ledger; connects at the first call, and anew after an error."""

    def __init__(self, target: Target, workspace: str | None = None) -> None:
        """workspace: which ledger, when the account belongs to several; None for the only one."""
        self.target = target
        self.workspace = workspace
        self._connection: Any = None
        self._device = ""
        self._cared = False

    def hello(self, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        self._device = client.device
        row = self._one(_HELLO, (self.workspace, json.dumps(fences)))
        workspace, role, epoch, server_us, there, min_client, features, pushes, pulls, ahead, writable, ends, lost = row
        _check_schema(there, self.target)
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
            lost=frozenset(_streams(lost)),
            why_not=why_not,
            features=frozenset(features),
        )

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        judged = [_own_fault(stream, record) for record in rows]
        sent = [record for record, wrong in zip(rows, judged, strict=True) if wrong is None]
        # Neither ids nor kinds nor canonical JSON can hold a line feed.
        columns = ("\n".join(record.rid for record in sent), "\n".join(record.kind for record in sent))
        bodies = "\n".join(record.body for record in sent)
        answer = self._one(_PUSH, (self._ledger(), stream, self._device, *columns, bodies, fence.seq, fence.chain))
        lost, upto, upto_chain, statuses, seqs = answer
        position = _position(upto, upto_chain)
        if lost:
            return PushAnswer((), position, fence_lost=True)
        if len(statuses) != len(sent) or len(seqs) != len(sent):
            raise BadAnswer("a push was answered for another number of records")
        fates = iter(zip(statuses, seqs, strict=True))
        return PushAnswer(
            tuple(
                RowAnswer(record.rid, wrong, None) if wrong is not None else _row_answer(record.rid, *next(fates))
                for record, wrong in zip(rows, judged, strict=True)
            ),
            position,
        )

    def pull(self, stream: Stream, after: Position, limit: int) -> Page:
        found = self._rows(
            _PULL, (self._ledger(), stream, after.seq, after.chain, limit), max(limit, MAX_PAGE_ROWS) + 1
        )
        if not found or found[0][1] is not None or found[0][2] not in ("MORE", "END", "LOST"):
            raise BadAnswer("a page does not say where it ends")
        upto = _position(found[0][0], found[0][4])
        if found[0][2] == "LOST":
            return Page((), upto, more=False, fence_lost=True)
        return Page(tuple(_delivered(stream, row) for row in found[1:]), upto, more=found[0][2] == "MORE")

    def missing(self, stream: Stream, rids: Sequence[str]) -> list[str]:
        if len(rids) > ASK_ROWS:
            raise ValueError(f"at most {ASK_ROWS} ids at once")
        return [row[0] for row in self._rows(_MISSING, (self._ledger(), stream, list(rids)), len(rids))]

    def digest(self, stream: Stream, month: str | None = None) -> Digest:
        number = None if month is None else int(month.replace("-", ""))
        rows = self._rows(_DIGEST, (self._ledger(), stream, number), 256)
        return {int(bucket): Cell(int(count), int(xor) % 2**64, int(cost)) for bucket, count, xor, cost in rows}

    def close(self) -> None:
        """Let go of the connection; the remote can be used again afterwards."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

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
            self._one("SELECT sync.care_v1()", ())
        except SyncError:
            self.close()

    def _one(self, sql: str, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        rows = self._rows(sql, parameters, 1)
        if len(rows) != 1:
            raise BadAnswer("a call was not answered")
        return rows[0]

    def _rows(self, sql: str, parameters: tuple[Any, ...], most: int) -> list[tuple[Any, ...]]:
        """The rows of one statement. A connection that failed, or answers more than ``most``, is let go of."""
        done = False
        try:
            with translated(self.target):
                rows = self._fetch(sql, parameters, most)
                done = True
                return rows
        finally:
            if not done:
                self.close()

    def _fetch(self, sql: str, parameters: tuple[Any, ...], most: int) -> list[tuple[Any, ...]]:
        connection = self._connected()
        rows: list[tuple[Any, ...]] = []
        characters = 0
        with connection.cursor() as cursor:
            if most <= 256:
                rows = cursor.execute(sql, parameters).fetchmany(most + 1)
            else:
                for row in cursor.stream(sql, parameters, size=500):
                    rows.append(row)
                    characters += sum(len(value) for value in row if isinstance(value, str))
                    if len(rows) > most or characters > MAX_PAGE_CHARACTERS:
                        break
        if len(rows) > most or characters > MAX_PAGE_CHARACTERS:
            raise BadAnswer("it is larger than anything that was asked for")
        return rows

    def _connected(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = self.target.connect()
        return self._connection


def _own_fault(stream: Stream, record: Record) -> Status | None:
    """What can be said of a row without asking: the server cannot tell canonical JSON from other JSON, readers can."""
    wrong = "it belongs to another stream" if record.stream != stream else records.fault(record)
    if wrong is None:
        return None
    return "TOO_BIG" if wrong.startswith("it is larger") else "CORRUPT"


def _row_answer(rid: str, status: Any, seq: Any) -> RowAnswer:
    if status not in _STATUSES or (status in ACCEPTED) != isinstance(seq, int):
        raise BadAnswer("a push was answered in words that are not known")
    return RowAnswer(rid, status, seq)


def _delivered(stream: Stream, row: tuple[Any, ...]) -> Delivered:
    seq, rid, kind, body, found, pusher = row
    if not isinstance(seq, int) or not all(isinstance(text, str) for text in (rid, kind, body, found)):
        raise BadAnswer("a record came without its parts")
    return Delivered(Record(stream, rid, kind, body), seq, found, pusher or "")


def _position(seq: Any, chain: Any) -> Position:
    if not isinstance(seq, int) or not isinstance(chain, str) or seq < 0:
        raise BadAnswer("a position is no number with a chain")
    return Position(seq, chain)


def _streams(names: Sequence[str]) -> tuple[Stream, ...]:
    return tuple(stream for stream in STREAMS if stream in names)


def _why_not(client: Client, role: str, min_client: int, writable: bool, everything: bool) -> str:
    if client.protocol < min_client:
        return f"this server needs protocol {min_client} or newer: upgrade ledger-tui"
    if not writable:
        return "the server takes no writes at the moment: a standby, or a server in maintenance"
    return "" if everything else f"the role {role} may not send everything"


def _check_schema(there: Any, target: Target) -> None:
    """A server that a newer release made keeps the functions we call; an older one lacks some."""
    if there is None:
        raise RemoteRefused(STRANGER)
    if there < schema():
        raise RemoteRefused(
            f"{target.label} has schema {there}, this release needs {schema()}",
            title="The shared ledger was made by an older release",
            remedy="Its owner upgrades it with 'ledger-tui sync init'.",
        )
