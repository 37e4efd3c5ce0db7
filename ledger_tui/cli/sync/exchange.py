"""``ledger-tui sync`` itself: one exchange, what it would do, or one after the other until interrupted."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import DONE, INTERRUPTED
from ledger_tui.cli.sync import words
from ledger_tui.cli.sync.password import asked
from ledger_tui.cli.sync.progress import SyncLine
from ledger_tui.domain import clock
from ledger_tui.domain.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.sync_values import SyncStatus
    from ledger_tui.store.sync_preview import Going
    from ledger_tui.sync.engine import Outlook, Receipt

_MANY_PROMPTS = 40


def exchanged(ledger: PromptLedger, *, anew: bool = False) -> Receipt:
    """One exchange, with progress where somebody watches. anew, and what it raises: as ``SyncService.sync``."""
    with SyncLine(f"meeting {ledger.sync.status().address} …") as shown:
        return ledger.sync.sync(shown, anew=anew)


def once(ledger: PromptLedger, as_json: bool, *, anew: bool = False) -> int:
    """Exchange once and say what was done. anew: whatever is missing at either end, compared record by record."""
    try:
        receipt = asked(ledger, lambda: exchanged(ledger, anew=anew))
    except KeyboardInterrupt:
        output.say("Interrupted. What went and came stays; the next sync goes on.")
        return INTERRUPTED
    if as_json:
        status = ledger.sync.status()
        shape = {"address": status.address, "workspace": status.workspace, **words.receipt_shape(receipt)}
        output.document(shape)
    else:
        show(ledger, receipt)
    return DONE


def show(ledger: PromptLedger, receipt: Receipt) -> None:
    """Print a receipt."""
    for lead, said in words.receipt_lines(receipt, ledger.sync.sharing()):
        words.told(lead, said)
    if not receipt.did_something:
        output.say("There was nothing to exchange.")


def would_do(ledger: PromptLedger, as_json: bool) -> int:
    """Say what an exchange would send and bring; nothing is changed anywhere."""

    def look() -> Outlook:
        with SyncLine(f"meeting {ledger.sync.status().address} …"):
            return ledger.sync.outlook()

    outlook, going = asked(ledger, look), ledger.sync.going()
    sending = _allowed(going, outlook)
    if as_json:
        output.document(_outlook_shape(outlook, going, sending))
        return DONE
    words.told("would go", words.counted(sending, words.STREAM_WORDS) or "nothing")
    _show_facts(going.facts if sending.get("meta") else {})
    if sending.get("telemetry") and (numbers := words.counted(going.numbers, words.KIND_WORDS)):
        words.told("", numbers)
    words.told("would come", words.counted(outlook.coming, words.STREAM_WORDS) or "nothing")
    if going.kept:
        words.told("at home", words.many(going.kept, "record stays", "records stay") + " by the rules of 'sync share'")
    if outlook.resync:
        output.say(
            "The server lost or changed its history: a sync would compare both ends first and send what it lacks."
        )
    return DONE


def _allowed(going: Going, outlook: Outlook) -> dict[str, int]:
    """What would go by stream: of the streams that the account may send, what the rules let go."""
    return {stream: going.by_stream[stream] for stream in outlook.sending}


def _show_facts(facts: Mapping[str | None, Mapping[str, int]]) -> None:
    names = list(facts)
    width = min(40, max((len(name or "no prompt") for name in names), default=0))
    for name in names[:_MANY_PROMPTS]:
        words.told("", f"{name or 'no prompt':<{width}}  {words.counted(facts[name], words.KIND_WORDS)}")
    if len(names) > _MANY_PROMPTS:
        words.told("", f"and {len(names) - _MANY_PROMPTS:,} prompts more; --json names all")


def _outlook_shape(outlook: Outlook, going: Going, sending: Mapping[str, int]) -> dict[str, Any]:
    return {
        "dry_run": True, "sending": dict(sending), "coming": dict(outlook.coming), "resync": outlook.resync,
        "prompts": [{"name": name, "facts": dict(kinds)} for name, kinds in going.facts.items()],
        "numbers": dict(going.numbers), "at_home": going.kept,
    }  # fmt: skip


def watch(ledger: PromptLedger, as_json: bool) -> int:
    """Exchange by itself until interrupted; a line for each exchange that did something, and for what is in the way."""
    from ledger_tui.services.sync_runner import SyncRunner

    stop, teller = threading.Event(), _Teller(as_json)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    asked(ledger, ledger.sync.meet)
    output.say(f"◌ {ledger.sync.status().address}: exchanging until ctrl+c")
    SyncRunner(ledger.sync, on_change=teller.changed, on_receipt=teller.did).run(stop)
    return INTERRUPTED


class _Teller:
    """Says on standard output what exchanges did, and on standard error what is in their way."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._error = ""
        self._agreed: str | None = None

    def did(self, receipt: Receipt) -> None:
        """An exchange did something."""
        if self._as_json:
            output.json_line(words.receipt_shape(receipt))
            return
        went = words.counted(receipt.kinds, words.KIND_WORDS)
        came = words.counted(receipt.came, words.STREAM_WORDS)
        parts = [f"▲ {went}" if went else "", f"▼ {came}" if came else "", "healed" if receipt.resyncs else ""]
        output.line(printable(f"{_now()}  {'  '.join(part for part in parts if part)}", keep=""))

    def changed(self, status: SyncStatus) -> None:
        """The ledger stands elsewhere."""
        if status.error != self._error:
            self._error = status.error
            output.say(f"{_now()}  ✗ {status.error}" if status.error else f"{_now()}  ✓ The server answers again")
        if status.agreed not in (None, self._agreed):
            self._agreed = status.agreed
            output.say(f"{_now()}  = {status.agreed}")


def _now() -> str:
    return clock.now().strftime("%H:%M:%S")


def standing_words(status: SyncStatus) -> list[tuple[str, str]]:
    """Where a ledger stands, as leads and words."""
    lines = [("shared", status.address), ("ledger", status.workspace or "not met yet")]
    lines.append(("waits", words.counted(status.waiting, words.STREAM_WORDS) or "nothing"))
    last = "never" if status.last_us is None else f"{shapes.age(status.last_us)} ago"
    if status.agreed:
        last += f", = {status.agreed}"
    elif status.agreed_us is not None:
        last += f"; both ends last held the same {shapes.age(status.agreed_us)} ago"
    lines.append(("exchanged", last))
    if status.error:
        since = "" if status.failing_since_us is None else f" (for {shapes.age(status.failing_since_us)})"
        lines.append(("failing", status.error + since))
        if status.remedy:
            lines.append(("", f"→ {status.remedy}"))
    if status.resyncing:
        lines.append(("comparing", "the server lost something; the next sync goes on with offering what it lacks"))
    if status.aside:
        lines.append(
            ("set aside", words.many(status.aside, "record", "records") + "; see 'ledger-tui sync quarantine'")
        )
    lines.append(("shares", words.sharing_words(status.sharing)))
    return lines
