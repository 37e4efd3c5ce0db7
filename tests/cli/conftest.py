"""The command line as people and scripts call it: in this process for answers, as a process for signals and pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.__main__ import main

from tests.cli.team import asking_server as asking_server
from tests.cli.team import machine as machine
from tests.cli.team import owner as owner
from tests.cli.team import pair as pair
from tests.cli.team import ring as ring
from tests.cli.team import server as server


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document it is."""
        assert self.out.isascii()
        return json.loads(self.out)


Call = Callable[..., Answer]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No option comes from the environment of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LEDGER_AUTHOR", "Tester")


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """``call("prompts", "list")`` runs the command in this process, with pipes for its output."""

    def run(*arguments: str) -> Answer:
        capfdbinary.readouterr()
        code = main(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfdbinary.readouterr()
        return Answer(code, out, err.decode())

    return run


@pytest.fixture
def welcome(call: Call, tmp_path: Path) -> str:
    """A prompt with two versions, and its name."""
    file = tmp_path / "welcome.txt"
    file.write_text("Hello {{ name }}!")
    assert call("prompts", "save", "mail/welcome", "--file", str(file), "-m", "first").code == 0
    file.write_text("Hello {{ name }}, welcome to {{ company }}!")
    assert call("prompts", "save", "mail/welcome", "--file", str(file), "-m", "company", "--label", "staging").code == 0
    return "mail/welcome"


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """The command line as a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "ledger_tui", *arguments], **options)
