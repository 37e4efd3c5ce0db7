"""Durations, ages, moments and counts in as few characters as a narrow column has."""

from __future__ import annotations

from ledger_tui.domain import clock

_SECOND = 1_000_000
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3_600 * _SECOND, 86_400 * _SECOND


def duration(value_us: int | None) -> str:
    """A duration in at most 7 characters: ``850µs``, ``12ms``, ``3.42s``, ``2m05s``, ``3h07m``; ``—`` for None."""
    if value_us is None:
        return "—"
    if value_us < 0:
        return "0µs"
    if value_us < 1_000:
        return f"{value_us}µs"
    if value_us < 999_500:
        return f"{value_us / 1_000:.1f}ms" if value_us < 9_950 else f"{value_us / 1_000:.0f}ms"
    if value_us < 59_995_000:
        return f"{value_us / _SECOND:.2f}s" if value_us < 9_995_000 else f"{value_us / _SECOND:.1f}s"
    if value_us < _HOUR:
        return f"{value_us // _MINUTE}m{value_us % _MINUTE // _SECOND:02}s"
    if value_us < _DAY:
        return f"{value_us // _HOUR}h{value_us % _HOUR // _MINUTE:02}m"
    return f"{value_us // _DAY}d{value_us % _DAY // _HOUR:02}h"


def age(moment_us: int, now_us: int) -> str:
    """How long ago, in at most 5 characters: ``now``, ``40 s``, ``3 m``, ``2 h``, ``5 d``; ``soon`` for later."""
    passed = now_us - moment_us
    if passed < -_SECOND:
        return "soon"
    if passed < 2 * _SECOND:
        return "now"
    for size, unit, limit in ((_SECOND, "s", _MINUTE), (_MINUTE, "m", _HOUR), (_HOUR, "h", 2 * _DAY)):
        if passed < limit:
            return f"{passed // size} {unit}"
    days = passed // _DAY
    return f"{days} d" if days < 1_000 else f"{days // 365} y"


def moment(value_us: int) -> str:
    """A moment in the local zone: ``2026-07-01 14:03:22``; the bare number where no calendar reaches."""
    try:
        return clock.from_us(value_us).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{value_us} µs"


def count(value: int | None) -> str:
    """A count in at most 6 characters: ``950``, ``12.3k``, ``4.56M``, ``7.89G``; ``—`` for None."""
    if value is None:
        return "—"
    if value < 1_000:
        return str(value)
    for size, unit in ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G")):
        if value < size * 999.5 or unit == "G":
            part = value / size
            return f"{part:.2f}{unit}" if part < 9.995 else f"{part:.1f}{unit}" if part < 99.95 else f"{part:.0f}{unit}"
    raise AssertionError("the last unit takes all")


def percent(share: float | None) -> str:
    """A share: ``97.5 %``, ``100 %``, ``—`` for None; what is not all is never written as all, nor what is some as none."""
    if share is None:
        return "—"
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    return f"{min(99.9, max(0.1, share * 100)):.1f} %"
