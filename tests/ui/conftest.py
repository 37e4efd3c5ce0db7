"""The workstation over a workspace of its own, driven by the pilot."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.ui.app import LedgerApp
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.worker import WorkerCancelled, WorkerFailed

THEMES_KEPT = 8
Workstation = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


@pytest.fixture(scope="session", autouse=True)
def style_sheets_parsed_once() -> Iterator[None]:
    """Apps share the rules of a style sheet that was parsed with the same variables: no test changes a rule."""
    themes: dict[frozenset[tuple[str, str]], dict[object, list[RuleSet]]] = {}
    parse = Stylesheet._parse_rules

    def parse_once(sheet: Stylesheet, css: str, read_from: Any, *more: Any, **options: Any) -> list[RuleSet]:
        known = themes.setdefault(frozenset(sheet._variables.items()), {})
        if len(themes) > THEMES_KEPT:
            del themes[next(iter(themes))]
        key = (css, read_from, more, tuple(options.items()))
        if key not in known:
            known[key] = parse(sheet, css, read_from, *more, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Folders of a workspace that only this test knows."""
    found = Paths(data=tmp_path / "data", config=tmp_path / "config")
    found.data.mkdir(mode=0o700)
    found.config.mkdir(mode=0o700)
    return found


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    """The real ledger over a fresh SQLite file."""
    opened = PromptLedger(paths=paths)
    yield opened
    opened.close()


@pytest.fixture
def workstation(ledger: PromptLedger) -> Workstation:
    """``async with workstation(place="traces", size=(80, 24)) as pilot:`` runs the app until it rests."""

    @asynccontextmanager
    async def run(
        place: str = "prompts", size: tuple[int, int] = (160, 48), prepare: bool = True
    ) -> AsyncIterator[Pilot[None]]:
        app = LedgerApp(ledger, place=place)
        async with app.run_test(size=size) as pilot:
            if prepare:
                await asyncio.wait_for(app.opened.wait(), 30)
            await settle(pilot)
            yield pilot
        # An answer that still streamed left everything out of garbage collection, and ends with its event loop.
        gc.unfreeze()

    return run


async def settle(pilot: Pilot[None]) -> None:
    """Wait until no worker runs and every message was handled."""
    for _ in range(50):
        await pilot.pause()
        busy = [worker for worker in pilot.app.workers if not worker.is_finished and worker.group not in LASTING]
        if not busy:
            break
        with suppress(WorkerCancelled, WorkerFailed):
            await pilot.app.workers.wait_for_complete(busy)
    await pilot.pause()


LASTING = {"watch", "spend", "live", "search-texts", "retention", "sharing", "news"}
"""Groups of workers that last as long as the workstation."""


async def until(condition: Callable[[], Any], pilot: Pilot[None], what: str = "the condition") -> Any:
    """Wait until ``condition()`` is true and return its value; fails after 20 seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 20
    while not (value := condition()):
        assert loop.time() < end, f"{what} never came\n{screen_text(pilot)}"
        await pilot.pause(0.01)
    return value


def screen_text(pilot: Pilot[None]) -> str:
    """What the screen shows now, row by row."""
    app = pilot.app
    return "\n".join(
        "".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips(app.size)
    )


__all__ = ["LASTING", "Workstation", "screen_text", "settle", "until"]
