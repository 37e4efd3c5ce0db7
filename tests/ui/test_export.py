"""The export key: what is on the screen goes into a file, whole, named, and never over another one."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.services.export import Rows
from ledger_tui.ui.dialogs.export import REPLACE, WITH, ExportDialog, free_name
from ledger_tui.ui.export_subject import ExportSubject
from ledger_tui.ui.widgets.tab_row import TabRow
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.conftest import Workstation, screen_text, settle, until


@pytest.fixture
def filled(ledger: PromptLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PromptLedger:
    """A prompt with two versions, and two traces of calls; the workstation is started in a folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    ledger.prepare()
    ledger.create_prompt("mail/hello", "hi {{ name }}")
    ledger.create_prompt("mail/hello", "hello {{ name }}")
    for trace, model in (("t1", "=cmd"), ("t2", "m")):
        call: dict[str, Any] = {"provider": "p", "model": model, "cost_nusd": 5, "tokens": TokenUsage(3, 0, 0, 2)}
        start = clock.now_us() - 10**9
        ledger.traces.record([SpanRecord(trace, "s", "call", "llm", "succeeded", start, 5, input="secret", **call)])
    return ledger


def dialog(pilot: Pilot[None]) -> ExportDialog:
    """The dialog, which has to be open."""
    screen = pilot.app.screen
    assert isinstance(screen, ExportDialog)
    return screen


async def open_dialog(pilot: Pilot[None]) -> ExportDialog:
    """Press the key."""
    await pilot.press("X")
    await until(lambda: isinstance(pilot.app.screen, ExportDialog), pilot, "the dialog")
    await settle(pilot)
    return dialog(pilot)


async def test_the_filtered_list_goes_into_a_file(
    filled: PromptLedger, workstation: Workstation, tmp_path: Path
) -> None:
    """In Traces the list as it is filtered is exported; a toast names the file, and the folder is remembered."""
    async with workstation("traces") as pilot:
        pilot.app.open_traces("trace:t2")  # type: ignore[attr-defined]
        await until(lambda: "1 trace" in screen_text(pilot) or "t2" in screen_text(pilot), pilot, "the filter")
        await settle(pilot)
        pilot.app.screen.query_one("#list").focus()
        found = await open_dialog(pilot)
        assert "trace:t2" in screen_text(pilot) and not found.query_one("#texts-row").display
        target = tmp_path / "work" / Path(found.query_one(Input).value).name
        await pilot.press("enter")
        await until(lambda: target.exists() and not isinstance(pilot.app.screen, ExportDialog), pilot, "the file")
        with target.open(newline="") as file:
            assert [row["trace_id"] for row in csv.DictReader(file)] == ["t2"]
        told = [toast.message for toast in pilot.app._notifications]
        assert told == [f"1 row in {target}"]
        assert filled.paths.export_folder.read_text() == str(target.parent)
        again = await open_dialog(pilot)
        assert again.query_one(Input).value.endswith("-2.csv")


async def test_an_open_trace_with_its_texts(filled: PromptLedger, workstation: Workstation, tmp_path: Path) -> None:
    """From the tree the open trace comes first; texts go along when wanted; the ending follows the format."""
    async with workstation("traces") as pilot:
        pilot.app.open_trace("t1")  # type: ignore[attr-defined]
        await until(lambda: pilot.app.screen.query_one("#tree").has_focus, pilot, "the tree")
        await settle(pilot)
        found = await open_dialog(pilot)
        assert found.subject.name == "This trace"
        found.query_one("#export-format", TabRow).choose("JSON")
        found.query_one("#export-texts", TabRow).choose(WITH)
        await pilot.pause()
        assert found.query_one(Input).value.endswith(".json")
        found.query_one(Input).value = str(tmp_path / "out.json")
        await pilot.press("enter")
        await until(lambda: (tmp_path / "out.json").exists(), pilot, "the file")
        await settle(pilot)
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert (row["trace_id"], row["input"], row["cost_nusd"], row["cost_usd"]) == ("t1", "secret", 5, "0.000000005")


