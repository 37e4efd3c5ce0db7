"""Drift between code, git, registry, labels and runs, as people and CI call it, in real repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger

from tests.cli.conftest import Call
from tests.sdk.repositories import commit, git, repository

MODULE = """class Prompts:
    WELCOME = "Hello {{name}}"
    BYE = "Bye"

    @classmethod
    def get(cls, name):
        return getattr(cls, name)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a folder of two prompts and a module of two, committed; the program runs in it."""
    made = repository(tmp_path / "app")
    (made / "prompts" / "mail").mkdir(parents=True)
    (made / "prompts" / "mail" / "a.jinja").write_text("a {{x}}\n")
    (made / "prompts" / "b.md").write_text("b\n")
    name = f"texts_{abs(hash(str(tmp_path)))}"
    (made / f"{name}.py").write_text(MODULE)
    (made / ".module").write_text(name)
    commit(made)
    monkeypatch.chdir(made)
    return made


def register(place: Any, names: list[str] | None = None) -> PromptLedger:
    """The default workspace after registering what the code has."""
    ledger = PromptLedger(mode="tracking_only", code_registry=place)
    ledger.register_code_prompts(names)
    return ledger


def drift(call: Call, *arguments: str) -> dict[str, Any]:
    """The rows by name, and what the whole came to."""
    answer = call("drift", "--json", *arguments)
    return {"drifted": answer.json["drifted"], **{row["name"]: row for row in answer.json["prompts"]}}


def test_where_all_agree_nothing_differs(call: Call, folder: Path) -> None:
    """Registered and committed texts are the same in every place; the exit code is 0."""
    with register(folder / "prompts") as ledger:
        ledger.execute("b", model="offline", environment="production", params={"offline_delay_s": 0})
        ledger.registry.set_label("b", "staging", 1)
    answer = call("drift", "--from", "prompts", "--exit-code", "--json")
    assert answer.code == 0 and not answer.json["drifted"]
    row = answer.json["prompts"][0]
    assert (row["name"], row["path"], row["differs"]) == ("b", "prompts/b.md", [])
    hashes = {row[place]["sha256"] for place in ("working", "head", "registered")}
    hashes |= {place["sha256"] for places in (row["labels"], row["executed"]) for place in places.values()}
    assert len(hashes) == 1
    assert list(row["labels"]) == ["staging"] and list(row["executed"]) == ["production"]


def test_every_place_that_differs_is_named(call: Call, folder: Path) -> None:
    """After an edit the last commit, the registry, a label and the last run differ; CI gets exit code 3."""
    with register(folder / "prompts") as ledger:
        ledger.registry.set_label("b", "production", 1)
        ledger.execute("b", model="offline", environment="dev", params={"offline_delay_s": 0})
    (folder / "prompts" / "b.md").write_text("changed\n")
    answer = call("drift", "--from", "prompts", "--exit-code")
    assert answer.code == 3
    changed, same = sorted(answer.text.splitlines(), key=lambda line: "mail/a" in line)
    assert changed.startswith("✗  b ") and "≠v1" in changed and "production=≠v1" in changed and "dev=≠v1" in changed
    assert same.startswith("✓  mail/a")
    assert drift(call, "--from", "prompts")["b"]["differs"] == [
        "head", "registered", "label:production", "executed:dev",
    ]  # fmt: skip
    assert drift(call, "--from", "prompts", "--against", "label")["b"]["differs"] == ["label:production"]
    assert call("drift", "--from", "prompts").code == 0


def test_new_and_vanished_prompts_differ(call: Call, folder: Path) -> None:
    """A file that nobody registered and one that was removed are told, with nothing in the places that lack them."""
    register(folder / "prompts").close()
    (folder / "prompts" / "new.md").write_text("new")
    (folder / "prompts" / "b.md").unlink()
    rows = drift(call, "--from", "prompts")
    assert rows["new"]["differs"] == ["head", "registered"]
    assert rows["new"]["registered"]["sha256"] is None and rows["new"]["head"]["sha256"] is None
    assert rows["b"]["working"]["sha256"] is None and rows["b"]["differs"] == ["head", "registered"]
    commit(folder)
    assert drift(call, "--from", "prompts")["new"]["differs"] == ["registered"]
    assert drift(call, "--from", "prompts")["b"]["differs"] == ["registered"]


@pytest.mark.parametrize("attribute", ["Prompts", "Prompts.get"])
def test_code_is_held_against_its_last_commit(call: Call, folder: Path, attribute: str) -> None:
    """A class or function is asked for its texts now; those of the last commit are read without running it."""
    module = (folder / ".module").read_text()
    register({"WELCOME": "Hello {{name}}", "BYE": "Bye"}).close()
    (folder / f"{module}.py").write_text(MODULE.replace("Hello", "Hi"))
    rows = drift(call, "--from", f"{module}:{attribute}")
    assert rows["WELCOME"]["differs"] == ["head", "registered"]
    assert (rows["WELCOME"]["head"]["version"], rows["WELCOME"]["working"]["version"]) == (1, None)
    assert rows["BYE"]["differs"] == []


def test_a_computed_text_of_another_commit_is_not_guessed(call: Call, folder: Path) -> None:
    """Where the file changed and the text is computed, the last commit's is unknown, and no difference."""
    module = (folder / ".module").read_text()
    register({"WELCOME": "HELLO"}).close()
    (folder / f"{module}.py").write_text('class Prompts:\n    WELCOME = "hello".upper()\n')
    row = drift(call, "--from", f"{module}:Prompts")["WELCOME"]
    assert row["head"] is None and row["note"] and row["differs"] == []


