"""Prompts as files: exact, repeatable, and never outside the folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import InputError
from ledger_tui.store.database import Database

CONTENTS = {
    "mail/plain": PromptContent.of_text("Hello {{ name }}"),
    "mail/many": PromptContent(
        (Message("system", "user:\n\\user:\n\nsystem:"), Message("user", ""), Message("assistant", "\n\na\n")),
        "openai/gpt-4o-mini",
        {"temperature": 0.2, "stop": ["---", "\n"]},
        ({"name": "tool", "parameters": {}},),
        {"type": "object"},
    ),
    "odd": PromptContent.of_text("a\r\nb\rc  \n---\n\t\u2028é🎉\n"),
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger with prompts whose texts look like the format around them."""
    with PromptLedger(str(tmp_path / "ledger.db")) as made:
        made.prepare()
        for name, content in CONTENTS.items():
            made.registry.save(name, content, description='What: it\'s "for"\n# all')
        made.registry.set_field("odd", "tags", ["a b", "c"])
        made.registry.set_field("odd", "team", "Team: x")
        yield made


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_another_ledger_takes_exactly_the_same(ledger: PromptLedger, tmp_path: Path) -> None:
    """Contents, descriptions, tags and teams go through files to another ledger; its export has the same bytes."""
    ledger.folders.export(tmp_path / "out")
    with PromptLedger(str(tmp_path / "other.db")) as other:
        other.prepare()
        assert {done.action for done in other.folders.load(tmp_path / "out")} == {"new"}
        for name, content in CONTENTS.items():
            assert other.registry.version(name).sha256 == content.sha256
        row = other.registry.prompt("odd")
        assert (row.description, row.tags, row.team) == ('What: it\'s "for"\n# all', ("a b", "c"), "Team: x")
        other.folders.export(tmp_path / "again")
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


def test_doing_it_again_changes_nothing(ledger: PromptLedger, tmp_path: Path) -> None:
    """A second export touches no file, an import of one's own export writes no fact."""
    out = tmp_path / "out"
    assert all(file.written for file in ledger.folders.export(out))
    times = {file: file.stat().st_mtime_ns for file in out.rglob("*.prompty")}
    assert not any(file.written for file in ledger.folders.export(out))
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.prompty")} == times
    facts = len(ledger.registry.history(limit=1000))
    assert {done.action for done in ledger.folders.load(out)} == {"unchanged"}
    assert len(ledger.registry.history(limit=1000)) == facts


def test_edited_files_become_versions_and_one_undo_takes_them_back(ledger: PromptLedger, tmp_path: Path) -> None:
    """A dry run tells, the import saves, undo restores every prompt of it."""
    out = tmp_path / "out"
    ledger.folders.export(out)
    file = out / "mail" / "plain.prompty"
    file.write_bytes(file.read_bytes().replace(b"Hello", b"Hi").replace(b"\n", b"\r\n"))
    (out / "new.jinja").write_text("{{ x }}\n")
    for dry_run in (True, False):
        done = {one.name: one.action for one in ledger.folders.load(out, dry_run=dry_run)}
        assert done == {"mail/plain": "update", "mail/many": "unchanged", "odd": "unchanged", "new": "new"}
        assert ledger.registry.version("mail/plain").number == (1 if dry_run else 2)
    assert ledger.registry.content(ledger.registry.version("mail/plain").id).templates == ("Hi {{ name }}",)
    ledger.registry.undo()
    assert ledger.registry.version("mail/plain").number == 1
    assert "new" not in [row.name for row in ledger.registry.prompts()]


def test_only_what_is_asked_for_is_exported(ledger: PromptLedger, tmp_path: Path) -> None:
    """A pattern chooses by name; archived prompts stay; files of others are left alone."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "other.txt").write_text("mine")
    ledger.registry.set_field("mail/many", "archived", True)
    assert [file.path for file in ledger.folders.export(out, "mail/*")] == ["mail/plain.prompty"]
    assert set(tree(out)) == {"other.txt", "mail/plain.prompty"}


def test_files_are_as_open_as_their_folder(ledger: PromptLedger, tmp_path: Path) -> None:
    """New files and folders are private in a private folder and readable in an open one; a file keeps its mode."""
    for mode, file_mode, folder_mode in ((0o700, 0o600, 0o700), (0o755, 0o644, 0o755)):
        out = tmp_path / f"out{mode:o}"
        out.mkdir()
        out.chmod(mode)
        ledger.folders.export(out)
        assert stat.S_IMODE((out / "odd.prompty").stat().st_mode) == file_mode
        assert stat.S_IMODE((out / "mail").stat().st_mode) == folder_mode & ~_umask()
    (out / "odd.prompty").chmod(0o640)
    ledger.registry.save("odd", PromptContent.of_text("changed"))
    ledger.folders.export(out)
    assert stat.S_IMODE((out / "odd.prompty").stat().st_mode) == 0o640


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def test_export_writes_through_no_link(ledger: PromptLedger, tmp_path: Path) -> None:
    """A link in place of a file or a folder is refused, and what it points to stays as it is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "target").write_text("precious")
    for link, target in (("odd.prompty", outside / "target"), ("mail", outside)):
        out = tmp_path / f"out-{link}"
        out.mkdir()
        (out / link).symlink_to(target)
        with pytest.raises(InputError, match="link"):
            ledger.folders.export(out)
    assert tree(outside) == {"target": b"precious"}


