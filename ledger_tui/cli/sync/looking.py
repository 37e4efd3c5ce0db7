"""``sync status``, ``verify``, ``devices``, ``log`` and ``quarantine``: where the ledger stands, and whether that is true."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import DONE, NOT_HELD, Front, json_option, pass_front
from ledger_tui.cli.sync import exchange, words
from ledger_tui.cli.sync.password import asked
from ledger_tui.cli.sync.progress import SyncLine
from ledger_tui.errors import NotFound
from ledger_tui.services import sync_asides
from ledger_tui.services.executing import iso

if TYPE_CHECKING:
    from ledger_tui.services.sync_values import Proof
    from ledger_tui.store.sync_asides import Aside
    from ledger_tui.sync.engine import Difference, Outlook

_SHORT_KEY = 15


@click.command()
@json_option
@pass_front
def status(front: Front, as_json: bool) -> None:
    """Say where the ledger stands with its server, from the ledger alone: nobody is asked."""
    with front.ledger() as ledger:
        found = ledger.sync.status()
        if "bodies" in found.waiting:
            # Texts of calls that wait themselves are no records yet.
            found = replace(found, waiting={**found.waiting, "bodies": ledger.sync.going().texts})
    if as_json:
        output.document(words.status_shape(found))
    elif not found.is_shared:
        output.say("This ledger is shared with nobody; 'ledger-tui sync init' or 'sync join' changes that.")
    else:
        for lead, said in exchange.standing_words(found):
            words.told(lead, said)


@click.command()
@json_option
@pass_front
def verify(front: Front, as_json: bool) -> int:
    """Prove that both ends hold the same, by reading every record at both; ends with 3 where they differ.

    It exchanges first, as 'ledger-tui sync' does, and compares what was exchanged: what still waits, or was set aside, is told
    and is no proof of anything.
    """
    with front.ledger() as ledger:

        def compare() -> tuple[Proof, Outlook]:
            with SyncLine("comparing both ends …") as line:
                return ledger.sync.prove(on_progress=line), ledger.sync.outlook()

        proof, outlook = asked(ledger, compare)
        aside = ledger.sync.status().aside
    if as_json:
        output.document(_proof_shape(proof, outlook))
    elif not proof.differences:
        held = words.counted(proof.records, words.STREAM_WORDS) or "nothing yet"
        output.line(f"✓ Both ends hold the same: {held}")
        output.line(f"= {proof.digits}")
        _say_waiting(outlook)
        _say_aside(aside)
    else:
        _tell_differences(proof.differences)
        if not _say_waiting(outlook):
            output.say(
                "  → Run 'ledger-tui sync --anew': it exchanges all that one end lacks. Then verify again; what came damaged is in "
                "'ledger-tui sync quarantine'."
            )
    return NOT_HELD if proof.differences else DONE


def _say_waiting(outlook: Outlook) -> bool:
    going = words.counted(outlook.sending, words.STREAM_WORDS)
    coming = words.counted(outlook.coming, words.STREAM_WORDS)
    if coming:
        output.say(f"  {coming} wait at the server: run 'ledger-tui sync', then verify again.")
    if going:
        output.say(f"  {going} wait here and were not compared.")
    return bool(coming)


def _say_aside(count: int) -> None:
    if count:
        are = "is" if count == 1 else "are"
        output.say(
            f"  {words.many(count, 'record', 'records')} set aside {are} not in it: see 'ledger-tui sync quarantine'."
        )


def _tell_differences(found: Sequence[Difference]) -> None:
    first = found[0]
    here = words.many(first.mine, "record", "records")
    output.line(f"✗ Both ends differ, first in {_place(first)}: {here} here, {first.theirs:,} there")
    if len(found) > 1:
        output.line(f"  and in {len(found) - 1:,} more of these places; --json names all")


def _place(found: Difference) -> str:
    month = getattr(found, "month", None)
    return f"{found.stream}{f' of {month}' if month else ''}, bucket {found.bucket:02x}"


def _proof_shape(proof: Proof, outlook: Outlook) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "same": not proof.differences, "records": dict(proof.records),
        "digits": None if proof.differences else proof.digits,
        "differences": [asdict(one) for one in proof.differences],
        "coming": dict(outlook.coming), "waiting": dict(outlook.sending),
    }  # fmt: skip


@click.command()
@json_option
@pass_front
def devices(front: Front, as_json: bool) -> None:
    """List who brought something to the shared ledger, the last ones first."""
    with front.ledger() as ledger:
        found = asked(ledger, ledger.sync.devices)
        mine = ledger.device()
    if as_json:
        shown = [
            {"device": one.name, "account": one.account, "role": one.role or None, "last_at": iso(one.last_us),
             "records": one.records, "this": one.name == mine}
            for one in found
        ]  # fmt: skip
        output.document({"devices": shown})
        return
    rows = [
        [one.account, one.role or "dismissed", shapes.age(one.last_us), f"{one.records:,}",
         one.name + (" (this one)" if one.name == mine else "")]
        for one in found
    ]  # fmt: skip
    output.table(["ACCOUNT", "ROLE", "LAST", "RECORDS", "DEVICE"], rows, right=(3,), named=True)
    if not found:
        output.say("Nobody brought anything yet.")


@click.command("log")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many receipts.")
@json_option
@pass_front
def receipts(front: Front, limit: int, as_json: bool) -> None:
    """List what exchanges did, newest first; those that found nothing to do are not kept."""
    with front.ledger() as ledger:
        found = ledger.sync.receipts(limit)
    if as_json:
        output.document({"receipts": [words.row_shape(row) for row in found]})
        return
    cells = []
    for row in found:
        aside = row.refused + row.quarantined
        notes = [f"{aside:,} set aside" if aside else "", "healed" if row.resyncs else "", row.why_not]
        went = words.counted(row.sent, words.KIND_WORDS)
        came = words.counted(row.came, words.STREAM_WORDS)
        what = "  ".join(part for part in (f"▲ {went}" if went else "", f"▼ {came}" if came else "", *notes) if part)
        cells.append([shapes.age(row.at_us), f"= {row.agreed}" if row.agreed else "", what])
    output.table(["AGE", "", "WHAT"], cells, whole=True)
    if not found:
        output.say("Nothing was exchanged yet.")


@click.command()
@click.option("--show", "shown", metavar="KEY", help="Print the whole record; the beginning of its key is enough.")
@click.option("--drop", "dropped", multiple=True, metavar="KEY", help="Forget one; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Forget every record that came and cannot be taken.")
@json_option
@pass_front
def quarantine(front: Front, shown: str | None, dropped: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """List what an exchange could not take: records of ours that the server refused, and damaged ones that came.

    They hold up nothing, but both ends do not count as equal. What is forgotten counts for nothing: a record that came is gone
    here, one of ours stays on this machine without effect.
    """
    with front.ledger() as ledger:
        found = ledger.sync.asides()
        if shown is not None:
            one = _one_of(found, shown)
            _show_one(one, sync_asides.whole(ledger.database, one), as_json)
            return
        if dropped or everything:
            ledger.database.check_writable()
            gone = [_one_of(found, key).key for key in dropped]
            gone += [one.key for one in found if everything and one.way == "in" and one.key not in gone]
            ledger.sync.drop_asides(gone)
            if as_json:
                output.document({"dropped": gone})
            else:
                output.say(f"{words.many(len(gone), 'record is', 'records are')} forgotten.")
            return
    if as_json:
        output.document({"records": [_aside_shape(one) for one in found]})
        return
    rows = [
        [
            one.key[:_SHORT_KEY],
            "refused" if one.way == "out" else "came",
            one.what or one.stream,
            shapes.age(one.at_us),
            one.why,
        ]
        for one in found
    ]
    output.table(["KEY", "", "RECORD", "AGE", "WHY"], rows)
    if not found:
        output.say("Nothing is set aside.")


def _one_of(found: Sequence[Aside], key: str) -> Aside:
    match = [one for one in found if one.key.startswith(key)]
    if len(match) != 1:
        cause = f"{len(match)} keys begin with {key!r}" if match else f"no key begins with {key!r}"
        raise NotFound(cause, title="No such record is set aside", remedy="List them: ledger-tui sync quarantine")
    return match[0]


def _show_one(one: Aside, whole: dict[str, Any] | None, as_json: bool) -> None:
    if as_json:
        output.document(_aside_shape(one) | {"raw": whole})
        return
    for lead, said in (
        ("key", one.key),
        ("record", one.what),
        ("stream", one.stream),
        ("id", one.rid),
        ("why", one.why),
    ):
        words.told(lead, said)
    if whole is not None:
        output.text(json.dumps(_readable(whole), indent=2, ensure_ascii=True) + "\n")
    else:
        output.say("The record itself is not in this ledger any more.")


def _readable(whole: dict[str, Any]) -> dict[str, Any]:
    """A record with its body as the object that it is, where it is one."""
    try:
        return {**whole, "body": json.loads(whole["body"])}
    except (ValueError, RecursionError):
        return whole


def _aside_shape(one: Aside) -> dict[str, Any]:
    return {
        "key": one.key, "way": one.way, "stream": one.stream, "rid": one.rid, "what": one.what or None, "why": one.why,
        "at": iso(one.at_us),
    }  # fmt: skip
