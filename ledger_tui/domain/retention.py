"""Rules of retention: which texts and which steps go when they are old enough."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ledger_tui.errors import InputError

What = Literal["texts", "spans"]
DAY_US = 86_400_000_000
MAX_DAYS = 36_500
MARK, PURGE = "texts_removed_us", "purge"
"""The attributes of a step whose texts went: when, and if they were purged who asked for it (``by``) and why (``reason``)."""
_BY_KIND = re.compile(r"\s*([^=\s][^=]{0,63}?)\s*=\s*([0-9]{1,6})\s*\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes after how many days. ``kind``: only texts of steps of this kind; None: of every other kind.

    texts: what was sent, answered and attached; numbers, names and times stay. spans: the steps of whole traces; the sums
    of traces and days stay.
    """

    what: What
    days: int
    kind: str | None = None

    def before_us(self, now_us: int) -> int:
        """What ended before this moment (microseconds) is old enough."""
        return now_us - self.days * DAY_US

    def __str__(self) -> str:
        of_kind = f" of {self.kind} steps" if self.kind else ""
        return f"{'texts' if self.what == 'texts' else 'steps'}{of_kind} after {self.days} days"


def removed_words(moment_us: object, what: str, purge: object = None) -> str:
    """A sentence for the place of what retention, or a purge, took; empty when ``moment_us`` is no moment.

    what: ``its texts were`` and so on, without the rest. purge: the value of ``PURGE``.
    """
    from ledger_tui.domain import clock

    if not isinstance(moment_us, int) or isinstance(moment_us, bool):
        return ""
    whose = _purge_words(purge) if isinstance(purge, dict) else "by retention"
    try:
        return f"{what} removed on {clock.from_us(moment_us).date().isoformat()} {whose}"
    except (OverflowError, ValueError):
        return f"{what} removed {whose}"


def _purge_words(purge: Mapping[str, object]) -> str:
    reason = f": {purge['reason']}" if purge.get("reason") else ""
    return f"everywhere by {purge.get('by') or 'a maintainer'}{reason}"


def rules_of(texts_days: int, spans_days: int, texts_by_kind: Iterable[str] = ()) -> list[Rule]:
    """The rules that settings say; 0 days keep for ever. Raises InputError for days or kinds that make no sense.

    texts_by_kind: ``tool=7``: days of the texts of one kind of step, instead of ``texts_days``.
    """
    rules = [Rule("texts", days, kind) for kind, days in (_by_kind(text) for text in texts_by_kind)]
    kinds = [rule.kind for rule in rules]
    if len(set(kinds)) < len(kinds):
        raise InputError("a kind of step has two rules", remedy="Say each kind once, such as tool=7.")
    if texts_days:
        rules.append(Rule("texts", texts_days))
    if spans_days:
        rules.append(Rule("spans", spans_days))
    for rule in rules:
        if not 1 <= rule.days <= MAX_DAYS and not (rule.kind and rule.days == 0):
            raise InputError(
                f"{rule.days} days cannot be kept", remedy=f"Give 1 to {MAX_DAYS} days, or 0 to keep for ever."
            )
    return rules


def _by_kind(text: str) -> tuple[str, int]:
    found = _BY_KIND.match(text)
    if found is None:
        raise InputError(f"{text!r} is no rule", remedy="Write a kind of step and days, such as tool=7.")
    return found[1], int(found[2])
