"""The trace that is open as Python, command line and curl."""

from __future__ import annotations

import shlex
from urllib.parse import quote

from ledger_tui.ui.code import CodeSubject


def trace_code(trace_id: str) -> CodeSubject:
    """How to get one trace's tree by program."""
    python = f"""from ledger_tui import PromptLedger

ledger = PromptLedger()
for span in ledger.get_trace_tree({trace_id!r}):
    print("  " * span["depth"], span["kind"], span["name"], span["duration_ms"], span["cost"])
"""
    return CodeSubject(
        python=python,
        cli=f"ledger-tui traces show {shlex.quote(trace_id)}",
        curl=f'curl -H "X-API-Key: $LEDGER_API_KEY" http://127.0.0.1:8000/v1/traces/{quote(trace_id, safe="")}/tree',
    )


def list_code(filter_text: str) -> CodeSubject:
    """How to get the list of traces by program."""
    wanted = f" {shlex.quote(filter_text)}" if filter_text else ""
    python = f"""from ledger_tui import PromptLedger

ledger = PromptLedger()
for trace in ledger.traces.page({filter_text!r}).rows:
    print(trace.trace_id, trace.status, trace.name)
"""
    return CodeSubject(
        python=python,
        cli=f"ledger-tui traces list{wanted}",
        curl='curl -H "X-API-Key: $LEDGER_API_KEY" http://127.0.0.1:8000/v1/traces',
    )
