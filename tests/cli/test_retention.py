"""``retention`` from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord
from ledger_tui.paths import default_paths
from ledger_tui.settings import write_setting

from tests.cli.conftest import Call

DAY_US = 86_400_000_000


@pytest.fixture
def old(call: Call) -> Iterator[PromptLedger]:
    """A ledger with a trace of each of the last fifty days."""
    with PromptLedger() as ledger:
        ledger.prepare()
        for days in range(50):
            moment = clock.now_us() - days * DAY_US - 10**9
            ledger.traces.record([SpanRecord(f"t{days}", "s", "a", "tool", "succeeded", moment, 5, input="x" * 100)])
        yield ledger


def test_a_look_first_then_the_deed(call: Call, old: PromptLedger) -> None:
    """A dry run changes nothing and says how much would go; the run says how much went; a second finds nothing."""
    dry = call("retention", "--dry-run", "--texts", "20d", "--spans", "40", "--json").json
    assert [(step["what"], step["found"], step["removed"]) for step in dry["steps"]] == [
        ("steps' texts", 30, 0),
        ("steps", 10, 0),
    ]
    assert dry["steps"][0]["characters"] == 30 * 102 and dry["dry_run"] and dry["freed_bytes"] is None
    answer = call("retention", "--texts", "20d", "--spans", "40")
    assert [line.split()[:2] for line in answer.text.splitlines()] == [["30", "steps'"], ["10", "steps"]]
    assert old.traces.trace("t45").pruned_us is not None and old.traces.trace("t30").pruned_us is None
    again = call("retention", "--texts", "20d", "--spans", "40", "--vacuum")
    assert not again.out and "Nothing is old enough." in again.err and "given back" in again.err


def test_the_settings_rule_unless_something_is_said(call: Call, old: PromptLedger) -> None:
    """Without options the settings count; without rules everything is kept, and how to change that is said."""
    assert "Everything is kept" in call("retention").err
    write_setting(default_paths(), "retention_texts_by_kind", ["tool=45"])
    assert call("retention", "--dry-run", "--json").json["steps"][0]["found"] == 5
    assert call("retention", "--dry-run", "--kind", "tool=48", "--json").json["steps"][0]["found"] == 2


def test_what_makes_no_sense_is_refused(call: Call, tmp_path: Path) -> None:
    """Days that are none are wrong usage; rules that make no sense are said."""
    assert call("retention", "--texts", "soon").code == 2
    assert call("retention", "--kind", "tool").code == 1
    assert call("--as-of", "1d", "retention", "--texts", "1").code == 1
