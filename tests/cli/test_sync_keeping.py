"""``sync purge`` and ``sync retire``: what maintainers remove, for people and for scripts, at a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_tui import PromptLedger

from tests.cli.conftest import Answer, Call
from tests.cli.team import PASSWORD, Server

CANARY = "canary-51d7e0aa93"


def run(call: Call, text: str) -> str:
    """A call with a text in it, for a session and a user; its trace's id."""
    answer = call(
        "run", "mail/welcome", "--var", f"name={text}", "--model", "offline", "--param", "offline_delay_s=0", "--json"
    )
    assert answer.code == 0, answer.err
    return str(answer.json["trace_id"])


def record(tmp_path: Path, name: str, text: str) -> None:
    """A render and a recorded call of a user, in a ledger."""
    with PromptLedger(str(tmp_path / f"{name}.db")) as ledger:
        ledger.render("mail/welcome", {"name": text}, session_id=f"s-{text}", user_identifier=f"u-{text}")
        ledger.log_external_span(
            "ab" * 16, name="ask", kind="llm", model="openai/x", prompt_tokens=7, completion_tokens=3,
            input_data=text, output_data=text, session_id=f"s-{text}", user_identifier=f"u-{text}",
        )  # fmt: skip


def shared_texts(pair: tuple[Call, Call]) -> tuple[Call, Call]:
    """Both machines share texts."""
    for one in pair:
        assert one("sync", "share", "--texts").code == 0 and one("sync").code == 0
    return pair


def held(file: Path) -> bool:
    """Whether the text, or its strangest word as the search knows it, is anywhere in a ledger's files."""
    word = CANARY.partition("-")[2].encode()
    return any(word in part.read_bytes() for part in file.parent.glob(file.name + "*"))


def checked(answer: Answer) -> Answer:
    """An answer that went well."""
    assert answer.code == 0, answer.err
    return answer


def test_a_leaked_secret_goes_from_every_machine_and_the_server(
    pair: tuple[Call, Call], server: Server, tmp_path: Path
) -> None:
    """A purge of a trace, of a render and of a user takes their texts, sessions and users here, at the server and on the other
    machine; costs stay, both ends stay equal, and everybody can read who asked and why."""
    ada, grace = shared_texts(pair)
    trace = run(ada, CANARY)
    record(tmp_path, "ada", CANARY)
    ada("sync"), grace("sync")
    for one in (ada, grace):
        assert len(checked(one("traces", "list", f'"{CANARY}"', "--json")).json["traces"]) == 2, (
            "the search knows the text"
        )
    assert held(tmp_path / "grace.db")
    costs = checked(grace("costs", "--by", "model", "--json")).json["groups"]
    told = checked(ada("sync", "purge", trace, "--user", f"u-{CANARY}", "--dry-run", "--json")).json
    assert (told["steps"], told["calls"], told["renders"], told["at_server"]) == (2, 1, 2, 5) and held(
        tmp_path / "ada.db"
    )
    assert ada("sync", "purge", trace).code == 2, "nobody is there to be asked"
    done = checked(ada("sync", "purge", trace, "--user", f"u-{CANARY}", "--reason", "leaked", "--yes"))
    assert "other machines follow" in done.err
    checked(grace("sync")), checked(ada("sync"))
    for name, one in (("ada", ada), ("grace", grace)):
        assert not held(tmp_path / f"{name}.db"), name
        shown = checked(one("traces", "show", "ab" * 16, "--texts", "--json")).json
        assert shown["user_identifier"] is shown["session_id"] is shown["spans"][0]["input"] is None
        assert checked(one("sync", "verify", "--json")).json["same"]
        (purge,) = checked(one("sync", "purge", "--list", "--json")).json["purges"]
        assert (purge["reason"], purge["records"]) == ("leaked", 5) and trace in purge["of"]
    assert checked(grace("costs", "--by", "model", "--json")).json["groups"] == costs
    assert server.run(f"SELECT count(*) FROM sync.rec WHERE body LIKE '%{CANARY}%'") == [(0,)]


