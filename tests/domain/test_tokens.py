"""The rough count behind the sign ~ follows its rule for every text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.tokens import estimate_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("word", 1), ("words", 2), ("éé", 1), ("日本語", 3), ("😀", 2), ("\ud800", 1), ("ab日é😀", 4)],
)
def test_the_rule(text: str, tokens: int) -> None:
    """Four ASCII characters, two of two bytes, one of three bytes are a token each; an emoji is two."""
    assert estimate_tokens(text) == tokens


@given(st.text(st.characters(exclude_categories=())), st.text())
def test_it_adds_up(left: str, right: str) -> None:
    """Two texts together count at most as much as apart, and no less than one token below."""
    together = estimate_tokens(left + right)
    assert together <= estimate_tokens(left) + estimate_tokens(right) <= together + 1
