"""Prompts that live in code: found wherever programs keep them, told apart by hash, and known to git."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.errors import InputError, NotFound, UndefinedVariable
from ledger_tui.services import git as git_facts

from tests.sdk.repositories import commit, git, repository

FAST = {"offline_delay_s": 0}
Open = Callable[..., PromptLedger]


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Open]:
    """Makes ledgers in tracking mode over one new file."""
    opened: list[PromptLedger] = []

    def make(code_registry: Any = None, **options: Any) -> PromptLedger:
        opened.append(
            PromptLedger(str(tmp_path / "ledger.db"), mode="tracking_only", code_registry=code_registry, **options)
        )
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


def run(ledger: PromptLedger, name: str, variables: dict[str, Any] | None = None, **options: Any) -> Any:
    """Run a prompt with the offline model."""
    return ledger.execute(name, variables, model="offline", params=FAST, **options)


class Texts:
    """Prompts as a class has them."""

    WELCOME = "Hello {{name}}"
    goodbye = "Bye {{name}}"
    _private = "not a prompt"
    limit = 3


class Kinds(enum.Enum):
    """Prompts as an enumeration has them."""

    WELCOME = "Hello {{name}}"


def lookup(name: str) -> str | None:
    """Prompts as a function has them."""
    return {"WELCOME": "Hello {{name}}"}.get(name)


def test_every_kind_of_registry_gives_the_same_version(open_ledger: Open, tmp_path: Path) -> None:
    """A class, an enumeration, a mapping, a function and three kinds of files with one text are one version."""
    folder = tmp_path / "prompts"
    for n, (name, text) in enumerate(
        {
            "WELCOME.jinja": "Hello {{name}}\n",
            "WELCOME.md": "---\ndescription: A greeting\n---\nHello {{name}}\n",
            "WELCOME.prompty": "---\nname: Any\n---\nuser:\nHello {{name}}\n",
        }.items()
    ):
        (folder / str(n)).mkdir(parents=True)
        (folder / str(n) / name).write_text(text)
    places = [Texts, Kinds, {"WELCOME": Texts.WELCOME}, lookup, *(folder / str(n) for n in range(3))]
    versions = []
    for place in places:
        registered = open_ledger(place).register_code_prompts(["WELCOME"])["registered"]
        versions.append((registered[0]["version"], registered[0]["mode"]))
    assert versions == [(1, "tracking")] * len(places)
    assert len(open_ledger().registry.versions("WELCOME")) == 1


def test_without_names_everything_public_is_registered(open_ledger: Open) -> None:
    """A class lists its public texts in order; a function cannot, and says what to do."""
    names = [prompt["name"] for prompt in open_ledger(Texts).register_code_prompts()["registered"]]
    assert names == ["WELCOME", "goodbye"]
    with pytest.raises(InputError, match="names"):
        open_ledger(lookup).register_code_prompts()
    with pytest.raises(InputError, match="code_registry"):
        open_ledger().register_code_prompts(["WELCOME"])


def test_a_module_is_a_registry(open_ledger: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public texts of a module are its prompts, and its file is where they come from."""
    folder = repository(tmp_path / "app")
    (folder / "texts_of_app.py").write_text("import os\nWELCOME = 'Hello {{name}}'\n__version__ = '1'\n")
    revision = commit(folder)
    monkeypatch.syspath_prepend(str(folder))
    import texts_of_app  # type: ignore[import-not-found]

    monkeypatch.delitem(sys.modules, "texts_of_app")
    registered = open_ledger(texts_of_app).register_code_prompts()["registered"]
    assert [(prompt["name"], prompt["git"]) for prompt in registered] == [
        ("WELCOME", {"commit": revision, "path": "texts_of_app.py", "dirty": False})
    ]


def test_changes_are_detected_by_content(open_ledger: Open) -> None:
    """New, unchanged, changed and changed back: each is told, numbered, and active afterwards."""
    texts = {"a": "one"}
    ledger = open_ledger(texts)

    def register() -> tuple[Any, ...]:
        [done] = ledger.register_code_prompts()["registered"]
        assert ledger.registry.prompt("a").active_number == done["version"]
        return done["action"], done["version"], done["change_detected"], done["previous_version"]

    assert register() == ("new", 1, True, None)
    assert register() == ("unchanged", 1, False, None)
    texts["a"] = "two"
    assert register() == ("update", 2, True, 1)
    texts["a"] = "one"
    assert register() == ("update", 1, True, 2)


