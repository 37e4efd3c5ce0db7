"""The receipt of a call's cost as lines to show: each token class, its price, its amount, and where the price is from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ledger_tui.domain import measure, money

_CLASSES = {
    "input": "input",
    "cache_read": "input, from cache",
    "cache_write": "input, to cache",
    "output": "output",
    "reasoning": "reasoning",
}
_HEAD = ("", "tokens", "per million", "amount")


def receipt_lines(receipt: Mapping[str, Any] | None, cost_nusd: int | None) -> list[str]:
    """A call's receipt as a table of plain text; says so when there is no price. Never fails on odd receipts."""
    if receipt is None:
        if cost_nusd is None:
            return ["This call has no known price. It counts as unpriced, not as free."]
        return [f"{_usd(cost_nusd)}, given by the caller: the ledger did not work it out, so there is no receipt."]
    rows = [_HEAD, *(_row(line) for line in _mappings(receipt.get("lines")))]
    total = receipt.get("total_nusd", cost_nusd)
    rows.append(("total", "", "", _usd(total)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    table = ["  ".join([row[0].ljust(widths[0]), *(row[n].rjust(widths[n]) for n in (1, 2, 3))]) for row in rows]
    table.insert(len(table) - 1, "─" * len(table[0]))
    return [*table, "", *_source(receipt)]


def _row(line: Mapping[str, Any]) -> tuple[str, str, str, str]:
    name = str(line.get("class", "?"))
    tokens = line.get("tokens")
    shown = f"{tokens:,}" if isinstance(tokens, int) else "—"
    return _CLASSES.get(name, name), shown, _rate(line.get("usd_per_million")), _usd(line.get("nusd"))


def _rate(value: Any) -> str:
    try:
        return f"${Decimal(str(value)).normalize():f}" if value is not None else "—"
    except InvalidOperation:
        return "—"


def _usd(nusd: Any) -> str:
    """Exact dollars with at least four places; a receipt rounds nothing."""
    if not isinstance(nusd, int):
        return "—"
    text = f"{money.to_usd(nusd):.9f}".rstrip("0")
    whole, _, places = text.partition(".")
    return f"${int(whole):,}.{places.ljust(4, '0')}"


def _source(receipt: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if receipt.get("source"):
        version = f" {receipt['version']}" if receipt.get("version") else ""
        source = "own price" if receipt["source"] == "own" else receipt["source"]
        lines.append(f"source   {source}{version}")
    if receipt.get("model"):
        lines.append(f"model    {receipt.get('provider', '')}/{receipt['model']}")
    if receipt.get("entry"):
        lines.append(f"entry    {receipt['entry']}")
    if receipt.get("price_from"):
        lines.append(f"price    in force since {receipt['price_from']}")
    if isinstance(receipt.get("tier_above"), int):
        lines.append(f"tier     calls with more than {receipt['tier_above']:,} input tokens")
    if isinstance(receipt.get("priced_at_us"), int):
        lines.append(f"called   {measure.moment(receipt['priced_at_us'])}")
    if isinstance(receipt.get("late_at_us"), int):
        lines.append(f"priced   later, {measure.moment(receipt['late_at_us'])}, by fact {receipt.get('late_rid', '')}")
    if receipt.get("note"):
        lines.append(str(receipt["note"]))
    return lines


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
