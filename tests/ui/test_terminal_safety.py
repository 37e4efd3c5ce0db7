"""The terminal is an interpreter: nothing that came from outside may reach it as an instruction."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.sync.records import Delivered, Record
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.store import sync_asides, sync_receipts
from ledger_tui.ui.driver import SafeText, foreign_sequences, guarded
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tests.ui.terminal import Terminal

MARK = "pwned"
HOSTILE = [
    f"\x1b]52;c;{MARK}\x1b\\",
    f"\x1b]0;{MARK}\x07",
    "\x1b[2J",
    "\x9b31m",
    f"\x9d0;{MARK}\x9c",
    f"\x1b]8;;http://{MARK}/\x1b\\x\x1b]8;;\x1b\\",
    f"\x1bP{MARK}\x1b\\",
    f"\x1b_{MARK}\x1b\\",
    "\x1b[c\x1b[6n\x1bc",
    "\u202eevil\u202c\u200b\U000e0041",
    "a" + "\u0301" * 500,
    "[/] [bold [@click=app.quit]x[/] [link=file:///etc/passwd]l[/]",
    "[" * 200,
    "\r\x08\x0b\x0c\x07",
]
NASTY = " ".join(HOSTILE)


@pytest.fixture
def workspace(tmp_path: Path) -> Paths:
    """Folders as the XDG variables name them."""
    found = Paths(data=tmp_path / "data" / "ledger-tui", config=tmp_path / "config" / "ledger-tui")
    found.data.mkdir(mode=0o700, parents=True)
    found.config.mkdir(mode=0o700, parents=True)
    return found


def fill(paths: Paths) -> None:
    """A workspace whose every text column is hostile."""
    with PromptLedger(paths=paths) as ledger:
        ledger.prepare()
        for number, text in enumerate(HOSTILE):
            content = PromptContent.of_text(f"{text} {{{{ name }}}}", system=NASTY)
            ledger.registry.save(f"bad/p{number}", content, message=text, author=text, description=text)
        ledger.registry.save("bad/p0", PromptContent.of_text("other\n" + NASTY), message=NASTY, author=NASTY)
        ledger.traces.record([span(number, text) for number, text in enumerate([*HOSTILE, NASTY])])
        share(ledger)


def share(ledger: PromptLedger) -> None:
    """Share it through a server that does not answer and all of whose words are hostile."""
    place = {"address": "postgresql://ada@127.0.0.1:1/team", "label": NASTY, "keyring_item": "none"}
    with ledger.database.lean_write() as lean:
        sync_receipts.set_remote(lean, place)
        sync_receipts.set_last(lean, error={"title": NASTY, "cause": NASTY, "remedy": NASTY})
        sync_receipts.keep(lean, {"sent": {NASTY: 1}, "came": {NASTY: 1}, "why_not": NASTY})
        for text in HOSTILE:
            sync_asides.refuse(lean, "meta", {text: text})
            row = Delivered(Record("meta", text, text, text), 1, text, text)
            sync_asides.quarantine(lean, "meta", [(row, NASTY)])


def span(number: int, text: str) -> SpanRecord:
    """A failed call all of whose texts are ``text``."""
    return SpanRecord(
        trace_id=f"t{number}{text[:40]}",
        span_id=f"s{number}",
        name=f"n {text}",
        kind="llm",
        status="failed",
        started_us=clock.now_us() + number,
        duration_us=1000,
        provider="openai" + text[:20],
        model=f"m {text}",
        agent_id=text,
        session_id=text,
        user_identifier=text,
        tokens=TokenUsage(input=1, output=1),
        unpriced=True,
        error_type=text,
        error=text,
        input=f"# {text}\n{NASTY}",
        output=f'{{"a": "{number}"}}\n{NASTY}',
        attributes={"k " + text: text},
    )


def assert_harmless(output: str) -> None:
    """No sequence but Textual's own, no raw control, nothing for the clipboard."""
    assert "\x1b]" not in output
    assert foreign_sequences(output) == []
    assert not [char for char in "\u202e\u200b\x9b\x9d\x08\x0b\x0c" if char in output]


