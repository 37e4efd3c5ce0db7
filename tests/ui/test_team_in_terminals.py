"""A team at work: two workstations in real terminals and a program, sharing one ledger through one server."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.content import PromptContent
from ledger_tui.paths import Paths
from ledger_tui.store import telemetry

from tests.sync.conftest import postgres_shared as postgres_shared
from tests.sync.shared import InPostgres
from tests.sync.test_sync_telemetry import call
from tests.ui.terminal import Terminal

CTRL_S = "\x13"


def member(folder: Path, shared: InPostgres, name: str) -> PromptLedger:
    """A ledger that has joined the shared one, with an account of its own."""
    paths = Paths(data=folder / name / "data" / "ledger-tui", config=folder / name / "config" / "ledger-tui")
    ledger = PromptLedger(paths=paths)
    ledger.prepare()
    ledger.sync.join(shared.address(shared.enrol(name, "maintainer")), workspace=shared.workspace)
    ledger.sync.sync()
    return ledger


@pytest.mark.long
def test_two_workstations_and_a_program_share_one_ledger(tmp_path: Path, postgres_shared: InPostgres) -> None:
    """What a program saves appears in both workstations while they are open; what one person writes, the other and the program
    see; a call of the program is in everybody's traces; and in the end all three hold the same."""
    ledgers = {name: member(tmp_path, postgres_shared, name) for name in ("ada", "bob", "program")}
    program = ledgers["program"]
    program.registry.save("team/first", PromptContent.of_text("Hello"))
    program.sync.sync()
    given = {"LEDGER_SYNC_PASSWORD": "secret"}
    with (
        Terminal(ledgers["ada"].paths, environment=given) as ada,
        Terminal(ledgers["bob"].paths, environment=given) as bob,
    ):
        ada.wait_for("first")
        bob.wait_for("first")
        program.registry.save("team/from-program", PromptContent.of_text("Hello {{ name }}"))
        program.sync.sync()
        ada.wait_for("from-program")
        bob.wait_for("from-program")
        ada.press("n")
        ada.wait_for("support/answer")
        ada.press("from-ada", "enter")
        ada.wait_for("Add message")
        ada.press("Good day", CTRL_S)
        ada.wait_for("What changed?")
        ada.press("enter")
        bob.wait_for("from-ada")
        program.log_external_span("t1", span_id="s1", name="nightly report", kind="llm", model="offline", duration_ms=5)
        program.flush()
        program.sync.sync()
        assert program.registry.prompt("from-ada").version_count == 1
        for terminal in (ada, bob):
            terminal.press("f4")
            terminal.wait_for("nightly report")
        for terminal in (ada, bob):
            assert terminal.leave() == 0
    agreed = set()
    for ledger in ledgers.values():
        agreed.add(ledger.sync.sync().agreed)
        assert ledger.sync.verify() == []
        ledger.close()
    assert len(agreed) == 1 and None not in agreed


@pytest.mark.long
@pytest.mark.parametrize("how", ["hung up", "SIGTERM"])
def test_f26_a_terminal_that_closes_in_mid_exchange_loses_nothing(
    tmp_path: Path, postgres_shared: InPostgres, how: str
) -> None:
    """A workstation whose terminal is closed, or that is ended, while thousands of records arrive and wait ends by itself; the next
    exchange of its ledger brings and sends the rest once."""
    ada, bob = (member(tmp_path, postgres_shared, name) for name in ("ada", "bob"))
    for ledger in (ada, bob):
        with ledger.database.lean_write() as lean:
            telemetry.write_spans(lean, [call(f"{ledger.paths.data}-{n // 100}", str(n)) for n in range(20_000)])
    bob.sync.sync()
    with Terminal(ada.paths, environment={"LEDGER_SYNC_PASSWORD": "secret"}) as terminal:
        terminal.wait_for("/20k")
        if how == "hung up":
            terminal.hang_up()
        else:
            terminal.process.terminate()
        terminal.process.wait(30)
    receipts = [ledger.sync.sync() for ledger in (ada, bob, ada)]
    assert receipts[1].agreed == receipts[2].agreed is not None
    for ledger in (ada, bob):
        with ledger.database.lean() as lean:
            assert lean.fetch("SELECT COUNT(*), COUNT(DISTINCT rid) FROM spans") == [(40_000, 40_000)]
            assert lean.fetch("PRAGMA integrity_check") == [("ok",)]
        assert ledger.sync.verify() == []
        ledger.close()
