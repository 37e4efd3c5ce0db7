"""``ledger-tui sync``: two machines share a ledger through a real server, for people and for scripts."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import pytest
from ledger_tui import PromptLedger
from ledger_tui.cli.sync.words import KIND_WORDS
from ledger_tui.providers import secrets
from ledger_tui.store import sync_receipts
from psycopg.conninfo import make_conninfo

from tests.cli.conftest import Answer, Call, start
from tests.cli.team import PASSWORD, MemoryKeyring, Server, save
from tests.test_docs import ROOT, blocks


def digits(answer: Answer) -> str:
    """The four digits of an exchange."""
    assert answer.code == 0, answer.err
    found = re.search(r"^= ([0-9a-f]{4})", answer.text, re.MULTILINE)
    assert found, answer.text
    return found[1]


def test_a_team_starts(
    machine: Callable[[str], Call], server: Server, owner: str, ring: MemoryKeyring, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """init and join with a password of the environment; after edits on both and an exchange each, both hold both."""
    ada, grace = machine("ada"), machine("grace")
    save(ada, tmp_path, "Hello {{ name }}")
    monkeypatch.setenv("LEDGER_SYNC_PASSWORD", PASSWORD)
    made = ada("sync", "init", owner, "--name", "team")
    assert made.code == 0 and "made" in made.err and "1 version" in made.text
    second = server.login("grace")
    assert ada("sync", "enrol", second, "member").code == 0
    joined = grace("sync", "join", server.address(second), "--json").json
    assert not joined["made"] and joined["password_kept"] == "environment" and joined["sync"]["came"]["meta"] > 0
    save(grace, tmp_path, "Hi {{ name }}")
    save(ada, tmp_path, "Sorted", name="support/triage")
    ada("sync"), grace("sync")
    assert digits(ada("sync")) == digits(grace("sync"))
    for one in (ada, grace):
        names = [prompt["name"] for prompt in one("prompts", "list", "--json").json["prompts"]]
        assert names == ["mail/welcome", "support/triage"]
        assert len(one("prompts", "history", "mail/welcome", "--json").json["versions"]) == 2
    roles = {row["login"]: row["role"] for row in ada("sync", "members", "--json").json["members"]}
    assert roles[second] == "member" and "owner" in roles.values()
    found = ada("sync", "devices", "--json").json["devices"]
    assert {row["account"] for row in found} == set(roles)
    assert ada("sync", "dismiss", second).code == 0
    refused = grace("sync")
    assert refused.code == 1 and "no such shared ledger" in refused.err


def test_a_dry_run_names_what_would_go(pair: tuple[Call, Call], tmp_path: Path) -> None:
    """--dry-run counts what would go and come, names the prompts, and changes nothing at either end."""
    ada, grace = pair
    save(ada, tmp_path, "Hi", name="support/triage")
    assert ada("run", "support/triage", "--model", "offline", "--param", "offline_delay_s=0").code == 0
    save(grace, tmp_path, "Hey {{ name }}")
    grace("sync")
    for _ in range(2):
        told = ada("sync", "--dry-run", "--json").json
        assert [prompt["name"] for prompt in told["prompts"]] == ["support/triage"]
        assert (
            told["prompts"][0]["facts"]["version"] == 1 and told["numbers"]["span"] == told["numbers"]["execution"] == 1
        )
        assert told["sending"]["telemetry"] == sum(told["numbers"].values()) and told["coming"]["meta"] > 0
    lines = ada("sync", "--dry-run").text
    assert re.search(r"^would go .*\n .*support/triage +1 version", lines, re.MULTILINE) and "would come" in lines
    receipt = ada("sync", "--json").json
    assert receipt["sent"] == {**told["numbers"], **told["prompts"][0]["facts"]} and receipt["came"] == {
        stream: count for stream, count in told["coming"].items() if count
    }
    assert receipt["agreed"] == digits(ada("sync"))


def test_texts_that_will_leave_are_told_before(pair: tuple[Call, Call]) -> None:
    """Where texts are shared, --dry-run and status count those of calls that still wait, as the next sync sends them."""
    ada, _ = pair
    assert ada("sync", "share", "--texts").code == 0
    ran = ada("run", "mail/welcome", "--var", "name=Ada", "--model", "offline", "--param", "offline_delay_s=0")
    assert ran.code == 0, ran.err
    told = ada("sync", "--dry-run", "--json").json["sending"]
    assert told["bodies"] == ada("sync", "status", "--json").json["waiting"]["bodies"] == 3
    for command in ("--dry-run", "status"):
        assert "3 texts" in ada("sync", command).text
    assert ada("sync", "--json").json["sent"]["text"] == 3
    assert ada("sync", "status", "--json").json["pending"] == 0


def test_status_needs_nobody(pair: tuple[Call, Call], tmp_path: Path, server: Server, call: Call) -> None:
    """status answers from the ledger alone and ends with 0, whether shared, unreachable or shared with nobody."""
    ada, _ = pair
    found = ada("sync", "status", "--json").json
    assert (found["shared"], found["pending"], found["set_aside"], found["error"]) == (True, 0, 0, None)
    assert found["agreed"] == digits(ada("sync")) and found["sharing"]["streams"] == ["meta", "telemetry"]
    save(ada, tmp_path, "Later")
    waiting = ada("sync", "status", "--json").json
    assert waiting["pending"] == waiting["waiting"]["meta"] > 0 and waiting["agreed"] is None
    assert "facts" in ada("sync", "status").text
    alone = call("sync", "status")
    assert (alone.code, alone.out) == (0, b"") and "nobody" in alone.err
    assert call("sync", "status", "--json").json["shared"] is False
    for command in ((), ("verify",), ("devices",), ("leave",), ("--dry-run",)):
        answer = call("sync", *command)
        assert answer.code == 1 and "sync init" in answer.err


def test_verify_proves_or_names_the_place(pair: tuple[Call, Call], server: Server, tmp_path: Path) -> None:
    """verify shows the digits of the exchange while both ends hold the same; else it ends with 3 and says where they differ."""
    ada, _ = pair
    held = ada("sync", "verify")
    assert digits(held) == digits(ada("sync")) and "facts" in held.text
    server.run("DELETE FROM sync.rec WHERE kind = 'label'")
    broken = ada("sync", "verify")
    assert broken.code == 3 and re.search(r"✗ .* meta.*bucket [0-9a-f]{2}: \d+ records? here, \d+ there", broken.text)
    told = ada("sync", "verify", "--json")
    assert told.code == 3 and not told.json["same"] and told.json["differences"][0]["stream"] == "meta"


def test_what_may_leave(pair: tuple[Call, Call], tmp_path: Path, server: Server) -> None:
    """Rules for everything and for folders hold from the next exchange on; texts leave only after they were asked for."""
    ada, _ = pair
    save(ada, tmp_path, "Secret", name="private/one")
    assert ada("sync", "share", "--folder", "private/", "--no-numbers", "--json").json["folders"] == [
        {"folder": "private/", "numbers": False, "texts": False}
    ]
    for name in ("private/one", "mail/welcome"):
        ran = ada("run", name, "--var", "name=Ada", "--model", "offline", "--param", "offline_delay_s=0")
        assert ran.code == 0, ran.err
    assert ada("sync", "--dry-run", "--json").json["at_home"] > 0
    assert ada("sync", "--json").json["sent"]["execution"] == 1
    warned = ada("sync", "share", "--texts")
    assert "texts leave this machine" in warned.err and "private/" in warned.text
    assert ada("sync", "--json").json["sent"]["text"] > 0
    narrowed = ada("sync", "share", "--no-texts", "--remove-folder", "private/")
    assert "stays" in narrowed.err and "private/" not in narrowed.text
    assert ada("sync", "--json").json["sent"]["execution"] == 1
    for wrong in (("--folder", "../x", "--texts"), ("--remove-folder", "no/")):
        assert ada("sync", "share", *wrong).code == 1
    assert ada("sync", "share", "--folder", "a/").code == 2


def test_a_rule_covers_what_is_meant(call: Call, tmp_path: Path) -> None:
    """A folder without its slash is the folder where prompts are below it, a prompt where one has that name, and refused with
    what is like it otherwise; a folder with its slash is taken, and is said to cover nothing as long as that is so."""
    for name in ("support/triage", "private/one", "mail", "mail/welcome"):
        save(call, tmp_path, "Hi", name=name)

    def ruled(folder: str, rule: str) -> tuple[list[str], Answer]:
        answer = call("sync", "share", "--folder", folder, rule)
        return [one["folder"] for one in call("sync", "share", "--json").json["folders"]], answer

    assert ruled("private", "--no-numbers")[0] == ["private/"]
    assert ruled("private/", "--no-texts")[0] == ["private/"], "one rule, not two"
    folders, of_prompt = ruled("mail", "--texts")
    assert folders == ["mail", "private/"] and "one prompt" in of_prompt.err and "mail/" in of_prompt.err
    folders, early = ruled("later/", "--texts")
    assert "later/" in folders and early.code == 0 and "covers nothing yet" in early.err
    for wrong, near in (("suport", "Did you mean support/"), ("nothing-like-it", "nothing-like-it/")):
        kept, refused = ruled(wrong, "--no-numbers")
        assert refused.code == 1 and near in refused.err and kept == folders
    assert call("sync", "share", "--remove-folder", "private", "--json").json["folders"][-1]["folder"] == "mail"


def test_quarantine_and_log(pair: tuple[Call, Call], server: Server, tmp_path: Path) -> None:
    """What cannot be taken is listed, shown and forgotten; hostile texts stay texts; the log says what exchanges did."""
    ada, grace = pair
    save(grace, tmp_path, "Broken on its way")
    grace("sync")
    server.run("UPDATE sync.rec SET body = body || chr(27) || ']0;x' WHERE kind = 'label' AND commit_seq > 2")
    aside = ada("sync")
    assert aside.code == 0 and re.search("^set aside +1 record;", aside.text, re.MULTILINE) and "= " not in aside.text
    (row,) = ada("sync", "quarantine", "--json").json["records"]
    assert row["way"] == "in" and row["why"] in ada("sync", "quarantine").text
    shown = ada("sync", "quarantine", "--show", row["key"][:8], "--json").json
    assert shown["raw"]["kind"] == "label" and ada("sync", "quarantine", "--show", "zzz").code == 1
    assert b"\x1b" not in ada("sync", "quarantine", "--show", row["key"]).out
    newest = ada("sync", "log", "--json").json["receipts"][0]
    assert newest["quarantined"] == 1 and newest["agreed"] is None and "1 set aside" in ada("sync", "log").text
    assert ada("sync", "quarantine", "--all", "--json").json["dropped"] == [row["key"]]
    assert ada("sync", "quarantine", "--json").json["records"] == []


def test_a_member_who_joins_with_a_protected_label_can_let_it_go(
    pair: tuple[Call, Call], server: Server, machine: Callable[[str], Call], tmp_path: Path
) -> None:
    """A member's own production label is refused and says why; once the member lets it go both ends are equal, and it moved
    nothing anywhere."""
    ada, _ = pair
    linus, login = machine("linus"), server.login("linus")
    assert ada("sync", "enrol", login, "member").code == 0
    save(linus, tmp_path, "Mine", "--label", "production", name="mail/mine")
    assert linus("sync", "join", server.address(login)).code == 0
    (row,) = linus("sync", "quarantine", "--json").json["records"]
    assert (
        row["way"] == "out"
        and "may not" in row["why"]
        and row["what"] == "label production of mail/mine"
        and linus("sync", "--json").json["agreed"] is None
    )
    told = linus("sync", "quarantine", "--show", row["key"], "--json").json["raw"]
    body = json.loads(told["body"])
    assert (told["kind"], body["field"], body["prompt"]) == ("label", "production", "mail/mine") and body["value"]
    assert '"prompt": "mail/mine"' in linus("sync", "quarantine", "--show", row["key"]).text
    assert linus("sync", "quarantine", "--all", "--json").json["dropped"] == [], "--all is for what came"
    assert linus("sync", "quarantine", "--drop", row["key"], "--json").json["dropped"] == [row["key"]]
    ada("sync")
    assert digits(linus("sync")) == digits(ada("sync"))
    for one in (ada, linus):
        labels = one("prompts", "show", "mail/mine", "--json").json["labels"]
        assert "production" not in str(labels)
    assert linus("sync", "verify", "--json").json["same"]


def test_doctor_tells_of_it(
    pair: tuple[Call, Call], call: Call, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """doctor says which server, what waits and when both ends agreed without asking anybody; with --sync it asks."""

    def told(answer: Answer) -> dict[str, dict[str, str]]:
        return {check["name"]: check for check in answer.json["checks"]}

    ada, _ = pair
    assert told(call("doctor", "--json")).get("sync") is None
    save(ada, tmp_path, "Waits")
    found = told(ada("doctor", "--json"))
    assert found["sync"]["status"] == "ok" and "records wait" in found["sync"]["detail"]
    assert "agreed 0.0 days ago" in found["sync"]["detail"] and "shared server" not in found
    asked = ada("doctor", "--sync", "--json")
    assert told(asked)["shared server"]["status"] == "ok"
    monkeypatch.setenv("LEDGER_SYNC_PASSWORD", "wrong")
    refused = ada("doctor", "--sync", "--json")
    assert refused.code == 3 and "password" in told(refused)["shared server"]["detail"]


def test_watching_goes_on_until_interrupted(pair: tuple[Call, Call], tmp_path: Path) -> None:
    """--watch sends what other programs write, a line an exchange, and ends with 130 when it is interrupted."""
    ada, grace = pair
    watching = start(
        "--database-url", str(tmp_path / "ada.db"), "sync", "--watch", "--json",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert watching.stderr is not None and watching.stdout is not None
        assert b"until ctrl+c" in watching.stderr.readline()
        save(ada, tmp_path, "While it watches")
        assert json.loads(watching.stdout.readline())["sent"]["version"] == 1
        save(grace, tmp_path, "From grace")
        assert grace("sync").code == 0
        assert json.loads(watching.stdout.readline())["came"]["meta"] > 0
    finally:
        watching.send_signal(signal.SIGINT)
        rest = watching.communicate(timeout=60)
    assert watching.returncode == 130, rest
    assert ada("sync", "--dry-run", "--watch").code == 2


def test_a_worker_shares_what_it_made(pair: tuple[Call, Call]) -> None:
    """worker --sync makes queued calls as ever, whether or not the exchange gets its turn before the end."""
    ada, _ = pair
    queued = ada("run", "mail/welcome", "--var", "name=Ada", "--model", "offline", "--queue")
    assert queued.code == 0, queued.err
    worked = ada("worker", "--once", "--sync", "--json")
    assert worked.code == 0 and worked.json["succeeded"] == 1
    assert ada("sync", "status", "--json").json["error"] is None


def test_receipts_are_never_cut(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt of every kind is one whole line in a pipe, and goes on below on a narrow terminal; what means nothing without a
    head has one in a pipe too."""
    kinds = dict.fromkeys(KIND_WORDS, 123_456)
    with PromptLedger() as ledger:
        ledger.prepare()
        with ledger.database.lean_write() as lean:
            sync_receipts.keep(lean, {"sent": kinds, "came": {}})
    whole = [f"123,456 {many}" for _, many in KIND_WORDS.values()]
    (line,) = call("sync", "log").text.splitlines()
    assert all(part in line for part in whole)
    assert re.match(r"WHAT BELONGS TO +PROMPTS +NUMBERS +TEXTS\n", call("sync", "share").text)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    shown = call("sync", "log").text.splitlines()
    assert len(shown) > 3 and all(len(line) <= 60 for line in shown)
    assert all(part in " ".join(line.strip() for line in shown) for part in whole)


