"""What money questions cost: what-if over a hundred thousand calls beside reading them."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.filter import TraceFilter
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.store import calls
from ledger_tui.turns import collect_seldom

from tests.benchmarks.bench_traces import ledger_in, medians
from tests.benchmarks.result import Result, at_most

CALLS = 100_000
WHAT_IF_RATIO = 1.5
_MODELS = (
    ("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro"),
    ("acme", "unknown"),
)  # fmt: skip
_DAY_US = 86_400_000_000


def run() -> list[Result]:
    """The results."""
    collect_seldom()
    with tempfile.TemporaryDirectory() as folder, ledger_in(Path(folder) / "money") as ledger:
        fill(ledger)
        return what_if(ledger)


def what_if(ledger: PromptLedger) -> list[Result]:
    """What-if at each call's own prices, and at another model's, beside reading the same calls."""

    def read() -> int:
        with ledger.database.lean() as lean:
            return sum(len(page) for page in calls.pages(lean, TraceFilter(), None))

    def own() -> int:
        return ledger.prices.what_if().total.calls

    def other() -> int:
        return ledger.prices.what_if(model="openai/gpt-4o-mini").total.calls

    assert read() == own() == other() == CALLS
    read_ms, own_ms, other_ms = medians(read, own, other)
    note = f"{own_ms:.0f} ms; reading: {read_ms:.0f} ms"
    return [
        at_most(f"what-if over {CALLS:,} calls / reading them", own_ms / read_ms, "", WHAT_IF_RATIO, note),
        at_most("… at another model's prices", other_ms / read_ms, "", WHAT_IF_RATIO, f"{other_ms:.0f} ms"),
    ]


def fill(ledger: PromptLedger) -> None:
    """Calls of 30 days: a third read from a cache, some of them long enough for a dearer tier, a fifth without a price."""
    dice = random.Random(1)
    now = clock.now_us()
    made: list[SpanRecord] = []
    for number in range(CALLS):
        provider, model = _MODELS[number % len(_MODELS)]
        given = dice.randrange(200, 300_000 if number % 50 == 0 else 9_000)
        known = provider != "acme"
        made.append(
            SpanRecord(
                f"t{number // 10}", f"s{number}", "call", "llm", "succeeded", now - dice.randrange(30 * _DAY_US), 1000,
                provider=provider, model=model,
                tokens=TokenUsage(given, given // 2 if number % 3 == 0 else None, None, dice.randrange(2_000), None),
                cost_nusd=dice.randrange(10**7) if known else None, unpriced=not known,
            )
        )  # fmt: skip
        if len(made) == 5_000:
            ledger.traces.record(made)
            made.clear()
