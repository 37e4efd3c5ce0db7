"""``ledger-tui doctor`` and ``ledger-tui backup``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import DONE, NOT_HELD, Front, json_option, pass_front

_GLYPHS = {"ok": "✓", "warn": "!", "bad": "✗"}


@click.command()
@click.option("--recount", is_flag=True, help="Count the sums of days again from every span; takes its time.")
@click.option("--rebuild", is_flag=True, help="Make the sums of days anew from the facts, then recount.")
@click.option("--sync", "meet", is_flag=True, help="Ask the shared server too; nothing is asked otherwise.")
@json_option
@pass_front
def doctor(front: Front, recount: bool, rebuild: bool, meet: bool, as_json: bool) -> int:
    """Check the ledger, its file and this installation; ends with 3 when something is bad."""
    with front.make_ledger() as ledger:
        checks = ledger.care.doctor()
        if rebuild:
            ledger.care.rebuild_sums()
        if recount or rebuild:
            checks.append(ledger.care.recount())
        if meet:
            checks.append(ledger.sync.check())
    bad = sum(check.status == "bad" for check in checks)
    if as_json:
        shown = [{"name": c.name, "status": c.status, "detail": c.detail, "remedy": c.remedy} for c in checks]
        output.document({"ok": not bad, "checks": shown})
    else:
        for check in checks:
            output.line(f"{_GLYPHS.get(check.status, '?')} {check.name}: {check.detail}")
            if check.remedy and check.status != "ok":
                output.line(f"    → {check.remedy}")
    return NOT_HELD if bad else DONE


@click.command()
@click.argument("target", required=False, type=click.Path(path_type=Path))
@json_option
@pass_front
def backup(front: Front, target: Path | None, as_json: bool) -> None:
    """Write a verified copy of the ledger, by default into its backups folder, and print where it is."""
    with front.ledger() as ledger:
        written = ledger.care.backup(target)
    if as_json:
        output.document({"path": str(written), "bytes": written.stat().st_size})
    else:
        output.line(str(written))
