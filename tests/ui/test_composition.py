"""Prompts that include others, in the places where a person meets them."""

from __future__ import annotations

import re
from typing import Any

from ledger_tui.domain.content import PromptContent
from ledger_tui.ui.places.playground.playground import PlaygroundPlace
from ledger_tui.ui.places.prompts.prompts import PromptsPlace
from ledger_tui.ui.places.traces.traces import TracesPlace
from ledger_tui.ui.subject import PlaygroundSubject
from textual.pilot import Pilot
from textual.widgets import Button

from tests.ui.conftest import Workstation, screen_text, settle, until

NOW = {"offline_delay_s": 0}


def place_of(pilot: Pilot[None], name: str) -> Any:
    """The screen of a place."""
    return pilot.app._screen_stacks[name][0]


def fill(ledger: Any) -> None:
    """A tone in two versions and a prompt that includes it."""
    ledger.prepare()
    ledger.registry.save("shared/tone", PromptContent.of_text("Be kind."))
    ledger.registry.save("shared/tone", PromptContent.of_text("Be {{ mood }}."))
    text = '{% include "shared/tone" %} Hello {{ name }}'
    ledger.registry.save("mail", PromptContent.of_text(text, model="offline", params=NOW))


async def test_the_editor_marks_an_unknown_include(workstation: Workstation, ledger: Any) -> None:
    """While typing, a name that the registry has not is marked with line and column and a likely spelling; fixed, it clears."""
    fill(ledger)
    async with workstation() as pilot:
        place = place_of(pilot, "prompts")
        assert isinstance(place, PromptsPlace)
        place.open_prompt("mail")
        await until(lambda: place.subject is not None and place.subject.name == "mail", pilot, "the prompt")
        await until(lambda: "mood" in screen_text(pilot), pilot, "the included variable")
        area = place.editor.blocks[0].area
        area.load_text('fine\n{% include "shared/tune" %}')
        await until(lambda: "message 1, 2:12" in screen_text(pilot), pilot, "the problem")
        assert "no prompt named shared/tune, did you mean" in screen_text(pilot)
        area.load_text('{% include "mail" %}')
        await until(lambda: "a cycle: mail → mail" in screen_text(pilot), pilot, "the circle")
        area.load_text('{% include "shared/tone@1" %}')
        await until(lambda: "message 1," not in screen_text(pilot), pilot, "no problem")


async def test_from_the_form_to_the_included_version(workstation: Workstation, ledger: Any) -> None:
    """The playground asks for included variables; the run's span names what was included and opens that version."""
    fill(ledger)
    version = ledger.registry.version("mail")
    async with workstation("playground") as pilot:
        place = place_of(pilot, "playground")
        assert isinstance(place, PlaygroundPlace)
        content = ledger.registry.content(version.id)
        place.open_playground(PlaygroundSubject(content, "mail", version.id, {"mood": "calm", "name": "Ada"}))
        await until(lambda: place.form.names == ("mood", "name"), pilot, "both fields")
        await settle(pilot)
        await pilot.press("ctrl+r")
        await until(lambda: all(len(c.answers) == 1 for c in place.answers.columns), pilot, "the answer")
        await until(lambda: not place.running, pilot, "the end")
        answer = place.answers.columns[0].answer
        assert answer is not None and answer.trace_id is not None and "Be calm. Hello Ada" in answer.shown
        pilot.app.open_trace(answer.trace_id)  # type: ignore[attr-defined]
        await until(lambda: isinstance(pilot.app.screen, TracesPlace), pilot, "the traces")
        traces = pilot.app.screen
        await until(lambda: re.search(r"included +shared/tone v2", screen_text(pilot)), pilot, "the included version")
        ledger.registry.save("shared/tone", PromptContent.of_text("Newer."))
        traces.query_one("#included-0", Button).press()
        await until(lambda: isinstance(pilot.app.screen, PromptsPlace), pilot, "the prompts")
        prompts = place_of(pilot, "prompts")
        await until(lambda: prompts.subject is not None and prompts.subject.name == "shared/tone", pilot, "its prompt")
        await until(lambda: prompts.editor.blocks[0].area.text == "Be {{ mood }}.", pilot, "its version")
