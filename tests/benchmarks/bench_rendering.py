"""A thousand renders of one version through the ledger, beside a bare loop over Jinja2's sandbox.

Both render the same prompt of about 1 kB with a loop and a condition; the bare loop has its template compiled once and
keeps nothing, the ledger looks its version up, checks the variables and records a usage each time. Rounds alternate, and
what the ledger recorded is brought into the database between them, outside of the measure.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.result import Result, at_most

RENDERS = 1_000
ROUNDS = 15
LIMIT_RATIO = 1.3
TEMPLATE = """\
You are a support assistant of {{ company }}. Answer the customer's question in {{ language }}, in at most {{ words }} words.
{% if tone %}Keep a {{ tone }} tone, and never promise a refund before the order has been looked up.{% endif %}

Use only the passages below. If they do not answer the question, say so and offer to open a ticket. Do not mention that you
were given passages, and do not repeat the question. When two passages contradict each other, prefer the newer one.

{% for passage in passages %}
[{{ loop.index }}] {{ passage.title }} ({{ passage.source }}, {{ passage.date }})
{{ passage.text }}
{% endfor %}

Customer: {{ customer.name }}, customer since {{ customer.since }}
Question: {{ question }}

Begin with one short sentence that answers the question. Then list the steps that the customer has to take, each on a line
of its own. End with the numbers of the passages that you used, in brackets, and with nothing else.
"""
VARIABLES: dict[str, Any] = {
    "company": "Example Shoes",
    "language": "English",
    "words": 120,
    "tone": "friendly",
    "passages": [
        {
            "title": f"Returns, part {number}",
            "source": f"handbook/returns-{number}.md",
            "date": f"2026-0{number}-01",
            "text": "Shoes may be returned within 30 days when they were not worn outside. The label is in the parcel.",
        }
        for number in range(1, 6)
    ],
    "customer": {"name": "Ada Lovelace", "since": 2019},
    "question": "How do I return a pair of shoes that I bought last month?",
}


def run() -> list[Result]:
    """The ratio of the medians; how long storing a thousand usages takes, and that all of them arrived."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.paths import Paths

    template = ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(TEMPLATE)
    bare: list[float] = []
    ours: list[float] = []
    drained: list[float] = []
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as folder:
        paths = Paths(Path(folder) / "data", Path(folder) / "config")
        with PromptLedger(str(Path(folder) / "bench.db"), paths=paths) as ledger:
            ledger.create_prompt("support/answer", TEMPLATE, model="offline")
            assert ledger.render("support/answer", VARIABLES)["text"].strip() == template.render(VARIABLES).strip()
            ledger.flush()
            for _ in range(ROUNDS):
                bare.append(_seconds(lambda: template.render(VARIABLES)))
                ours.append(_seconds(lambda: ledger.render("support/answer", VARIABLES)))
                start = time.perf_counter()
                ledger.flush()
                drained.append(time.perf_counter() - start)
            with ledger.database.lean() as lean:
                row = lean.one("SELECT COUNT(*), COUNT(DISTINCT id) FROM usages")
    expected = ROUNDS * RENDERS + 1
    bare_us, ours_us = (statistics.median(values) / RENDERS * 1e6 for values in (bare, ours))
    note = f"ours {ours_us:.1f} us with usage, bare sandbox {bare_us:.1f} us, {ROUNDS} rounds"
    drain_us = statistics.median(drained) / RENDERS * 1e6
    missing = 0 if row == (expected, expected) else 1
    return [
        at_most(f"rendering: {RENDERS:,} renders of one version", ours_us / bare_us, "×", LIMIT_RATIO, note),
        Result("rendering: bringing a usage into the database afterwards", drain_us, "us", None, None),
        at_most("rendering: usages lost or doubled", missing, "", 0, f"{row} of {expected:,}"),
    ]


def _seconds(render: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    for _ in range(RENDERS):
        render()
    return time.perf_counter() - start


if __name__ == "__main__":
    for result in run():
        print(result)
