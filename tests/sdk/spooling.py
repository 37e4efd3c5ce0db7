"""Small tools of the tests of recording: ledgers of one workspace, recounts, programs that run beside the test."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.store import recount

BEGIN = """
import os, sys, time, threading
from pathlib import Path
from ledger_tui import PromptLedger
from ledger_tui.paths import Paths
folder = Path(sys.argv[1])
ledger = PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"), environment="test")
"""


def ledger_in(folder: Path, **options: Any) -> PromptLedger:
    """A ledger on the workspace that programs started with ``folder`` use."""
    return PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"), environment="test", **options)


def program(code: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A program of its own that has ``ledger``; its prints can be read."""
    command = [sys.executable, "-c", BEGIN + code, str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


def ran(code: str, folder: Path, *arguments: str) -> str:
    """What a program printed that ran to its end without an error."""
    started = program(code, folder, *arguments)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 0, err
    return out


def until(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true answer of ``what``; fails when there is none for long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def stored(ledger: PromptLedger) -> list[str]:
    """The ids of all spans in the database, in the order of their keys; drains nothing."""
    with ledger.database.lean() as lean:
        return [row[0] for row in lean.fetch("SELECT span_id FROM spans ORDER BY id")]


def spool_files(ledger: PromptLedger) -> list[str]:
    """The names of the files in the spool folder."""
    folder = ledger.paths.spool
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


_TRACE_SUMS = """
SELECT trace_key, count(*), sum(status = 'running'), sum(status = 'failed'), COALESCE(sum(input_tokens), 0),
       COALESCE(sum(output_tokens), 0), COALESCE(sum(cost_nusd), 0), sum(cost_nusd IS NOT NULL), sum(unpriced)
FROM spans GROUP BY trace_key ORDER BY trace_key
"""
_KEPT_TRACE_SUMS = """
SELECT id, span_count, open_count, error_count, input_tokens, output_tokens, cost_nusd, priced_count, unpriced_count
FROM traces ORDER BY id
"""
_DAY_SUMS = """
SELECT date(started_us / 1000000, 'unixepoch') AS day, COALESCE(provider, ''), model, environment, count(*),
       sum(status = 'failed'), COALESCE(sum(input_tokens), 0), COALESCE(sum(output_tokens), 0),
       COALESCE(sum(cost_nusd), 0), sum(unpriced)
FROM spans WHERE model IS NOT NULL AND status IN ('succeeded', 'failed', 'canceled')
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_KEPT_DAY_SUMS = """
SELECT day, provider, model, environment, sum(calls), sum(errors), sum(input_tokens), sum(output_tokens),
       sum(cost_nusd), sum(unpriced)
FROM daily_costs GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


def assert_sums_are_a_recount(ledger: PromptLedger) -> None:
    """The kept sums of traces and days are what counting all spans gives (SQLite)."""
    with ledger.database.lean() as lean:
        assert lean.fetch(_KEPT_TRACE_SUMS) == lean.fetch(_TRACE_SUMS)
        assert lean.fetch(_KEPT_DAY_SUMS) == lean.fetch(_DAY_SUMS)
        assert not any(recount.differences(lean).values())