def test_a_dry_run_tells_and_writes_nothing(open_ledger: Open) -> None:
    """The numbers are those that a real run then gives, for new, changed and older texts."""
    texts = {"a": "one", "b": "x"}
    ledger = open_ledger(texts)
    ledger.register_code_prompts()
    texts["a"] = "two"
    ledger.register_code_prompts()
    texts.update(a="one", b="y", c="new")
    facts = len(ledger.registry.history(limit=1000))
    dry = ledger.register_code_prompts(dry_run=True)
    assert dry["dry_run"] and len(ledger.registry.history(limit=1000)) == facts
    real = ledger.register_code_prompts()
    assert [prompt["version"] for prompt in real["registered"]] == [1, 2, 1]
    assert dry["registered"] == real["registered"]


def test_registering_is_all_or_nothing_and_can_be_undone(open_ledger: Open) -> None:
    """A name that the code has not, or a text that cannot be stored, leaves nothing; one undo takes a registration back."""
    ledger = open_ledger({"a": "one", "bad": "nul \0", "number": 3})
    for wrong, error in (("missing", NotFound), ("bad", InputError), ("number", InputError)):
        with pytest.raises(error):
            ledger.register_code_prompts(["a", wrong])
    assert ledger.registry.prompts() == []
    ledger.register_code_prompts(["a"])
    assert "archived" in ledger.registry.undo()


def test_running_registers_a_text_that_is_new(open_ledger: Open) -> None:
    """The run belongs to the version of the present text; a text known before keeps its number, and no label moves."""
    texts = {"a": "one {{x}}"}
    ledger = open_ledger(texts)
    ledger.register_code_prompts()
    texts["a"] = "two {{x}}"
    assert [run(ledger, "a", {"x": 1})["version"] for _ in range(2)] == [2, 2]
    texts["a"] = "one {{x}}"
    facts = len(ledger.registry.history(limit=1000))
    assert run(ledger, "a", {"x": 1})["version"] == 1
    assert len(ledger.registry.history(limit=1000)) == facts
    assert run(ledger, "a", {"x": 1}, version=2)["version"] == 2
    assert run(ledger, "a", {"x": 1}, label="active")["version"] == 2


def test_a_prompt_that_only_the_ledger_has_runs_too(open_ledger: Open) -> None:
    """Where the code has no such prompt the ledger's is taken; where neither has it, the error says so."""
    ledger = open_ledger(lookup)
    ledger.create_prompt("of_the_ledger", "x")
    assert run(ledger, "of_the_ledger")["version"] == 1
    with pytest.raises(NotFound, match="neither the code nor the ledger"):
        run(ledger, "nowhere")


def test_migrated_prompts_are_the_ledgers(open_ledger: Open) -> None:
    """After a migration the ledger's version runs and registering takes nothing; versions and runs stay."""
    texts = {"a": "one", "b": "two"}
    ledger = open_ledger(texts)
    ledger.register_code_prompts()
    before = run(ledger, "a")
    done = ledger.migrate_to_full_mode([("a", "one"), ("b", "three"), ("c", "new")])
    assert [(one["name"], one["version"], one["previous_mode"], one["version_change"]) for one in done["migrated"]] == [
        ("a", 1, "tracking", False),
        ("b", 2, "tracking", True),
        ("c", 1, None, True),
    ]
    texts["a"] = "changed in code"
    [registered] = ledger.register_code_prompts(["a"])["registered"]
    assert (registered["action"], registered["mode"], registered["version"]) == ("managed", "full", 1)
    assert run(ledger, "a")["version"] == 1
    assert [version["execution_count"] for version in ledger.get_prompt_history("a")["versions"]] == [2]
    assert ledger.get_trace(before["trace_id"])["span_count"] == 1


def test_a_migration_keeps_the_other_messages(open_ledger: Open) -> None:
    """Only the last user message is the template; system message, model and parameters stay."""
    content = {"messages": [{"role": "system", "text": "Be kind."}, {"role": "user", "text": "a"}], "model": "offline"}
    ledger = open_ledger({"p": content})
    ledger.register_code_prompts()
    ledger.migrate_to_full_mode([("p", "b")])
    kept = ledger.registry.content(ledger.registry.version("p").id)
    assert (kept.templates, kept.model) == (("Be kind.", "b"), "offline")


