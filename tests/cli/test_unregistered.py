"""What programs send that belongs to no prompt, listed and registered from a script."""

from __future__ import annotations

import pytest
from ledger_tui import PromptLedger

from tests.cli.conftest import Call


@pytest.fixture
def sent() -> None:
    """Three calls of a program in the default workspace, two of one text."""
    with PromptLedger() as ledger:
        for asked in (
            "Summarise this mail in one line: rain",
            "Summarise this mail in one line: snow",
            "Something else",
        ):
            ledger.log_external_span(trace_id="t", name="mail.sum", kind="llm", model="m", input_data=asked)


def test_listing_and_registering(call: Call, sent: None) -> None:
    """The list says how often and what; registering by the beginning of a fingerprint takes it off and links its calls."""
    rows = call("prompts", "unregistered", "--json").json["unregistered"]
    assert [(row["calls"], row["models"], row["trace_id"]) for row in rows] == [(2, ["m"], "t"), (1, ["m"], "t")]
    assert rows[0]["messages"] == [{"role": "user", "text": "Summarise this mail in one line: {{ value_1 }}"}]
    assert "Summarise this mail in one line: …" in call("prompts", "unregistered").text
    done = call("prompts", "register", rows[0]["fingerprint"][:6], "mail/sum", "--json")
    assert (done.code, done.json["name"], done.json["version"], done.json["linked"]) == (0, "mail/sum", 1, 2)
    assert "value_1" in call("prompts", "show", "mail/sum").text
    assert len(call("prompts", "unregistered", "--json").json["unregistered"]) == 1


def test_dismissing(call: Call, sent: None) -> None:
    """A dismissed one is not listed again."""
    first = call("prompts", "unregistered", "--json").json["unregistered"][0]["fingerprint"]
    assert call("prompts", "unregistered", "--dismiss", first).code == 0
    assert [row["calls"] for row in call("prompts", "unregistered", "--json").json["unregistered"]] == [1]


def test_nothing_there(call: Call) -> None:
    """An empty list says so, an unknown fingerprint fails with a way out, and a bad name is wrong usage."""
    answer = call("prompts", "unregistered")
    assert (answer.code, answer.out) == (0, b"") and "Nothing here" in answer.err
    answer = call("prompts", "register", "abc", "name")
    assert answer.code == 1 and "ledger-tui prompts unregistered" in answer.err
    assert call("prompts", "register", "abc", "../name").code == 2
