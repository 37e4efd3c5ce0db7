"""``ledger-tui budgets`` and ``ledger-tui alerts``: limits on spending, and what they and the history gave cause to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import DONE, NOT_HELD, Front, json_option, pass_front
from ledger_tui.domain import clock, money
from ledger_tui.domain.budgets import DEFAULT_WARN_PERCENT, PERIODS
from ledger_tui.services.executing import iso, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_tui.domain.alerts import AlertRow
    from ledger_tui.domain.budgets import BudgetRow, Standing

GLYPHS = {"ok": "✓", "warn": "⚠", "over": "✗"}
SHORT_ID = 13
_reason = click.option("--reason", default="", metavar="TEXT", help="Why; kept with the fact.")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def budgets(ctx: click.Context, as_json: bool) -> None:
    """Limits on what calls may cost in a UTC day or month.

    A call that would go past a limit is not sent, whoever makes it; 'ledger-tui run' then ends with 3.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_budgets, as_json=as_json)


@budgets.command("list")
@json_option
@pass_front
def list_budgets(front: Front, as_json: bool = False) -> None:
    """List the budgets and where spending stands, the fullest first."""
    with front.ledger() as ledger:
        found = ledger.budgets.standings()
    _show(found, as_json)
    if not found and not as_json:
        output.say("No budgets. Set one: ledger-tui budgets set --limit 5 --period day")


@budgets.command("set")
@click.option(
    "--limit", required=True, metavar="USD", help="What calls may cost in a period; 0 stops all with a price."
)
@click.option("--period", type=click.Choice(PERIODS), default="day", show_default=True, help="A UTC day or month.")
@click.option("--prompt", metavar="NAME", help="Only calls of this prompt; folder/* means all below a folder.")
@click.option("--environment", metavar="NAME", help="Only calls in this environment.")
@click.option(
    "--warn", type=int, default=DEFAULT_WARN_PERCENT, show_default=True, metavar="PERCENT", help="Warn from here on."
)
@_reason
@json_option
@pass_front
def set_budget(front: Front, /, limit: str, warn: int, as_json: bool, **given: Any) -> None:
    """Set the budget of a scope and period; one that is there already is changed."""
    with front.ledger() as ledger:
        row = ledger.budgets.set(limit, warn_percent=warn, **given)
    _tell(row, as_json, "set")


@budgets.command()
@click.argument("rid", metavar="ID")
@_reason
@json_option
@pass_front
def remove(front: Front, rid: str, reason: str, as_json: bool) -> None:
    """Remove a budget; the beginning of its id is enough."""
    with front.ledger() as ledger:
        row = ledger.budgets.remove(rid, reason)
    _tell(row, as_json, "removed")


@budgets.command()
@json_option
@pass_front
def check(front: Front, as_json: bool) -> int:
    """End with 3 when a limit is reached; for scripts, before work that costs money."""
    with front.ledger() as ledger:
        found = ledger.budgets.standings()
    over = [one for one in found if one.state == "over"]
    _show(found, as_json)
    for one in over:
        output.say(f"✗ {one.words}; the next {one.budget.spec.period} begins {_begins(one)}")
    return NOT_HELD if over else DONE


@budgets.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many facts.")
@json_option
@pass_front
def history(front: Front, limit: int, as_json: bool) -> None:
    """List what was set and removed, newest first."""
    from ledger_tui.domain.budgets import fact_words

    with front.ledger() as ledger:
        facts = ledger.budgets.history(limit)
    if as_json:
        shown = [shapes.journal_shape(fact) | {"words": fact_words(fact.value)} for fact in facts]
        output.document({"facts": shown})
        return
    rows = [[shapes.age(fact.at_us), fact.actor, fact_words(fact.value), fact.reason] for fact in facts]
    output.table(["AGE", "BY", "WHAT", "WHY"], rows)


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many alerts.")
@click.option("--seen", is_flag=True, help="Mark them as seen.")
@json_option
@pass_front
def alerts(front: Front, limit: int, seen: bool, as_json: bool) -> None:
    """List what was worth telling, newest first: budgets near or at their limit, days that stand out."""
    with front.ledger() as ledger:
        if ledger.as_of is None:
            ledger.alerts.look(with_spikes=True)
        found = ledger.alerts.entries(limit)
        if seen:
            ledger.alerts.mark_seen()
    if as_json:
        output.document({"alerts": [alert_shape(row) for row in found]})
        return
    rows = [
        [shapes.age(row.at_us), "" if row.seen_us else "new", row.kind, f"{row.glyph} {row.words}"] for row in found
    ]
    output.table(["AGE", "", "KIND", "WHAT"], rows)
    if not found:
        output.say("No alerts.")


def tell_alerts(rows: Sequence[AlertRow]) -> None:
    """A line on standard error for each alert that came up."""
    for row in rows:
        output.say(f"{row.glyph} {row.title}: {row.words}")


def standing_shape(one: Standing) -> dict[str, Any]:
    """A budget and where it stands, as JSON; money in USD and exactly in nano-dollars."""
    return _budget_shape(one.budget) | {
        "state": one.state,
        "share": one.share,
        "spent_usd": usd(one.spent_nusd),
        "spent_nusd": one.spent_nusd,
        "reserved_nusd": one.reserved_nusd,
        "left_nusd": one.left_nusd,
        "unpriced": one.unpriced,
        "period_key": one.period.key,
        "period_ends": iso(one.period.until_us),
    }


def alert_shape(row: AlertRow) -> dict[str, Any]:
    """An alert with the numbers behind it."""
    return {
        "key": row.key,
        "kind": row.kind,
        "at": iso(row.at_us),
        "seen": row.seen_us is not None,
        "title": row.title,
        "words": row.words,
        "detail": dict(row.detail),
    }


def _budget_shape(row: BudgetRow) -> dict[str, Any]:
    return {
        "id": row.rid,
        "subject": row.spec.subject,
        "prompt": row.spec.prompt,
        "environment": row.spec.environment,
        "period": row.spec.period,
        "limit_usd": usd(row.spec.limit_nusd),
        "limit_nusd": row.spec.limit_nusd,
        "warn_percent": row.spec.warn_percent,
        "set_by": row.actor,
        "set_at": iso(row.at_us),
    }


def _show(found: Sequence[Standing], as_json: bool) -> None:
    if as_json:
        output.document({"budgets": [standing_shape(one) for one in found]})
        return
    headers = ["ID", "", "FOR", "PERIOD", "SPENT", "EXPECTED", "LIMIT", "SHARE", "UNPRICED", "ENDS (UTC)"]
    output.table(headers, [_cells(one) for one in found], right=(4, 5, 6, 7, 8))


def _cells(one: Standing) -> list[str]:
    spec = one.budget.spec
    return [
        one.budget.rid[:SHORT_ID],
        GLYPHS[one.state],
        spec.subject,
        one.period.key,
        money.show(one.spent_nusd, one.unpriced),
        money.show(one.reserved_nusd) if one.reserved_nusd else "",
        money.show(spec.limit_nusd),
        f"{one.percent} %",
        str(one.unpriced or ""),
        _begins(one),
    ]


def _begins(one: Standing) -> str:
    return f"{clock.from_us(one.period.until_us):%Y-%m-%d %H:%M}"


def _tell(row: BudgetRow, as_json: bool, deed: str) -> None:
    if as_json:
        output.document({"budget": _budget_shape(row)})
        return
    spec = row.spec
    output.line(row.rid)
    output.say(f"✓ {deed}: {spec.words}")