def test_rendering_keeps_a_usage_without_a_run(open_ledger: Open) -> None:
    """Messages, variables, environment, session, user and metadata are kept; nothing was executed."""
    ledger = open_ledger({"a": {"template": "Hello {{name}}", "system": "Be kind."}}, environment="staging")
    rendered = ledger.render("a", {"name": "Ann"}, session_id="s", user_identifier="u", metadata={"k": 1})
    assert rendered["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello Ann"},
    ]
    assert (rendered["text"], rendered["version"]) == ("Hello Ann", 1)
    assert ledger.flush()
    with ledger.database.lean() as lean:
        row = lean.one(
            "SELECT u.parameters, u.rendered, u.environment, u.session_id, u.user_identifier, u.metadata, n.number, "
            "(SELECT COUNT(*) FROM executions) FROM usages u JOIN version_numbers n ON n.version_id = u.version_id"
        )
    assert row == (
        '{"name":"Ann"}',
        '[{"role":"system","text":"Be kind."},{"role":"user","text":"Hello Ann"}]',
        "staging", "s", "u", '{"k":1}', 1, 0,
    )  # fmt: skip
    with pytest.raises(UndefinedVariable):
        ledger.render("a", {})


async def test_rendering_in_an_event_loop(open_ledger: Open) -> None:
    """``arender`` gives what ``render`` gives."""
    assert (await open_ledger({"a": "{{x}}"}).arender("a", {"x": "y"}))["text"] == "y"


def test_values_are_never_templates(open_ledger: Open) -> None:
    """A value that looks like a template stays text."""
    assert open_ledger({"a": "{{x}}"}).render("a", {"x": "{{ 7 * 7 }}"})["text"] == "{{ 7 * 7 }}"


@pytest.mark.parametrize("given", [3, object(), ["a"]])
def test_what_cannot_hold_prompts_is_refused(open_ledger: Open, given: Any) -> None:
    """The error names what may be given."""
    with pytest.raises(InputError, match="cannot hold prompts"):
        open_ledger(given).register_code_prompts(["a"])


def test_modes_are_checked() -> None:
    """A mode that there is not is refused at once."""
    with pytest.raises(InputError, match="not a mode"):
        PromptLedger("/nowhere/x.db", mode="half")  # type: ignore[arg-type]


def test_a_folder_follows_no_links_and_has_one_file_a_name(open_ledger: Open, tmp_path: Path) -> None:
    """A link, two files of one name and a name that leads outside are refused; other files do not count."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("secret")
    (folder / "a.md").write_text("a")
    (folder / "README.md").write_text("about")
    (folder / "notes.txt").write_text("no prompt")
    ledger = open_ledger(folder)
    assert [prompt["name"] for prompt in ledger.register_code_prompts()["registered"]] == ["a"]
    with pytest.raises(InputError):
        ledger.register_code_prompts(["../secret"])
    (folder / "b.md").symlink_to(tmp_path / "secret.md")
    for names in (None, ["b"]):
        with pytest.raises(InputError, match="link"):
            ledger.register_code_prompts(names)
    (folder / "b.md").unlink()
    (folder / "a.jinja").write_text("a")
    with pytest.raises(InputError, match="both mean a"):
        ledger.register_code_prompts()


FIRST = """
import sys
from ledger_tui import PromptLedger
sys.stdin.readline()
with PromptLedger(sys.argv[1], mode="tracking_only", code_registry={"a": "new", "b": "new too"}) as ledger:
    print(ledger.render("a")["version"], *(p["version"] for p in ledger.register_code_prompts()["registered"]))
"""


@pytest.mark.long
def test_programs_that_start_at_once_make_one_version(open_ledger: Open, tmp_path: Path) -> None:
    """Processes that meet a new text at the same moment agree on its version."""
    open_ledger().prepare()
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST, str(tmp_path / "ledger.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    assert [program.communicate(timeout=60)[0].split() for program in programs] == [["1", "1", "1"]] * 3
    ledger = open_ledger()
    assert {name: len(ledger.registry.versions(name)) for name in ("a", "b")} == {"a": 1, "b": 1}


# What git knows


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A repository with one committed prompt file."""
    folder = repository(tmp_path / "app")
    (folder / "prompts").mkdir()
    (folder / "prompts" / "a.md").write_text("a")
    commit(folder)
    return folder


