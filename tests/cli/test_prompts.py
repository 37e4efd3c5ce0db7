"""The registry from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Call


def test_what_is_saved_is_listed_and_shown(call: Call, welcome: str) -> None:
    """A saved prompt is in the list with its labels, and its active text is printed to the byte."""
    listed = call("prompts", "list", "--json").json["prompts"]
    assert [(row["name"], row["versions"], row["active"], row["labels"]) for row in listed] == [
        (welcome, 2, 2, {"staging": 2})
    ]
    shown = call("prompts", "show", welcome)
    assert shown.out == b"Hello {{ name }}, welcome to {{ company }}!"
    assert "v2" in shown.err and "company" in shown.err


def test_saving_known_content_makes_no_version(call: Call, welcome: str, tmp_path: Path) -> None:
    """Content that exists is told as such; older content only becomes active again."""
    file = tmp_path / "again.txt"
    file.write_text("Hello {{ name }}!")
    again = call("prompts", "save", welcome, "--file", str(file), "--json").json
    assert (again["created"], again["moved"], again["version"]["version_number"]) == (False, True, 1)
    same = call("prompts", "save", welcome, "--file", str(file), "--json").json
    assert (same["created"], same["moved"], same["version_change"]) == (False, False, False)
    assert len(call("prompts", "history", welcome, "--json").json["versions"]) == 2


def test_history_says_who_when_and_why(call: Call, welcome: str) -> None:
    """Versions come newest first with author and message."""
    versions = call("prompts", "history", welcome, "--json").json["versions"]
    assert [(v["version"], v["author"], v["message"], v["based_on"]) for v in versions] == [
        (2, "Tester", "company", 1),
        (1, "Tester", "first", None),
    ]
    table = call("prompts", "history", welcome).text.splitlines()
    assert table[0].startswith("v2") and "staging" in table[0]
    facts = call("prompts", "history", welcome, "--facts", "--json").json["facts"]
    assert {"label"} <= {fact["kind"] for fact in facts}


def test_diff_shows_lines_and_ends_with_3_when_asked(call: Call, welcome: str) -> None:
    """``--exit-code`` turns a difference into exit code 3, and equality into 0."""
    found = call("prompts", "diff", welcome, "1", "2", "--exit-code")
    assert found.code == 3
    assert found.text.splitlines()[1:] == ["-Hello {{ name }}!", "+Hello {{ name }}, welcome to {{ company }}!"]
    assert call("prompts", "diff", welcome, "2", "staging", "--exit-code").code == 0
    sections = call("prompts", "diff", welcome, "1", "--json").json["sections"]
    assert sections[0]["lines"][0] == ["-", "Hello {{ name }}!"]


def test_labels_move_are_taken_off_and_undone(call: Call, welcome: str) -> None:
    """A label points where it was told, ``undo`` takes that back, ``--remove`` takes it off."""
    assert call("prompts", "label", welcome, "production", "1").code == 0
    assert call("prompts", "show", welcome, "--version", "production").out == b"Hello {{ name }}!"
    assert call("prompts", "label", welcome, "production", "2").code == 0
    assert "v1" in call("prompts", "undo", "--json").json["undone"]
    assert call("prompts", "label", welcome, "production", "--remove").code == 0
    assert call("prompts", "show", welcome, "--version", "production").code == 1
    assert call("prompts", "label", welcome, "production").code == 2


def test_archived_prompts_leave_the_list_and_come_back(call: Call, welcome: str) -> None:
    """``archive`` hides a prompt, ``--archived`` shows it, ``--restore`` brings it back."""
    assert call("prompts", "archive", welcome).code == 0
    assert call("prompts", "list", "--json").json["prompts"] == []
    assert len(call("prompts", "list", "--archived", "--json").json["prompts"]) == 1
    assert call("prompts", "archive", welcome, "--restore").code == 0
    assert len(call("prompts", "list", "--json").json["prompts"]) == 1


def test_content_travels_through_json(call: Call, welcome: str, tmp_path: Path) -> None:
    """What ``show --json`` has in ``content`` is what ``save --file x.json`` reads, hash for hash."""
    system = tmp_path / "system.txt"
    system.write_text("Be kind.")
    file = tmp_path / "user.txt"
    file.write_text("Ünïcode {{ x }} 🎉")
    options = ("--system", str(system), "--model", "offline", "--param", "temperature=0.5", "--param", "stop=END")
    saved = call("prompts", "save", "a/one", "--file", str(file), *options, "--json").json
    content = call("prompts", "show", "a/one", "--json").json["content"]
    assert content["params"] == {"temperature": 0.5, "stop": "END"}
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(content))
    copied = call("prompts", "save", "a/two", "--file", str(copy), "--json").json
    assert copied["version"]["checksum"] == saved["version"]["checksum"]


def test_a_text_file_replaces_the_users_message_only(call: Call, tmp_path: Path) -> None:
    """The system message, the model and the parameters of the active version stay when only a text is given."""
    first, system = tmp_path / "first.txt", tmp_path / "system.txt"
    first.write_text("one")
    system.write_text("Be kind.")
    call("prompts", "save", "p", "--file", str(first), "--system", str(system), "--model", "offline")
    first.write_text("two")
    call("prompts", "save", "p", "--file", str(first))
    content = call("prompts", "show", "p", "--json").json["content"]
    assert content["messages"] == [{"role": "system", "text": "Be kind."}, {"role": "user", "text": "two"}]
    assert content["model"] == "offline"
    assert call("prompts", "show", "p", "--role", "system").out == b"Be kind."


def test_refused_input_is_said_in_three_parts(call: Call, welcome: str, tmp_path: Path) -> None:
    """A wrong name, a missing version, no JSON and no message each get title, cause and remedy, and nothing is saved."""
    file = tmp_path / "x.json"
    file.write_text("[]")
    wrong = call("prompts", "save", "p", "--file", str(file))
    assert wrong.code == 1 and wrong.err.count("\n") == 3 and wrong.out == b""
    assert call("prompts", "save", "../p", "--file", str(file)).code == 1
    text = tmp_path / "x.txt"
    text.write_text("x")
    assert call("prompts", "save", "../p", "--file", str(text)).code == 2
    missing = call("prompts", "show", welcome, "--version", "9")
    assert missing.code == 1 and "v2, v1" in missing.err
    assert call("prompts", "list", "--json").json["prompts"][0]["name"] == welcome


def test_search_finds_prompts_by_their_text(call: Call, welcome: str) -> None:
    """``--search`` keeps the prompts whose text holds the words."""
    assert [row["name"] for row in call("prompts", "list", "--search", "company", "--json").json["prompts"]] == [
        welcome
    ]
    assert call("prompts", "list", "--search", "zebra", "--json").json["prompts"] == []
