"""``ledger-tui prices`` and ``ledger-tui what-if``: what models cost, what calls without a price cost, and what if."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.domain import money

if TYPE_CHECKING:
    from ledger_tui.domain.price_entries import PriceEntryRow
    from ledger_tui.domain.values import JournalRow
    from ledger_tui.services.prices import Entered
    from ledger_tui.services.what_if import Sums, WhatIf

_model = click.argument("model", metavar="PROVIDER/MODEL")
_reason = click.option("--reason", default="", metavar="TEXT", help="Why; kept with the fact.")


@click.group(invoke_without_command=True)
@click.pass_context
def prices(ctx: click.Context) -> None:
    """What models cost: the team's own prices, over those of the public price book.

    A call is charged by the own price that held at its start, else by the public book. What was charged never changes.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_prices)


@prices.command("list")
@click.option("--model", metavar="PROVIDER/MODEL", help="Only of this model.")
@click.option("--at", metavar="MOMENT", help="Only prices that hold then: a day or a moment with its zone.")
@json_option
@pass_front
def list_prices(front: Front, model: str | None = None, at: str | None = None, as_json: bool = False) -> None:
    """List own prices by model and time."""
    from ledger_tui.domain.price_entries import moment_us

    with front.ledger() as ledger:
        provider, name = ledger.prices.name(model) if model else (None, None)
        rows = ledger.prices.entries(provider, name, None if at is None else moment_us(at))
    if as_json:
        output.document({"prices": [_entry_shape(row) for row in rows]})
        return
    output.table(
        ["ID", "MODEL", "FROM", "UNTIL", "INPUT", "OUTPUT", "BY", ""], [_cells(row) for row in rows], right=(4, 5)
    )
    if not rows:
        output.say("No own prices. Calls are charged by the public price book; see: ledger-tui prices add --help")


@prices.command()
@_model
@click.option("--input", "given", required=True, metavar="USD", help="Per million input tokens.")
@click.option("--output", "made", required=True, metavar="USD", help="Per million output tokens.")
@click.option("--cache-read", metavar="USD", help="Per million tokens read from a cache; else as input.")
@click.option("--cache-write", metavar="USD", help="Per million tokens written to a cache; else as input.")
@click.option("--reasoning", metavar="USD", help="Per million reasoning tokens; else as output.")
@click.option(
    "--from", "since", metavar="MOMENT", help="From then on: 2026-11-01 or 2026-11-01T09:30Z; now by default."
)
@click.option("--until", metavar="MOMENT", help="Until then, not included; open by default.")
@click.option("--free", is_flag=True, help="Zero is meant: the model costs nothing.")
@click.option("--source", default="", metavar="TEXT", help="Where the price was read.")
@_reason
@json_option
@pass_front
def add(front: Front, /, model: str, since: str | None, until: str | None, as_json: bool, **given: Any) -> None:
    """Enter a price of a model. An open earlier price of it ends where this one begins."""
    from ledger_tui.domain.price_entries import moment_us

    classes = ("given", "made", "cache_read", "cache_write", "reasoning")
    named = zip(("input", "output", *classes[2:]), classes, strict=True)
    amounts = {name: given[option] for name, option in named if given[option] is not None}
    with front.ledger() as ledger:
        done = ledger.prices.add(
            *ledger.prices.name(model),
            amounts,
            from_us=None if since is None else moment_us(since),
            until_us=None if until is None else moment_us(until),
            source=given["source"],
            reason=given["reason"],
            free=given["free"],
        )
    _tell_entered([done], as_json)


@prices.command()
@click.argument("rid", metavar="ID")
@click.option(
    "--at", required=True, metavar="MOMENT", help="Its first moment without this price; 'never' lets it stay open."
)
@json_option
@pass_front
def end(front: Front, rid: str, at: str, as_json: bool) -> None:
    """Let a price end."""
    from ledger_tui.domain.price_entries import moment_us

    with front.ledger() as ledger:
        row = ledger.prices.end(rid, None if at == "never" else moment_us(at))
    _tell_one(row, as_json, row.words)


@prices.command()
@click.argument("rid", metavar="ID")
@_reason
@json_option
@pass_front
def remove(front: Front, rid: str, reason: str, as_json: bool) -> None:
    """Withdraw a price; calls that were charged by it keep their cost and receipt."""
    with front.ledger() as ledger:
        row = ledger.prices.remove(rid, reason)
    _tell_one(row, as_json, f"withdrawn: {row.words}")


