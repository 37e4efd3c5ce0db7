"""``ledger-tui retention``: what is old goes by rules, after a look at what would go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.cli.progress import ProgressLine
from ledger_tui.domain import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_tui.domain.retention import Rule
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.retention import Step


class Days(click.ParamType[int]):
    """Whole days, as ``30`` or ``30d``."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises BadParameter for anything else."""
        text = str(value).strip().removesuffix("d")
        if not (text.isascii() and text.isdigit()) or len(text) > 6:
            self.fail(f"{value!r} is no number of days, such as 30d", param, ctx)
        return int(text)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--texts", type=Days(), metavar="DAYS", help="Texts go after so many days, e.g. 30d; 0: never.")
@click.option("--spans", type=Days(), metavar="DAYS", help="Steps of whole traces go after so many days; 0: never.")
@click.option(
    "--kind", "kinds", metavar="KIND=DAYS", multiple=True, help="Days of the texts of one kind of step instead."
)
@click.option("--vacuum", is_flag=True, help="Give the space back to the disk at the end; takes as long as a copy.")
@json_option
@pass_front
def retention(
    front: Front,
    dry_run: bool,
    texts: int | None,
    spans: int | None,
    kinds: tuple[str, ...],
    vacuum: bool,
    as_json: bool,
) -> None:
    """Remove old texts and steps by the rules of the settings, or by the ones given here instead.

    What was charged and counted stays, to the nano-dollar. A run that is interrupted goes on where it stood the next time.
    """
    with front.ledger() as ledger:
        ledger.database.check_writable()
        rules = _rules(ledger, texts, spans, kinds)
        if not rules and not vacuum:
            output.say("Everything is kept. Rules: --texts 30d, --spans 90d, or retention_texts_days in the settings.")
        steps = ledger.retention.plan(rules) if dry_run else _apply(ledger, rules)
        freed = ledger.retention.give_back() if vacuum and not dry_run else None
        unused = ledger.retention.unused_bytes()
    if as_json:
        output.document(
            {
                "dry_run": dry_run,
                "rules": [{"what": rule.what, "days": rule.days, "kind": rule.kind} for rule in rules],
                "steps": [_shape(step, dry_run) for step in steps],
                "unused_bytes": unused,
                "freed_bytes": None if freed is None else freed.before - freed.after,
            }
        )
        return
    _print(steps, dry_run)
    if rules and not steps:
        output.say("Nothing is old enough.")
    if freed is not None:
        output.say(f"{_size(freed.before - freed.after)} given back; the ledger has {_size(freed.after)} now.")
    elif unused >= 1_000_000 and not dry_run:
        output.say(f"{_size(unused)} of the file are unused: 'ledger-tui retention --vacuum' gives them back.")


def _rules(ledger: PromptLedger, texts: int | None, spans: int | None, kinds: Sequence[str]) -> list[Rule]:
    if texts is None and spans is None and not kinds:
        return ledger.retention.rules()
    from ledger_tui.domain.retention import rules_of

    return rules_of(texts or 0, spans or 0, kinds)


def _apply(ledger: PromptLedger, rules: Sequence[Rule]) -> list[Step]:
    with ProgressLine("") as line:

        def told(step: Step) -> None:
            line.noun = step.subject
            line.told(step.done, step.found.rows)

        return ledger.retention.apply(rules, told)


def _shape(step: Step, dry_run: bool) -> dict[str, Any]:
    from ledger_tui.services.executing import iso

    found = step.found
    return {
        "rule": str(step.rule),
        "what": step.subject,
        "found": found.rows,
        "characters": found.characters,
        "oldest_at": None if found.oldest_us is None else iso(found.oldest_us),
        "newest_at": None if found.newest_us is None else iso(found.newest_us),
        "removed": 0 if dry_run else step.done,
    }


def _print(steps: Sequence[Step], dry_run: bool) -> None:
    cells = [
        [
            f"{step.found.rows if dry_run else step.done:,}",
            step.subject,
            _size(step.found.characters),
            _day(step.found.oldest_us),
            _day(step.found.newest_us),
            str(step.rule),
        ]
        for step in steps
    ]
    headers = ["WOULD GO" if dry_run else "REMOVED", "WHAT", "TEXT", "OLDEST", "NEWEST", "BY THE RULE"]
    output.table(headers, cells, right=(0, 2))


def _day(moment_us: int | None) -> str:
    return "" if moment_us is None else clock.from_us(moment_us).date().isoformat()


def _size(count: int) -> str:
    value = float(max(0, count))
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
