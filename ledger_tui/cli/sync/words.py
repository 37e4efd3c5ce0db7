"""How exchanges are told: words for kinds and streams, receipts for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ledger_tui.cli import output
from ledger_tui.domain.text import printable
from ledger_tui.services.executing import iso

if TYPE_CHECKING:
    from ledger_tui.domain.sync.sharing import Sharing
    from ledger_tui.services.sync_values import SyncReceiptRow, SyncStatus
    from ledger_tui.sync.engine import Receipt

STREAM_WORDS: Mapping[str, tuple[str, str]] = {
    "meta": ("fact", "facts"), "telemetry": ("call record", "call records"), "bodies": ("text", "texts"),
}  # fmt: skip
"""Facts are what was decided about prompts, prices and budgets; call records are the numbers of calls, steps and renders."""
KIND_WORDS: Mapping[str, tuple[str, str]] = {
    "version": ("version", "versions"), "label": ("label", "labels"), "field": ("field", "fields"),
    "inputs": ("input set", "input sets"), "price": ("price", "prices"), "pricing": ("late pricing", "late pricings"),
    "budget": ("budget", "budgets"), "purge": ("purge", "purges"), "usage": ("render", "renders"),
    "execution": ("call", "calls"), "span": ("step", "steps"), "late_price": ("late price", "late prices"),
    "card": ("rate card", "rate cards"), "text": ("text", "texts"),
    "kept": ("record of a newer release", "records of a newer release"),
}  # fmt: skip
_LEAD = 12


def counted(counts: Mapping[Any, int], words: Mapping[str, tuple[str, str]]) -> str:
    """``5 versions, 1 label``; empty for nothing."""
    parts = []
    for name in [*(name for name in words if name in counts), *(name for name in counts if name not in words)]:
        if count := counts[name]:
            one, many = words.get(name, (name, name))
            parts.append(f"{count:,} {one if count == 1 else many}")
    return ", ".join(parts)


def many(count: int, one: str, more: str) -> str:
    """A number and its noun."""
    return f"{count:,} {one if count == 1 else more}"


def told(lead: str, words: str) -> None:
    """A line of an answer: what it is about, then what there is to say."""
    output.line(f"{lead:<{_LEAD}}{printable(words, keep='')}".rstrip())


def receipt_lines(receipt: Receipt, sharing: Sharing) -> Iterator[tuple[str, str]]:
    """What one exchange did, as leads and words."""
    if sent := counted(receipt.kinds, KIND_WORDS):
        yield "sent", sent
    if came := counted(receipt.came, STREAM_WORDS):
        newer = f" ({receipt.unread:,} need a newer release)" if receipt.unread else ""
        yield "received", came + newer
    if receipt.resyncs:
        yield "healed", "the server had lost or changed its history; what it lacked was sent again"
    if aside := len(receipt.refused) + receipt.quarantined:
        whys = sorted({one.why for one in receipt.refused})
        why = f" ({'; '.join(whys)})" if whys else ""
        yield "set aside", many(aside, "record", "records") + f"{why}; see 'ledger-tui sync quarantine'"
    waits = {stream: count for stream, count in receipt.unsent.items() if stream in sharing.streams}
    home = {stream: count for stream, count in receipt.unsent.items() if stream not in sharing.streams}
    if waits:
        yield "waits", counted(waits, STREAM_WORDS) + (f": {receipt.why_not}" if receipt.why_not else "")
    if home:
        yield "at home", counted(home, STREAM_WORDS) + ", by the rules of 'ledger-tui sync share'"
    if receipt.agreed:
        yield f"= {receipt.agreed}", "both ends hold the same"


def receipt_shape(receipt: Receipt) -> dict[str, Any]:
    """One exchange as JSON."""
    return {
        **receipt.as_json(),
        "refused": [{"stream": one.stream, "rid": one.rid, "why": one.why} for one in receipt.refused],
        "server_at": iso(receipt.server_us) if receipt.server_us else None,
    }


def row_shape(row: SyncReceiptRow) -> dict[str, Any]:
    """A kept receipt as JSON."""
    return {
        "at": iso(row.at_us), "sent": dict(row.sent), "came": dict(row.came), "refused": row.refused,
        "quarantined": row.quarantined, "resyncs": row.resyncs, "agreed": row.agreed, "why_not": row.why_not,
    }  # fmt: skip


def sharing_shape(rules: Sharing) -> dict[str, Any]:
    """The rules as JSON."""
    return {**rules.as_json(), "streams": list(rules.streams)}


def status_shape(status: SyncStatus) -> dict[str, Any]:
    """Where a ledger stands as JSON."""

    def moment(at_us: int | None) -> str | None:
        return None if at_us is None else iso(at_us)

    return {
        "shared": status.is_shared, "address": status.address or None, "workspace": status.workspace,
        "waiting": dict(status.waiting), "pending": status.pending, "set_aside": status.aside,
        "last_at": moment(status.last_us), "agreed": status.agreed, "agreed_at": moment(status.agreed_us),
        "error": status.error or None, "remedy": status.remedy or None, "failing_since": moment(status.failing_since_us),
        "resyncing": status.resyncing, "sharing": sharing_shape(status.sharing),
    }  # fmt: skip


def sharing_words(rules: Sharing) -> str:
    """The rules in a line."""
    shared = ["what is decided about prompts"]
    if rules.usual.numbers:
        shared.append("numbers of calls")
        if rules.usual.texts:
            shared.append("their texts")
    if rules.folders:
        shared.append(many(len(rules.folders), "folder with a rule of its own", "folders with rules of their own"))
    return ", ".join(shared)
