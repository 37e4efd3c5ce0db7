"""Money is exact: Decimal in Python, whole nano-dollars in the database, and unknown is never zero."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

NANO = 1_000_000_000
MAX_NUSD = 2**63 - 1
_MAX_USD = Decimal(MAX_NUSD) / NANO


def to_nusd(usd: Decimal) -> int:
    """Nano-dollars of a Decimal amount in USD, rounded half even; ValueError when negative, not finite or too large."""
    if not usd.is_finite() or usd < 0:
        raise ValueError(f"not an amount of money: {usd}")
    if usd > _MAX_USD:
        raise ValueError(f"too large an amount: {usd}")
    with localcontext(prec=max(28, len(usd.as_tuple().digits) + 2)):
        return int((usd * NANO).to_integral_value(rounding=ROUND_HALF_EVEN))


def to_usd(nusd: int) -> Decimal:
    """USD of whole nano-dollars, exact."""
    return Decimal(nusd) / NANO


def show(nusd: int | None, unpriced: int = 0) -> str:
    """A cost for a narrow column: ``$0.0123``, ``$12.40``, ``<$0.0001``; ``—`` unknown; ``+?`` marks unpriced calls."""
    if nusd is None:
        return "—"
    usd = to_usd(nusd)
    if nusd == 0:
        text = "$0"
    elif usd < Decimal("0.0001"):
        text = "<$0.0001"
    elif usd < 1:
        text = f"${usd:.4f}"
    else:
        text = f"${usd:,.2f}"
    return text + (" +?" if unpriced else "")
