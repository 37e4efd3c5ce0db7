"""The history of a prompt, in both modes and on both databases."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.errors import InputError, NotFound
from ledger_tui.store.database import Database

FAST = {"offline_delay_s": 0}


@pytest.fixture
def ledger(any_database: Database) -> PromptLedger:
    """A ledger on each kind of database."""
    made = PromptLedger(paths=any_database.paths)
    made.database = any_database
    return made


def test_versions_are_newest_first_with_counts_and_texts(ledger: PromptLedger) -> None:
    """Number, checksum, template, time and runs of each version; failed runs count too."""
    with ledger, clock.stopped(datetime(2026, 5, 1, tzinfo=UTC)):
        first = ledger.create_prompt("p", "one", message="draft", author="Ann")
        ledger.execute("p", model="offline", params=FAST)
        ledger.execute("p", model="offline", params={"offline_error": "auth"})
        second = ledger.update_prompt("p", "two")
        ledger.execute("p", model="offline", params=FAST)
        ledger.render("p")
        ledger.registry.restore("p", 1)
        history = ledger.get_prompt_history("p")
    assert (history["prompt_name"], history["mode"], history["current_version"]) == ("p", "full", 1)
    newest, oldest = history["versions"]
    assert [(v["version"], v["template_source"], v["execution_count"]) for v in (newest, oldest)] == [
        (2, "two", 1),
        (1, "one", 2),
    ]
    assert [newest["checksum"], oldest["checksum"]] == [second["version"]["checksum"], first["version"]["checksum"]]
    assert (oldest["message"], oldest["author"]) == ("draft", "Ann")
    assert oldest["created_at"] == "2026-05-01T00:00:00+00:00"


def test_the_checksum_is_of_the_canonical_content(tmp_path: Path) -> None:
    """Anybody can compute it from the content alone."""
    with PromptLedger(str(tmp_path / "l.db")) as ledger:
        saved = ledger.create_prompt("p", "x")
        canonical = ledger.registry.content(saved["version"]["version_id"]).canonical
    assert saved["version"]["checksum"] == hashlib.sha256(canonical.encode()).hexdigest()


def test_a_template_source_is_the_last_user_message(tmp_path: Path) -> None:
    """Of several messages the last user's is the template; all of them stand beside it."""
    messages = [{"role": role, "content": role} for role in ("system", "user", "assistant")]
    with PromptLedger(str(tmp_path / "l.db")) as ledger:
        ledger.create_prompt("p", messages=messages)
        [version] = ledger.get_prompt_history("p")["versions"]
    assert version["template_source"] == "user"
    assert version["messages"] == messages


def test_a_mode_may_be_named_but_must_exist(tmp_path: Path) -> None:
    """The history is one in both modes; another mode and an unknown prompt are errors."""
    with PromptLedger(str(tmp_path / "l.db")) as ledger:
        ledger.create_prompt("p", "x")
        assert ledger.get_prompt_history("p", mode="tracking") == ledger.get_prompt_history("p", mode="full")
        with pytest.raises(InputError):
            ledger.get_prompt_history("p", mode="half")
        with pytest.raises(NotFound):
            ledger.get_prompt_history("q")
