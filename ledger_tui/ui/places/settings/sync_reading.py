"""What the Sync tab shows, as values and words: read in a thread, written into tables and sentences without a widget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_tui.domain import clock, measure
from ledger_tui.errors import KeyMissing, LedgerError
from ledger_tui.ui.sync_words import AGREED, ASIDE, WAITING, wants_password

if TYPE_CHECKING:
    from ledger_tui.domain.sync.records import Stream
    from ledger_tui.domain.sync.sharing import Share, Sharing
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.sync_values import SyncReceiptRow, SyncStatus
    from ledger_tui.store.sync_asides import Aside
    from ledger_tui.store.sync_preview import Going
    from ledger_tui.sync.door import Device
    from ledger_tui.sync.engine import Difference, Outlook, Progress
    from ledger_tui.ui.widgets.row_table import Cell

Rows = list[tuple[str, list["Cell"]]]
VIEWS = ("Streams", "Receipts", "Rules", "Set aside", "Devices")
STREAMS = {"meta": "registry", "telemetry": "numbers", "bodies": "texts"}
KINDS = {
    "version": "version", "label": "label move", "field": "prompt detail", "inputs": "input set", "price": "price",
    "pricing": "late pricing", "budget": "budget", "purge": "purge", "usage": "render", "execution": "call", "span": "step",
    "late_price": "late price", "card": "rate card", "text": "text",
}  # fmt: skip
"""How the kinds of records are called, one of them."""
USUAL = "everything else"
STREAM_WORDS = {
    "meta": "The registry: prompts and their versions, labels, descriptions, input sets, prices and budgets. It is what a shared "
    "ledger is for, so it always goes.",
    "telemetry": "Calls, steps and renders as numbers and names: when, which prompt and model, how long, tokens, cost, status. No "
    "texts, no sessions, no users.",
    "bodies": "What was sent and answered, inputs and outputs of steps, attributes, sessions and users. What looks like a key is "
    "taken out on the way.",
}
LEVELS = (
    ("registry", False, False, "Nothing: prompts and labels only"),
    ("numbers", True, False, "Numbers and names; no texts, no sessions, no users"),
    ("texts", True, True, "Numbers and texts: all that was sent and answered, sessions and users"),
)
"""What can leave, from the least to the most: key, numbers, texts, words."""


@dataclass(frozen=True, slots=True)
class SyncReading:
    """What was read of sharing; ``problem`` says why there is nothing."""

    status: SyncStatus
    receipts: Sequence[SyncReceiptRow] = ()
    asides: Sequence[Aside] = ()
    device: str = ""
    """This machine, as the server knows it."""
    password_source: str = ""
    """Where the password comes from; read only while it is missing or wrong."""


def read_sync(ledger: PromptLedger) -> SyncReading:
    """For a thread: everything but the devices, which only the server knows. Raises LedgerError."""
    status = ledger.sync.status()
    if not status.is_shared:
        return SyncReading(status)
    source = _password_source(ledger) if wants_password(status) else ""
    return SyncReading(status, ledger.sync.receipts(), ledger.sync.asides(), ledger.device(), source)


def _password_source(ledger: PromptLedger) -> str:
    """Where the password comes from, also one that cannot be taken."""
    try:
        return ledger.sync.password_source()
    except KeyMissing:
        return "file"
    except LedgerError:
        return "environment"


def ago(moment_us: int | None, now_us: int) -> str:
    """``3 m ago``, ``just now``, ``never``."""
    if moment_us is None:
        return "never"
    age = measure.age(moment_us, now_us)
    return f"{age} ago" if age[0].isdigit() else "just now"


def stream_rows(status: SyncStatus) -> Rows:
    """One row a stream."""
    rows: Rows = []
    for stream, name in STREAMS.items():
        waits = next((count for one, count in status.waiting.items() if one == stream), 0)
        number = next((seq for one, seq in status.numbers.items() if one == stream), 0)
        waiting: Cell = (f"{WAITING} {waits:,}", "bold") if waits else ("—", "$text-muted")
        rows.append((stream, [name, waiting, f"{number:,}" if number else "—", may_leave(stream, status.sharing)]))
    return rows


def may_leave(stream: str, rules: Sharing) -> str:
    """What the rules let go of a stream, in a few words."""
    if stream == "meta":
        return "always"
    part = "numbers" if stream == "telemetry" else "texts"

    def goes(share: Share) -> bool:
        return share.numbers and (part == "numbers" or share.texts)

    others = sum(goes(share) != goes(rules.usual) for _, share in rules.folders)
    folders = f"{others} folder{'' if others == 1 else 's'}"
    if goes(rules.usual):
        return f"yes, but for {folders}" if others else "yes"
    return f"only of {folders}" if others else "no, they stay here"


def counted(kinds: Mapping[str, int]) -> str:
    """``2 versions, 1,204 steps``; most first."""
    ordered = sorted(kinds.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{count:,} {_plural(KINDS.get(kind, kind), count)}" for kind, count in ordered if count)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"


def receipt_rows(receipts: Sequence[SyncReceiptRow]) -> Rows:
    """One row for each exchange that did something."""
    now_us = clock.now_us()
    return [
        (
            str(number),
            [
                ago(row.at_us, now_us),
                f"{AGREED} {row.agreed}" if row.agreed else ("—", "$text-muted"),
                f"{sum(row.came.values()):,}" if row.came else "—",
                counted(row.sent) or ("nothing", "$text-muted"),
            ],
        )
        for number, row in enumerate(receipts)
    ]


def receipt_lines(row: SyncReceiptRow) -> Iterable[str]:
    """All that one exchange did."""
    yield measure.moment(row.at_us)
    yield ""
    yield "Left this machine:" if any(row.sent.values()) else "Nothing left this machine."
    for kind, count in sorted(row.sent.items(), key=lambda pair: -pair[1]):
        yield f"  {count:>9,}  {_plural(KINDS.get(kind, kind), count)}"
    if row.came:
        yield "Came from others:"
        for stream, count in row.came.items():
            yield f"  {count:>9,}  {STREAMS.get(stream, stream)}"
    if row.refused:
        yield f"{ASIDE} The server did not take {row.refused:,}; they are under Set aside."
    if row.quarantined:
        yield f"{ASIDE} {row.quarantined:,} came that cannot be right; they are under Set aside."
    if row.resyncs:
        yield "The server had lost something: both ends were compared, and what it lacked was offered again."
    if row.why_not:
        yield f"Not everything went: {row.why_not}."
    yield (
        f"{AGREED} {row.agreed}  Both ends held the same."
        if row.agreed
        else "Afterwards the ends did not hold the same yet."
    )


def rule_rows(rules: Sharing) -> Rows:
    """The usual rule, then one row a folder."""
    return [_rule("", USUAL if rules.folders else "everything", rules.usual)] + [
        _rule(folder, folder, share) for folder, share in rules.folders
    ]


def _rule(key: str, name: str, share: Share) -> tuple[str, list[Cell]]:
    return key, [name, ("✓ always", "$text-muted"), _mark(share.numbers), _mark(share.numbers and share.texts)]


def _mark(goes: bool) -> Cell:
    return ("✓ goes", "bold") if goes else ("· stays", "$text-muted")


def rule_lines(rules: Sharing, folder: str) -> Iterable[str]:
    """What the rule of a folder means, '' for the usual one."""
    share = dict(rules.folders).get(folder, rules.usual)
    _, _, _, words = LEVELS[(1 + share.texts) if share.numbers else 0]
    yield f"Of {folder or (USUAL if rules.folders else 'everything')} leaves:"
    yield words + "."
    yield ""
    yield "What stays at home never left, and a receipt says what did. A rule that is made narrower calls nothing back."


def aside_rows(asides: Sequence[Aside]) -> Rows:
    """What could not be taken, at either end."""
    now_us, ways = clock.now_us(), {"out": "refused", "in": "quarantine"}
    return [
        (
            row.key,
            [
                ways.get(row.way, row.way),
                row.what or STREAMS.get(row.stream, row.stream),
                row.why,
                ago(row.at_us, now_us),
            ],
        )
        for row in asides
    ]


def aside_lines(row: Aside) -> Iterable[str]:
    """What became of one record, and what can be done."""
    if row.way == "out":
        yield f"The server will not take this record of yours: {row.why}."
        yield ""
        effect = "without effect" if row.stream == "meta" else "and counts here only"
        yield f"It stays on this machine {effect}, and holds up nothing else. del forgets it: then both ends count as equal."
    else:
        yield f"This record came from the server and cannot be right: {row.why}."
        yield ""
        yield "Nothing of it counts here, and it holds up nothing else. enter shows it as it came, del drops it."
    yield ""
    if row.what:
        yield f"what   {row.what}"
    yield f"id     {row.rid}"
    yield f"since  {measure.moment(row.at_us)}"


def device_rows(devices: Sequence[Device], mine: str) -> Rows:
    """Who brought something."""
    now_us = clock.now_us()
    return [
        (
            str(number),
            [
                (f"● {one.name}", "bold") if one.name == mine else f"  {one.name}",
                one.account,
                one.role or ("dismissed", "$text-muted"),
                f"{one.records:,}",
                ago(one.last_us, now_us),
            ],
        )
        for number, one in enumerate(devices)
    ]


def device_lines(one: Device, mine: str) -> Iterable[str]:
    """One device in full."""
    yield one.name + ("  (this machine)" if one.name == mine else "")
    yield ""
    yield f"account  {one.account}"
    yield f"role     {one.role or 'none: it was dismissed'}"
    yield f"brought  {one.records:,} records"
    yield f"last     {measure.moment(one.last_us)}, by the server's clock"


def outlook_lines(found: Outlook, going: Going) -> list[str]:
    """What an exchange would do now: of the streams that the account may send, what the rules let go."""
    sending = {stream: going.by_stream[stream] for stream in found.sending}
    lines = _counts("leave this machine", sending) + _counts("come", found.coming)
    if going.kept:
        lines.append(f"Your rules keep {going.kept:,} record{'' if going.kept == 1 else 's'} at home.")
    if found.resync:
        lines.append("The server lost something: both ends would be compared first, and what it lacks offered again.")
    return [*lines, "", "Nothing was changed by looking."]


def _counts(verb: str, counts: Mapping[Stream, int]) -> list[str]:
    if not any(counts.values()):
        return [f"Nothing would {verb}."]
    return [f"Would {verb}:", *(f"  {count:>9,}  {STREAMS[stream]}" for stream, count in counts.items() if count)]


def far(progress: Progress) -> str:
    """How far an exchange or a comparison is, for a dialog that waits for it."""
    doing = {"send": "sending", "receive": "bringing", "compare": "comparing"}.get(progress.doing, "exchanging")
    return f"{doing} {STREAMS[progress.stream]}: {progress.done:,} of {progress.total:,} records …"


def verdict(differences: Sequence[Difference], status: SyncStatus) -> list[str]:
    """What a comparison of both ends found, the first difference by its place."""
    if not differences:
        end = f" Their sign is {AGREED} {status.agreed}." if status.agreed else ""
        wait = f" {status.pending:,} records wait and were not compared." if status.pending else ""
        return [f"✓ Both ends hold the same accepted records, byte for byte.{end}{wait}"]
    first = differences[0]
    lines = [f"≠ Both ends differ in {len(differences):,} of the ranges that were compared. The first:"]
    counts = f"{first.mine:,} here, {first.theirs:,} there"
    lines.append(f"  {STREAMS[first.stream]}, hashes that begin with {first.bucket:02x}: {counts}")
    for one in differences[1:8]:
        lines.append(f"  {STREAMS[one.stream]} {one.bucket:02x}: {one.mine:,} here, {one.theirs:,} there")
    if len(differences) > 8:
        lines.append(f"  … and {len(differences) - 8:,} more")
    return [*lines, "", "An exchange that ran meanwhile makes a difference that is none: sync, and verify again."]
