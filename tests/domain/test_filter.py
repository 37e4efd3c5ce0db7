"""One grammar finds traces, and a filter that is not understood says where and what to write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ledger_tui.domain import clock
from ledger_tui.domain.filter import (
    FIELDS,
    Comparison,
    Terms,
    TraceFilter,
    complete,
    is_pattern,
    like_pattern,
    parse_filter,
    term_start,
)
from ledger_tui.domain.filter_fields import BY_NAME
from ledger_tui.errors import FilterError

NOW = clock.to_us(datetime(2026, 3, 29, 12, 30, tzinfo=UTC))
HOUR = 3_600_000_000
PIECES = st.sampled_from(
    [
        *(*BY_NAME, "-", "not:", ":", ">", ">=", "=", "!=", "<", ",", " ", '"', "\\", "*", "$", "0.01", "2s", "1h30m"),
        *(
            "10k",
            "failed",
            "ok",
            "today",
            "2026-01-01",
            "2026-01-01T10:00+05:30",
            "word",
            "\t",
            "\0",
            "é",
            "9" * 20,
            "a b",
        ),
    ]
)


def parsed(text: str) -> TraceFilter:
    return parse_filter(text, NOW)


@settings(max_examples=400)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=14).map("".join)))
@example("since:99999999w")
@example("since:0001-01-01T00:00+23:59")
@example("until:9999-12-31T23:59:59-23:59")
@example('-"\\""')
@example("duration>999999999999999999w")
def test_any_text_parses_or_is_a_filter_error(text: str) -> None:
    """Nothing but FilterError is ever raised, with a position inside the text; what parses can be written and read again."""
    try:
        found = parsed(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
        assert error.cause and error.remedy
    else:
        assert parsed(str(found)) == found


VALUES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12)
TERMS = st.builds(Terms, *[st.lists(VALUES, max_size=3, unique=True).map(tuple)] * 2)
DAYS = st.dates().map(str) | st.builds(lambda *d: "..".join(map(str, sorted(d))), *[st.dates()] * 2).filter(
    lambda days: len(set(days.split(".."))) == 2
)
MOMENTS = st.none() | st.integers(-(10**15), 10**16)


@given(
    st.builds(
        TraceFilter,
        prompts=TERMS,
        names=TERMS,
        agents=TERMS,
        days=st.builds(Terms, *[st.lists(DAYS, max_size=2, unique=True).map(tuple)] * 2),
        versions=st.builds(Terms, *[st.lists(st.integers(0, 999).map(str), max_size=2, unique=True).map(tuple)] * 2),
        comparisons=st.lists(
            st.builds(
                Comparison,
                st.sampled_from(["cost", "duration", "tokens", "spans", "errors"]),
                st.sampled_from([">", ">=", "<", "<=", "=", "!="]),
                st.integers(0, 2**63 - 1),
            ),
            max_size=4,
            unique=True,
        ).map(tuple),
        since_us=MOMENTS,
        until_us=MOMENTS,
        words=st.lists(VALUES, max_size=3, unique=True).map(tuple),
        excluded_words=st.lists(VALUES, max_size=3, unique=True).map(tuple),
    )
)
@example(TraceFilter(comparisons=(Comparison("duration", ">", 10**18 + 1),)))
def test_every_filter_can_be_written(query: TraceFilter) -> None:
    """A filter built by a program, with any text and number in it, survives its own text."""
    assert parsed(str(query)) == query


def test_the_whole_grammar() -> None:
    """Every kind of term lands in its field."""
    found = parsed(
        "status:failed,running prompt:support/* -kind:llm,tool model:gpt-4o MODEL:o1 env:prod cost>$0.01 duration>=2s "
        'tokens>=1.5k spans<10 errors:0 since:2h until:2026-04-01 "free text" bare -without not:"this one"'
    )
    assert found.statuses == Terms(("failed", "running"))
    assert found.prompts == Terms(("support/*",))
    assert found.kinds == Terms((), ("llm", "tool"))
    assert found.models == Terms(("gpt-4o", "o1"))
    assert found.environments == Terms(("prod",))
    assert found.comparisons == (
        Comparison("cost", ">", 10_000_000),
        Comparison("duration", ">=", 2_000_000),
        Comparison("tokens", ">=", 1_500),
        Comparison("spans", "<", 10),
        Comparison("errors", "=", 0),
    )
    assert found.since_us == NOW - 2 * HOUR
    assert found.until_us == clock.to_us(datetime(2026, 4, 1, tzinfo=UTC))
    assert found.words == ("free text", "bare")
    assert found.excluded_words == ("without", "this one")


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_example_of_the_help_works(field: object) -> None:
    """The example that the help shows for a key parses and limits something."""
    assert parsed(field.example)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("status:ok", "status:succeeded"),
        ("status:SUCCESS", "status:succeeded"),
        ("status:error", "status:failed"),
        ("status:cancelled", "status:canceled"),
        ("status!=ok", "-status:succeeded"),
        ("not:status:ok", "-status:succeeded"),
        ("-cost>1", "cost<=1"),
        ("not:errors=0", "errors!=0"),
        ("tokens:>=2k", "tokens>=2000"),
        ("duration>1m30s", "duration>90s"),
        ("latency>500ms", "duration>0.5s"),
        ("since:2026-03-29T10:00", "since:2026-03-29T12:00+02:00"),
        ("since:today", "since:2026-03-29"),
        ("since:yesterday", "since:2026-03-28"),
        ("since:1d since:1h", "since:1h"),
        ("until:1d until:1h", "until:1d"),
        ("model:a model:b,a", "model:a,b"),
        ("day:today", "day:2026-03-29"),
        ("day:yesterday..today", "day:2026-03-28..2026-03-29"),
        ("day:2026-03-01..2026-03-01", "day:2026-03-01"),
        ("version:v3", "version:3"),
        ("unpriced:YES", "unpriced:yes"),
        ('name:"a"', "name:a"),
        ('""', ""),
        ("  ", ""),
    ],
)
def test_two_ways_to_say_it(text: str, same: str) -> None:
    """Aliases, negations, units and repetitions mean what they look like."""
    assert parsed(text) == parsed(same)


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        ("statsu:failed", 0, "status:failed"),
        ("a status:fialed", 9, "status:failed"),
        ("status:", 7, "succeeded"),
        ("status:ok,", 10, "succeeded"),
        ("model:", 6, "model:gpt-4o*"),
        ("cost>cheap", 5, "cost>0.01"),
        ("cost>-1", 5, "cost>0.01"),
        ("cost>1e5", 5, "cost>0.01"),
        ("duration>2", 9, "duration>2s"),
        ("tokens>1.0005k", 7, "whole number"),
        ("spans>10x", 6, "whole number"),
        ("cost>99999999999", 5, "cost>0.01"),
        ("model>gpt", 5, "model:gpt-4o*"),
        ("since:tomorrow", 6, "yesterday"),
        ("since:2026-13-01", 6, "yesterday"),
        ("since:1700000000", 6, "yesterday"),
        ("-since:2h", 1, "until:"),
        ("day:2026-02-30", 4, "yesterday"),
        ("day:2026-02-02..2026-02-01", 4, "earlier"),
        ("version:three", 8, "version:3"),
        ("unpriced:maybe", 9, "unpriced:yes"),
        ('ok "open', 3, '"'),
        ('model:"a"b', 9, "space"),
        ("http://example.org", 0, '"http://example.org"'),
        ("a\0b", 1, "Remove"),
        ("x" * 20_000, 10_000, "status:failed"),
    ],
)
def test_mistakes_are_shown_where_they_are(text: str, position: int, hint: str) -> None:
    """Each error has the position of the mistake and a remedy that helps."""
    with pytest.raises(FilterError) as refused:
        parsed(text)
    assert refused.value.position == position
    assert hint in refused.value.remedy


def test_wildcards_become_like_patterns() -> None:
    r"""Only ``*`` is a wildcard; what SQL would read as one is escaped."""
    assert is_pattern("a*") and not is_pattern("a%_")
    assert like_pattern(r"a*_%\b") == r"a%\_\%\\b"


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        ("st", ["status:"]),
        ("x co", ["cost>"]),
        ("-ki", ["-kind:"]),
        ("status:f", ["status:failed"]),
        ("status:failed,su", ["status:failed,succeeded"]),
        ("-status:q", ["-status:queued"]),
        ("kind:re", ["kind:retrieval"]),
        ('"status:f', []),
        ("nothing:x", []),
        ("status:failed", []),
    ],
)
def test_completion(text: str, offers: list[str]) -> None:
    """Keys and known values are offered for the term at the cursor, whole and with its sign."""
    assert complete(text, len(text)) == offers


def test_completion_offers_every_key_at_an_empty_term() -> None:
    """On a fresh term the grammar itself is offered, and each offer is the beginning of something that parses."""
    offers = complete("status:failed ", 14)
    assert len(offers) == len(FIELDS)
    assert term_start("status:failed x", 15) == 14
    assert term_start('name:"a b', 9) == 0


@given(st.text(), st.integers(-5, 30))
def test_completion_never_fails(text: str, cursor: int) -> None:
    """Any text and any cursor give a list and a start inside the text."""
    assert isinstance(complete(text, cursor), list)
    assert 0 <= term_start(text, cursor) <= len(text)
