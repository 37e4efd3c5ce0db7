"""The columns of the tables of Costs: how a figure is written, sorted by, and set beside the period before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.domain import measure, money
from ledger_tui.domain.call_stats import CallStats
from ledger_tui.domain.measure import percent
from ledger_tui.ui.widgets.row_table import Cell

if TYPE_CHECKING:
    from ledger_tui.services.call_groups import Order

_BLOCKS = " ▏▎▍▌▋▊▉█"
BAR = 6
"""Cells of a share bar."""


class Beside(NamedTuple):
    """What a row is set beside."""

    total: CallStats
    """All calls of the table."""
    before: CallStats | None
    """The same group in the period before; None when it had no call, or nobody knows."""
    known: bool
    """Whether None means that it had no call."""


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a row."""

    key: str
    title: str
    cell: Callable[[CallStats, Beside], Cell]
    rank: Callable[[CallStats, Beside], float]
    """Sorts rows; the largest first."""
    order: Order = "cost"
    """Which groups are read when there are too many."""


def cost(row: CallStats) -> str:
    """What the priced calls cost, ``+?`` when others have no price; nothing known is ``—``."""
    if not row.calls:
        return ""
    return money.show(row.known_cost_nusd, row.unpriced if row.known_cost_nusd is not None else 0)


def unpriced(row: CallStats) -> Cell:
    """``+3 ?`` for three calls without a price."""
    return (f"+{row.unpriced:,} ?", "$warning") if row.unpriced else ""


def change(now: float | None, before: float | None) -> float | None:
    """The relative change, None where one side is missing or nothing."""
    return None if now is None or not before else now / before - 1


def arrow(value: float) -> str:
    """``▲ 12 %``, ``▼ 8 %``, ``▲ 3.4×``, ``= 0 %``."""
    if abs(value) < 0.005:
        return "= 0 %"
    sign = "▲" if value > 0 else "▼"
    return f"{sign} {value + 1:.1f}×" if value >= 9.995 else f"{sign} {abs(value):.0%}".replace("%", " %")


def delta(row: CallStats, beside: Beside) -> Cell:
    """The cost beside the period before."""
    if beside.before is None or not beside.before.calls:
        return "new" if beside.known and row.calls else "—"
    value = change(row.known_cost_nusd, beside.before.known_cost_nusd)
    if value is None:
        return "—"
    return arrow(value), "$warning" if value >= 0.005 else "$success" if value <= -0.005 else ""


def share_bar(share: float, cells: int = BAR) -> str:
    """A bar of eighths of cells."""
    eighths = round(min(1.0, max(0.0, share)) * cells * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(cells)


def _share(row: CallStats, beside: Beside) -> float:
    return row.cost_nusd / beside.total.cost_nusd if beside.total.cost_nusd else 0.0


def _share_cell(row: CallStats, beside: Beside) -> Cell:
    if not row.cost_nusd:
        return ""
    share = _share(row, beside)
    told = f"{share:.0%}" if share >= 0.01 else "<1%"
    return f"{share_bar(share)} {told:>4}", "$primary"


def _errors(row: CallStats, _: Beside) -> Cell:
    return (f"✗ {percent(row.error_rate)}", "$error") if row.errors else ""


def _delta_rank(row: CallStats, beside: Beside) -> float:
    before = beside.before.known_cost_nusd if beside.before is not None else None
    value = change(row.known_cost_nusd, before)
    return value if value is not None else float("-inf")


def _rank(value: float | None) -> float:
    return -1.0 if value is None else float(value)


COLUMNS: tuple[Column, ...] = (
    Column("calls", ">calls", lambda row, _: f"{row.calls:,}", lambda row, _: row.calls, "calls"),
    Column("ok", ">ok", lambda row, _: percent(row.success_rate), lambda row, _: _rank(row.success_rate)),
    Column("failed", ">failed", _errors, lambda row, _: _rank(row.error_rate), "error_rate"),
    Column("p50", ">p50", lambda row, _: measure.duration(row.p50_us), lambda row, _: _rank(row.p50_us)),
    Column("p95", ">p95", lambda row, _: measure.duration(row.p95_us), lambda row, _: _rank(row.p95_us), "p95"),
    Column(
        "first_p50", ">first p50", lambda row, _: measure.duration(row.first_p50_us),
        lambda row, _: _rank(row.first_p50_us),
    ),
    Column(
        "first_p95", ">first p95", lambda row, _: measure.duration(row.first_p95_us),
        lambda row, _: _rank(row.first_p95_us), "first_p95",
    ),
    Column("in", ">in", lambda row, _: measure.count(row.input_tokens), lambda row, _: row.input_tokens, "tokens"),
    Column("out", ">out", lambda row, _: measure.count(row.output_tokens), lambda row, _: row.output_tokens, "tokens"),
    Column("cost", ">cost", lambda row, _: cost(row), lambda row, _: _rank(row.known_cost_nusd)),
    Column("share", "share", _share_cell, _share),
    Column("unpriced", ">unpriced", lambda row, _: unpriced(row), lambda row, _: row.unpriced, "unpriced"),
    Column("delta", ">Δ cost", delta, _delta_rank),
)  # fmt: skip
NAME = "name"
"""The key of the first column."""
BY_KEY = {column.key: column for column in COLUMNS}
_FIRST = (
    "cost",
    "calls",
    "unpriced",
    "p95",
    "failed",
    "delta",
    "share",
    "in",
    "out",
    "ok",
    "p50",
    "first_p95",
    "first_p50",
)
"""The columns in the order in which a narrow table keeps them."""
_MAY_BE_EMPTY: dict[str, Callable[[CallStats], object]] = {
    "failed": lambda row: row.errors,
    "unpriced": lambda row: row.unpriced,
    "p50": lambda row: row.p50_us,
    "p95": lambda row: row.p95_us,
    "first_p50": lambda row: row.first_p50_us,
    "first_p95": lambda row: row.first_p95_us,
    "share": lambda row: row.cost_nusd,
}
LEAST_NAME = 22
_GAP, _MARK = 2, 2
"""Cells around a figure; those of the mark that a column is sorted by."""


def fitting(
    width: int,
    rows: Sequence[CallStats],
    beside: Callable[[CallStats], Beside],
    name: int,
    without: Collection[str] = (),
) -> list[Column]:
    """The columns that a table of so many cells has room for beside a name; what no row has needs none."""
    empty = {key for key, value in _MAY_BE_EMPTY.items() if not any(value(row) for row in rows)}
    room, kept = width - name - _GAP, set()
    for key in _FIRST:
        if key in empty or key in without:
            continue
        cells = (BY_KEY[key].cell(row, beside(row)) for row in rows)
        words = max((len(cell[0] if isinstance(cell, tuple) else cell) for cell in cells), default=0)
        room -= max(words, len(BY_KEY[key].title.removeprefix(">")) + _MARK) + _GAP
        if room < 0:
            break
        kept.add(key)
    return [column for column in COLUMNS if column.key in kept]


def in_order(
    rows: Sequence[CallStats], key: str, *, reverse: bool, beside: Callable[[CallStats], Beside]
) -> list[CallStats]:
    """Rows by a column: names from a to z, figures the largest first; ``reverse`` the other way round."""
    by_name = sorted(
        rows, key=lambda row: tuple((len(part), part) if part.isdigit() else (0, part) for part in row.key)
    )
    if key == NAME:
        return by_name[::-1] if reverse else by_name
    rank = BY_KEY[key].rank
    return sorted(by_name, key=lambda row: rank(row, beside(row)), reverse=not reverse)
