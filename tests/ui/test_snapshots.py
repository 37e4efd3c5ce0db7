"""Every place keeps its looks: empty, full and in trouble, at 80x24 and at 160x48."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.settings import Settings
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.subject import PlaygroundSubject
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from tests.ui.conftest import screen_text, settle, until

pytestmark = pytest.mark.pictures

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
MINUTE_US = 60_000_000
SIZES = [(80, 24), (160, 48)]
REPLY = PromptContent(
    (
        Message("system", "You answer for {{ shop }}. Be kind and brief."),
        Message("user", "{% if urgent %}Answer at once.{% endif %}\n\nMail from {{ customer }}:\n{{ body }}"),
    ),
    model="offline",
    params={"temperature": 0.2, "offline_delay_s": 0},
)
Step = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock stands, the cursor does not blink and nothing moves."""
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")
    with clock.stopped(NOON):
        yield


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    """The real ledger over a fresh SQLite file, written by Ada."""
    with PromptLedger(paths=paths, settings=Settings(author_setting="Ada")) as made:
        made.prepare()
        yield made


def fill(ledger: PromptLedger) -> None:
    """A few prompts and traces, the same each time."""
    registry = ledger.registry
    first = REPLY.with_changes(messages=REPLY.messages[1:])
    registry.save("support/reply", first, message="First draft", description="Answers a customer's mail")
    registry.save("support/reply", REPLY, message="Speaks for the shop", labels=["staging"])
    registry.set_label("support/reply", "production", 1)
    for name in ("support/triage", "docs/translate", "rag/answer"):
        registry.save(name, PromptContent.of_text("Work on {{ text }}"))
    registry.save("support/broken", PromptContent.of_text("{% if %}{{ custmer }}\nDear {{ customer }}"))
    ledger.traces.record([*agent(0, failed=False), *agent(1, failed=True), *agent(2, failed=False)])


def agent(number: int, *, failed: bool) -> list[SpanRecord]:
    """A small nested workflow, started some minutes ago."""
    trace_id, at = f"run-{number}", clock.now_us() - (number + 1) * 7 * MINUTE_US
    end = "failed" if failed else "succeeded"
    call: dict[str, Any] = {"provider": "openai", "model": "gpt-4o-mini"}
    return [
        SpanRecord(trace_id, "root", "support-agent", "agent", end, at, 3_200_000, input='{"mail": "Where is it?"}'),
        SpanRecord(trace_id, "find", "search", "retrieval", "succeeded", at, 400_000, parent_span_id="root"),
        SpanRecord(
            trace_id, "call", "write", "llm", end, at + 500_000, 2_500_000, parent_span_id="root", **call,
            tokens=TokenUsage(1_200, 800, 0, 150, 0), cost_nusd=None if failed else 270_000, unpriced=failed,
            input='[{"role": "user", "text": "Where is it?"}]', output=None if failed else "It is **on its way**.",
            error="The provider asks to slow down" if failed else None, error_type="rate_limit" if failed else None,
        ),
    ]  # fmt: skip


async def rest(pilot: Pilot[None]) -> None:
    """Wait until the ledger is open, the top line knows today's spend and no work is left."""
    app = pilot.app
    assert isinstance(app, LedgerApp)
    await asyncio.wait_for(app.opened.wait(), 30)
    await until(lambda: app.facts.spend, pilot, "today's spend")
    await settle(pilot)