@prices.command("import")
@click.argument("book", metavar="FILE|seed")
@json_option
@pass_front
def import_book(front: Front, book: str, as_json: bool) -> None:
    """Enter the prices of a book file (TOML or JSON), all or none; 'seed' is the five of the old engine.

    Prices that are there already change nothing.
    """
    with front.ledger() as ledger:
        done = ledger.prices.import_seed() if book == "seed" else ledger.prices.import_file(Path(book))
    _tell_entered(done, as_json)


@prices.command("export")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="JSON instead of TOML.")
@pass_front
def export_book(front: Front, file: Path | None, as_json: bool) -> None:
    """Write own prices as a book file, on standard output without a FILE (.json is JSON)."""
    kind = "json" if as_json or (file is not None and file.suffix == ".json") else "toml"
    with front.ledger() as ledger:
        text = ledger.prices.export_text(kind)
    if file is None:
        output.piece(text)
        return
    from ledger_tui.services.price_files import write_whole

    write_whole(file, text)
    output.say(f"Written: {file}")


@prices.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many facts.")
@json_option
@pass_front
def history(front: Front, limit: int, as_json: bool) -> None:
    """Who entered, ended and withdrew which price and when, and which calls were priced late."""
    from ledger_tui.domain.price_words import words
    from ledger_tui.services.executing import iso

    with front.ledger() as ledger:
        rows = ledger.prices.history(limit)
    if as_json:
        output.document({"facts": [_fact_shape(row) for row in rows]})
        return
    output.table(
        ["AT", "BY", "WHAT", "WHY"], [[iso(row.at_us)[:19], row.actor, words(row), row.reason] for row in rows]
    )


@prices.command()
@json_option
@pass_front
def unpriced(front: Front, as_json: bool) -> None:
    """Calls without a price by model. They count as unpriced, never as free."""
    from ledger_tui.services.executing import iso

    with front.ledger() as ledger:
        rows = ledger.prices.unpriced()
    if as_json:
        shown = [
            {"provider": r.provider, "model": r.model, "calls": r.calls, "without_tokens": r.without_tokens,
             "first_at": iso(r.first_us), "last_at": iso(r.last_us)} for r in rows
        ]  # fmt: skip
        output.document({"unpriced": shown})
        return
    cells = [
        [
            f"{r.provider}/{r.model}",
            str(r.calls),
            str(r.without_tokens or ""),
            iso(r.first_us)[:10],
            iso(r.last_us)[:10],
        ]
        for r in rows
    ]
    output.table(["MODEL", "CALLS", "NO TOKENS", "FIRST", "LAST"], cells, right=(1, 2))
    if not rows:
        output.say("Every call has a price.")


@prices.command("price-unpriced")
@click.option("--model", metavar="PROVIDER/MODEL", help="Only calls of this model.")
@click.option("--dry-run", is_flag=True, help="Only say what would be priced.")
@_reason
@json_option
@pass_front
def price_unpriced(front: Front, model: str | None, dry_run: bool, reason: str, as_json: bool) -> None:
    """Price the calls without a price that now have one as of their own time; a fact that cannot be undone."""
    with front.ledger() as ledger, _counting() as counted:
        provider, name = ledger.prices.name(model) if model else (None, None)
        done = ledger.prices.price_unpriced(provider, name, dry_run=dry_run, reason=reason, progress=counted)
    if as_json:
        models = {key: {"calls": calls, "cost_usd": _exact(nusd)} for key, (calls, nusd) in done.by_model.items()}
        output.document(
            {"dry_run": dry_run, "looked_at": done.looked_at, "priced": done.priced, "cost_usd": _exact(done.nusd),
             "still_unpriced": done.still_unpriced, "models": models}
        )  # fmt: skip
        return
    rows = [[key, str(calls), _exact(nusd)] for key, (calls, nusd) in sorted(done.by_model.items())]
    output.table(["MODEL", "CALLS", "USD"], rows, right=(1, 2))
    verb = "would be priced" if dry_run else "priced"
    output.say(f"{done.priced} calls {verb}, {money.show(done.nusd)}; {done.still_unpriced} stay unpriced.")