@pytest.mark.timeout(240)
def test_no_hostile_sequence_reaches_the_terminal_from_any_place(workspace: Paths) -> None:
    """Every place, the palette, help and dialogs show hostile prompts, traces and errors as plain visible text."""
    fill(workspace)
    with Terminal(workspace, size=(200, 60)) as terminal:
        terminal.wait_for("● Prompts")
        terminal.wait_for("p13")
        for _ in range(4):
            terminal.press("down")
            terminal.press("enter")
            terminal.read(0.2)
        terminal.press("f4")
        terminal.wait_for("● Traces")
        terminal.wait_for("␛")
        for keys in (("enter",), ("tab",), ("tab",), ("down",), ("down",), ("enter",), ("tab",)):
            terminal.press(*keys)
            terminal.read(0.2)
        terminal.press("f5")
        terminal.wait_for("● Costs")
        terminal.wait_for("By model")
        terminal.press("f3")
        terminal.wait_for("● Playground")
        terminal.press("f6")
        terminal.wait_for("● Settings")
        terminal.press("&")
        terminal.wait_for("may leave")
        for _ in range(2):
            terminal.press("]")
            terminal.read(0.3)
        terminal.press("]")
        terminal.wait_for("cannot be right")
        terminal.press("enter")
        terminal.wait_for("scroll")
        while terminal.read(0.3):
            """The frame behind the dialog's title comes to its end."""
        terminal.press("escape")
        terminal.wait_for("Would go")
        terminal.press("ctrl+p")
        terminal.wait_for("enter do it")
        terminal.press("bad")
        terminal.wait_for("bad/p1")
        terminal.press(" n failed")
        terminal.wait_for("failed,")
        terminal.press("escape")
        terminal.read(0.3)
        assert terminal.leave() == 0
        assert_harmless(terminal.output)
        assert "␛" in terminal.output


def test_hostile_settings_themes_and_keymap_are_harmless(workspace: Paths) -> None:
    """Mistakes in files are told with the files' own words, and those are harmless too."""
    import json

    workspace.themes.mkdir()
    (workspace.themes / "x.toml").write_text(f"name = {json.dumps(NASTY)}\n")
    workspace.settings.write_text(f"{json.dumps(NASTY)} = 1\ntheme = {json.dumps(NASTY)}\n")
    workspace.keymap.write_text(f"{json.dumps(NASTY)} = {json.dumps(NASTY)}\n")
    with Terminal(workspace, size=(160, 48)) as terminal:
        terminal.wait_for("A theme was left out")
        terminal.wait_for("A key was left")
        assert terminal.leave() == 0
        assert_harmless(terminal.output)


def test_a_foreign_database_is_a_calm_page(workspace: Paths, tmp_path: Path) -> None:
    """A file that is no ledger gives title, cause and remedy, no traceback; r tries again and q leaves."""
    other = tmp_path / "notes\x1b]0;x\x07.db"
    other.write_text("dear diary " * 1000)
    with Terminal(workspace, ["--database-url", str(other)]) as terminal:
        terminal.wait_for("The ledger is not open")
        terminal.wait_for("d doctor")
        terminal.press("r")
        terminal.wait_for("it is still so")
        terminal.press("q")
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.output
        assert_harmless(terminal.output)
    assert other.read_text().startswith("dear diary")


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (500, 200)])
def test_any_size_of_terminal_is_survived(workspace: Paths, size: tuple[int, int]) -> None:
    """From one cell to a wall of them: it starts, changes places and leaves."""
    with Terminal(workspace, size=size) as terminal:
        terminal.wait_for("●" if size != (1, 1) else " ")
        terminal.press("f6")
        terminal.read(0.5)
        terminal.press("f4")
        terminal.read(0.5)
        assert terminal.leave() == 0
        assert "Traceback" not in terminal.output


def test_a_storm_of_resizes_is_survived(workspace: Paths) -> None:
    """Two hundred sizes in a row, and it still shows its places."""
    with Terminal(workspace, size=(80, 24)) as terminal:
        terminal.wait_for("● Prompts")
        for step in range(200):
            terminal.resize(1 + step * 7 % 200, 1 + step * 5 % 70)
            terminal.read(0)
        terminal.resize(100, 30)
        terminal.press("f6")
        terminal.wait_for("● Settings")
        assert terminal.leave() == 0


