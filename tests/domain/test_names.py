"""A prompt's name is a safe path and cannot look like another one."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.names import MAX_NAME, check_label, check_prompt_name
from ledger_tui.errors import NameRefused

REFUSED = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "..",
    "../../etc/passwd",
    "a/../b",
    "a..b",
    ".hidden",
    "-rf",
    "trailing.",
    "con",
    "CON",
    "x/nul.txt",
    "LPT1",
    "a b",
    "a\\b",
    "C:x",
    "a\n",
    "a\0",
    "caf\u00e9",
    "cafe\u0301",
    "p\u0430ypal",
    "\u202eabc",
    "\ud800",
    "x" * 10_000,
]


@pytest.mark.parametrize("name", REFUSED)
def test_dangerous_names_are_refused(name: str) -> None:
    """Paths out of the folder, device names, look-alikes, RTL and 10 kB are refused (B5, B6, B7)."""
    with pytest.raises(NameRefused) as refused:
        check_prompt_name(name)
    assert refused.value.remedy
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "name", ["summarise", "support/reply-v2", "A/b_c/d.e", "0", "x" * MAX_NAME, "console", "com10"]
)
def test_plain_names_pass(name: str) -> None:
    """Letters, digits, dots, dashes and folders are a name."""
    assert check_prompt_name(name) == name


@given(st.text(st.sampled_from("aA0._-/ \\:~\n\u0430"), max_size=12))
def test_an_accepted_name_is_a_relative_path_everywhere(name: str) -> None:
    """What is accepted has no root, no drive and no step upwards on POSIX and on Windows."""
    try:
        check_prompt_name(name)
    except NameRefused:
        return
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        assert not path.is_absolute() and not path.drive
        assert ".." not in path.parts and "/".join(path.parts) == name


@pytest.mark.parametrize("label", ["", "Production", "production ", "-x", "a/b", "é", "x" * 65, "a\n", "✅"])
def test_labels_are_lower_case_words(label: str) -> None:
    """A label with spaces, capitals or emoji is refused with what to use."""
    with pytest.raises(NameRefused, match="label") as refused:
        check_label(label)
    assert "64" in refused.value.remedy


def test_a_label_passes() -> None:
    """Lower-case words with digits, dots and dashes are labels."""
    assert check_label("eu-west.2_b") == "eu-west.2_b"
