"""Promises of receipts and measures: exact where money is shown, short where columns are narrow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ledger_tui.domain import measure
from ledger_tui.domain.receipt import receipt_lines
from ledger_tui.domain.values import TokenUsage
from ledger_tui.pricing.book import price_call


def test_a_receipt_shows_every_class_and_adds_up() -> None:
    """Each token class stands with its count, price and exact amount, then the total and where the price is from."""
    tokens = TokenUsage(1_000, 400, None, 200, 50)
    priced = price_call("openai", "gpt-4o", tokens, int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000)
    assert priced is not None
    lines = receipt_lines(priced.receipt, priced.nusd)
    assert lines[1].split() == ["input", "600", "$2.5", "$0.0015"]
    assert lines[2].split()[:3] == ["input,", "from", "cache"] and lines[2].split()[3:] == ["400", "$1.25", "$0.0005"]
    assert [line.split()[0] for line in lines[3:5]] == ["output", "reasoning"]
    assert lines[6].split() == ["total", "$0.0040"]
    assert len({len(line) for line in lines[:7]}) == 1
    assert any(line.startswith("source   genai-prices") for line in lines)


def test_no_price_is_said_and_never_zero() -> None:
    """Without a receipt and a cost the words say unpriced; with a cost alone they say that there is no receipt."""
    assert "no known price" in receipt_lines(None, None)[0]
    assert receipt_lines(None, 1)[0].startswith("$0.000000001,")


@pytest.mark.parametrize(
    "receipt",
    [
        {},
        {"lines": "x", "total_nusd": None},
        {
            "lines": [1, {"class": None, "tokens": "many", "usd_per_million": "cheap", "nusd": 1.5}],
            "priced_at_us": 10**30,
        },
    ],
)
def test_an_odd_receipt_is_still_shown(receipt: dict[str, Any]) -> None:
    """Receipts written by somebody else never fail; what cannot be read is a dash."""
    assert any("total" in line and "—" in line for line in receipt_lines(receipt, None))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"), (-5, "0µs"), (0, "0µs"), (999, "999µs"), (1_500, "1.5ms"), (9_960, "10ms"), (999_499, "999ms"),
        (999_500, "1.00s"), (9_995_000, "10.0s"), (59_994_999, "60.0s"), (59_995_000, "0m59s"), (3_599_999_999, "59m59s"),
        (3_600_000_000, "1h00m"), (200_000_000_000, "2d07h"),
    ],
)  # fmt: skip
def test_durations_are_short(value: int | None, shown: str) -> None:
    """Every duration fits in seven characters, with about three digits."""
    assert measure.duration(value) == shown and len(shown) <= 7


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "—"), (0, "0"), (999, "999"), (1_000, "1.00k"), (12_345, "12.3k"), (999_499, "999k"), (999_500, "1.00M"),
     (7 * 10**9, "7.00G"), (5 * 10**12, "5000G")],
)  # fmt: skip
def test_counts_are_short(value: int | None, shown: str) -> None:
    """Counts keep three digits and a unit."""
    assert measure.count(value) == shown


@pytest.mark.parametrize(
    ("passed_s", "shown"),
    [(-60, "soon"), (0, "now"), (40, "40 s"), (60, "1 m"), (7_200, "2 h"), (172_800, "2 d"), (10**8, "3 y")],
)
def test_ages_are_short(passed_s: int, shown: str) -> None:
    """An age is one number and a unit; a clock that runs ahead makes no negative age."""
    assert measure.age(0, passed_s * 1_000_000) == shown


def test_moments_beyond_the_calendar_do_not_fail() -> None:
    """A time outside the years 1 to 9999 is shown as the number that it is."""
    assert measure.moment(10**30).endswith("µs")
