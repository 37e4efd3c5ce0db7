"""The same content is the same version everywhere, and what cannot be stored is refused at the door."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.content import (
    MAX_CONTENT_BYTES,
    MAX_DEPTH,
    MAX_KEYS,
    MAX_TEMPLATE_BYTES,
    Message,
    PromptContent,
    canonical_json,
)
from ledger_tui.errors import ContentRefused

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@given(JSON)
def test_canonical_json_is_stable(value: Any) -> None:
    """Reading canonical JSON and writing it again gives the same bytes."""
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(TEXT, JSON, min_size=2, max_size=5))
def test_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    """Two mappings with the same entries in another order are the same text."""
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@given(
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT), min_size=1, max_size=4), JSON
)
def test_content_survives_its_canonical_form(messages: list[Message], value: Any) -> None:
    """Content read back from its canonical form is the same version."""
    content = PromptContent(tuple(messages), "openai/gpt-4o", {"x": value}, ({"name": "tool"},), {"type": "object"})
    again = PromptContent.from_json(content.canonical)
    assert again.canonical == content.canonical
    assert again.sha256 == content.sha256


def test_whole_floats_are_integers() -> None:
    """1.0 and 1, and -0.0 and 0, are the same content (B11)."""
    assert canonical_json({"temperature": 1.0, "top_p": -0.0}) == '{"temperature":1,"top_p":0}'


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 2**63, 10**400, float("1e400"), b"bytes", {1: "x"}, object()]
)
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    """NaN, infinity, numbers past 2^53 and foreign types never reach the database (B10, B11, B12)."""
    with pytest.raises(ContentRefused):
        canonical_json({"param": value})


@pytest.mark.parametrize("value", [nested(MAX_DEPTH + 1), nested(20_000), [0] * MAX_KEYS])
def test_bombs_of_depth_and_number_are_refused(value: Any) -> None:
    """A document of 20,000 levels or a million keys ends early (B10)."""
    with pytest.raises(ContentRefused):
        canonical_json(value)


def test_a_loop_is_refused() -> None:
    """A list that holds itself is refused like any endless depth."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ContentRefused):
        canonical_json(value)


def test_a_nul_is_refused_with_its_position() -> None:
    """The error says in which message and where the NUL is (B1)."""
    with pytest.raises(ContentRefused, match=r"message 2 .* position 1"):
        _ = PromptContent((Message("user", "fine"), Message("user", "a\0b"))).canonical
    with pytest.raises(ContentRefused, match="position 2"):
        canonical_json({"stop": "ab\0"})
    with pytest.raises(ContentRefused, match="a key"):
        canonical_json({"a\0": 1})


def test_broken_characters_are_refused() -> None:
    """A lone surrogate cannot be part of a version (B2)."""
    with pytest.raises(ContentRefused, match="position 1"):
        _ = PromptContent.of_text("a\ud800").canonical


def test_sizes_are_limited() -> None:
    """10 MB of prompt are refused, by message and in sum (B8)."""
    assert PromptContent.of_text("x" * MAX_TEMPLATE_BYTES).sha256
    with pytest.raises(ContentRefused, match="message 1"):
        _ = PromptContent.of_text("x" * 10_000_000).canonical
    many = tuple(Message("user", "x" * MAX_TEMPLATE_BYTES) for _ in range(MAX_CONTENT_BYTES // MAX_TEMPLATE_BYTES + 1))
    with pytest.raises(ContentRefused, match="larger"):
        _ = PromptContent(many).canonical


def test_messages_need_a_role_we_know() -> None:
    """An unknown role and an empty prompt are refused with the list of roles."""
    with pytest.raises(ContentRefused, match="robot") as refused:
        _ = PromptContent((Message("robot", "x"),)).canonical
    assert "assistant" in refused.value.remedy
    with pytest.raises(ContentRefused, match="no message"):
        _ = PromptContent().canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "1" * 5_000,
        "[" * 100_000,
        '{"messages":[{}]}',
        '{"messages":[],"model":null,"params":5,"tools":[],"response_schema":null}',
        '{"messages":[],"model":7,"params":{},"tools":[],"response_schema":null}',
        '{"messages":[],"model":null,"params":{},"tools":[1],"response_schema":null}',
    ],
)
def test_foreign_json_is_not_content(text: str) -> None:
    """Whatever stands in the column, reading it raises ContentRefused and nothing else."""
    with pytest.raises(ContentRefused):
        PromptContent.from_json(text)


def test_a_system_text_comes_first() -> None:
    """of_text puts the system message before the user's."""
    assert [m.role for m in PromptContent.of_text("hi", system="be kind").messages] == ["system", "user"]
