"""``ledger-tui traces``: what happened, from a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.domain import clock, money
from ledger_tui.domain.retention import removed_words

if TYPE_CHECKING:
    from ledger_tui.domain.trace_tree import SpanTree
    from ledger_tui.domain.values import TraceRow


@click.group()
def traces() -> None:
    """Traces: workflows and single runs, step by step."""


@traces.command("list")
@click.argument("filter_words", metavar="[FILTER]...", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many.")
@click.option("--cursor", help="Go on below the page that gave this cursor.")
@json_option
@pass_front
def list_traces(front: Front, filter_words: tuple[str, ...], limit: int, cursor: str | None, as_json: bool) -> None:
    """List traces, newest first.

    FILTER is the grammar of the workstation, e.g.: status:failed prompt:support/* cost>0.01 since:2h "text"
    """
    from ledger_tui.services.executing import trace_info

    with front.ledger() as ledger:
        page = ledger.traces.page(" ".join(filter_words), cursor=cursor, limit=limit)
    if as_json:
        output.document(
            {"traces": [trace_info(row) | _where(row) for row in page.rows], "next_cursor": page.next_cursor}
        )
        return
    cells = [
        [
            shapes.STATUS_GLYPHS.get(row.status, "?"),
            row.trace_id,
            shapes.age(row.started_us),
            shapes.duration(row.duration_us),
            str(row.span_count),
            str(row.error_count or ""),
            shapes.tokens(row.total_tokens),
            money.show(row.known_cost_nusd, row.unpriced_count),
            row.name,
        ]
        for row in page.rows
    ]
    headers = ["", "TRACE", "AGE", "TIME", "SPANS", "ERRORS", "TOKENS", "COST", "NAME"]
    output.table(headers, cells, right=(2, 3, 4, 5, 6, 7))
    if page.next_cursor:
        output.say(f"More: --cursor {page.next_cursor}")
    elif not page.rows:
        output.say("No trace fits." if filter_words else "No traces yet. Run a prompt: ledger-tui run NAME")


def _where(row: TraceRow) -> dict[str, Any]:
    return {
        "environment": row.environment,
        "session_id": row.session_id,
        "user_identifier": row.user_identifier,
        "open_count": row.open_count,
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cache_read_tokens,
        "output_tokens": row.output_tokens,
        "spans_removed_at": None if row.pruned_us is None else clock.from_us(row.pruned_us).isoformat(),
    }


@traces.command()
@click.argument("trace_id")
@click.option("--texts", is_flag=True, help="With --json: inputs, outputs, attributes and errors too.")
@json_option
@pass_front
def show(front: Front, trace_id: str, texts: bool, as_json: bool) -> None:
    """Print a trace as a tree: kind, duration, tokens and cost of each step with all below it."""
    from ledger_tui.services.executing import span_infos, trace_info

    with front.ledger() as ledger:
        row = ledger.traces.trace(trace_id)
        tree = ledger.traces.tree(trace_id)
        if as_json:
            spans: list[dict[str, Any]] = [dict(info) for info in span_infos(tree)]
            for number, info in enumerate(spans if texts else ()):
                payload = ledger.traces.payload(tree.row(number).key)
                info |= {name: getattr(payload, name) for name in ("input", "output", "attributes", "error")}
            output.document(trace_info(row) | _where(row) | {"spans": spans})
            return
    cost = money.show(row.known_cost_nusd, row.unpriced_count)
    steps = f"{row.span_count} span{'' if row.span_count == 1 else 's'}"
    output.say(
        f"{shapes.STATUS_GLYPHS.get(row.status, '?')} {row.name} · {steps} · {row.error_count} failed · "
        f"{shapes.duration(row.duration_us)} · {shapes.tokens(row.total_tokens)} tokens · {cost}"
    )
    _print_tree(tree)
    if row.pruned_us is not None:
        output.say(f"⊘ {removed_words(row.pruned_us, 'its steps were')}; the sums stay")
    for note in tree.notes():
        output.say(f"! {note}")


def _print_tree(tree: SpanTree) -> None:
    cells = []
    for number, (guide, row) in enumerate(zip(_guides(tree), tree.rows(), strict=True)):
        cost, unpriced = tree.cost(number), tree.unpriced(number)
        total = tree.tokens(number)
        cells.append(
            [
                guide + shapes.STATUS_GLYPHS.get(row.status, "?") + " " + row.name,
                row.kind,
                shapes.duration(row.duration_us),
                shapes.tokens(total) if total else "",
                money.show(cost, unpriced) if cost is not None or unpriced else "",
                row.model or "",
                row.error_type or "",
            ]
        )
    output.table(["STEP", "KIND", "TIME", "TOKENS", "COST", "MODEL", "ERROR"], cells, right=(2, 3, 4))


def _guides(tree: SpanTree) -> list[str]:
    """The lines that lead to each step; past a depth of 20 the depth is written as a number."""
    last: list[bool] = []
    seen: set[int] = set()
    for parent in reversed(tree.parents):
        last.append(parent not in seen)
        seen.add(parent)
    last.reverse()
    bars: list[str] = []
    guides: list[str] = []
    for number, (depth, parent) in enumerate(zip(tree.depths, tree.parents, strict=True)):
        above = bars[parent] if parent >= 0 else ""
        if depth == 0:
            guides.append("")
            bars.append("")
        elif depth > 20:
            guides.append(f"{above}… {depth} ")
            bars.append(above)
        else:
            guides.append(above + ("└ " if last[number] else "├ "))
            bars.append(above + ("  " if last[number] else "│ "))
    return guides