def test_export_leaves_no_half_file(ledger: PromptLedger, tmp_path: Path) -> None:
    """A folder that cannot be written, or stands where a file should, is an error with no temporary file left."""
    out = tmp_path / "out"
    (out / "odd.prompty").mkdir(parents=True)
    with pytest.raises(InputError, match="folder"):
        ledger.folders.export(out)
    assert not [name for name in tree(out) if name.endswith(".tmp")]
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError):
        ledger.folders.export(tmp_path / "file")


def test_export_refuses_a_second_file_for_a_prompt(ledger: PromptLedger, tmp_path: Path) -> None:
    """Where ``odd.md`` is there already nothing is written: the folder could not be read any more."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "odd.md").write_text("x")
    with pytest.raises(InputError, match="odd"):
        ledger.folders.export(out)
    assert set(tree(out)) == {"odd.md"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.md", b"\xff\xfea\x00", "UTF-16"),
        ("a.md", b"caf\xe9", "not UTF-8"),
        ("a.md", b"a\x00b", "NUL"),
        ("a.prompty", b"---\nledger: 2\n---\nuser:\nx\n", "newer release"),
        ("a.prompty", b"---\nledger: 1\nsurprise: 1\n---\nuser:\nx\n", "surprise"),
        ("a.prompty", b"---\nledger: 1\nparams: {\n---\nuser:\nx\n", "line 3"),
        ("a.prompty", b"---\nledger: 1\n---\nwithout a role\n", "line 4"),
        ("a.prompty", b"---\nledger: 1\n---\n", "no message"),
        ("a.prompty", b"---\na: &x 1\n---\nuser:\nx\n", "line 2"),
        ("a.prompty", b"---\ntemplate: mustache\n---\nuser:\nx\n", "Jinja2"),
        ("a.prompty", b"---\nparams: " + b"[" * 5000 + b"\n---\nuser:\nx\n", "line 2"),
        ("a.md", b"x" * (300 * 1024), "bytes"),
        ("a.md", b"x" * (9 * 1024 * 1024), "larger"),
        ("CON.md", b"x", "device name"),
        ("a b.md", b"x", "not allowed"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_imported(
    ledger: PromptLedger, tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    """The error says which file and why, and a good file beside it is not taken either."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.md").write_text("good")
    (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=said) as caught:
        ledger.folders.load(folder)
    assert name.removesuffix(".md") in str(caught.value)
    assert "good" not in [row.name for row in ledger.registry.prompts()]


def test_import_reads_no_pipe_link_or_missing_folder(ledger: PromptLedger, tmp_path: Path) -> None:
    """A pipe does not hang, a link is not followed, a loop of links ends, and a folder that is not there is an error."""
    for make in (
        lambda place: os.mkfifo(place / "a.md"),
        lambda place: (place / "a.md").symlink_to("/etc/hostname"),
        lambda place: (place / "loop").symlink_to(place),
    ):
        folder = tmp_path / "in"
        folder.mkdir()
        make(folder)
        with pytest.raises(InputError):
            ledger.folders.load(folder)
        next(folder.iterdir()).unlink()
        folder.rmdir()
    with pytest.raises(InputError, match="no such folder"):
        ledger.folders.load(tmp_path / "nowhere")


def test_an_empty_file_and_a_byte_order_mark(ledger: PromptLedger, tmp_path: Path) -> None:
    """An empty file is an empty message; a byte-order mark is not part of a text."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "empty.md").write_bytes(b"")
    (folder / "marked.md").write_bytes(b"\xef\xbb\xbfHello\r\n")
    ledger.folders.load(folder)
    texts = [ledger.registry.content(ledger.registry.version(name).id).templates for name in ("empty", "marked")]
    assert texts == [("",), ("Hello",)]


def test_a_prompt_of_the_code_is_not_taken(ledger: PromptLedger, tmp_path: Path) -> None:
    """The file of a prompt in tracking mode is told as such: its text is the code's."""
    out = tmp_path / "out"
    ledger.folders.export(out)
    ledger.registry.set_field("odd", "mode", "tracking")
    ledger.registry.save("odd", PromptContent.of_text("of the code"))
    assert {one.name: one.action for one in ledger.folders.load(out)}["odd"] == "in code"
    assert ledger.registry.version("odd").number == 2


TOO_LARGE = """
import resource, signal, sys
from ledger_tui.errors import InputError
from ledger_tui.services.folder_files import Folder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Folder(sys.argv[1]).write("a/b.prompty", b"x" * 2000)
except InputError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_keeps_the_old_file(tmp_path: Path) -> None:
    """A write that the system ends half-way leaves the file as it was and nothing beside it."""
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "b.prompty").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE, str(out)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "a/b.prompty" in done.stdout
    assert tree(out) == {"a/b.prompty": b"old"}


def test_both_databases_export_import_and_compare(any_database: Database, tmp_path: Path) -> None:
    """Files, registration and drift work the same on SQLite and on Postgres."""
    made = PromptLedger(paths=any_database.paths, mode="tracking_only", code_registry={"c": "code"})
    made.database = any_database
    with made as ledger:
        ledger.create_prompt("p", "x", labels=["staging"])
        ledger.register_code_prompts()
        ledger.execute("c", model="offline", environment="dev", params={"offline_delay_s": 0})
        assert [one.path for one in ledger.folders.export(tmp_path / "out")] == ["c.prompty", "p.prompty"]
        assert [one.action for one in ledger.folders.load(tmp_path / "out")] == ["in code", "unchanged"]
        [row] = ledger.drift.look(ledger.code_prompts.source, tmp_path)
        assert [(place.key, place.version) for place in row.places] == [
            ("working", 1),
            ("registered", 1),
            ("executed:dev", 1),
        ]
        assert row.differing() == ()
