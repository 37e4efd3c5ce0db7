"""What was read as rows, words and titles for the widgets of Costs: no widget is touched here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from textual.content import Content

from ledger_tui.domain import measure
from ledger_tui.domain.call_stats import CallStats, Comparison, Spike
from ledger_tui.domain.measure import percent
from ledger_tui.domain.text import one_line
from ledger_tui.ui.places.costs import columns as columns_
from ledger_tui.ui.places.costs.columns import Beside, Column, arrow, change, cost
from ledger_tui.ui.places.costs.periods import short_day
from ledger_tui.ui.places.costs.reading import PARTIES, Look, More
from ledger_tui.ui.widgets.row_table import Cell

NONE = {"user": "(no user)", "session": "(no session)", "prompt": "(no prompt)", "version": "(no prompt)"}
LONG = 100
"""Periods of more days show only those with calls in the table."""
DAYS_WITHOUT = ("delta", "share", "p50", "first_p50", "first_p95", "ok")
"""Columns that the table of days leaves to the detail."""


def row_key(row: CallStats) -> str:
    """The key of a table's row."""
    return "\0".join(row.key)


def beside(look: Look, more: More) -> Callable[[CallStats], Beside]:
    """What a group of the table is set beside."""
    return lambda row: Beside(look.total, more.before.get(row.key), more.before_is_whole)


def name_of(by: str, row: CallStats) -> str:
    """The name of a row, also of calls without one."""
    return row.label or NONE.get(by, "(none)")


def group_rows(
    look: Look, rows: Sequence[CallStats], shown: Sequence[Column], more: More, room: int
) -> list[tuple[str, list[Cell]]]:
    """The rows of the groups' table; what stands out today is marked before its name."""
    spiked = {(spike.by, spike.stats.key) for spike in more.spikes}
    by, beside_of = look.question.by, beside(look, more)
    found: list[tuple[str, list[Cell]]] = []
    for row in rows:
        mark = "⚠ " if (by, row.key) in spiked else ""
        name = mark + one_line(name_of(by, row), max(8, room - len(mark)))
        first: Cell = (name, "$warning") if mark else name if row.label else (name, "$text-muted")
        found.append((row_key(row), [first, *(column.cell(row, beside_of(row)) for column in shown)]))
    return found


def day_rows(
    look: Look, days: Sequence[CallStats], shown: Sequence[Column], spikes: frozenset[str]
) -> list[tuple[str, list[Cell]]]:
    """The rows of the table of days."""
    none = Beside(look.total, None, False)
    found: list[tuple[str, list[Cell]]] = []
    for row in days:
        day = row.selection.since
        told = short_day(day, weekday=True) + (" ▒" if day == look.today else "")
        if row.key[0] in spikes:
            told += " ⚠"
        if row.calls:
            cells = [column.cell(row, none) for column in shown]
        else:
            cells = ["·" if column.key == "calls" else "" for column in shown]
        found.append((row_key(row), [told if row.calls else (told, "$text-muted"), *cells]))
    return found


def days_shown(look: Look) -> Sequence[CallStats]:
    """The days of the table: every one, of a long period those with calls."""
    return look.days if len(look.days) <= LONG else [day for day in look.days if day.calls]


def count_words(look: Look, shown: int, fitting: int, by: str) -> str:
    """How many groups there are, how many of them are shown, and what is in none."""
    count, read, name = look.groups.group_count, len(look.groups.rows), look.question.by
    counted = f"{count:,} {name}{'' if count == 1 else 's'}"
    if shown < fitting:
        return f"{shown:,} of {counted}, first by {by}"
    told = counted if fitting == count else f"{fitting:,} of {counted}"
    if read < count and fitting < read:
        return f"{told}, sought in {read:,}"
    rest = look.total.calls - sum(row.calls for row in look.groups.rows)
    if name in PARTIES and read == count and rest > 0:
        told += f" · {rest:,} call{'' if rest == 1 else 's'} without one"
    return told


