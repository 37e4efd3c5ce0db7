"""A filled workspace for first steps, made through the same services that people use, and the same every time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ledger_tui.domain import clock
from ledger_tui.services import demo_customers, demo_developers
from ledger_tui.services.demo_prompts import DemoPrompt
from ledger_tui.services.demo_story import KnownVersion, World
from ledger_tui.services.demo_traces import DAY_US, traces
from ledger_tui.services.executing import Workspace, closing

if TYPE_CHECKING:
    from ledger_tui.domain.values import SpanRecord
    from ledger_tui.services.budgets import BudgetService
    from ledger_tui.services.prices import PriceService

PROMPTS = (*demo_customers.PROMPTS, *demo_developers.PROMPTS)
SEED = 20_240_229
RUNS = 10
"""How many runs with the offline model there are besides the recorded traces."""
_BATCH = 50


class DemoWorkspace(Workspace, Protocol):
    """What the demo fills."""

    @property
    def prices(self) -> PriceService: ...

    @property
    def budgets(self) -> BudgetService: ...


def fill(ledger: DemoWorkspace, now_us: int | None = None) -> None:
    """Fill an empty, prepared ledger with 13 prompts of 40 versions and 200 traces of the two weeks before ``now_us``.

    A price of the team's own covers calls that had none when they ended, and two budgets hold.

    Takes a few seconds. Sets the process's clock back while it writes the past, so nothing else should use it meanwhile.
    """
    now_us = clock.now_us() if now_us is None else now_us
    versions = {prompt.name: _save(ledger, prompt, now_us) for prompt in PROMPTS}
    world = World(versions, ledger.templates.render, random.Random(SEED))
    stories = traces(world, now_us)
    cards: dict[str, int | None] = {}
    for first in range(0, len(stories), _BATCH):
        batch = [_charged(ledger, span, cards) for spans in stories[first : first + _BATCH] for span in spans]
        ledger.traces.record(batch)
    asyncio.run(closing(ledger, _run(ledger, versions, now_us)))
    _set_limits(ledger, now_us)


def _charged(ledger: DemoWorkspace, span: SpanRecord, cards: dict[str, int | None]) -> SpanRecord:
    """A call with the rates it was charged by instead of its receipt, as a recorded call has them."""
    receipt = span.attributes.get("receipt")
    if receipt is None:
        return span
    key = repr([receipt.get(name) for name in ("provider", "model", "price_from", "rates", "tiers")])
    if key not in cards:
        cards[key] = ledger.prices.keep_card(receipt)
    attributes = {name: value for name, value in span.attributes.items() if name != "receipt"}
    return replace(span, card_id=cards[key], attributes=attributes)


def _set_limits(ledger: DemoWorkspace, now_us: int) -> None:
    """A price of the team's own, two weeks old and entered today, and budgets of a week ago."""
    ledger.prices.add(
        "vllm",
        "qwen3-32b",
        {"input": "0.15", "output": "0.60"},
        from_us=now_us - 15 * DAY_US,
        reason="our own machines: power and depreciation",
    )
    with clock.stopped(clock.from_us(now_us - 7 * DAY_US)):
        ledger.budgets.set("0.40", "day", reason="agreed in the team's planning")
        ledger.budgets.set("5", "month", prompt="support/*")


def _save(ledger: Workspace, prompt: DemoPrompt, now_us: int) -> list[KnownVersion]:
    """Save a prompt's versions at their moments, then its labels, tags and inputs."""
    registry, known = ledger.registry, []
    for edit, content in prompt.contents():
        with clock.stopped(clock.from_us(now_us - int(edit.days_ago * DAY_US))):
            saved = registry.save(
                prompt.name, content, message=edit.message, author=edit.author, description=prompt.description
            )
            known.append(KnownVersion(saved.prompt.id, saved.version.id, clock.now_us(), content))
    last = prompt.edits[-1].days_ago
    with clock.stopped(clock.from_us(now_us - int(last * 0.9 * DAY_US))):
        for label, number in prompt.labels.items():
            registry.set_label(prompt.name, label, number)
        if prompt.active is not None:
            registry.restore(prompt.name, prompt.active)
        registry.set_field(prompt.name, "tags", list(prompt.tags))
        registry.set_field(prompt.name, "team", prompt.team)
        for name, variables in prompt.inputs.items():
            registry.keep_inputs(prompt.name, name, dict(variables))
        if prompt.archived:
            registry.set_field(prompt.name, "archived", True)
    return known


async def _run(ledger: Workspace, versions: dict[str, list[KnownVersion]], now_us: int) -> None:
    """Real runs of prompts that have kept inputs, with the offline model; two of them fail as asked."""
    from ledger_tui.services.run_values import RunRequest

    ready = [(prompt, inputs) for prompt in PROMPTS for inputs in prompt.inputs.values()]
    for number in range(RUNS):
        prompt, inputs = ready[number % len(ready)]
        version = versions[prompt.name][-1]
        params = {"offline_delay_s": 0.0004} | (
            {"offline_error": ("timeout", "cut")[number % 2]} if number in (3, 6) else {}
        )
        with clock.moved(clock.from_us(now_us - (RUNS - number) * 2_700_000_000)):
            await ledger.runs.run(
                RunRequest(
                    content=version.content,
                    model="offline",
                    variables=inputs,
                    prompt_name=prompt.name,
                    version_id=version.version_id,
                    params=params,
                    session_id="first steps",
                    source="demo",
                    retry_waits_s=(),
                )
            )
