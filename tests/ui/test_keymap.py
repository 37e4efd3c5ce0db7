"""Keys are the person's own, and every action can be reached by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.ui import watch
from ledger_tui.ui.actions import KnownAction, here, show_key
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.keymap import conflicts, normal_key, read_keymap, write_keys

from tests.ui.conftest import Workstation, settle, until

KNOWN = [
    KnownAction("a.save", "Save", "Save it", ("ctrl+s",), "A"),
    KnownAction("a.run", "Run", "Run it", ("f7",), "A"),
    KnownAction("b.run", "Run", "Run it", ("f7",), "B"),
    KnownAction("app.help", "Help", "Help", ("f1",), "LedgerApp"),
]


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("/", "slash"),
        ("ctrl+s", "ctrl+s"),
        ("F7".lower(), "f7"),
        ("?", "question_mark"),
        ("ctrl+/", "ctrl+slash"),
        (" a ", "a"),
        ("-", "minus"),
    ],
)
def test_keys_are_written_as_people_write_them(given: str, normal: str) -> None:
    """Signs and names mean the same key."""
    assert normal_key(given) == normal


@pytest.mark.parametrize("given", ["", "f99", "strg+s", "ctrl+", "ab"])
def test_what_is_no_key_is_refused(given: str) -> None:
    """A word that is no key is not taken for one."""
    with pytest.raises(ValueError):
        normal_key(given)


def test_each_mistake_is_told_with_its_line_and_the_rest_counts(tmp_path: Path) -> None:
    """Unknown actions, wrong keys and shared keys are told one by one; good lines work."""
    file = tmp_path / "keymap.toml"
    file.write_text('a.save = "ctrl+w,f10"\nnothing = "x"\n"a.run" = "strg+r"\n[b]\nrun = ["f1"]\n')
    keymap, mistakes = read_keymap(file, KNOWN)
    assert keymap == {"a.save": "ctrl+w,f10", "b.run": "f1"}
    assert [(mistake.line, mistake.cause.split(": ", 1)[1]) for mistake in mistakes] == [
        (2, "there is no action 'nothing'"),
        (3, "a.run: 'strg+r' is not a key"),
        (5, "f1 is the key of both 'app.help' and 'b.run'"),
    ]


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"a = {" * 5000, b"x" * 300_000])
def test_a_broken_keymap_leaves_the_keys_as_they_are(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be read is one mistake and an empty keymap."""
    file = tmp_path / "keymap.toml"
    file.write_bytes(content)
    keymap, mistakes = read_keymap(file, KNOWN)
    assert keymap == {} and len(mistakes) == 1


def test_two_places_may_use_the_same_key(tmp_path: Path) -> None:
    """Only actions that meet on one screen are in conflict."""
    assert conflicts(KNOWN, {"a.run": "f7"}) == []
    assert conflicts(KNOWN, {"a.run": "ctrl+s"}) == [("a.save", "a.run", "ctrl+s")]


def test_written_keys_keep_comments_and_can_be_taken_out(tmp_path: Path) -> None:
    """Writing one action's key touches nothing else of the file."""
    file = tmp_path / "deep" / "keymap.toml"
    file.parent.mkdir()
    file.write_text('# mine\na.save = "f9"  # why\n')
    write_keys(file, "a.save", ["/"])
    write_keys(file, "a.run", ["ctrl+r"])
    assert read_keymap(file, KNOWN) == ({"a.save": "slash", "a.run": "ctrl+r"}, [])
    assert "# mine" in file.read_text() and "# why" in file.read_text()
    write_keys(file, "a.run", None)
    assert "a.run" not in read_keymap(file, KNOWN)[0]


async def test_a_saved_keymap_works_at_once(workstation: Workstation, paths: Paths) -> None:
    """Keys that are changed in the file while the workstation runs work without a restart."""
    async with workstation("costs") as pilot:
        app = pilot.app
        await until(
            lambda: any(known.id == "settings.set_key" for known in watch.known_actions()), pilot, "the warm-up"
        )
        paths.keymap.write_text('app.settings = "f20"\napp.nothing = "f11"\n')
        await until(lambda: app._keymap, pilot, "the keymap")
        await pilot.press("f20")
        await settle(pilot)
        assert app.current_mode == "settings"
        assert any("keymap.toml, line 2" in note.message for note in app._notifications)


async def test_every_action_has_an_id_and_says_what_it_does(ledger: PromptLedger) -> None:
    """Every binding of ours that a person can see has an id and a tooltip, so that help, palette and keymap know it."""
    watch.warm_up(lambda: None)
    found = watch.known_actions()
    assert {"app.help", "costs.longer", "settings.set_key"} <= {known.id for known in found}
    assert not [known.id for known in found if not known.tooltip]
    assert not conflicts(
        found, {known.id: ",".join(known.default_keys) for known in found if known.owner == "LedgerApp"}
    )


async def test_what_can_be_done_here_is_what_the_keys_do(workstation: Workstation) -> None:
    """The list of actions holds the place's and the shell's, with the keys that count now."""
    async with workstation("costs") as pilot:
        app = pilot.app
        assert isinstance(app, LedgerApp)
        app.set_keymap({"costs.reload": "f11"})
        await pilot.pause()
        keys = {action.id: action.keys for action in here(app.screen)}
        assert keys["costs.reload"] == ("f11",) and keys["app.prompts"] == ("f2", "1")
        assert show_key("ctrl+s") == "^s"
