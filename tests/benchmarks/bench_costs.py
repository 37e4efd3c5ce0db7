"""Costs of ten million spans: the first page of every view, and sums beside a full scan.

``BENCH_SPANS`` sets another number of spans. Spans are generated with the habits of real ones (a few prompts do most of the
work, mostly in production and on their own model, versions follow each other) and written raw; the sums of days come from
`store.recount`, which tests hold equal to what the product's writes keep.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from math import exp
from pathlib import Path
from typing import Any

from ledger_tui.domain.selection import GROUPINGS, Selection
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.store import recount
from ledger_tui.store.sqlite import library
from ledger_tui.ui.places.costs import periods
from ledger_tui.ui.places.costs.reading import Wish, read_look, read_measures

from tests.benchmarks.result import Result, at_most

SPANS = int(os.environ.get("BENCH_SPANS", 10_000_000))
DAYS, PROMPTS, VERSIONS, USERS, SESSIONS = 100, 40, 5, 1_000, 100_000
SPANS_A_TRACE = 10
MODELS = [(f"provider-{n % 3}", f"model-{n}", 400_000 * 1.3**n, 150 + 900 * n) for n in range(10)]
"""Provider, name, median latency in microseconds, nano-dollars a token."""
ENVIRONMENTS = ("production", "staging", "dev")
FIRST_DAY = date(2026, 1, 1)
START_US = 1_767_225_600_000_000
DAY_US = 86_400_000_000
COST_MS, VIEW_MS = 10.0, 100.0
ROUNDS = 9
_TRACE = (
    "id", "trace_id", "name", "status", "started_us", "ended_us", "span_count", "open_count", "error_count",
    "canceled_count", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_nusd", "priced_count", "unpriced_count", "environment", "session_id", "user_identifier",
)  # fmt: skip
_SPAN = (
    "id", "rid", "trace_key", "span_id", "name", "kind", "status", "started_us", "duration_us", "provider", "model",
    "prompt_id", "version_id", "input_tokens", "output_tokens", "cost_nusd", "unpriced", "first_token_us", "session_id",
    "user_identifier", "environment", "flags",
)  # fmt: skip


def run() -> list[Result]:
    """Make the database, then measure."""
    with tempfile.TemporaryDirectory() as folder, workspace(Path(folder)) as ledger:
        ledger.prepare()
        start = time.perf_counter()
        fill(ledger, SPANS)
        size = ledger.paths.database.stat().st_size / 1e9
        print(f"  {SPANS:,} spans, {size:.1f} GB, made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        return measure(ledger)


def workspace(folder: Path) -> PromptLedger:
    """A ledger of its own."""
    return PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"))


def measure(ledger: PromptLedger) -> list[Result]:
    """Every view of costs over the last thirty days."""
    until = FIRST_DAY + timedelta(DAYS - 1)
    month = Selection(until - timedelta(29), until)
    stats = ledger.analytics
    costs = ledger.costs
    grouping = ("day", "provider", "model")
    results = [
        at_most(
            "cost by day and model, 30 days",
            median_ms(lambda: costs.between(grouping, month.since, month.until)),
            "ms",
            COST_MS,
        ),
        equal_to_the_scan(ledger, month),
    ]
    views: dict[str, Callable[[], Any]] = {
        f"by {by}": partial(stats.breakdown, by, month, limit=50) for by in GROUPINGS
    }
    views["totals beside the last period"] = lambda: stats.compare(month)
    views["spikes"] = lambda: stats.spikes(month)
    views["by model, production only"] = lambda: stats.breakdown("model", replace(month, environment="production"))
    views["by version of one prompt"] = lambda: stats.breakdown("version", replace(month, prompt="prompt-0"))
    views["one user by model"] = lambda: stats.breakdown("model", replace(month, user="user-250"))
    views["length of a prompt's answers"] = lambda: stats.length_history("prompt-0")
    views["usage stats"] = lambda: stats.usage_stats(date_range=(month.since, month.until))
    views["prompt performance"] = lambda: stats.prompt_performance("prompt-0", (month.since, month.until))
    for by in GROUPINGS[1:]:
        wish = Wish(periods.CUSTOM, periods.Days(month.since, month.until), by=by)
        views[f"the Costs place by {by}"] = partial(read_look, ledger, wish)
    results += [at_most(name, median_ms(view), "ms", VIEW_MS) for name, view in views.items()]
    look = read_look(ledger, Wish(periods.CUSTOM, periods.Days(month.since, month.until)))
    spent_ms = median_ms(lambda: read_measures(ledger, look))
    results.append(Result("… then its percentiles, by model", spent_ms, "ms", None, None))
    row = stats.breakdown("model", month, limit=1).rows[0]
    results.append(
        at_most("… the traces behind a row", median_ms(lambda: ledger.traces.page(row.filter_text)), "ms", VIEW_MS)
    )
    return results


def equal_to_the_scan(ledger: PromptLedger, month: Selection) -> Result:
    """How many nano-dollars a full scan of the spans gives other than the sums, by day and model."""
    kept = {
        row.key: (row.calls, row.cost_nusd)
        for row in ledger.costs.between(("day", "provider", "model"), month.since, month.until)
    }
    sql = (
        f"SELECT {recount.day_sql('sqlite')} AS day, provider, model, COUNT(*), COALESCE(SUM(cost_nusd), 0) FROM spans "
        f"WHERE {recount.CALLS} AND day BETWEEN :since AND :until GROUP BY 1, 2, 3"
    )
    start = time.perf_counter()
    with ledger.database.lean() as lean:
        rows = lean.fetch(sql, {"since": month.since.isoformat(), "until": month.until.isoformat()})
    note = f"the scan took {time.perf_counter() - start:.1f} s, {len(rows)} sums"
    scanned = {tuple(row[:3]): tuple(row[3:]) for row in rows}
    assert len(kept) > 100
    wrong = sum(abs(kept.get(key, (0, 0))[1] - scanned.get(key, (0, 0))[1]) for key in {*kept, *scanned})
    wrong += sum(kept.get(key, (0,))[0] != scanned.get(key, (0,))[0] for key in {*kept, *scanned})
    return at_most("… other than a full scan", wrong, "nano-dollars", 0, note)


def median_ms(work: Callable[[], Any]) -> float:
    """Milliseconds of the median of some rounds, after a first one."""
    work()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


def fill(ledger: PromptLedger, count: int) -> None:
    """Prompts through the registry, traces and spans raw, sums by a recount."""
    from ledger_tui.domain.content import Message, PromptContent

    versions: list[list[tuple[str, str]]] = []
    for prompt in range(PROMPTS):
        saved = [
            ledger.registry.save(f"prompt-{prompt}", PromptContent((Message("user", f"text {number}"),)))
            for number in range(VERSIONS)
        ]
        versions.append([(one.prompt.id, one.version.id) for one in saved])
    connection = library().connect(str(ledger.paths.database), isolation_level=None)
    for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    traces = traces_and_spans(count, versions)
    insert_trace, insert_span = (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        for table, names in (("traces", _TRACE), ("spans", _SPAN))
    )
    more = True
    while more:
        connection.execute("BEGIN")
        more = False
        for _ in range(20_000):
            made = next(traces, None)
            if made is None:
                break
            connection.execute(insert_trace, made[0])
            connection.executemany(insert_span, made[1])
            more = True
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with ledger.database.lean_write() as lean:
        recount.rebuild(lean)


def traces_and_spans(
    count: int, versions: list[list[tuple[str, str]]]
) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """Rows of ``traces``, each with its rows of ``spans``, in the order of their time."""
    dice = random.Random(11)
    weights = [1 / (prompt + 1) ** 0.8 for prompt in range(PROMPTS)]
    own_models = [dice.sample(range(len(MODELS)), 3) for _ in range(PROMPTS)]
    slow = [exp(dice.gauss(0, 0.5)) for _ in range(4096)]
    trace_count = -(-count // SPANS_A_TRACE)
    chosen = dice.choices(range(PROMPTS), weights, k=65_536)
    key = 0
    for trace in range(trace_count):
        started = START_US + trace * (DAYS * DAY_US) // trace_count
        day = (started - START_US) // DAY_US
        environment = 0 if (roll := dice.random()) < 0.8 else 1 if roll < 0.92 else 2
        session = f"session-{trace * SESSIONS // trace_count}"
        user = f"user-{int(dice.random() ** 2 * USERS)}"
        spans = []
        cost = priced = unpriced = errors = tokens_in = tokens_out = 0
        for number in range(min(SPANS_A_TRACE, count - key)):
            key += 1
            row = [key, f"{key:x}", trace + 1, str(number), "step", "tool", "succeeded", started + number * 1_000, 500]
            if number % 3 != 1:
                row += [None] * 6 + [None, 0, None, session, user, ENVIRONMENTS[environment], 0]
                spans.append(tuple(row))
                continue
            prompt = chosen[(key * 7919) & 65_535]
            model_roll = dice.random()
            provider, model, typical_us, rate = MODELS[
                own_models[prompt][0 if model_roll < 0.85 else 1 if model_roll < 0.97 else 2]
            ]
            version = min(VERSIONS - 1, (day + prompt) * VERSIONS // (DAYS + PROMPTS) + (environment > 0))
            lasted = int(typical_us * slow[dice.randrange(4096)])
            failed, unknown = dice.random() < 0.02, dice.random() < 0.01
            given, made = 200 + dice.randrange(2_000), 20 + dice.randrange(600)
            nusd = None if failed or unknown else (given + 4 * made) * rate
            row[5], row[6], row[8] = "llm", "failed" if failed else "succeeded", lasted
            row += [
                provider,
                model,
                *versions[prompt][version],
                None if failed else given,
                None if failed else made,
                nusd,
            ]
            row += [int(unknown and not failed), lasted // 5 if dice.random() < 0.6 else None, session, user]
            spans.append((*row, ENVIRONMENTS[environment], 0))
            errors += failed
            cost += nusd or 0
            priced += nusd is not None
            unpriced += unknown and not failed
            tokens_in += 0 if failed else given
            tokens_out += 0 if failed else made
        yield (
            trace + 1, f"trace-{trace}", "agent", "failed" if errors else "succeeded", started, started + 10_000_000,
            len(spans), 0, errors, 0, tokens_in, 0, 0, tokens_out, 0, cost, priced, unpriced, ENVIRONMENTS[environment],
            session, user,
        ), spans  # fmt: skip
