"""Counting a ledger's money again from its calls, in Decimal and without its own sums."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from ledger_tui import PromptLedger
from ledger_tui.domain import clock

NANO = Decimal(10) ** 9


def charges(ledger: PromptLedger) -> dict[int, tuple[Any, ...]]:
    """Cost, whether it is unpriced, and card of every span."""
    with ledger.database.lean() as lean:
        rows = lean.fetch("SELECT id, cost_nusd, unpriced, card_id FROM spans")
    return {row[0]: (row[1], bool(row[2]), row[3]) for row in rows}


def check_sums(ledger: PromptLedger) -> None:
    """Traces, days, users and sessions hold what their calls come to, unpriced ones counted and in no sum."""
    traces: dict[Any, list[Any]] = defaultdict(lambda: [Decimal(0), 0, 0])
    days: dict[Any, list[Any]] = defaultdict(lambda: [Decimal(0), 0])
    parties: dict[Any, list[Any]] = defaultdict(lambda: [Decimal(0), 0])
    with ledger.database.lean() as lean:
        spans = lean.fetch(
            "SELECT trace_key, started_us, provider, model, prompt_id, version_id, environment, user_identifier, session_id, "
            "cost_nusd, unpriced FROM spans"
        )
        kept_traces = lean.fetch("SELECT id, cost_nusd, priced_count, unpriced_count FROM traces")
        kept_days = lean.fetch(
            "SELECT day, provider, model, prompt_id, version_id, environment, cost_nusd, unpriced FROM daily_costs"
        )
        kept_parties = lean.fetch("SELECT day, kind, party, cost_nusd, unpriced FROM daily_parties")
    for trace, started, provider, model, prompt, version, environment, user, session, cost, unpriced in spans:
        usd = Decimal(cost or 0) / NANO
        day = clock.from_us(started).date().isoformat()
        traces[trace][0] += usd
        traces[trace][1] += cost is not None
        traces[trace][2] += bool(unpriced)
        if model is None:
            continue
        sums = [days[day, provider or "", model, prompt or "", version or "", environment]]
        sums += [parties[day, kind, who] for kind, who in (("user", user), ("session", session)) if who]
        for found in sums:
            found[0] += usd
            found[1] += bool(unpriced)
    assert {row[0]: [Decimal(int(row[1])) / NANO, *row[2:]] for row in kept_traces} == dict(traces)
    assert {tuple(row[:6]): [Decimal(int(row[6])) / NANO, row[7]] for row in kept_days} == dict(days)
    assert {tuple(row[:3]): [Decimal(int(row[3])) / NANO, row[4]] for row in kept_parties} == dict(parties)


def check_receipts(ledger: PromptLedger) -> None:
    """Every priced call has a receipt that adds up to its cost, or says that the caller gave the cost."""
    for key, (cost, unpriced, card) in charges(ledger).items():
        receipt = ledger.traces.receipt(key)
        assert receipt.cost_nusd == cost
        if cost is None:
            assert receipt.how == ("unpriced" if unpriced else "free of charge") and receipt.receipt is None
        elif card is None:
            assert receipt.how == "given"
        else:
            assert receipt.how == "charged" and receipt.receipt is not None
            assert sum(line["nusd"] for line in receipt.receipt["lines"]) == cost


__all__ = ["charges", "check_receipts", "check_sums"]
