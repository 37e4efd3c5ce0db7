"""The documents tell the truth: the reference is complete, links lead somewhere, and examples run as written."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui import PromptLedger

from tests import reference

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"<!-- (\w+) -->\n```(\w+)\n(.*?)```", re.DOTALL)


def blocks(mark: str) -> Iterator[tuple[Path, str, str]]:
    """Page, language and text of every code block with a mark above it."""
    for page in PAGES:
        for found in _BLOCK.finditer(page.read_text()):
            if found[1] == mark:
                yield page, found[2], found[3]


def test_every_example_of_the_guides_is_tried() -> None:
    """No example in Python stands in a guide without a mark, by which a test finds it and runs it as it is."""
    loose = re.compile(r"(?<!-->\n)^```python\n(.*?)```", re.DOTALL | re.MULTILINE)
    assert [(page.name, found[1][:80]) for page in PAGES for found in loose.finditer(page.read_text())] == []


def test_every_method_for_programs_is_explained() -> None:
    """Each public method of PromptLedger and each name of ledger_tui.testing is named in a guide."""
    from ledger_tui import testing

    guides = "\n".join(page.read_text() for page in PAGES if page != reference.FILE)
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`|^```.*?^```", guides, re.MULTILINE | re.DOTALL))))
    methods = {name for name, value in vars_of(PromptLedger).items() if inspect.isfunction(value)}
    assert {name for name in methods if not name.startswith("_")} - named == set()
    assert set(testing.__all__) - named == set()


def vars_of(cls: type) -> dict[str, object]:
    """What a class and those before it define."""
    return {name: value for one in reversed(cls.__mro__) for name, value in vars(one).items()}


def test_the_reference_is_what_the_code_says() -> None:
    """Every key, setting, filter field, command and theme stands in the reference as it is (python -m tests.reference)."""
    assert reference.FILE.read_text() == reference.reference(), "run: python -m tests.reference"


def test_every_command_is_explained() -> None:
    """Each command is named in the guide to the command line, not only in the generated reference."""
    from ledger_tui.cli.app import main

    text = (ROOT / "docs" / "cli.md").read_text()
    for path, _ in reference.commands(main, "ledger-tui"):
        name = path.removeprefix("ledger-tui").strip()
        words = name.split()
        assert name in text or all(word in text for word in words), f"docs/cli.md does not name {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file names one that is there, and every anchor a heading of it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.is_file(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], f"{page.name}: #{anchor}"


def test_there_is_one_command_to_install_and_one_to_test() -> None:
    """The README has exactly one marked block for each, of one line, and the CI script runs the latter."""
    for mark in ("install", "tests"):
        found = [text for page, _, text in blocks(mark) if page.name == "README.md"]
        assert len(found) == 1 and found[0].count("\n") == 1
    assert "<!-- tests -->" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.long
@pytest.mark.parametrize(
    ("page", "language", "text"), list(blocks("run")), ids=lambda value: getattr(value, "name", "")
)
def test_examples_run_as_written(page: Path, language: str, text: str, tmp_path: Path) -> None:
    """Each runnable example works in an empty home; printed lines come in the order shown (… stands for anything)."""
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name in [name for name in environment if name.startswith("LEDGER_")]:
        del environment[name]
    if language == "python":
        command, shown = [sys.executable, "-c", text], []
    else:
        lines = text.splitlines()
        script = "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
        shown = [line for line in lines if not line.startswith("$ ") and line != "…"]
        command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, check=False
    )
    printed = done.stdout.decode()
    assert done.returncode == 0, printed
    pattern = ".*".join("^" + ".*".join(map(re.escape, line.split("…"))) for line in shown)
    assert re.search(pattern, printed, re.MULTILINE | re.DOTALL), printed


@pytest.mark.parametrize(
    ("page", "language", "text"), list(blocks("client")), ids=lambda value: getattr(value, "name", "")
)
def test_examples_with_a_client_run_as_written(
    page: Path, language: str, text: str, tmp_path: Path, llama_server: str
) -> None:
    """Examples with a library's own client run against a model server that the client is told of by its variables."""
    address = {"OPENAI_BASE_URL": f"{llama_server}/v1", "OPENAI_API_KEY": "sk-x", "ANTHROPIC_BASE_URL": llama_server}
    environment = {**os.environ, **address, "ANTHROPIC_API_KEY": "sk-x"}
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    with PromptLedger() as ledger:
        (trace,) = ledger.traces.page().rows
        assert (trace.status, trace.span_count) == ("succeeded", 1)
