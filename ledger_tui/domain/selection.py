"""Which finished model calls are looked at: shared by every sum, table, comparison and export of costs.

A selection also says how the traces behind it are found, in the grammar of trace filters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from ledger_tui.domain.filter_fields import quoted
from ledger_tui.errors import InputError

Grouping = Literal["day", "provider", "model", "prompt", "version", "environment", "user", "session"]
GROUPINGS: tuple[Grouping, ...] = ("day", "provider", "model", "prompt", "version", "environment", "user", "session")
PARTIES = ("user", "session")
"""Groupings that have sums of their own, by day alone."""
MAX_DAYS = 36_600


@dataclass(frozen=True, slots=True)
class Selection:
    """Calls of UTC days, both ends included. None does not limit; an empty text means calls that have none.

    ``version`` is a number of ``prompt``, 0 for calls of no saved version. Raises InputError for days that are none.
    """

    since: date
    until: date
    provider: str | None = None
    model: str | None = None
    prompt: str | None = None
    version: int | None = None
    environment: str | None = None
    user: str | None = None
    session: str | None = None

    def __post_init__(self) -> None:
        if self.until < self.since:
            raise InputError(f"{self.since} to {self.until} has no day", remedy="Give the earlier day first.")
        if self.days > MAX_DAYS:
            raise InputError(f"{self.days} days are too many", remedy="Give a hundred years at most.")
        if self.version is not None and not self.prompt:
            raise InputError("a version is one of a prompt", remedy="Name the prompt too.")

    @property
    def days(self) -> int:
        """How many days it spans."""
        return (self.until - self.since).days + 1

    @property
    def previous(self) -> Selection:
        """The same calls of as many days before; raises InputError where no calendar reaches."""
        try:
            return replace(self, since=self.since - timedelta(self.days), until=self.since - timedelta(1))
        except OverflowError as error:
            raise InputError(f"there are no {self.days} days before {self.since}") from error

    def filter_text(self, *, unpriced: bool = False) -> str:
        """The filter that finds the traces of these calls; with ``unpriced`` of those whose price is unknown."""
        days = self.since.isoformat()
        if self.until != self.since:
            days += f"..{self.until.isoformat()}"
        terms = [f"day:{days}"]
        for name, value in (
            ("provider", self.provider),
            ("model", self.model),
            ("prompt", self.prompt),
            ("version", None if self.version is None else str(self.version or "")),
            ("env", self.environment),
            ("user", self.user),
            ("session", self.session),
        ):
            if value is not None:
                terms.append(f"{name}:{quoted(value)}" if value else f"-{name}:*")
        if unpriced:
            terms.append("unpriced:yes")
        return " ".join(terms)

    def narrowed(self, by: Grouping, key: tuple[str, ...]) -> Selection:
        """The calls of one group; ``key`` as a row of that grouping has it."""
        if by == "day":
            day = date.fromisoformat(key[0])
            return replace(self, since=day, until=day)
        if by == "model":
            return replace(self, provider=key[0], model=key[1])
        if by == "version":
            return replace(self, prompt=key[0], version=int(key[1]) if key[0] else None)
        if by == "provider":
            return replace(self, provider=key[0])
        if by == "prompt":
            return replace(self, prompt=key[0])
        if by == "environment":
            return replace(self, environment=key[0])
        return replace(self, user=key[0]) if by == "user" else replace(self, session=key[0])


def last_days(days: int, today: date) -> Selection:
    """All calls of the last ``days`` days up to ``today``; raises InputError for fewer than one or too many."""
    if not 1 <= days <= MAX_DAYS:
        raise InputError(f"{days} days cannot be looked at", remedy=f"Give 1 to {MAX_DAYS} days.")
    try:
        return Selection(today - timedelta(days - 1), today)
    except OverflowError as error:
        raise InputError(f"there are no {days} days before {today}") from error