def test_who_may_not_purge_has_changed_nothing(
    pair: tuple[Call, Call],
    server: Server,
    machine: Callable[[str], Call],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member's purge is refused with words, takes nothing from anywhere, and leaves both ends equal; what is not here and an
    empty question are told."""
    ada, _ = shared_texts(pair)
    member = server.login("linus")
    checked(ada("sync", "enrol", member, "member"))
    linus = machine("linus")
    checked(linus("sync", "join", server.address(member)))
    checked(linus("sync", "share", "--texts"))
    trace = run(linus, CANARY)
    checked(linus("sync"))
    refused = linus("sync", "purge", trace, "--yes")
    assert refused.code == 1 and "maintainer" in refused.err
    shown = checked(linus("traces", "show", trace, "--texts", "--json")).json
    assert CANARY in json.dumps(shown)
    assert (
        checked(linus("sync", "--json")).json["agreed"]
        and checked(linus("sync", "quarantine", "--json")).json["records"] == []
    )
    assert linus("sync", "purge", "--list", "--json").json["purges"] == []
    for wrong, words in ((("no-such-id",), "no-such-id"), ((), "name a trace"), (("--user", "nobody"), "nobody")):
        answer = ada("sync", "purge", *wrong, "--yes")
        assert answer.code == 1 and words in answer.err
    assert PASSWORD not in refused.err


def test_texts_that_others_have_still_to_send_are_named_too(
    pair: tuple[Call, Call], server: Server, tmp_path: Path
) -> None:
    """A maintainer without the texts names them by their step; the machine that has them sends none of them afterwards."""
    ada, grace = pair
    trace = run(grace, CANARY)
    checked(grace("sync")), checked(ada("sync"))
    checked(grace("sync", "share", "--texts"))
    told = checked(ada("sync", "purge", trace, "--yes", "--json")).json
    assert told["at_server"] == 0 and told["purges"]
    checked(grace("sync")), checked(grace("sync"))
    assert server.run(f"SELECT count(*) FROM sync.rec WHERE body LIKE '%{CANARY}%'") == [(0,)]
    assert CANARY not in json.dumps(checked(grace("traces", "show", trace, "--texts", "--json")).json)
    assert (
        checked(grace("sync", "verify", "--json")).json["same"]
        and checked(ada("sync", "verify", "--json")).json["same"]
    )


def test_old_months_go_from_the_server(pair: tuple[Call, Call], server: Server, tmp_path: Path) -> None:
    """retire counts first and asks; then the months are gone at the server and stay here, and both ends still prove equal."""
    ada, grace = shared_texts(pair)
    run(ada, "Ada")
    with PromptLedger(str(tmp_path / "ada.db")) as ledger, ledger.database.lean_write() as lean:
        lean.execute("UPDATE spans SET rid = '0177a0e5-0000-7000-8000-000000000001', commit_seq = NULL")
    checked(ada("sync"))
    assert (
        checked(ada("sync", "retire", "--before", "2026-01", "--dry-run", "--json")).json["records"]["telemetry"] == 1
    )
    assert ada("sync", "retire", "--before", "2026-01").code == 2, "nobody is there to be asked"
    assert ada("sync", "retire", "--before", "January", "--yes").code == 1
    assert ada("sync", "retire", "--before", "2999-01", "--yes").code == 1, "a month that has not begun"
    done = checked(ada("sync", "retire", "--before", "2026-01", "--only", "numbers", "--yes", "--json")).json
    assert done["records"] == {"telemetry": 1}
    assert "1 call record" not in checked(ada("sync", "retire", "--before", "2026-01", "--dry-run")).err
    assert len(checked(ada("traces", "list", "--json")).json["traces"]) == 1
    assert (
        checked(ada("sync", "verify", "--json")).json["same"]
        and checked(grace("sync", "verify", "--json")).json["same"]
    )
