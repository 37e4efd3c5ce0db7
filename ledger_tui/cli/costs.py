"""``ledger-tui costs`` and ``stats``: what calls cost and how they went, for people, scripts and spreadsheets."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.domain import measure, money
from ledger_tui.domain.exporting import Format, format_of
from ledger_tui.domain.selection import GROUPINGS, Grouping, Selection

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import CallStats, Comparison
    from ledger_tui.ledger import PromptLedger

Command = TypeVar("Command", bound=Callable[..., Any])
Table: TypeAlias = "tuple[Grouping, Sequence[CallStats], int]"
"""A grouping, its first rows, and how many there are."""
HEADERS = ("CALLS", "ERRORS", "TOKENS", "COST", "UNPRICED", "P50", "P95", "FIRST P50", "FIRST P95")


def selection_options(command: Command) -> Command:
    """Which calls, how grouped, in which form."""
    day = click.DateTime(["%Y-%m-%d"])
    options: list[Callable[..., Any]] = [
        click.option(
            "--days", type=click.IntRange(1, 36_600), default=30, show_default=True, help="So many last days (UTC)."
        ),
        click.option("--from", "since", type=day, help="First day, instead of --days."),
        click.option("--until", type=day, help="Last day, itself included; today unless given."),
        click.option("--by", metavar="NAME[,NAME...]", help=f"A table for each of {', '.join(GROUPINGS)}."),
        click.option("--provider", help="Only this provider."),
        click.option("--model", help="Only this model: provider/model, or its own name."),
        click.option(
            "--version", type=click.IntRange(0), help="Only this version of the prompt; 0 is no saved version."
        ),
        click.option("--env", "environment", help="Only this environment."),
        click.option("--user", help="Only this user."),
        click.option("--session", help="Only this session."),
        click.option(
            "--order", metavar="NAME", help="By cost (else), calls, errors, error_rate, tokens, unpriced, p95 or key."
        ),
        click.option(
            "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Rows of each table."
        ),
        click.option("--csv", "as_csv", is_flag=True, help="Answer with CSV for a spreadsheet."),
        click.option("--jsonl", "as_jsonl", is_flag=True, help="Answer with a JSON object a line."),
        click.option("-o", "--output", "target", metavar="FILE", help="Write the rows into a new file, as it ends."),
        click.option("--force", is_flag=True, help="Exchange a file of that name."),
        json_option,
        pass_front,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.option("--prompt", help="Only this prompt.")
@selection_options
def costs(
    front: Front,
    by: str | None,
    order: str | None,
    limit: int,
    as_csv: bool,
    as_jsonl: bool,
    target: str | None,
    force: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Print what calls cost, by day and model unless --by says otherwise, beside the period before.

    Unpriced calls are counted apart and never as $0. Percentiles are of succeeded calls, off by 2.5 % at most.
    """
    kind = _format(as_csv, as_jsonl, as_json, target)
    groupings = _groupings(by or "day,model")
    with front.ledger() as ledger:
        selection = _selection(ledger, **given)
        found = ledger.analytics.compare(selection)
        tables = _tables(ledger, selection, groupings, order, limit)
    if kind is not None:
        _written(tables, kind, target, force)
    elif as_json:
        output.document(_document(found, tables))
    else:
        _print(tables)
        _say_totals(found)


