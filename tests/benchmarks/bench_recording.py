"""Recording beside its peers: ``python -m tests.benchmarks recording``.

Peers are OpenTelemetry's SDK and Langfuse's (extra ``bench``), both with an exporter that throws everything away. Each
measure runs in processes of its own, ours and the peer's in turns, and the medians are compared.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.result import Result, at_most

ROUNDS = 5
# Loads nothing that a program might not have yet: what is imported before the clock starts would flatter both sides.
PREFIX = """
import os, sys, time
text = "word " * 204
attributes = {f"key{n}": f"value {n}" for n in range(10)}
def timed(call, count):
    moments = []
    clock = time.perf_counter_ns
    for n in range(count):
        begun = clock()
        call(n)
        moments.append(clock() - begun)
    return moments
def tell(moments, **more):
    import json
    total, moments = sum(moments), sorted(moments)
    count = len(moments)
    print(json.dumps({"us": total / count / 1e3, "p50": moments[count // 2] / 1e3,
                      "p999": moments[int(count * 0.999)] / 1e3, **more}))
"""
OURS = """
from pathlib import Path
from ledger_tui import PromptLedger
from ledger_tui.paths import Paths
folder = Path(sys.argv[1])
ledger = PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"), environment="bench")
ledger.prepare()
def call(n):
    ledger.log_external_span("trace", name="step", kind="tool", input_data=text, duration_ms=1.5, attributes=attributes)
"""
# In bursts as long as they can be without pause, and then at a steady pace as a busy program has it.
OURS_SPAN = OURS + "timed(call, 300)\nledger.flush()\ntell(timed(call, 20000))\nledger.close()\n"
OURS_PACED = (
    OURS
    + """
def paced(count, rate):
    moments, begun, clock = [], time.perf_counter(), time.perf_counter_ns
    for n in range(count):
        late = begun + n / rate - time.perf_counter()
        if late > 0:
            time.sleep(late)
        start = clock()
        call(n)
        moments.append(clock() - start)
    return moments
timed(call, 300)
ledger.flush()
moments = paced(20000, 4000)
tell(moments, drained=ledger.spool_state()["drained"])
ledger.close()
"""
)
OURS_BLOCK = (
    OURS
    + """
def block(n):
    with ledger.span("step", kind="tool", input=text, attributes=attributes):
        pass
timed(block, 300)
ledger.flush()
tell(timed(block, 20000))
ledger.close()
"""
)
OTEL = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
class Nothing(SpanExporter):
    def export(self, spans): return SpanExportResult.SUCCESS
    def shutdown(self): pass
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Nothing()))
tracer = provider.get_tracer("bench")
given = {**attributes, "input": text}
"""
OTEL_SPAN = (
    OTEL
    + """
def call(n):
    tracer.start_span("step", attributes=given).end()
timed(call, 300)
tell(timed(call, 20000))
provider.shutdown()
"""
)
OTEL_BLOCK = (
    OTEL
    + """
def block(n):
    with tracer.start_as_current_span("step", attributes=given):
        pass
timed(block, 300)
tell(timed(block, 20000))
provider.shutdown()
"""
)
LANGFUSE_SPAN = """
import logging
logging.disable(logging.CRITICAL)
from langfuse import Langfuse
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
class Nothing(SpanExporter):
    def export(self, spans): return SpanExportResult.SUCCESS
    def shutdown(self): pass
client = Langfuse(public_key="pk-lf-x", secret_key="sk-lf-x", base_url="http://127.0.0.1:9", span_exporter=Nothing())
def call(n):
    client.start_observation(name="step", input=text, metadata=attributes).end()
timed(call, 300)
tell(timed(call, 3000))
os._exit(0)
"""
IMPORT_OURS = """
begun = time.perf_counter_ns()
import ledger_tui
ledger = ledger_tui.PromptLedger(sys.argv[1] + "/ledger.db")
ledger.log_external_span("trace", name="step", kind="tool", input_data=text, attributes=attributes)
tell([time.perf_counter_ns() - begun])
sys.stdout.flush()
os._exit(0)
"""
IMPORT_OTEL = """
begun = time.perf_counter_ns()
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
tell([time.perf_counter_ns() - begun])
sys.stdout.flush()
os._exit(0)
"""
# The spool is written first, so that the drain alone is measured; the rows are then written again as plain tuples. No two
# inputs are the same: what the drain remembers of a text that it has seen must not help.
PERSIST = (
    OURS
    + """
from ledger_tui.store import sqlite
count, start = int(sys.argv[2]), int(sys.argv[3])
def rows_of(connection, table):
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    rows = connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1 DESC LIMIT {count}").fetchall()
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", rows[::-1]
def fill(upto):
    connection = sqlite.open_for(ledger.database.path, "write")
    insert, rows = rows_of(connection, "spans")
    insert_texts, texts = rows_of(connection, "span_payloads")
    traces = [list(row) for row in connection.execute("SELECT * FROM traces ORDER BY 1 DESC LIMIT 1")]
    key = connection.execute("SELECT max(id) FROM spans").fetchone()[0] + 1
    while key < upto:
        made = [(key + n, *row[1:]) for n, row in enumerate(rows)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, made)
        connection.executemany(insert_texts, [(key + n, *row[1:-1], 1) for n, row in enumerate(texts)])
        connection.execute("COMMIT")
        key += len(rows)
    connection.close()
spooler = ledger._recorder.spooler
spooler.start = lambda: None
def record(first):
    for n in range(first, first + count):
        ledger.log_external_span(f"trace {n // 50}", name="step", kind="llm" if n % 4 == 0 else "tool", input_data=f"{n} {text}",
            duration_ms=1.5, attributes=attributes, **({"model": "gpt-4o", "prompt_tokens": n % 3000,
            "completion_tokens": 200} if n % 4 == 0 else {}))
record(0)
ledger.flush(600)
if start:
    fill(start)
record(count)
begun = time.perf_counter()
ledger.flush(600)
ours = time.perf_counter() - begun
raw = sqlite.open_for(ledger.database.path, "read")
insert, rows = rows_of(raw, "spans")
insert_texts, texts = rows_of(raw, "span_payloads")
raw.close()
raw = sqlite.open_for(ledger.database.path, "write")
shift = 10**9
rows = [(row[0] + shift, *row[1:]) for row in rows]
texts = [(row[0] + shift, *row[1:]) for row in texts]
begun = time.perf_counter()
for first in range(0, count, 2000):
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany(insert, rows[first:first + 2000])
    raw.executemany(insert_texts, texts[first:first + 2000])
    raw.execute("COMMIT")
plain = time.perf_counter() - begun
tell([ours * 1e9 / count], raw=plain * 1e6 / count)
os._exit(0)
"""
)


def _measured(code: str, *arguments: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        command = [sys.executable, "-c", PREFIX + code, folder, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=Path.cwd(), check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def _in_turns(*codes: str, rounds: int = ROUNDS) -> list[list[dict[str, float]]]:
    found: list[list[dict[str, float]]] = [[] for _ in codes]
    for _ in range(rounds):
        for kept, code in zip(found, codes, strict=True):
            kept.append(_measured(code))
    return found


def _median(found: list[dict[str, float]], name: str = "us") -> float:
    return statistics.median(one[name] for one in found)


def _beside_peer(name: str, code: str, peer: str, module: str, limit: float, ours: str = OURS_SPAN) -> list[Result]:
    if importlib.util.find_spec(module) is None:
        return [Result(name, 0.0, "x", limit, None, f"not measured: {module} is not installed (extra bench)")]
    mine, theirs = _in_turns(ours, code)
    unit = 1000.0 if ours is IMPORT_OURS else 1.0
    note = f"{_median(mine) / unit:.3g} beside {_median(theirs) / unit:.3g} {'ms' if unit > 1 else 'us'} of {peer}"
    return [at_most(name, _median(mine) / _median(theirs), "x", limit, note)]


def _tail() -> list[Result]:
    found = [_measured(OURS_PACED) for _ in range(3)]
    note = f"4,000 spans a second for 5 s while the drain runs; p50 {_median(found, 'p50'):.3g} us"
    return [at_most("one span call, p99.9", _median(found, "p999") / 1000, "ms", 1.0, note)]


def _persisting(rows: int = 40_000) -> list[Result]:
    found = [_measured(PERSIST, str(rows), "0") for _ in range(3)]
    ours, raw = _median(found), _median(found, "raw")
    note = f"{1e6 / ours:,.0f} spans a second, raw executemany {1e6 / raw:,.0f}"
    return [
        Result("persisted spans, beside raw rows", raw / ours, "x", 0.4, raw / ours >= 0.4, note + "; at least 0.4")
    ]


def _flatness(large: int) -> list[Result]:
    small = [_measured(PERSIST, "20000", "100000") for _ in range(2)]
    big = _measured(PERSIST, "20000", str(large))
    note = f"{_median(small):.3g} us a row at 100k rows, {big['us']:.3g} at {large:,}"
    return [at_most(f"time a row at {large:,} rows", big["us"] / _median(small), "x", 1.5, note)]


def run(full: bool = False) -> list[Result]:
    """All measures; ``full`` (or ``BENCH_FULL=1``) fills ten million rows instead of two."""
    full = full or bool(os.environ.get("BENCH_FULL"))
    peers = [
        *_beside_peer("one span call, beside OpenTelemetry", OTEL_SPAN, "OpenTelemetry", "opentelemetry.sdk", 0.5),
        *_beside_peer(
            "one span as a block, beside OpenTelemetry", OTEL_BLOCK, "OpenTelemetry", "opentelemetry.sdk", 0.8, OURS_BLOCK
        ),
        *_beside_peer("one span call, beside Langfuse", LANGFUSE_SPAN, "Langfuse", "langfuse", 0.1),
        *_beside_peer(
            "import and first span, beside importing OpenTelemetry", IMPORT_OTEL, "OpenTelemetry", "opentelemetry.sdk",
            0.5, IMPORT_OURS,
        ),
    ]  # fmt: skip
    return [*peers, *_tail(), *_persisting(), *_flatness(10_000_000 if full else 2_000_000)]


if __name__ == "__main__":
    from tests.benchmarks.result import table

    print(table(run()))