async def test_the_table_of_costs(filled: PromptLedger, workstation: Workstation, tmp_path: Path) -> None:
    """Costs exports the groups that the table shows; a model that would be a formula is none."""
    async with workstation("costs") as pilot:
        await settle(pilot)
        print(screen_text(pilot))
        await until(lambda: "=cmd" in screen_text(pilot), pilot, "the table")
        found = await open_dialog(pilot)
        found.query_one(Input).value = str(tmp_path / "costs.csv")
        await pilot.press("enter")
        await until(lambda: (tmp_path / "costs.csv").exists(), pilot, "the file")
        await settle(pilot)
        for name in ("By day", "In detail"):
            found = await open_dialog(pilot)
            found.query_one("#export-what", TabRow).choose(name)
            found.query_one(Input).value = str(tmp_path / f"{name}.jsonl")
            await pilot.press("enter")
            await until((tmp_path / f"{name}.jsonl").exists, pilot, "the file")
            await settle(pilot)
    with (tmp_path / "costs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"p/=cmd", "p/m"} and {row["cost_nusd"] for row in rows} == {"5"}
    detail = [json.loads(line) for line in (tmp_path / "In detail.jsonl").read_text().splitlines()]
    assert {row["model"] for row in detail} == {"=cmd", "m"}


async def test_versions_and_history_of_a_prompt(filled: PromptLedger, workstation: Workstation, tmp_path: Path) -> None:
    """Prompts exports its list, and versions (with their texts) and history of the open prompt."""
    async with workstation("prompts") as pilot:
        pilot.app.open_prompt("mail/hello")  # type: ignore[attr-defined]
        await until(lambda: "hello {{ name }}" in screen_text(pilot), pilot, "the prompt")
        await settle(pilot)
        for name in ("Prompts", "Versions", "History", "All versions"):
            pilot.app.screen.query_one("#tree").focus()
            found = await open_dialog(pilot)
            found.query_one("#export-what", TabRow).choose(name)
            await pilot.pause()
            found.query_one("#export-texts", TabRow).choose(WITH)
            found.query_one(Input).value = str(tmp_path / f"{name}.json")
            await pilot.press("enter")
            await until((tmp_path / f"{name}.json").exists, pilot, "the file")
            await settle(pilot)
    read = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("Prompts", "Versions", "History")}
    assert [row["active"] for row in read["Prompts"]] == [2]
    assert [row["messages"][-1]["text"] for row in read["Versions"]] == ["hello {{ name }}", "hi {{ name }}"]
    assert {"version", "label"} <= {row["kind"] for row in read["History"]}


async def test_what_is_wrong_is_said_and_the_dialog_stays(
    filled: PromptLedger, workstation: Workstation, tmp_path: Path
) -> None:
    """A name that is taken is said, a file is exchanged only when that was chosen, and escape leaves nothing behind."""
    target = tmp_path / "mine.csv"
    target.write_text("mine")
    async with workstation("prompts", (80, 24)) as pilot:
        found = await open_dialog(pilot)
        found.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(lambda: "exists already" in screen_text(pilot), pilot, "the words")
        assert target.read_text() == "mine"
        found.query_one("#export-replace", TabRow).choose(REPLACE)
        await pilot.press("enter")
        await until(lambda: target.read_text().startswith("name,"), pilot, "the file")
        await settle(pilot)
        await open_dialog(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, ExportDialog)


async def test_a_long_export_shows_its_progress_and_can_be_stopped(
    filled: PromptLedger, workstation: Workstation, tmp_path: Path
) -> None:
    """Progress counts rows; escape stops it, nothing is left, and the dialog says so."""
    go_on = threading.Event()

    def pieces() -> Iterator[list[list[int]]]:
        yield [[1]] * 500
        go_on.wait(20)
        yield [[2]] * 500

    subject = ExportSubject("Long", "Long.", "long", lambda ledger, texts: Rows(("a",), pieces(), 1_000))
    async with workstation("prompts") as pilot:
        pilot.app.push_screen(ExportDialog([subject], filled.paths))
        await settle(pilot)
        dialog(pilot).query_one(Input).value = str(tmp_path / "long.csv")
        await pilot.press("enter")
        await until(lambda: "500 of 1,000" in screen_text(pilot), pilot, "progress")
        await pilot.press("escape")
        go_on.set()
        await until(lambda: "Stopped; nothing was written." in screen_text(pilot), pilot, "the words")
        assert not list(tmp_path.glob("*long*")) and not list(tmp_path.glob(".*long*"))


def test_a_name_is_safe_and_free(tmp_path: Path) -> None:
    """A file is named by what it holds, without slashes and leading dots, and is not there yet."""
    first = free_name(tmp_path, "../../mail/hello", "csv")
    assert first.parent == tmp_path and first.name.startswith("mail-hello-20")
    first.touch()
    assert free_name(tmp_path, "../../mail/hello", "csv").name == first.name.replace(".csv", "-2.csv")
    assert free_name(tmp_path, "…", "csv").name.startswith("export-")
