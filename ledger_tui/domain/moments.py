"""Moments and periods as people write them: ``2h``, ``yesterday``, ``2026-01-31``, ``2026-01-31T08:00``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ledger_tui.domain import clock
from ledger_tui.errors import InputError

WRITE = "Write an age (15m, 2h, 7d), today, yesterday, a date or a time"
_PERIOD = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?)(us|ms|s|m|h|d|w)")
_UNIT_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}


def period_us(text: str) -> int:
    """Microseconds of ``2h`` or ``1h30m``; ValueError for anything else."""
    total, position = Decimal(0), 0
    while match := _PERIOD.match(text, position):
        total += Decimal(match.group(1)) * _UNIT_US[match.group(2)]
        position = match.end()
    if not text or position != len(text):
        raise ValueError(text)
    return int(total.to_integral_value())


def moment_us(text: str, now_us: int) -> int:
    """Microseconds since 1970 of a moment before or at ``now_us``'s day; a time without a zone is UTC.

    ValueError or OverflowError for what is no moment.
    """
    day = text.lower()
    if day in ("now", "today", "yesterday"):
        if day == "now":
            return now_us
        midnight = clock.from_us(now_us).replace(hour=0, minute=0, second=0, microsecond=0)
        return clock.to_us(midnight - timedelta(days=1) if day == "yesterday" else midnight)
    if _PERIOD.match(text):
        moment = now_us - period_us(text)
    elif re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        given = datetime.fromisoformat(text)
        moment = clock.to_us(given if given.tzinfo else given.replace(tzinfo=UTC))
    else:
        raise ValueError(text)
    clock.from_us(moment)
    return moment


def moment_of(text: str) -> int:
    """``moment_us`` of now for a person's input; InputError says how to write one."""
    try:
        return moment_us(text.strip(), clock.now_us())
    except (ValueError, OverflowError) as error:
        raise InputError(f"{text!r} is not a time", remedy=f"{WRITE}: 2026-01-31T08:00 (UTC).") from error
