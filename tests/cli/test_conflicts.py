"""Conflicts from a script: listed, shown with marks, decided in every way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui import PromptLedger

from tests.cli.conftest import Call
from tests.sync.at_once import MINE, THEIRS, write_at_once

NAME = "team/greeting"


@pytest.fixture
def at_once(tmp_path: Path) -> Iterator[None]:
    """The default workspace with two heads, a contested label and a contested description."""
    with PromptLedger() as ledger:
        ledger.prepare()
        write_at_once(ledger, tmp_path)
    yield


def test_nothing_to_decide(call: Call, welcome: str) -> None:
    """Without a conflict the list is empty, the check holds, and asking for one says what to do."""
    answer = call("conflicts", "list", "--exit-code", "--json")
    assert (answer.code, answer.json) == (0, {"conflicts": []})
    assert "nothing to decide" in call("conflicts").err
    assert call("conflicts", "show", welcome).code == 1
    assert "conflicts list" in call("conflicts", "resolve", welcome, "label:production", "--take", "1").err


def test_conflicts_are_listed_and_shown(call: Call, at_once: None) -> None:
    """The list says who wants what, and a check fails; showing two heads prints their text with marks around what both changed."""
    answer = call("conflicts", "list", "--exit-code", "--json")
    assert answer.code == 3
    assert [one["what"] for one in answer.json["conflicts"]] == ["heads", "field:description", "label:production"]
    assert "production" in call("conflicts").text
    shown = call("conflicts", "show", NAME)
    assert (
        "<<<<<<< mine\nAnd short.\n||||||| base\nAnd brief.\n=======\nAnd brief, mostly.\n>>>>>>> theirs" in shown.text
    )
    assert "Dear {{ name }}!" in shown.text and "Yours, {{ team }}" in shown.text and "1 of them to decide" in shown.err
    facts = call("conflicts", "show", NAME, "--json").json
    assert facts["to_decide"] == 1 and [hunk["kind"] for hunk in facts["hunks"]].count("conflict") == 1
    assert "Grace" in call("conflicts", "show", NAME, "label:production").text


def test_the_head_that_is_served_is_marked(call: Call, at_once: None) -> None:
    """Of two heads the mark is at the one that history and renders call active, also after active was moved to the other."""
    for number in (3, 2):
        assert call("prompts", "label", NAME, "active", str(number)).code == 0
        versions = call("prompts", "history", NAME, "--json").json["versions"]
        assert [one["version"] for one in versions if "active" in one["labels"]] == [number]
        heads = next(one for one in call("conflicts", "list", "--json").json["conflicts"] if one["what"] == "heads")
        assert [one["version"] for one in heads["candidates"] if one["holds"]] == [number]
        assert f"*v{number} (" in call("conflicts").text


def test_a_text_decides_and_a_broken_or_undecided_one_is_refused(call: Call, at_once: None, tmp_path: Path) -> None:
    """The text that was shown, edited, becomes a version on both heads; with marks left in it nothing is saved."""
    file = tmp_path / "merged"
    file.write_text(call("conflicts", "show", NAME).text)
    refused = call("conflicts", "resolve", NAME, "--file", str(file))
    assert refused.code == 1 and "not decided" in refused.err
    assert call("conflicts", "resolve", NAME, "--take", "merged").code == 1
    lines = file.read_text().split("\n")
    at = lines.index("<<<<<<< mine")
    file.write_text("\n".join([*lines[:at], "And that.", *lines[at + 7 :]]))
    answer = call("conflicts", "resolve", NAME, "--file", str(file), "--label", "staging", "--json")
    assert (answer.code, answer.json["version"]["labels"]) == (0, ["active", "staging"])
    assert call("prompts", "show", NAME).text == "Dear {{ name }}!\n\nWe are kind.\nAnd that.\n\nYours, {{ team }}"
    assert [one["what"] for one in call("conflicts", "list", "--json").json["conflicts"]] == [
        "field:description", "label:production",
    ]  # fmt: skip


@pytest.mark.parametrize(("take", "text"), [("mine", MINE), ("theirs", THEIRS)])
def test_one_side_is_taken_whole(call: Call, at_once: None, take: str, text: str) -> None:
    """Taking a side makes no new version and ends the conflict."""
    assert call("conflicts", "resolve", NAME, "--take", take).code == 0
    assert call("prompts", "show", NAME).text == text
    assert "heads" not in call("conflicts", "list").text


def test_both_are_kept_and_a_label_is_decided(call: Call, at_once: None) -> None:
    """The other head stays under a label; a candidate of a register is taken by side or number; wrong words are refused."""
    assert call("conflicts", "resolve", NAME, "--keep-both", "grace").code == 0
    assert call("prompts", "show", NAME, "--version", "grace").text == THEIRS
    for what, take in (("label:production", "mine"), ("field:description", "1")):
        assert call("conflicts", "resolve", NAME, what, "--take", take, "--json").code == 0
    assert call("conflicts", "list", "--exit-code").code == 0
    assert call("conflicts", "resolve", NAME).code == 2