@click.command("what-if")
@click.argument("filter_words", metavar="[FILTER]...", nargs=-1)
@click.option("--model", metavar="PROVIDER/MODEL", help="At the prices of this model.")
@click.option("--book", metavar="own|library|FILE", help="At the prices of one book.")
@click.option("--at", metavar="MOMENT", help="At the prices of this day or moment, else of each call's own.")
@click.option("--from", "first", metavar="DAY", help="Calls from this UTC day on.")
@click.option("--to", "last", metavar="DAY", help="Calls up to this UTC day, included; today by default.")
@json_option
@pass_front
def what_if(front: Front, /, filter_words: tuple[str, ...], as_json: bool, **given: str | None) -> None:
    """The same calls at other prices, beside what was charged.

    FILTER is the grammar of the workstation, e.g.: model:gpt-4o prompt:support/* since:7d. Nothing is written. The
    difference is of the calls that have both prices.
    """
    from ledger_tui.domain import clock
    from ledger_tui.domain.price_entries import moment_us

    days = None
    if given["first"] or given["last"]:
        days = (given["first"] or "1970-01-01", given["last"] or clock.now().date().isoformat())
    at_us = None if given["at"] is None else moment_us(given["at"])
    with front.ledger() as ledger:
        answer = ledger.prices.what_if(
            " ".join(filter_words), model=given["model"], book=given["book"], at_us=at_us, days=days
        )
    if as_json:
        output.document(_what_if_shape(answer))
        return
    headers = ["MODEL", "CALLS", "CHARGED", "UNPRICED", "WOULD BE", "NO PRICE", "DIFFERENCE"]
    rows = [[f"{row.provider}/{row.model}", *_sum_cells(row)] for row in answer.by_model]
    output.table(headers, [*rows, ["total", *_sum_cells(answer.total)]], right=tuple(range(1, 7)))
    output.say(
        f"Other prices from: {', '.join(answer.sources) or 'nowhere, none is known'}. Token counts are as they were."
    )


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None] | None]:
    """A line on a terminal's standard error that says how far it is; it is gone at the end."""
    if not output.is_terminal(sys.stderr):
        yield None
        return
    try:
        yield lambda done, total: print(f"\r{done:,} of {total:,} calls", end="", file=sys.stderr, flush=True)
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _sum_cells(row: Sums) -> list[str]:
    return [
        str(row.calls), _exact(row.charged), str(row.unpriced or ""), _exact(row.would), str(row.unpriceable or ""),
        _signed(row.difference),
    ]  # fmt: skip


def _what_if_shape(answer: WhatIf) -> dict[str, Any]:
    def shape(row: Sums) -> dict[str, Any]:
        return {
            "calls": row.calls, "charged_usd": _text(row.charged), "unpriced": row.unpriced,
            "would_usd": _text(row.would), "unpriceable": row.unpriceable, "compared_calls": row.both_calls,
            "difference_usd": _text(row.difference),
        }  # fmt: skip

    models = [{"provider": row.provider, "model": row.model, **shape(row)} for row in answer.by_model]
    return {"total": shape(answer.total), "models": models, "sources": list(answer.sources)}


def _text(nusd: int | None) -> str | None:
    return None if nusd is None else _exact(nusd)


def _exact(nusd: int | None) -> str:
    return "—" if nusd is None else f"{money.to_usd(nusd):f}"


def _signed(nusd: int | None) -> str:
    return "—" if nusd is None else f"{money.to_usd(nusd):+f}"


def _cells(row: PriceEntryRow) -> list[str]:
    from ledger_tui.domain.price_entries import iso

    spec = row.spec
    until = "" if spec.until_us is None else iso(spec.until_us)
    mark = "⚠ overlaps" if row.overlapped else "tiers" if spec.tiers else ""
    return [
        row.rid, spec.name, iso(spec.from_us), until, f"{spec.prices['input']:f}", f"{spec.prices['output']:f}",
        row.actor, mark,
    ]  # fmt: skip


def _entry_shape(row: PriceEntryRow) -> dict[str, Any]:
    from ledger_tui.services.executing import iso

    value = row.spec.value()
    start, stop = value.pop("from_us"), value.pop("until_us")
    return {
        "id": row.rid, **value, "from": iso(start), "until": None if stop is None else iso(stop),
        "overlapped": row.overlapped, "actor": row.actor, "at": iso(row.at_us), "reason": row.reason,
    }  # fmt: skip


def _fact_shape(row: JournalRow) -> dict[str, Any]:
    from ledger_tui.cli.shapes import journal_shape
    from ledger_tui.domain.price_words import words

    return {**journal_shape(row), "words": words(row), "undoes": row.undoes}


def _tell_entered(done: list[Entered], as_json: bool) -> None:
    if as_json:
        shown = [{**_entry_shape(one.entry), "created": one.created, "ended": list(one.ended)} for one in done]
        output.document({"prices": shown})
        return
    for one in done:
        output.line(f"{'+' if one.created else '='} {one.entry.rid}  {one.entry.words}")
        for rid in one.ended:
            output.say(f"  the price before it ends there: {rid}")
    output.say(f"{sum(one.created for one in done)} of {len(done)} prices are new. What was charged stays as it is.")


def _tell_one(row: PriceEntryRow, as_json: bool, words: str) -> None:
    if as_json:
        output.document(_entry_shape(row))
    else:
        output.line(f"{row.rid}  {words}")