@click.command()
@click.argument("prompt", required=False)
@selection_options
def stats(
    front: Front,
    prompt: str | None,
    by: str | None,
    order: str | None,
    limit: int,
    as_csv: bool,
    as_jsonl: bool,
    target: str | None,
    force: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Print how often prompts were rendered and run and how they did: all of them, or one by version."""
    kind = _format(as_csv, as_jsonl, as_json, target)
    groupings = _groupings(by or ("version" if prompt else "prompt"))
    with front.ledger() as ledger:
        selection = _selection(ledger, prompt=prompt, **given)
        found = ledger.analytics.compare(selection)
        tables = _tables(ledger, selection, groupings, order, limit)
        usage = ledger.analytics.usage_of(selection)
        performance = ledger.analytics.performance_of(selection) if prompt else None
    if kind is not None:
        _written(tables, kind, target, force)
    elif as_json:
        output.document(_document(found, tables) | {"usage": usage, "performance": performance})
    else:
        _print(tables)
        output.say(f"Rendered {usage['total_uses']} times.")
        _say_totals(found)


def _groupings(text: str) -> list[Grouping]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in GROUPINGS]
    if unknown or not names:
        raise click.BadParameter(
            f"{', '.join(unknown) or 'nothing'} is none of {', '.join(GROUPINGS)}", param_hint="--by"
        )
    return [name for name in GROUPINGS if name in names]


def _selection(
    ledger: PromptLedger, days: int, since: datetime | None, until: datetime | None, **limits: Any
) -> Selection:
    """The selection that the options mean; raises InputError."""
    if limits.get("version") is not None and not limits.get("prompt"):
        raise click.BadParameter("a version is one of a prompt: name the prompt too", param_hint="--version")
    if limits.get("model") and not limits.get("provider"):
        provider, slash, model = str(limits["model"]).partition("/")
        if slash and ledger.analytics.is_provider(provider):
            limits |= {"provider": provider, "model": model}
    last = ledger.analytics.today() if until is None else until.date()
    if since is None:
        from ledger_tui.domain.selection import last_days

        period = last_days(days, last)
        return Selection(period.since, last, **limits)
    if since.date() > last:
        raise click.BadParameter("the first day comes before the last", param_hint="--from")
    return Selection(since.date(), last, **limits)


def _tables(
    ledger: PromptLedger, selection: Selection, groupings: Iterable[Grouping], order: Any, limit: int
) -> list[Table]:
    made: list[Table] = []
    for by in groupings:
        found = ledger.analytics.breakdown(by, selection, order=order, limit=limit, measured=True)
        made.append((by, found.rows, found.group_count))
    return made


def _print(tables: Sequence[Table]) -> None:
    for number, (by, rows, count) in enumerate(tables):
        if number:
            output.line("")
        cells = [[row.label or f"(no {by})", *_cells(row)] for row in rows]
        output.table([by.upper(), *HEADERS], cells, right=range(1, len(HEADERS) + 1))
        if count > len(rows):
            output.say(f"{count - len(rows)} more: --limit {count}")


def _cells(row: CallStats) -> list[str]:
    return [
        str(row.calls),
        str(row.errors or ""),
        shapes.tokens(row.total_tokens),
        money.show(row.known_cost_nusd, row.unpriced),
        str(row.unpriced or ""),
        *(measure.duration(value) for value in (row.p50_us, row.p95_us, row.first_p50_us, row.first_p95_us)),
    ]


def _say_totals(found: Comparison) -> None:
    now, before = found.now, found.before
    output.say(f"{_period(now)}: {_in_words(now)}")
    output.say(f"{_period(before)}: {_in_words(before)}")
    if now.unpriced:
        output.say(
            f"! {now.unpriced} calls without a price: ledger-tui traces list {shlex.quote(now.unpriced_filter_text)}"
        )


def _period(stats: CallStats) -> str:
    since, until = stats.selection.since, stats.selection.until
    return since.isoformat() if since == until else f"{since.isoformat()} to {until.isoformat()}"


def _in_words(stats: CallStats) -> str:
    if not stats.calls:
        return "no calls"
    return (
        f"{stats.calls} calls · {stats.errors} failed · {shapes.tokens(stats.total_tokens)} tokens · "
        f"{money.show(stats.known_cost_nusd, stats.unpriced)} · median {measure.duration(stats.p50_us)} · "
        f"95 % within {measure.duration(stats.p95_us)}"
    )


def _document(found: Comparison, tables: Sequence[Table]) -> dict[str, Any]:
    from ledger_tui.domain.percentiles import ERROR
    from ledger_tui.services.export_stats import stats_shape

    return {
        "since": found.now.selection.since.isoformat(),
        "until": found.now.selection.until.isoformat(),
        "percentile_error": ERROR,
        "totals": stats_shape(found.now),
        "before": stats_shape(found.before),
        "by": {by: [stats_shape(row) for row in rows] for by, rows, _ in tables},
        "groups": {by: count for by, _, count in tables},
    }


def _written(tables: Sequence[Table], kind: Format, target: str | None, force: bool) -> None:
    """The rows of every table on standard output, or in a new file."""
    from pathlib import Path

    from ledger_tui.services.export import encoded, write
    from ledger_tui.services.export_stats import stats_rows

    rows = stats_rows((by, found) for by, found, _ in tables)
    if target is None or target == "-":
        for piece in encoded(rows, kind):
            output.raw(piece)
        return
    done = write(rows, Path(target), kind, replace=force)
    assert done is not None
    output.say(f"{done.rows:,} rows in {done.path}")


def _format(as_csv: bool, as_jsonl: bool, as_json: bool, target: str | None) -> Format | None:
    """The format of an export, None when none is wanted."""
    if as_csv and as_jsonl:
        raise click.UsageError("give one of --csv and --jsonl")
    if as_csv or as_jsonl:
        return "csv" if as_csv else "jsonl"
    if target is None:
        return None
    return "json" if as_json else format_of(target) or "jsonl"