@pytest.mark.long
def test_five_megabytes_pasted_are_survived(workspace: Paths) -> None:
    """A paste of 5 MB into a field does not end the workstation."""
    with Terminal(workspace, size=(80, 24)) as terminal:
        terminal.wait_for("● Prompts")
        terminal.press("ctrl+p")
        terminal.wait_for("enter do it")
        paste = b"\x1b[200~" + b"word " * 1_000_000 + b"\x1b[201~"
        while paste:
            sent = os.write(terminal._master, paste[:4096])
            paste = paste[sent:]
            terminal.read(0)
        terminal.press("escape")
        terminal.press("f6")
        terminal.wait_for("● Settings", 60)
        assert terminal.leave() == 0


@pytest.mark.parametrize("theme", ["terminal", "ledger-dark"])
def test_sixteen_colours_and_no_colour_get_no_more(workspace: Paths, theme: str) -> None:
    """The theme ``terminal`` sends only the 16 colours; with NO_COLOR nothing but grey is sent."""
    more = {"NO_COLOR": "1"} if theme != "terminal" else {}
    with Terminal(workspace, ["--theme", theme], environment=more, size=(80, 24)) as terminal:
        terminal.wait_for("● Prompts")
        assert terminal.leave() == 0
        if theme == "terminal":
            assert "38;2" not in terminal.output and "48;2" not in terminal.output
        else:
            import re

            for r, g, b in re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", terminal.output):
                assert r == g == b


@pytest.mark.parametrize(("term", "tty"), [("dumb", True), ("xterm", False)])
def test_without_a_terminal_there_is_a_clear_message(workspace: Paths, term: str, tty: bool) -> None:
    """TERM=dumb and a pipe give one clear message and exit code 2, without an escape sequence."""
    if tty:
        with Terminal(workspace, environment={"TERM": term}) as terminal:
            code, words = terminal.ended(), terminal.output
    else:
        ended = subprocess.run(
            [sys.executable, "-m", "ledger_tui"], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        code, words = ended.returncode, ended.stdout + ended.stderr
    assert code == 2 and "terminal" in words and "\x1b" not in words and "Traceback" not in words


def test_a_hang_up_ends_it_and_restores_the_terminal(workspace: Paths) -> None:
    """SIGHUP leaves as a person would: the alternate screen is left and the exit code is 0."""
    with Terminal(workspace) as terminal:
        terminal.wait_for("● Prompts")
        os.kill(terminal.process.pid, signal.SIGHUP)
        assert terminal.ended() == 0
        assert "\x1b[?1049l" in terminal.output


@pytest.mark.parametrize("text", HOSTILE[:9])
def test_the_second_wall_stops_what_the_first_one_missed(text: str) -> None:
    """Raw hostile text in a painted segment or a driver's write comes out without an instruction."""
    segments = SafeText().apply([Segment(text, Style(link="http://x")), Segment("fine")], Color(0, 0, 0))
    shown = "".join(segment.text for segment in segments)
    assert not [char for char in shown if ord(char) < 32 or 0x7F <= ord(char) < 0xA0]
    assert all(segment.style is None or segment.style.link is None for segment in segments)


def test_the_driver_lets_ours_through_and_nothing_else() -> None:
    """Colours, cursor moves and the clipboard of ours pass unchanged; titles, links, foreign clipboards do not."""
    for ours in ("\x1b[?2026h\x1b[1;1H\x1b[38;2;1;2;3mx\x1b[0m", "\x1b]52;c;aGk=\x07"):
        assert guarded(ours) == ours and foreign_sequences(ours) == []
    for text in (HOSTILE[0].replace(MARK, "!!"), *HOSTILE[1:2], *HOSTILE[3:8]):
        assert foreign_sequences(guarded(text)) == [], text
    assert "\x1b]" not in guarded("\x1b[1;1Hx\x1b]52;c;aGk=\x07"), "a clipboard text inside a frame is not ours"
    harmless = [Segment("plain")]
    assert SafeText().apply(harmless, Color(0, 0, 0)) is harmless
