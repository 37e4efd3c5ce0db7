"""The matrix of drift over real repositories: what is told of each place, and what is never read, run or guessed."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import ids
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.drift import Matrix, drift_words
from ledger_tui.domain.values import SpanRecord
from ledger_tui.errors import Conflict, NotFound
from ledger_tui.services.drift import stamp
from ledger_tui.store import last_runs
from ledger_tui.store.database import Database
from tests.sdk.repositories import commit, git, repository

FAST = {"offline_delay_s": 0}
MODULE = """class Texts:
    HELLO = "Hello {{name}}"
    LOUD = "loud".upper()

    @classmethod
    def get(cls, name):
        return getattr(cls, name)


def find(name):
    return {"HELLO": Texts.HELLO}.get(name)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A program's repository with a folder of two prompts and a module of two, committed."""
    made = repository(tmp_path / "app")
    (made / "prompts" / "mail").mkdir(parents=True)
    (made / "prompts" / "mail" / "a.jinja").write_text("a {{x}}\n")
    (made / "prompts" / "b.md").write_text("b\n")
    (made / f"texts_{ids.new_id().replace('-', '')}.py").write_text(MODULE)
    commit(made)
    return made


@pytest.fixture
def module(app: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program's module, imported."""
    monkeypatch.syspath_prepend(str(app))
    return importlib.import_module(next(app.glob("texts_*.py")).stem)


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Callable[..., PromptLedger]]:
    """Opens ledgers in tracking mode over one new file."""
    opened: list[PromptLedger] = []

    def make(registry: Any = None) -> PromptLedger:
        opened.append(PromptLedger(str(tmp_path / "ledger.db"), mode="tracking_only", code_registry=registry))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


def keys(matrix: Matrix) -> dict[str, list[str]]:
    """The differing places of each prompt, by name in the order of the rows."""
    return {row.name: [place.key for place in row.differing()] for row in matrix.rows}


def test_a_place_is_told_in_full(app: Path, open_ledger: Any) -> None:
    """Each place has hash, version, commit, file and line, time, and the last run its trace; what differs comes first."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    ledger.registry.set_label("mail/a", "production", 1)
    run = ledger.execute("mail/a", {"x": 1}, model="offline", params=FAST, environment="staging")
    head = git(app, "rev-parse", "HEAD")
    (app / "prompts" / "mail" / "a.jinja").write_text("changed {{x}}\n")
    matrix = ledger.drift.matrix(app)
    assert list(keys(matrix)) == ["mail/a", "b"]
    assert matrix.columns == ("working", "head", "registered", "label:production", "executed:staging")
    assert (matrix.ground.git, matrix.ground.branch, matrix.ground.commit) == ("work tree", "main", head)
    row = matrix.rows[0]
    working, before, registered, label, ran = row.places
    assert (working.version, working.path, working.line) == (None, "prompts/mail/a.jinja", 1)
    assert working.at_us is not None and ledger.drift.content("mail/a", working).templates == ("changed {{x}}",)
    assert (before.commit, before.version, before.at_us) == (head, 1, matrix.ground.commit_us)
    assert (registered.commit, registered.path, registered.dirty) == (head, "prompts/mail/a.jinja", False)
    assert label.version == 1 and ledger.drift.content("mail/a", label).templates == ("a {{x}}",)
    assert (ran.trace_id, ran.version) == (run["trace_id"], 1)
    assert drift_words(row).startswith("The code differs from HEAD (v1), registered (v1), label production (v1)")
    assert drift_words(matrix.rows[1]) == ""


def test_python_is_read_and_never_run(app: Path, module: ModuleType, open_ledger: Any, tmp_path: Path) -> None:
    """A plain text of a module is told with its line, a computed one is not known, and nothing of the module runs."""
    ledger = open_ledger(module.Texts)
    ledger.register_code_prompts()
    file = Path(str(module.__file__))
    marker = tmp_path / "ran"
    file.write_text(f"open({str(marker)!r}, 'w')\n" + MODULE.replace("Hello", "Hi"))
    (app / "pyproject.toml").write_text(f'[tool.ledger-tui]\nprompts = "{module.__name__}:Texts"\n')
    matrix = ledger.drift.matrix(app)
    assert keys(matrix) == {"HELLO": ["head", "registered"], "LOUD": []}
    hello, loud = matrix.rows
    assert [place.line for place in hello.places[:2]] == [3, 2]
    assert loud.place("working") is None and "computed" in loud.note
    assert not marker.exists()


def test_a_folder_of_the_project_file_shows_what_nobody_registered(app: Path, open_ledger: Any) -> None:
    """The folder that pyproject.toml names is read with its new files, also from a folder below."""
    ledger = open_ledger()
    ledger.prepare()
    (app / "pyproject.toml").write_text('[tool.ledger-tui]\nprompts = "prompts"\n')
    matrix = ledger.drift.matrix(app / "prompts" / "mail")
    assert keys(matrix) == {"b": ["registered"], "mail/a": ["registered"]}
    assert matrix.ground.reading == "folder" and matrix.rows[0].mode == ""


def test_another_repository_is_no_drift(app: Path, open_ledger: Any, tmp_path: Path) -> None:
    """Where a file never was, its prompt is not missing; where it was removed, it is."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    other = repository(tmp_path / "other")
    (other / "x").write_text("x")
    commit(other)
    matrix = ledger.drift.matrix(other)
    assert matrix.ground.elsewhere == 2 and not matrix.drifted and matrix.rows[0].note
    (app / "prompts" / "b.md").unlink()
    commit(app)
    assert keys(ledger.drift.matrix(app)) == {"b": ["registered"], "mail/a": []}
    assert "no more" in drift_words(ledger.drift.matrix(app).rows[0])