def facts(file: Path) -> tuple[str | None, str | None, bool | None]:
    """Commit, path and dirtiness of a file."""
    found = git_facts.repository(file)
    if found is None:
        return None, None, None
    told = found.facts(file)
    return told.commit, told.path, told.dirty


def test_git_tells_clean_from_changed_and_new(app: Path) -> None:
    """A committed file is clean; edited, staged, new and ignored ones are not what the commit holds."""
    revision = git(app, "rev-parse", "HEAD")
    file = app / "prompts" / "a.md"
    assert facts(file) == (revision, "prompts/a.md", False)
    (app / "prompts" / "b.md").write_text("b")
    assert facts(file)[2] is False
    assert facts(app / "prompts" / "b.md")[2] is True
    file.write_text("edited")
    assert facts(file)[2] is True
    git(app, "add", "-A")
    assert facts(file)[2] is True
    (app / ".gitignore").write_text("hidden/\n")
    (app / "hidden").mkdir()
    (app / "hidden" / "c.md").write_text("c")
    assert facts(app / "hidden" / "c.md")[2] is True
    (app / "new").mkdir()
    (app / "new" / "ä b.md").write_text("d")
    assert facts(app / "new" / "ä b.md") == (revision, "new/ä b.md", True)


def test_git_without_a_commit_and_with_a_detached_head(app: Path, tmp_path: Path) -> None:
    """Before the first commit there is none; a detached head is a commit like another."""
    fresh = repository(tmp_path / "fresh")
    (fresh / "a.md").write_text("a")
    assert facts(fresh / "a.md") == (None, "a.md", True)
    git(app, "checkout", "-q", "--detach")
    assert facts(app / "prompts" / "a.md")[0] == git(app, "rev-parse", "HEAD")


def test_a_submodule_is_a_repository_of_its_own(app: Path, tmp_path: Path) -> None:
    """A file in a submodule belongs to the submodule's commit and path."""
    outer = repository(tmp_path / "outer")
    git(outer, "submodule", "--quiet", "add", str(app), "lib")
    commit(outer)
    assert facts(outer / "lib" / "prompts" / "a.md") == (git(app, "rev-parse", "HEAD"), "prompts/a.md", False)


def test_without_a_repository_or_git_nothing_is_known(
    open_ledger: Open, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registering works all the same, and says that nothing is known."""
    unknown = {"commit": None, "path": None, "dirty": None}
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "b.md").write_text("b")
    assert open_ledger(plain).register_code_prompts()["registered"][0]["git"] == unknown
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert open_ledger(app / "prompts").register_code_prompts()["registered"][0]["git"] == unknown


def test_a_git_that_does_not_answer_is_not_waited_for(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the limit nothing is known."""
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(git_facts, "TIME_LIMIT_S", 0.2)
    assert git_facts.repository(app / "prompts") is None


def test_the_callers_git_variables_mislead_nobody(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a hook of another repository git still looks at the file's own."""
    other = repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert facts(app / "prompts" / "a.md")[1:] == ("prompts/a.md", False)


def test_a_repository_runs_nothing_of_its_own(app: Path, tmp_path: Path) -> None:
    """A file-system monitor that a repository names is not started."""
    marker = tmp_path / "ran"
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {marker}\n")
    monitor.chmod(0o755)
    git(app, "config", "core.fsmonitor", str(monitor))
    assert facts(app / "prompts" / "a.md")[2] is False
    assert not marker.exists()


def test_versions_remember_where_they_came_from(open_ledger: Open, app: Path) -> None:
    """Commit, path and dirtiness are kept with the version that was registered then."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    first = git(app, "rev-parse", "HEAD")
    (app / "prompts" / "a.md").write_text("changed")
    ledger.register_code_prompts()
    newest, oldest = ledger.get_prompt_history("a")["versions"]
    assert oldest["git"] == {"commit": first, "path": "prompts/a.md", "dirty": False}
    assert newest["git"] == {"commit": first, "path": "prompts/a.md", "dirty": True}
