"""``sync purge`` and ``sync retire``: what maintainers have removed, everywhere or from the server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.cli.sync import words
from ledger_tui.cli.sync.password import asked
from ledger_tui.services.executing import iso

if TYPE_CHECKING:
    from ledger_tui.domain.sync.records import Stream
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.sync_keeping import PurgeLook

_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would go.")
_STREAMS: dict[str, tuple[Stream, ...]] = {
    "all": ("telemetry", "bodies"), "numbers": ("telemetry",), "texts": ("bodies",),
}  # fmt: skip


@click.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--session", "sessions", multiple=True, help="Everything recorded for this session.")
@click.option("--user", "users", multiple=True, help="Everything recorded for this user.")
@click.option("--reason", default="", help="Why, for everybody to read. Do not repeat the secret here.")
@click.option("--list", "listing", is_flag=True, help="List what was purged, by whom and why; asks nobody.")
@_dry_run
@_yes
@json_option
@pass_front
def purge(
    front: Front,
    ids: tuple[str, ...],
    sessions: tuple[str, ...],
    users: tuple[str, ...],
    reason: str,
    listing: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take texts away everywhere, such as a secret that leaked into a call; for maintainers.

    ID is a trace, a call or a render. What was sent and answered, attributes, sessions and users go here and at the server at
    once, and on every other machine with its next exchange; numbers and costs stay. It cannot be taken back.
    """
    with front.ledger() as ledger:
        if listing:
            _list_purges(ledger, as_json)
            return
        ledger.database.check_writable()
        look = asked(ledger, lambda: ledger.sync.purge_look(ids, sessions=sessions, users=users))
        if not as_json:
            _say_look(look)
        if dry_run:
            if as_json:
                output.document({"dry_run": True, **_look_shape(look)})
            return
        _confirm(yes, "Take these texts away everywhere, for good?")
        done = asked(ledger, lambda: ledger.sync.purge(look, reason))
    if as_json:
        output.document({"dry_run": False, **_look_shape(look), "purges": list(done.facts)})
    else:
        output.say("✓ The texts are gone here and at the server; other machines follow with their next exchange.")
        output.say("  Backups, exports and copies of files still hold them. A secret that leaked has to be changed.")


def _say_look(look: PurgeLook) -> None:
    rows = look.targets
    parts = {"span": len(rows.spans), "execution": len(rows.executions), "usage": len(rows.usages)}
    words.told("texts of", words.counted(parts, words.KIND_WORDS))
    words.told("at server", words.many(look.at_server, "record", "records"))


def _look_shape(look: PurgeLook) -> dict[str, Any]:
    rows = look.targets
    return {
        "of": look.of, "steps": len(rows.spans), "calls": len(rows.executions), "renders": len(rows.usages),
        "at_server": look.at_server,
    }  # fmt: skip


def _list_purges(ledger: PromptLedger, as_json: bool) -> None:
    found = ledger.sync.purges()
    if as_json:
        shown = [
            {
                "id": one.rid,
                "at": iso(one.at_us),
                "by": one.actor,
                "of": one.of,
                "reason": one.reason,
                "records": one.records,
            }
            for one in found
        ]
        output.document({"purges": shown})
        return
    rows = [[shapes.age(one.at_us), one.actor, f"{one.records:,}", one.of, one.reason] for one in found]
    output.table(["AGE", "BY", "RECORDS", "OF", "REASON"], rows, right=(2,))
    if not found:
        output.say("Nothing was purged yet.")


@click.command()
@click.option("--before", metavar="YYYY-MM", required=True, help="The first month that stays (UTC).")
@click.option("--only", type=click.Choice(["numbers", "texts"]), help="Only numbers of calls, or only their texts.")
@_dry_run
@_yes
@json_option
@pass_front
def retire(front: Front, before: str, only: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove months of calls from the server for good; for maintainers.

    Each machine keeps what it has ('ledger-tui retention' is for those); what was not sent yet of those months stays where it
    is. What is decided about prompts is never removed.
    """
    streams = _STREAMS[only or "all"]
    with front.ledger() as ledger:
        look = asked(ledger, lambda: ledger.sync.retire_look(before, streams))
        if dry_run:
            if as_json:
                output.document({"dry_run": True, "before": before, "records": dict(look.records)})
            else:
                output.say(f"Before {before} the server has {_counted(look.records)}.")
            return
        if not as_json:
            output.say(f"Before {before} the server has {_counted(look.records)}.")
        _confirm(yes, "Remove them from the server, for everybody and for good?")
        gone = asked(ledger, lambda: ledger.sync.retire(before, streams))
    if as_json:
        output.document({"dry_run": False, "before": before, "records": dict(gone)})
    else:
        output.say(f"✓ Removed: {_counted(gone)}. Records of those months are not taken any more.")


def _counted(records: dict[Stream, int]) -> str:
    return words.counted(records, words.STREAM_WORDS) or "nothing"


def _confirm(yes: bool, question: str) -> None:
    if yes:
        return
    if not output.is_terminal(sys.stdin):
        raise click.UsageError("Nobody is there to be asked: add --yes.")
    if not click.confirm(question, err=True):
        raise click.Abort
