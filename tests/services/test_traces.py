"""Recording spans keeps the sums true, and filters find what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_tui import PromptLedger
from ledger_tui.domain import clock, ids
from ledger_tui.domain.values import FLAG_DUPLICATE, SpanRecord, TokenUsage
from ledger_tui.errors import FilterError, InputError, NotFound
from ledger_tui.paths import Paths

HOUR_US = 3_600_000_000


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(paths=paths) as made:
        made.prepare()
        yield made


def span(trace_id: str, span_id: str, **fields: object) -> SpanRecord:
    values: dict[str, object] = {
        "name": span_id,
        "kind": "tool",
        "status": "succeeded",
        "started_us": clock.now_us() - HOUR_US,
        "duration_us": 1_000,
        **fields,
    }
    return SpanRecord(trace_id, span_id, **values)  # type: ignore[arg-type]


def test_a_trace_sums_its_spans(ledger: PromptLedger) -> None:
    """Counts, tokens, cost, unpriced calls, start and end of a trace are those of its spans."""
    call = {"kind": "llm", "model": "m", "provider": "p"}
    ledger.traces.record(
        [
            span("run-1", "root", kind="agent", started_us=1_000_000, duration_us=9_000_000),
            span(
                "run-1",
                "a",
                parent_span_id="root",
                started_us=2_000_000,
                **call,
                tokens=TokenUsage(10, 4, 0, 5, 1),
                cost_nusd=700,
            ),
            span("run-1", "b", parent_span_id="root", started_us=3_000_000, **call, status="failed", unpriced=True),
        ]
    )
    row = ledger.traces.trace("run-1")
    assert (row.name, row.status, row.span_count, row.error_count) == ("root", "failed", 3, 1)
    assert (row.started_us, row.duration_us) == (1_000_000, 9_000_000)
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (10, 4, 5)
    assert (row.cost_nusd, row.priced_count, row.unpriced_count) == (700, 1, 1)


def test_a_running_span_is_ended_by_its_second_record(ledger: PromptLedger) -> None:
    """A span recorded as running is ended once, by the next record with its id; its texts stay unless given anew."""
    started = clock.now_us()
    open_span = span("t", "s", status="running", duration_us=None, started_us=started, input="question")
    (key,) = ledger.traces.record([open_span])
    assert ledger.traces.trace("t").status == "running"
    ended = replace(open_span, status="succeeded", duration_us=5, input=None, output="answer")
    assert ledger.traces.record([ended]) == [key]
    row = ledger.traces.trace("t")
    assert (row.status, row.span_count, row.open_count) == ("succeeded", 1, 0)
    payload = ledger.traces.payload(key)
    assert (payload.input, payload.output) == ("question", "answer")


def test_a_duplicate_span_id_is_kept_and_flagged(ledger: PromptLedger) -> None:
    """A span id that ended already, used again, gives a second span with a flag (B17)."""
    ledger.traces.record([span("t", "s")])
    ledger.traces.record([span("t", "s", name="other")])
    flags = sorted(row.flags & FLAG_DUPLICATE for row in ledger.traces.spans(ledger.traces.trace("t").key))
    assert flags == [0, FLAG_DUPLICATE]


@pytest.mark.parametrize(
    "fields",
    [
        {"span_id": ""},
        {"span_id": "x" * 129},
        {"trace_id": "a\x00b"},
        {"started_us": -1},
        {"started_us": 10**18},
        {"duration_us": -5},
        {"tokens": TokenUsage(input=-1)},
        {"tokens": TokenUsage(output=2**63)},
        {"cost_nusd": -1},
        {"cost_nusd": 2**62},
    ],
)
def test_impossible_spans_are_refused_whole(ledger: PromptLedger, fields: dict[str, object]) -> None:
    """Ids, times, tokens and amounts that cannot be true are refused, and nothing of the batch is written (B12, B13, B15)."""
    good = span("t", "s")
    with pytest.raises(InputError):
        ledger.traces.record([good, replace(good, **fields)])  # type: ignore[arg-type]
    assert ledger.traces.page().rows == ()


def test_pages_follow_each_other_without_gap_or_repeat(ledger: PromptLedger) -> None:
    """Reading page after page gives every trace once, newest first, also where starts are equal."""
    now = clock.now_us()
    ledger.traces.record([span(f"t{n}", "s", started_us=now - (n // 3) * 1_000) for n in range(25)])
    seen: list[str] = []
    cursor = None
    while True:
        page = ledger.traces.page(cursor=cursor, limit=7)
        seen += [row.trace_id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 25
    starts = [ledger.traces.trace(trace_id).started_us for trace_id in seen]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize(
    ("filter_text", "expected"),
    [
        ("status:failed", {"bad"}),
        ("-status:failed", {"good", "old"}),
        ("kind:llm", {"good"}),
        ("model:gpt-*", {"good"}),
        ("-model:gpt-*", {"bad", "old"}),
        ("cost>0.01", {"good"}),
        ("cost<1", {"good"}),
        ("duration>=2s", {"bad"}),
        ("tokens>100", {"good"}),
        ("spans>1", {"good"}),
        ("errors>0", {"bad"}),
        ("since:2h", {"good", "bad"}),
        ("until:1d", {"old"}),
        ("env:prod", {"good"}),
        ("session:s-1 user:anna", {"good"}),
        ("name:checkout*", {"good"}),
        ("trace:old", {"old"}),
        ('"refund policy"', {"good"}),
        ("REFUND", {"good"}),
        ("-refund", {"bad", "old"}),
        ("status:failed kind:llm", set()),
        ("checkout", {"good"}),
        ("💥", {"bad"}),
    ],
)
def test_filters_find_what_they_say(ledger: PromptLedger, filter_text: str, expected: set[str]) -> None:
    """Each term of the grammar limits the list to the traces that it describes."""
    now = clock.now_us()
    ledger.traces.record(
        [
            span("good", "root", name="checkout flow", kind="agent", environment="prod", session_id="s-1", user_identifier="anna"),
            span("good", "call", parent_span_id="root", kind="llm", provider="openai", model="gpt-4o-mini",
                 tokens=TokenUsage(100, 0, 0, 50, 0), cost_nusd=20_000_000, output="Our refund policy is kind."),
            span("bad", "root", name="import", status="failed", duration_us=3_000_000, error="it went 💥"),
            span("old", "root", name="ancient", started_us=now - 48 * HOUR_US),
        ]
    )  # fmt: skip
    assert {row.trace_id for row in ledger.traces.page(filter_text).rows} == expected


def test_a_filter_that_does_not_parse_says_where(ledger: PromptLedger) -> None:
    """A mistake in a filter is a FilterError with the column of the mistake."""
    with pytest.raises(FilterError) as caught:
        ledger.traces.page("kind:llm colour:red")
    assert caught.value.position == 9


def test_bad_cursors_and_unknown_traces_are_errors_with_titles(ledger: PromptLedger) -> None:
    """A foreign cursor is refused and an unknown trace is not found."""
    with pytest.raises(InputError):
        ledger.traces.page(cursor="nonsense")
    with pytest.raises(NotFound, match="No such trace"):
        ledger.traces.trace("nowhere")


_tokens = st.builds(TokenUsage, *[st.one_of(st.none(), st.integers(0, 10**6))] * 5)
_records = st.builds(
    SpanRecord,
    trace_id=st.sampled_from(["a", "b", "c"]),
    span_id=st.sampled_from(["1", "2", "3", "4", "5"]),
    name=st.just("n"),
    kind=st.just("llm"),
    status=st.sampled_from(["running", "succeeded", "failed", "canceled"]),
    started_us=st.integers(1_700_000_000_000_000, 1_700_000_400_000_000),
    duration_us=st.integers(0, 10**9),
    parent_span_id=st.sampled_from([None, "1"]),
    provider=st.just("p"),
    model=st.sampled_from([None, "m1", "m2"]),
    tokens=_tokens,
    cost_nusd=st.one_of(st.none(), st.integers(0, 10**12)),
    unpriced=st.booleans(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(_records, max_size=8), min_size=1, max_size=4))
def test_sums_equal_a_recount_of_the_spans(ledger: PromptLedger, batches: list[list[SpanRecord]]) -> None:
    """Whatever is recorded in whichever batches, the sums of traces and days equal a full recount of the spans."""
    mark = ids.new_id()
    for batch in batches:
        ledger.traces.record(
            [
                replace(
                    r, trace_id=f"{mark}-{r.trace_id}", duration_us=None if r.status == "running" else r.duration_us
                )
                for r in batch
            ]
        )
    with ledger.database.lean() as lean:
        kept = lean.fetch(_KEPT_TRACES)
        recounted = lean.fetch(_RECOUNTED_TRACES)
        days = lean.fetch(_KEPT_DAYS)
        recounted_days = lean.fetch(_RECOUNTED_DAYS)
    assert sorted(kept) == sorted(recounted)
    assert sorted(days) == sorted(recounted_days)


_KEPT_TRACES = """
SELECT id, span_count, open_count, error_count, canceled_count, input_tokens, output_tokens, cost_nusd, priced_count,
       unpriced_count, started_us FROM traces
"""
_RECOUNTED_TRACES = """
SELECT trace_key, COUNT(*), SUM(status = 'running'), SUM(status = 'failed'), SUM(status = 'canceled'),
       SUM(COALESCE(input_tokens, 0)), SUM(COALESCE(output_tokens, 0)), SUM(COALESCE(cost_nusd, 0)),
       SUM(cost_nusd IS NOT NULL), SUM(unpriced), MIN(started_us)
FROM spans GROUP BY trace_key
"""
_KEPT_DAYS = (
    "SELECT day, model, SUM(calls), SUM(cost_nusd), SUM(unpriced), SUM(input_tokens) FROM daily_costs GROUP BY 1, 2"
)
_RECOUNTED_DAYS = """
SELECT date(started_us / 1000000, 'unixepoch'), model, COUNT(*), SUM(COALESCE(cost_nusd, 0)), SUM(unpriced),
       SUM(COALESCE(input_tokens, 0))
FROM spans WHERE model IS NOT NULL AND status <> 'running' GROUP BY 1, 2
"""
