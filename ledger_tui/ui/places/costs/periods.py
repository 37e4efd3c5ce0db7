"""The periods that Costs looks at: the usual ones by name, and a range of days that a person writes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from ledger_tui.domain.selection import Selection, last_days
from ledger_tui.errors import InputError

NAMES = ("Today", "7 d", "30 d", "90 d", "This month", "Last month", "Custom")
CUSTOM = "Custom"
USUAL = "30 d"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_REMEDY = "Write two days such as 2026-01-01..2026-01-31, one day, or so many last days such as 14."


class Days(NamedTuple):
    """UTC days, both included."""

    since: date
    until: date


def days_of(name: str, today: date, custom: Days | None = None) -> Days:
    """The days that a name of ``NAMES`` means today; Custom is ``custom``, the usual ones without it."""
    if name == CUSTOM:
        return custom or days_of(USUAL, today)
    if name == "This month":
        return Days(today.replace(day=1), today)
    if name == "Last month":
        last = today.replace(day=1) - timedelta(1)
        return Days(last.replace(day=1), last)
    count = 1 if name == "Today" else int(name.removesuffix(" d"))
    return Days(today - timedelta(count - 1), today)


def parse_days(text: str, today: date) -> Days:
    """The days that a person wrote; an open end means today. Raises InputError."""
    text = text.strip()
    if text.isdecimal() and len(text) < 6:
        found = last_days(int(text), today)
        return Days(found.since, found.until)
    first, dots, last = text.partition("..")
    since = _day(first.strip())
    until = (_day(last.strip()) if last.strip() else today) if dots else since
    checked = Selection(since, until)
    return Days(checked.since, checked.until)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text or 'nothing'!r} is no day", remedy=_REMEDY) from error


def short_day(day: date, *, weekday: bool = False) -> str:
    """``22 Nov``, with the weekday ``Sun 22 Nov``."""
    words = f"{day.day} {_MONTHS[day.month - 1]}"
    return f"{_DAYS[day.weekday()]} {words}" if weekday else words


def words(days: Days, today: date) -> str:
    """A period in words: ``24 Oct to 22 Nov 2026 · 30 days, today so far``."""
    count = (days.until - days.since).days + 1
    told = f"{short_day(days.until)} {days.until.year}"
    if count > 1:
        year = f" {days.since.year}" if days.since.year != days.until.year else ""
        told = f"{short_day(days.since)}{year} to {told} · {count:,} days"
    return f"{told}, today so far" if days.until >= today >= days.since else told