def test_a_shallow_clone_says_what_it_cannot_tell(app: Path, open_ledger: Any, tmp_path: Path) -> None:
    """Where older commits were left out, a missing file may have been removed or never been there: neither is claimed."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    (app / "prompts" / "b.md").unlink()
    commit(app)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{app}", "shallow")
    rows = {row.name: row for row in ledger.drift.matrix(tmp_path / "shallow").rows}
    assert rows["b"].note and "shallow" in rows["b"].note and not rows["b"].differing()
    assert not rows["mail/a"].note and not rows["mail/a"].differing()


@pytest.mark.parametrize("path", ["../secret.md", "/etc/hostname", "link.md", "folder/../../secret.md"])
def test_a_recorded_path_never_leads_out_of_the_repository(
    app: Path, database: Database, path: str, tmp_path: Path
) -> None:
    """A path in the ledger is somebody's text: it is not followed out of the work tree, and links are not followed."""
    from ledger_tui.services.drift import DriftService
    from ledger_tui.store import batches
    from ledger_tui.store.registry import Pen

    (tmp_path / "secret.md").write_text("secret")
    (app / "link.md").symlink_to(tmp_path / "secret.md")
    head = git(app, "rev-parse", "HEAD")
    entry = batches.Entry("x", PromptContent.of_text("x"), {"mode": "tracking"}, "", head, path, False)
    with database.session() as session:
        batches.write(session, Pen(actor="a", device="d", action="one"), [entry])
    row = DriftService(database).matrix(app).rows[0]
    assert row.place("working") is None and row.note and not row.differing()


