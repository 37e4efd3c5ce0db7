"""Text from outside never reaches a terminal as something it obeys."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.text import MAX_COMBINING, nul_position, one_line, printable, repaired

ANY_TEXT = st.text(st.characters(exclude_categories=()))
TRICKY = st.text(
    st.sampled_from(
        "a1#\n\t\r\x1b\x9b\u202e\u200b\u200d\ufe0f\ufe0e\u20e3\u0301葛😀👩❤©\U000e0100\U000e0041\ud800\u3164"
    ),
    max_size=40,
)
ESCAPES = [
    "\x1b]52;c;Zm9v\x1b\\",
    "\x1b]0;x\x07",
    "\x1b[2J",
    "\x9b31m",
    "\x1b]8;;http://x\x1b\\y",
    "\x1bPq\x1b\\",
    "\x1b[c",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_escape_sequences_are_shown_not_sent(text: str) -> None:
    """No sequence that a terminal obeys survives, and what it said stays readable (B3)."""
    shown = printable(f"a{text}b")
    assert "\x1b" not in shown and "\x9b" not in shown and "\x07" not in shown
    assert shown.startswith("a") and shown.endswith("b")
    assert "␛" in shown or "\\u{009b}" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ab\u202edc", "ab\\u{202e}dc"),
        ("a\u200bb", "a\\u{200b}b"),
        ("\ufeffa", "\\u{feff}a"),
        ("a\U000e0041", "a\\u{e0041}"),
        ("a\u2028b", "a\\u{2028}b"),
        ("a\ue000", "a\\u{e000}"),
        ("a\ud800", "a\\u{d800}"),
        ("a\u3164b", "a\\u{3164}b"),
        ("a\ufe0fb", "a\\u{fe0f}b"),
        ("a\U000e0100\U000e0101", "a\\u{e0100}\\u{e0101}"),
        ("😀\u200d\u200d", "😀\\u{200d}\\u{200d}"),
        ("😀\ufe0f\ufe0f", "😀\ufe0f\\u{fe0f}"),
        ("a\x00b\x7f", "a␀b␡"),
    ],
)
def test_hidden_characters_are_visible(text: str, shown: str) -> None:
    """Overrides, zero-width characters, tags and smuggled selectors show where they stand (B5)."""
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦",
        "👩🏽‍🚀",
        "❤️",
        "❤️‍🔥",
        "1️⃣",
        "#️⃣",
        "™️",
        "葛󠄀",
        "é",
        "e\u0301",
        "日本語",
        "مرحبا",
        "नमस्ते",
        "[/]",
        "[@click=app.quit]x[/]",
    ],
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    """Emoji sequences, accents, scripts and brackets are kept to the character (B4)."""
    assert printable(text) == text


def test_combining_marks_are_capped() -> None:
    """Five hundred marks on a letter become eight (B5)."""
    assert printable("a" + "\u0301" * 500 + "b") == "a" + "\u0301" * MAX_COMBINING + "b"


def test_one_line_surfaces_keep_no_control() -> None:
    """With nothing to keep, a newline and a tab are visible too."""
    assert printable("a\nb\tc", keep="") == "a␊b␉c"
    assert one_line("a\r\nb\tc\rd") == "a b c␍d"
    assert one_line("x" * 500, 10) == "x" * 9 + "…"


@given(st.one_of(ANY_TEXT, TRICKY))
def test_printable_output_is_harmless_and_stable(text: str) -> None:
    """No control, no format character but emoji joiners, no surrogate; a second pass changes nothing."""
    shown = printable(text)
    for char in shown:
        assert char in "\n\t\u200d" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert printable(shown) == shown
    assert "\n" not in printable(text, keep="") and "\t" not in printable(text, keep="")


@given(st.one_of(ANY_TEXT, TRICKY), st.integers(1, 30))
def test_one_line_fits(text: str, limit: int) -> None:
    """A line has no more characters than asked for and no control character."""
    shown = one_line(text, limit)
    assert len(shown) <= limit
    assert not any(unicodedata.category(char) == "Cc" for char in shown)


def test_lone_surrogates_are_repaired_once() -> None:
    """One broken character becomes one replacement character and is told of; a split pair is joined (B2)."""
    assert repaired("a\ud800b") == ("a\ufffdb", True)
    assert repaired("\ud83d\ude00") == ("😀", True)
    assert repaired("fine 😀") == ("fine 😀", False)


@given(ANY_TEXT)
def test_repaired_text_can_be_stored(text: str) -> None:
    """Whatever was repaired encodes, and only broken text is flagged."""
    fixed, lossy = repaired(text)
    fixed.encode()
    assert lossy == (fixed != text)


def test_nul_is_found() -> None:
    """The position of a NUL is told (B1)."""
    assert nul_position("a\0b") == 1
    assert nul_position("ab") == -1