def name_room(width: int, shown: Sequence[Column], cells: Sequence[Sequence[Cell]], mark: int = 2) -> int:
    """How many cells are left for names."""
    taken = 0
    for number, column in enumerate(shown):
        words = (cell[0] if isinstance(cell, tuple) else cell for cell in (row[number] for row in cells))
        taken += max([len(column.title.removeprefix(">")) + mark * (column.key == "cost"), *map(len, words)]) + 2
    return max(10, width - taken - 2)


def totals_line(found: Comparison, width: int) -> Content:
    """The whole period in one line, as far as it fits."""
    now, before = found.now, found.before
    if not now.calls:
        return Content("")
    parts = [Content.assemble((cost(now), "bold"), _beside(now.known_cost_nusd, before.known_cost_nusd, before))]
    parts.append(
        Content.assemble(f"{now.calls:,} call{'' if now.calls == 1 else 's'}", _beside(now.calls, before.calls, before))
    )
    if now.unpriced:
        parts.append(Content.assemble((f"⚠ {now.unpriced:,} unpriced", "$warning"), (" p", "bold $primary")))
    if now.errors:
        parts.append(Content.styled(f"✗ {now.errors:,} failed ({percent(now.error_rate)})", "$error"))
    parts.append(Content(f"{percent(now.success_rate)} ok"))
    if now.p95_us is not None:
        parts.append(Content(f"p50 {measure.duration(now.p50_us)} p95 {measure.duration(now.p95_us)}"))
    if now.first_p95_us is not None:
        parts.append(
            Content(f"first token p50 {measure.duration(now.first_p50_us)} p95 {measure.duration(now.first_p95_us)}")
        )
    parts.append(Content(f"{measure.count(now.input_tokens)} tokens in, {measure.count(now.output_tokens)} out"))
    while len(parts) > 2 and sum(part.cell_length + 3 for part in parts) > width:
        parts.pop()
    return Content(" · ").join(parts)


def _beside(now: float | None, before: float | None, row: CallStats) -> tuple[str, str]:
    value = change(now, before) if row.calls else None
    return (f" {arrow(value)}", "$text-muted") if value is not None else ("", "")


def totals_of(look: Look, more: More) -> Comparison:
    """The period beside the one before, as far as that is known yet."""
    return more.totals or Comparison(look.total, CallStats((), "", look.question.selection))


def day_comparison(look: Look, row: CallStats) -> Comparison:
    """A day beside the day before."""
    days = {day.key: day for day in look.days}
    before = days.get((row.selection.previous.since.isoformat(),))
    return Comparison(row, before or CallStats((), "", row.selection.previous))


def group_comparison(row: CallStats, more: More) -> Comparison:
    """A group beside the same one in the period before."""
    before = more.before.get(row.key)
    return Comparison(row, before or CallStats(row.key, row.label, row.selection.previous))


def spike_days(spikes: Sequence[Spike]) -> frozenset[str]:
    """The days on which something stands out."""
    return frozenset(spike.stats.selection.until.isoformat() for spike in spikes)


def spikes_of(more: More, by: str, row: CallStats) -> list[Spike]:
    """What stands out of a row; of a day everything that does, with its name."""
    if by != "day":
        return [spike for spike in more.spikes if (spike.by, spike.stats.key) == (by, row.key)]
    return [spike for spike in more.spikes if spike.stats.selection.until == row.selection.until]


def shown_columns(look: Look, more: More, rows: Sequence[CallStats], width: int) -> list[Column]:
    """The columns that the table of groups shows in so many cells."""
    name = min(columns_.LEAST_NAME, max((len(name_of(look.question.by, row)) + 2 for row in rows), default=0))
    return columns_.fitting(width, rows, beside(look, more), name)


def day_columns(look: Look, width: int) -> list[Column]:
    """The columns that the table of days shows in so many cells."""
    return columns_.fitting(width, look.days, lambda _: Beside(look.total, None, False), 14, DAYS_WITHOUT)


def day_of(key: str) -> date:
    """The day of a row of the table of days."""
    return date.fromisoformat(key)