def test_without_git_the_ledger_is_still_compared(app: Path, open_ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a work tree, and on a machine without git, the labels are held against what is registered."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    ledger.registry.set_label("b", "production", 1)
    (app / "prompts" / "b.md").write_text("b2\n")
    ledger.register_code_prompts()
    outside = ledger.drift.matrix(app.parent)
    assert outside.ground.git == "no work tree" and keys(outside) == {"b": ["label:production"], "mail/a": []}
    assert "head" not in outside.columns
    monkeypatch.setenv("PATH", str(app / "nothing"))
    assert ledger.drift.matrix(app).ground.git == "no git"
    (app / "pyproject.toml").write_text('[tool.ledger-tui]\nprompts = "prompts"\n')
    assert ledger.drift.matrix(app).rows[0].place("working") is not None


def test_what_changed_is_seen_without_asking_git(app: Path, open_ledger: Any) -> None:
    """The stamp changes with an edit, a commit, another branch and a new file, and with nothing else."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    (app / "pyproject.toml").write_text('[tool.ledger-tui]\nprompts = "prompts"\n')
    commit(app)
    ground = ledger.drift.matrix(app).ground
    seen = [stamp(ground)]
    assert stamp(ground) == seen[0]
    for change in (
        lambda: (app / "prompts" / "b.md").write_text("longer than before\n"),
        lambda: commit(app),
        lambda: git(app, "checkout", "-q", "-b", "other"),
        lambda: (app / "prompts" / "new.md").write_text("new"),
    ):
        change()
        seen.append(stamp(ground))
    assert len(set(seen)) == 5


def test_the_last_call_of_each_environment(
    any_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Runs and calls made elsewhere both count, newest first, in an environment that others have long outrun too."""
    monkeypatch.setattr(last_runs, "NEWEST_SPANS", 3)
    target = any_database.label if any_database.dialect == "sqlite" else None
    with PromptLedger(target) as ledger:
        ledger.__dict__["database"] = any_database
        ledger.prepare()
        ledger.create_prompt("a", "one")
        ledger.update_prompt("a", "two")
        first, second = sorted(ledger.registry.versions("a"), key=lambda version: version.number)
        ledger.execute("a", version=1, model="offline", params=FAST, environment="rare")
        linked = [
            SpanRecord(
                f"t{n}", "s", "call", "llm", "succeeded", 1_700_000_000_000_000 + n, 5, environment=environment,
                provider="openai", model="m", prompt_id=first.prompt_id, version_id=version.id,
            )
            for n, (environment, version) in enumerate([("old", first), ("live", first), ("live", second), ("dev", first)])
        ]  # fmt: skip
        ledger.traces.record(linked)
        with any_database.lean() as lean:
            found = {one.pointer: one for one in last_runs.last_executed(lean, [first.prompt_id])}
    assert {name: one.number for name, one in found.items()} == {"rare": 1, "old": 1, "live": 2, "dev": 1}
    assert found["live"].trace_id == "t2" and found["old"].trace_id is None


def test_a_run_in_tracking_mode_counts(app: Path, open_ledger: Any) -> None:
    """What a program ran in tracking mode is the last run, with the file and commit that it came from."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    (app / "prompts" / "b.md").write_text("b2\n")
    ledger.execute("b", model="offline", params=FAST, environment="dev")
    (app / "prompts" / "b.md").write_text("b\n")
    row = next(row for row in ledger.drift.matrix(app).rows if row.name == "b")
    assert [place.key for place in row.differing()] == ["registered", "executed:dev"]
    ran = row.at("executed:dev")
    assert ran is not None and ran.version == 2 and ran.dirty is True


def test_registering_writes_what_was_seen(app: Path, open_ledger: Any) -> None:
    """A preview writes nothing; the text is registered with its file, unless it changed since it was seen."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    (app / "prompts" / "b.md").write_text("b2\n")
    seen = {"b": ledger.drift.matrix(app).rows[0].places[0].sha256}
    assert [(one.action, one.version) for one in ledger.drift.register(app, seen, dry_run=True)] == [("update", 2)]
    assert ledger.registry.version("b").number == 1
    (app / "prompts" / "b.md").write_text("b3\n")
    with pytest.raises(Conflict):
        ledger.drift.register(app, seen)
    (app / "prompts" / "b.md").write_text("b2\n")
    (done,) = ledger.drift.register(app, seen)
    assert (done.version, done.git.path, done.git.dirty) == (2, "prompts/b.md", True)
    assert keys(ledger.drift.matrix(app)) == {"b": ["head"], "mail/a": []}
    with pytest.raises(NotFound):
        ledger.drift.register(app, {"nowhere": "0" * 64})


def test_a_prompt_that_the_ledger_manages_is_not_taken(app: Path, open_ledger: Any) -> None:
    """In full mode the working tree's text stays out of the registry."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    ledger.migrate_to_full_mode([("b", "mine")])
    (app / "pyproject.toml").write_text('[tool.ledger-tui]\nprompts = "prompts"\n')
    row = next(row for row in ledger.drift.matrix(app).rows if row.name == "b")
    assert row.mode == "full" and [place.key for place in row.differing()] == ["registered"]
    (done,) = ledger.drift.register(app, {"b": row.places[0].sha256})
    assert done.action == "managed" and ledger.registry.version("b").number == 2


def test_whoever_listens_can_end_it(app: Path, open_ledger: Any) -> None:
    """What the listener raises ends the look."""
    ledger = open_ledger(app / "prompts")
    ledger.register_code_prompts()
    heard: list[str] = []

    def told(words: str) -> None:
        heard.append(words)
        if len(heard) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.drift.matrix(app, told)
    assert len(heard) == 3


@pytest.mark.parametrize(
    "registry",
    [
        lambda module: module,
        lambda module: module.Texts,
        lambda module: module.Texts.get,
        lambda module: module.find,
        lambda module: functools.partial(module.find),
    ],
    ids=["module", "class", "method", "function", "partial"],
)
def test_every_kind_of_code_has_a_path(app: Path, module: ModuleType, open_ledger: Any, registry: Any) -> None:
    """A module, a class, a method, a function and a partial of one are found again in their file."""
    module.HELLO = module.Texts.HELLO  # type: ignore[attr-defined]
    ledger = open_ledger(registry(module))
    ledger.register_code_prompts(["HELLO"])
    (row,) = ledger.drift.matrix(app).rows
    assert row.path == f"{module.__name__}.py" and not row.note
    assert {place.kind for place in row.places} == {"working", "head", "registered"} and not row.differing()
