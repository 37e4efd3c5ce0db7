"""Money is exact, and unknown is never shown as zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.money import MAX_NUSD, show, to_nusd, to_usd


@given(st.integers(0, MAX_NUSD))
def test_nano_dollars_survive_the_way_through_decimal(nusd: int) -> None:
    """Dollars and back is the same whole number, up to the largest."""
    assert to_nusd(to_usd(nusd)) == nusd


@pytest.mark.parametrize(
    "usd", ["-1", "-0.000000001", "NaN", "sNaN", "Infinity", "-Infinity", "9223372036.854775808", "1e999999"]
)
def test_what_is_no_amount_is_refused(usd: str) -> None:
    """Negative, not finite or past 2^63 nano-dollars raises ValueError (B11, B12)."""
    with pytest.raises(ValueError, match="amount"):
        to_nusd(Decimal(usd))


@pytest.mark.parametrize(
    ("usd", "nusd"),
    [
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("1e-999999", 0),
        ("1.0000000005000000000000000000000000001", 1_000_000_001),
        ("9223372036.854775807", MAX_NUSD),
    ],
)
def test_rounding_is_half_even_and_single(usd: str, nusd: int) -> None:
    """However many digits an amount has, it is rounded once."""
    assert to_nusd(Decimal(usd)) == nusd


def test_sums_do_not_overflow() -> None:
    """Two amounts of 2^62 add up exactly (B13)."""
    assert to_usd(2**62 + 2**62) * 10**9 == 2**63


@pytest.mark.parametrize(
    ("nusd", "unpriced", "shown"),
    [
        (None, 0, "—"),
        (None, 3, "—"),
        (0, 0, "$0"),
        (0, 1, "$0 +?"),
        (1, 0, "<$0.0001"),
        (12_300_000, 0, "$0.0123"),
        (12_400_000_000, 2, "$12.40 +?"),
        (1_234_567_890_000, 0, "$1,234.57"),
    ],
)
def test_a_cost_in_a_column(nusd: int | None, unpriced: int, shown: str) -> None:
    """Unknown is a dash, a part that is unknown is marked, tiny is not zero (B12)."""
    assert show(nusd, unpriced) == shown
