"""Which door opens, what the rest of the commands answer, and how they end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_tui import __version__
from ledger_tui.__main__ import main, plain_options
from ledger_tui.cli.app import COMMANDS

from tests.cli.conftest import Call, start


def test_no_terminal_no_workstation(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a pipe the workstation says that it needs a terminal and ends with 2; on a dumb one too."""
    answer = call()
    assert answer.code == 2 and "needs a terminal" in answer.err and "--help" in answer.err
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    for kind in ("dumb", ""):
        monkeypatch.setenv("TERM", kind)
        assert main([]) == 2


def test_a_wrong_theme_names_the_themes(call: Call) -> None:
    """``--theme`` with an unknown name on a real terminal ends with 2 and lists what there is."""
    out, code = on_terminal("--theme", "no-such-theme")
    assert code == 2 and b"ledger-dark" in out


def on_terminal(*arguments: str, keys: bytes = b"", until: bytes = b"", end: int | None = None) -> tuple[bytes, int]:
    """Run on a pseudo terminal; once ``until`` was shown press ``keys`` or send the signal ``end``."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "ledger_tui", *arguments])
    seen, done = b"", not until
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
        if not done and until in seen:
            done = True
            if keys:
                os.write(terminal, keys)
            if end is not None:
                os.kill(child, end)
    os.close(terminal)
    return seen, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_the_workstation_opens_and_ctrl_q_leaves() -> None:
    """On a terminal the workstation shows its places, and ctrl+q ends it with 0."""
    out, code = on_terminal(keys=b"\x11", until=b"Playground")
    assert code == 0, out[-2000:]
    assert b"\x1b[?1049l" in out


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_end_the_workstation_cleanly(name: str) -> None:
    """A request to end and a hang-up give the terminal back and end with 0."""
    out, code = on_terminal(until=b"Playground", end=getattr(signal, name))
    assert code == 0, out[-2000:]
    assert b"\x1b[?1049l" in out and b"Traceback" not in out


def test_a_terminal_that_disappears_ends_the_workstation() -> None:
    """When the window is closed the process ends by itself."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "ledger_tui"])
    seen = b""
    while b"Playground" not in seen:
        seen += os.read(terminal, 65536)
    os.close(terminal)
    os.waitpid(child, 0)


def test_the_demo_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo opens filled, and its folder is gone when the person leaves."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    out, code = on_terminal("demo", keys=b"\x11", until=b"Playground")
    assert code == 0, out[-2000:]
    assert not list(tmp_path.glob("ledger-demo-*"))


def test_the_demo_can_be_kept(call: Call, tmp_path: Path) -> None:
    """``--no-open`` prints a database that the other commands open; ``--keep`` puts it where it was told."""
    folder = tmp_path / "kept"
    answer = call("demo", "--no-open", "--keep", str(folder))
    assert answer.text == f"{folder}/demo.db\n"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(call("--database-url", answer.text.strip(), "prompts", "list", "--json").json["prompts"]) == 12
    assert call("prompts", "list", "--json").json["prompts"] == []
    again = call("demo", "--no-open", "--keep", str(folder))
    assert again.code == 1 and "not empty" in again.err


def test_doctor_and_backup(call: Call, tmp_path: Path) -> None:
    """``backup`` prints a copy that opens, ``doctor`` finds a new workspace healthy and a foreign file not."""
    call("prompts", "list")
    copy = call("backup", str(tmp_path / "copy.db")).text.strip()
    assert call("--database-url", copy, "prompts", "list").code == 0
    assert call("doctor", "--json").json["ok"] is True
    (tmp_path / "foreign.db").write_text("hello")
    sick = call("--database-url", str(tmp_path / "foreign.db"), "doctor")
    assert sick.code == 3 and "✗" in sick.text
    assert (tmp_path / "foreign.db").read_text() == "hello"


def test_models_and_keys(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The offline model is always there; a key's place is told, the key never."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    assert "offline" in [model["name"] for model in call("models", "--json").json["models"]]
    keys = call("keys", "list", "--json")
    assert {row["provider"]: row["key"] for row in keys.json["providers"]}["openai"] == "environment"
    assert b"canary" not in keys.out + keys.err.encode()


def test_a_key_is_never_an_argument() -> None:
    """``keys set`` reads standard input; without a keyring to trust it says so and where else to put the key."""
    process = start("keys", "set", "openai", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(b"sk-canary-0123456789\n", timeout=30)
    assert b"canary" not in out + err
    assert (process.returncode == 1 and b"OPENAI_API_KEY" in err) or process.returncode == 0
    assert start("keys", "set", "openai", "sk-canary", stderr=subprocess.DEVNULL).wait(30) == 2


def test_wrong_usage_ends_with_2(call: Call) -> None:
    """An unknown command, an unknown option and a missing argument are wrong usage."""
    for arguments in (["nope"], ["--nope"], ["run"], ["traces", "list", "--limit", "0"]):
        answer = call(*arguments)
        assert answer.code == 2 and answer.out == b"" and "✗" in answer.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(call: Call, name: str) -> None:
    """``--help`` of every command says what it does."""
    answer = call(name, "--help")
    assert answer.code == 0 and "Usage: ledger-tui" in answer.text


def test_the_version(call: Call) -> None:
    """``--version`` prints name and version."""
    assert call("--version").text == f"ledger-tui {__version__}\n"


def test_only_plain_openings_skip_the_command_line() -> None:
    """The fast path takes the global options alone; everything else is parsed properly."""
    assert plain_options([]) == {}
    assert plain_options(["--theme", "x", "--database-url=/a b"]) == {"--theme": "x", "--database-url": "/a b"}
    for arguments in (
        ["run"],
        ["--theme"],
        ["--theme="],
        ["--theme", "--x"],
        ["--help"],
        ["--version"],
        ["x", "--theme"],
    ):
        assert plain_options(arguments) is None


def test_an_unexpected_error_is_short_and_its_details_private(call: Call, tmp_path: Path) -> None:
    """A mistake of ours ends with 1, a few words and a private log without values; LEDGER_DEBUG shows it all."""
    code = (
        "import sys, ledger_tui.ledger as l\n"
        "def broken(*a, **k):\n    token = 'sk-canary-0123456789'\n    raise RuntimeError('at ' + token)\n"
        "l.PromptLedger.prepare = broken\n"
        "from ledger_tui.__main__ import main\nsys.exit(main(['prompts', 'list']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and b"Traceback" not in done.stderr and b"canary" not in done.stderr
    log = next((tmp_path / "home").rglob("errors.log"))
    assert "RuntimeError" in log.read_text() and "sk-canary-0123456789" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "LEDGER_DEBUG": "1"},
    )
    assert b"Traceback" in shown.stderr


def test_nothing_in_a_text_reaches_the_terminal_as_a_command(call: Call, tmp_path: Path) -> None:
    """On a terminal, prompts, answers and errors are shown printable; into a pipe they are exact."""
    evil = "a\x1b]0;title\x07\x1b[2J\x9b31m\u202eb"
    file = tmp_path / "p.txt"
    file.write_text(evil)
    assert call("prompts", "save", "p", "--file", str(file), "-m", evil).code == 0
    assert call("prompts", "show", "p").out == evil.encode()
    reply = ("run", "p", "--model", "offline", "--param", "offline_delay_s=0", "--param", f"offline_reply={evil}")
    for arguments in (
        ("prompts", "show", "p"),
        ("prompts", "history", "p"),
        reply,
        (*reply, "--stream"),
        ("run", evil),
    ):
        shown, _ = on_terminal(*arguments)
        assert not set("\x1b\x07\x9b\u202e") & set(shown.decode()), arguments