async def hold_still(pilot: Pilot[None]) -> None:
    """Show every cursor and stop its blinking."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
        field._cursor_visible = True
    for area in pilot.app.screen.query(TextArea):
        area.cursor_blink = False
        area._cursor_visible = True
    await settle(pilot)
    await steady(pilot)


async def steady(pilot: Pilot[None]) -> None:
    """Wait until eight pictures in a row are the same."""
    before, same = "", 0

    def is_steady() -> bool:
        nonlocal before, same
        now = pilot.app.export_screenshot(simplify=True)
        before, same = now, same + 1 if now == before else 0
        return same >= 8

    while not is_steady():
        await pilot.pause(0.03)


async def failed_to_open(pilot: Pilot[None]) -> None:
    """Wait for the page that says why the ledger did not open."""
    from ledger_tui.ui.dialogs.opening import OpeningFailed

    await until(lambda: isinstance(pilot.app.screen, OpeningFailed), pilot, "the page")
    await steady(pilot)


async def nothing_more(pilot: Pilot[None]) -> None:
    """The place as it opens."""


async def open_prompt(pilot: Pilot[None]) -> None:
    await open_named(pilot, "support/reply")


async def open_named(pilot: Pilot[None], name: str) -> None:
    app = pilot.app
    assert isinstance(app, LedgerApp)
    app.open_prompt(name)
    await until(lambda: name in str(app.place.query_one("#editor").border_title), pilot, "the prompt")
    await until(lambda: "tokens to offline" in screen_text(pilot), pilot, "the estimate")
    await settle(pilot)


async def open_broken(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, LedgerApp)
    await open_named(pilot, "support/broken")
    await until(lambda: "✗ message" in screen_text(pilot), pilot, "the problem")
    await settle(pilot)


async def run_once(pilot: Pilot[None]) -> None:
    values = {"shop": "Acme", "customer": "Bo", "body": "Where is it?", "urgent": True}
    await _run(pilot, REPLY, values)


async def run_in_vain(pilot: Pilot[None]) -> None:
    await _run(pilot, REPLY.with_changes(params={"offline_error": "auth", "offline_delay_s": 0}), {"shop": "Acme"})


async def _run(pilot: Pilot[None], content: PromptContent, values: dict[str, Any]) -> None:
    app = pilot.app
    assert isinstance(app, LedgerApp)
    filled = {"shop": "Acme", "customer": "Bo", "body": "Where is it?", "urgent": True, **values}
    app.open_playground(PlaygroundSubject(content, "support/reply", None, filled, ("offline",)))
    await settle(pilot)
    await pilot.press("ctrl+r")
    await settle(pilot)
    await until(lambda: re.search(r"[✓✗] ?(succeeded|failed)", screen_text(pilot)), pilot, "the end of the run")
    await settle(pilot)


async def choose_failed(pilot: Pilot[None]) -> None:
    pilot.app.open_trace("run-1")  # type: ignore[attr-defined]
    await settle(pilot)


async def filter_wrongly(pilot: Pilot[None]) -> None:
    await pilot.press("slash", *"kind", "colon", *"llm", "space", *"colour", "colon", *"red", "enter")
    await settle(pilot)


async def lose_the_sums(pilot: Pilot[None]) -> None:
    """Another program damages the file: the sums of the days are gone when they are asked for again."""
    app = pilot.app
    assert isinstance(app, LedgerApp)
    with closing(sqlite3.connect(app.ledger.database.label)) as other:
        other.execute("DROP TABLE daily_costs")
        other.commit()
    await pilot.press("r")
    await until(lambda: app.screen.has_class("-problem"), pilot, "the reason")
    await settle(pilot)


async def add_a_wrong_server(pilot: Pilot[None]) -> None:
    """A server's address that cannot be one."""
    await pilot.press("n")
    await settle(pilot)
    await pilot.press(*"my-server", "enter", *"ftp://x", "enter")
    await until(lambda: pilot.app.screen.query_one(".problem", Static).content, pilot, "the problem")
    await settle(pilot)


SHOTS: list[tuple[str, str, bool, Step]] = [
    ("prompts", "empty", False, nothing_more),
    ("prompts", "full", True, open_prompt),
    ("prompts", "error", True, open_broken),
    ("playground", "empty", False, nothing_more),
    ("playground", "full", True, run_once),
    ("playground", "error", True, run_in_vain),
    ("traces", "empty", False, nothing_more),
    ("traces", "full", True, choose_failed),
    ("traces", "error", True, filter_wrongly),
    ("costs", "empty", False, nothing_more),
    ("costs", "full", True, nothing_more),
    ("costs", "error", True, lose_the_sums),
    ("settings", "full", True, nothing_more),
    ("settings", "error", True, add_a_wrong_server),
]


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
@pytest.mark.parametrize(("place", "state", "filled", "step"), SHOTS, ids=[f"{s[0]}-{s[1]}" for s in SHOTS])
def test_a_place_keeps_its_looks(
    snap_compare: Any, ledger: PromptLedger, place: str, state: str, filled: bool, step: Step, size: tuple[int, int]
) -> None:
    """The screen of a place in a state is the one that was looked at and approved."""
    if filled:
        fill(ledger)
    os.environ.pop("NO_COLOR", None)

    async def before(pilot: Pilot[None]) -> None:
        await rest(pilot)
        await step(pilot)
        await hold_still(pilot)

    assert snap_compare(LedgerApp(ledger, place=place), terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
def test_a_ledger_that_does_not_open_is_a_calm_page(snap_compare: Any, paths: Paths, size: tuple[int, int]) -> None:
    """A file that is no ledger gives a page with cause and remedy instead of a place."""
    folder = Path("/tmp", f"ledger-picture-{size[0]}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / "ledger.db").write_text("This is a shopping list.\n" * 50)
    with PromptLedger(str(folder / "ledger.db"), paths=paths, settings=Settings(author_setting="Ada")) as made:
        assert snap_compare(LedgerApp(made), terminal_size=size, run_before=failed_to_open)