def test_leaving_forgets_the_server_and_its_password(
    machine: Callable[[str], Call], owner: str, ring: MemoryKeyring, tmp_path: Path
) -> None:
    """leave takes address and password away and keeps what came; joining again goes on."""
    ada = machine("ada")
    save(ada, tmp_path, "Hello")
    with_password = make_conninfo(owner, password=PASSWORD)
    made = ada("sync", "init", with_password)
    assert "history" in made.err and "keyring" in made.err and list(ring.items.values()) == [PASSWORD]
    assert ada("sync").code == 0
    assert ada("sync", "leave").code == 0 and not ring.items
    assert ada("sync").code == 1 and ada("prompts", "show", "mail/welcome").code == 0
    again = ada("sync", "join", with_password, "--json").json
    assert again["sync"]["sent"] == {} and again["sync"]["agreed"]


def test_a_password_is_asked_for_where_somebody_can_answer(
    machine: Callable[[str], Call], owner: str, ring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one the error names the two variables; on a terminal it is asked for until it is right, and kept."""
    ada = machine("ada")
    refused = ada("sync", "init", owner)
    assert refused.code == 1 and "LEDGER_SYNC_PASSWORD" in refused.err and "LEDGER_SYNC_PASSWORD_FILE" in refused.err
    typed = iter(["wrong", PASSWORD, "wrong", PASSWORD])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(typed))
    made = ada("sync", "init", owner)
    assert made.code == 0 and "refused the password" in made.err and "keyring" in made.err, made.err
    ring.items = dict.fromkeys(ring.items, "changed meanwhile")
    assert digits(ada("sync", "verify")) and list(ring.items.values()) == [PASSWORD]


def test_without_a_keyring_that_is_said(
    machine: Callable[[str], Call], owner: str, ring: MemoryKeyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no keyring can be trusted the password is held for the process only, and a private file serves the next ones."""
    from keyring.backends.fail import Keyring

    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    ada = machine("ada")
    made = ada("sync", "init", make_conninfo(owner, password=PASSWORD))
    assert made.code == 0 and "this process only" in made.err and "LEDGER_SYNC_PASSWORD_FILE" in made.err
    secrets._in_memory.clear()
    assert ada("sync").code == 1
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_text(PASSWORD + "\n")
    monkeypatch.setenv("LEDGER_SYNC_PASSWORD_FILE", str(file))
    assert digits(ada("sync"))
    file.chmod(0o644)
    open_file = ada("sync")
    assert open_file.code == 1 and "others" in open_file.err
    assert "others" in ada("sync", "status", "--json").json["error"]


def test_b34_what_is_wrong_with_a_server_is_said(
    machine: Callable[[str], Call], owner: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password, a closed port, weaker TLS, a database without a ledger: code 1, cause and remedy; nothing is kept."""
    ada = machine("ada")
    monkeypatch.setenv("LEDGER_SYNC_PASSWORD", "wrong")
    for address, words in (
        (owner, "the password is wrong"),
        ("postgresql://ada@127.0.0.1:1/team", "does not answer"),
        ("postgresql://ada@db.example.org/team?sslmode=require", "does not verify"),
        ("postgresql://db.example.org/team", "names no account"),
        (make_conninfo(server.url), "no shared ledger in this database"),
    ):
        answer = ada("sync", "join", address)
        assert answer.code == 1 and words in answer.err and "→" in answer.err, answer.err
    assert ada("sync", "status", "--json").json["shared"] is False
    assert ada("sync", "init").code == 2


def test_what_an_account_may_not_is_said_with_what_to_do(
    pair: tuple[Call, Call], server: Server, machine: Callable[[str], Call]
) -> None:
    """A role that may not, the last owner, members and logins that are not there, months to come: cause and remedy of each."""
    ada, _ = pair
    logins = {role: server.login(role) for role in ("member", "reader")}
    for role, login in logins.items():
        assert ada("sync", "enrol", login, role).code == 0
        assert machine(role)("sync", "join", server.address(login), "--no-sync").code == 0
    member, reader = machine("member"), machine("reader")
    (boss,) = [row["login"] for row in ada("sync", "members", "--json").json["members"] if row["role"] == "owner"]
    for one, command, words in (
        (member, ("enrol", logins["reader"], "maintainer"), ("role of this account may not", "an owner or admin")),
        (member, ("dismiss", logins["reader"]), ("role of this account may not", "an owner or admin")),
        (member, ("retire", "--before", "2020-01", "--yes"), ("may not do this", "an owner or admin")),
        (reader, ("members",), ("role of this account may not", "an owner or admin")),
        (ada, ("dismiss", boss), ("at least one owner", "sync enrol LOGIN owner")),
        (ada, ("dismiss", "nobody"), ("there is no member nobody", "sync members")),
        (ada, ("dismiss", logins["member"][:-1]), ("there is no member", f"Did you mean {logins['member']}")),
        (ada, ("enrol", "nobody", "member"), ("no such login", "sync login-sql")),
        (ada, ("enrol", logins["member"][:-1], "admin"), ("no such login", f"Did you mean {logins['member']}")),
        (ada, ("retire", "--before", "2999-01", "--yes"), ("a month that has begun", "Name a month")),
    ):
        answer = one("sync", *command)
        assert answer.code == 1 and all(word in answer.err for word in words), (command, answer.err)
        assert "✓" not in answer.err
    assert len(ada("sync", "members", "--json").json["members"]) == 3


def test_where_a_shared_ledger_is_no_other_is_offered(
    pair: tuple[Call, Call], server: Server, machine: Callable[[str], Call]
) -> None:
    """init by an account that may make nothing says that there is a shared ledger already and what to do, without any SQL."""
    ada, _ = pair
    login = server.login("linus")
    outside = machine("linus")("sync", "init", server.address(login))
    assert outside.code == 1 and "already" in outside.err and "has no role" in outside.err and "enrol" in outside.err
    assert ada("sync", "enrol", login, "member").code == 0
    inside = machine("linus")("sync", "init", server.address(login))
    assert inside.code == 1 and "already" in inside.err and "sync join" in inside.err
    assert (outside.out, inside.out) == (b"", b"")


def test_nothing_is_promised_where_nothing_was_set_up(
    machine: Callable[[str], Call], owner: str, server: Server
) -> None:
    """init and join at a port where nobody listens say to check the address; at a database that is not there, to create it."""
    for command in ("init", "join"):
        closed = machine("ada")("sync", command, "postgresql://ada@127.0.0.1:1/team")
        assert closed.code == 1 and "Nothing was set up" in closed.err and "Nothing is lost" not in closed.err
        missing = machine("ada")("sync", command, make_conninfo(server.url, dbname="nowhere"))
        assert missing.code == 1 and "no such database" in missing.err and "create it first" in missing.err


def test_without_the_rights_there_is_sql(
    machine: Callable[[str], Call], server: Server, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that may not make schemas gets SQL and code 1; run by one who may, it lets that account join."""
    monkeypatch.setenv("LEDGER_SYNC_PASSWORD", PASSWORD)
    plain = server.address(server.login("plain"))
    answer = machine("ada")("sync", "init", plain, "--name", "team")
    assert answer.code == 1 and "psql" in answer.err and "sync join" in answer.err
    printed = machine("ada")("sync", "init", plain, "--print-sql")
    assert printed.code == 0 and printed.text.startswith("BEGIN;")
    server.run(answer.text)
    joined = machine("ada")("sync", "join", plain, "--json").json
    assert joined["sync"]["agreed"]
    second = server.login("grace")
    assert machine("ada")("sync", "enrol", second, "reader").code == 0
    script = machine("ada")("sync", "login-sql", "new", "member").text
    assert "CREATE ROLE" in script and "enrol_v1" in script and "PASSWORD '" not in script
    assert machine("ada")("sync", "enrol", "nobody_here", "member").code == 1
    assert machine("ada")("sync", "enrol", second, "king").code == 2


def test_b39_i12_the_password_is_nowhere(
    machine: Callable[[str], Call], owner: str, server: Server, ring: MemoryKeyring, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Neither files, outputs, process arguments nor the server hold the password after making, failing, exchanging and proving."""
    ada = machine("ada")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: PASSWORD)
    outputs = [ada("sync", "init", owner)]
    save(ada, tmp_path, "Hello")
    for command in ((), ("status",), ("verify",), ("devices",), ("log",), ("--dry-run",), ("members",)):
        outputs += [ada("sync", *command), ada("sync", *command, "--json")]
    outputs += [ada("doctor"), ada("sync", "join", "postgresql://ada@127.0.0.1:1/x")]
    outputs += [ada("sync", "join", make_conninfo(owner, password=PASSWORD, port="1"))]
    assert [answer.code for answer in outputs[:-2]].count(0) >= 15
    for answer in outputs:
        assert PASSWORD.encode() not in answer.out and PASSWORD not in answer.err
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert PASSWORD.encode() not in arguments.read_bytes()
        except OSError:
            continue
    for sql in ("SELECT body FROM sync.rec", "SELECT device FROM sync.commit", "SELECT query FROM pg_stat_activity"):
        assert PASSWORD not in str(server.run(sql))


def test_the_queries_of_the_guide_answer(pair: tuple[Call, Call], server: Server, tmp_path: Path) -> None:
    """Each SQL example of docs/sync.md gives rows to a reader of a ledger in which something happened."""
    ada, _ = pair
    assert ada("prompts", "label", "mail/welcome", "production", "1").code == 0
    ran = ada("run", "mail/welcome", "--var", "name=Ada", "--model", "offline", "--param", "offline_delay_s=0")
    assert ran.code == 0 and ada("sync").code == 0
    reader = server.login("reader")
    assert ada("sync", "enrol", reader, "reader").code == 0
    examples = [text for page, _, text in blocks("sql") if page.name == "sync.md"]
    answers = [server.run(text, reader) for text in examples]
    assert len(answers) == 3 and all(answers)
    assert answers[0][0][0] == answers[1][0][1] == "mail/welcome"


def test_the_guide_names_every_role_and_command() -> None:
    """docs/sync.md has a row for each role, and docs/cli.md one for each command of sync."""
    from ledger_tui.cli.sync.group import sync
    from ledger_tui.sync.people import ROLES

    guide = (ROOT / "docs" / "sync.md").read_text()
    commands = (ROOT / "docs" / "cli.md").read_text()
    assert all(f"`{role}`" in guide for role in ROLES)
    assert all(f"sync {name}" in commands for name in sync.commands)


def test_the_python_of_the_guide_shares(
    server: Server, owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples of docs/sdk.md under Sharing work as they are, but for the address."""
    monkeypatch.setenv("LEDGER_SYNC_PASSWORD", PASSWORD)
    with PromptLedger(str(tmp_path / "one.db")) as first:
        first.create_prompt("mail/welcome", "Hello")
        first.sync.init(owner)
        first.sync.sync()
    with PromptLedger(str(tmp_path / "two.db")) as ledger:
        ledger.prepare()
        names: dict[str, Any] = {"ledger": ledger}
        for page, _, text in blocks("shared"):
            assert page.name == "sdk.md"
            exec(text.replace("postgresql://ada@db.example.org/prompts", owner), names)
        assert ledger.registry.prompt("mail/welcome").name == "mail/welcome"