def test_without_naming_the_code_recorded_files_are_read(
    call: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that registered prompts came from are read, module or text, and nothing of them runs."""
    monkeypatch.syspath_prepend(str(folder))
    module = __import__((folder / ".module").read_text())
    register(module.Prompts).close()
    register(folder / "prompts").close()
    rows = drift(call)
    assert not rows.pop("drifted") and set(rows) == {"WELCOME", "BYE", "b", "mail/a"}
    marker = tmp_path / "ran"
    file = folder / f"{module.__name__}.py"
    file.write_text(f"open({str(marker)!r}, 'w')\n" + MODULE.replace("Hello", "Hi"))
    assert drift(call)["WELCOME"]["differs"] == ["head", "registered"]
    assert not marker.exists()
    monkeypatch.chdir(tmp_path)
    answer = call("drift")
    assert answer.code == 1 and "--from" in answer.err


def test_the_project_file_says_where_the_code_is(call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``prompts`` of ``[tool.ledger-tui]`` is used, also from a folder below."""
    (folder / "pyproject.toml").write_text('[tool.ledger-tui]\nprompts = "prompts"\n')
    monkeypatch.chdir(folder / "prompts")
    assert set(drift(call)) == {"drifted", "b", "mail/a"}


def test_outside_of_git_the_ledger_is_still_compared(call: Call, tmp_path: Path) -> None:
    """Without a repository the last commit is unknown, and the rest is told."""
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.md").write_text("a")
    row = drift(call, "--from", str(plain))["a"]
    assert row["head"] is None and row["differs"] == ["registered"]


def test_before_the_first_commit(call: Call, tmp_path: Path) -> None:
    """A repository without a commit has no last commit to differ from."""
    made = repository(tmp_path / "fresh")
    (made / "a.md").write_text("a")
    assert drift(call, "--from", str(made))["a"]["differs"] == ["registered"]


def test_a_detached_head_is_a_commit(call: Call, folder: Path) -> None:
    """What CI checks out has no branch, and is compared all the same."""
    git(folder, "checkout", "-q", "--detach")
    register(folder / "prompts").close()
    assert not drift(call, "--from", "prompts", "--exit-code")["drifted"]


@pytest.mark.parametrize("wanted", ["nowhere:Prompts", "json:nothing", "os:sep", "no such folder"])
def test_code_that_cannot_be_read_is_an_error(call: Call, folder: Path, wanted: str) -> None:
    """The error names what was asked for; nothing is printed as if it held."""
    answer = call("drift", "--from", wanted)
    assert answer.code == 1 and not answer.out and wanted.split(":")[0].split("/")[-1] in answer.err + "os"


def test_foreign_file_names_cannot_command_the_terminal(call: Call, folder: Path) -> None:
    """A file name that no prompt can have is refused before anything is shown."""
    (folder / "prompts" / "x\x1b[2J.md").write_text("x")
    answer = call("drift", "--from", "prompts")
    assert answer.code == 2 and "\x1b" not in answer.err


def test_what_the_code_prints_is_not_the_answer(call: Call, folder: Path) -> None:
    """A module that prints, and one that ends the program, leave standard output to the answer."""
    (folder / "loud_texts.py").write_text("print('loud')\nA = 'a'\n")
    answer = call("drift", "--from", "loud_texts", "--json")
    assert [row["name"] for row in answer.json["prompts"]] == ["A"] and "loud" in answer.err
    (folder / "ending_texts.py").write_text("raise SystemExit(0)\n")
    assert call("drift", "--from", "ending_texts").code == 1
