"""Reads the text of a trace filter: one pass, and every error says where and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

from ledger_tui.domain import clock, money
from ledger_tui.domain.filter import Comparison, Operator, Terms, TraceFilter
from ledger_tui.domain.filter_fields import BY_NAME, FIELDS, STATUS_ALIASES, FieldInfo
from ledger_tui.domain.moments import WRITE, moment_us, period_us
from ledger_tui.domain.values import STATUSES
from ledger_tui.errors import FilterError

MAX_LENGTH = 10_000
_MAX_VALUE = 2**63 - 1
_SPACE = re.compile(r"\s*")
_KEY = re.compile(r"([A-Za-z][A-Za-z_]*)(:?(?:>=|<=|!=|>|<|=)|:)")
_BARE_WORD = re.compile(r'[^\s"]+')
_BARE_VALUE = re.compile(r'[^\s",]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"([0-9]{1,20}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})\Z")
_OPPOSITES: dict[Operator, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "!=", "!=": "="}


def parse(text: str, now_us: int) -> TraceFilter:
    """Read a whole filter; raises FilterError."""
    reader = _Reader(text, now_us)
    reader.read()
    terms: dict[str, Any] = {
        attribute: Terms(tuple(include), tuple(exclude)) for attribute, (include, exclude) in reader.terms.items()
    }
    return TraceFilter(
        comparisons=tuple(reader.comparisons),
        since_us=reader.since_us,
        until_us=reader.until_us,
        words=tuple(reader.words),
        excluded_words=tuple(reader.excluded),
        **terms,
    )


class _Reader:
    """Walks the text once and collects what the terms say."""

    def __init__(self, text: str, now_us: int) -> None:
        self.text = text
        self.now_us = now_us
        self.position = 0
        # Dictionaries serve as ordered sets.
        self.terms: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
        self.comparisons: dict[Comparison, None] = {}
        self.words: dict[str, None] = {}
        self.excluded: dict[str, None] = {}
        self.since_us: int | None = None
        self.until_us: int | None = None

    def read(self) -> None:
        text = self.text
        if len(text) > MAX_LENGTH:
            raise FilterError(f"it is longer than {MAX_LENGTH} characters", position=MAX_LENGTH)
        for position, char in enumerate(text):
            if char == "\0" or "\ud800" <= char <= "\udfff":
                raise FilterError("it holds a character that no text can have", position=position, remedy="Remove it.")
        self._skip_space()
        while self.position < len(text):
            self._term()
            before = self.position
            self._skip_space()
            if before == self.position < len(text):
                raise FilterError("a space is missing here", position=before, remedy="Put a space between two terms.")

    def _skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def _term(self) -> None:
        negated = False
        for sign in ("-", "not:"):
            rest = self.text[self.position + len(sign) : self.position + len(sign) + 1]
            if self.text.startswith(sign, self.position) and rest and not rest.isspace():
                negated = True
                self.position += len(sign)
                break
        start = self.position
        if self.text[start] == '"':
            self._word(self._quoted(), negated)
            return
        key = _KEY.match(self.text, start)
        if key is None:
            word = _BARE_WORD.match(self.text, start)
            assert word is not None
            self.position = word.end()
            self._word(word.group(), negated)
            return
        field = BY_NAME.get(key.group(1).lower())
        if field is None:
            raise _unknown_key(key.group(1), self._rest(start), start)
        operator = key.group(2)
        self.position = key.end()
        if field.kind == "number":
            self._comparison(field, cast("Operator", operator.lstrip(":") or "="), negated)
        elif operator.lstrip(":") not in ("", "=", "!="):
            raise FilterError(
                f"{field.name} cannot be compared by size", position=key.start(2), remedy=f"Write {field.example}"
            )
        elif field.kind == "time":
            self._time(field, negated or operator.endswith("!="), start)
        else:
            self._values(field, negated != operator.endswith("!="))

    def _rest(self, start: int) -> str:
        match = re.compile(r"\S+").match(self.text, start)
        return match.group() if match else ""

    def _word(self, word: str, negated: bool) -> None:
        if word:
            (self.excluded if negated else self.words)[word] = None

    def _quoted(self) -> str:
        match = _QUOTED.match(self.text, self.position)
        if match is None:
            raise FilterError("the quotation mark is not closed", position=self.position, remedy='Close it with ".')
        self.position = match.end()
        return _ESCAPE.sub(r"\1", match.group(1))

    def _value(self, field: FieldInfo) -> tuple[str, int]:
        start = self.position
        if self.text.startswith('"', start):
            value = self._quoted()
        else:
            match = _BARE_VALUE.match(self.text, start)
            value = match.group() if match else ""
            self.position = match.end() if match else start
        if not value:
            choices = f" Known: {', '.join(field.choices)}." if field.choices else ""
            raise FilterError(f"{field.name} has no value", position=start, remedy=f"Write {field.example}.{choices}")
        return value, start

    def _values(self, field: FieldInfo, negated: bool) -> None:
        into = self.terms.setdefault(field.attribute, ({}, {}))[negated]
        while True:
            value, start = self._value(field)
            into[_known(field, value, start, self.now_us)] = None
            if not self.text.startswith(",", self.position):
                return
            self.position += 1

    def _comparison(self, field: FieldInfo, operator: Operator, negated: bool) -> None:
        value, start = self._value(field)
        try:
            amount = _amount(field.name, value)
        except ValueError as error:
            cause = f"{value!r} is not a number for {field.name}"
            raise FilterError(cause, position=start, remedy=str(error)) from error
        if amount > _MAX_VALUE:
            raise FilterError(f"{value!r} is too large", position=start, remedy=f"Write {field.example}")
        self.comparisons[Comparison(field.name, _OPPOSITES[operator] if negated else operator, amount)] = None

    def _time(self, field: FieldInfo, negated: bool, start: int) -> None:
        if negated:
            other = "until" if field.name == "since" else "since"
            raise FilterError(f"{field.name} cannot be turned round", position=start, remedy=f"Write {other}: instead.")
        value, at = self._value(field)
        moment = _moment(value, self.now_us, at, field)
        if field.name == "since":
            self.since_us = moment if self.since_us is None else max(self.since_us, moment)
        else:
            self.until_us = moment if self.until_us is None else min(self.until_us, moment)


def _known(field: FieldInfo, value: str, position: int, now_us: int) -> str:
    """A value as it is kept; FilterError for one that the field cannot have."""
    if field.kind == "day":
        return _days(value, position, now_us)
    if field.name == "version":
        number = value.lower().removeprefix("v")
        if not number.isascii() or not (number.isdigit() or number == "*") or len(number) > 9:
            raise FilterError(
                f"{value!r} is no version", position=position, remedy=f"Write its number: {field.example}"
            )
        return number
    if field.name == "unpriced":
        if value.lower() not in field.choices:
            raise FilterError(
                f"unpriced is not {value!r}", position=position, remedy="Write unpriced:yes or unpriced:no"
            )
        return value.lower()
    return _status(value, position) if field.kind == "choice" else value


def _days(value: str, position: int, now_us: int) -> str:
    first, dots, last = value.partition("..")
    try:
        days = [_day(day, now_us) for day in (first, last if dots else first)]
    except ValueError as error:
        remedy = "Write a day as 2026-01-31, two of them as 2026-01-01..2026-01-31, or today or yesterday"
        raise FilterError(f"{value!r} is not a day", position=position, remedy=remedy) from error
    if days[1] < days[0]:
        raise FilterError(f"{value!r} has no day", position=position, remedy="Write the earlier day first.")
    return "..".join(dict.fromkeys(days))


def _day(value: str, now_us: int) -> str:
    ages = {"today": 0, "yesterday": 1}
    if value.lower() in ages:
        return (clock.from_us(now_us).date() - timedelta(days=ages[value.lower()])).isoformat()
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
        raise ValueError(value)
    return date.fromisoformat(value).isoformat()


def _status(value: str, position: int) -> str:
    known = value.lower()
    known = STATUS_ALIASES.get(known, known)
    if known not in STATUSES:
        near = _nearest(known, (*STATUSES, *STATUS_ALIASES))
        hint = f"Did you mean status:{near}? " if near else ""
        remedy = f"{hint}Known: {', '.join(STATUSES)}."
        raise FilterError(f"there is no status {value!r}", position=position, remedy=remedy)
    return known


def _unknown_key(key: str, term: str, position: int) -> FilterError:
    near = _nearest(key.lower(), BY_NAME)
    hint = f"Did you mean {BY_NAME[near].example}? " if near else f"Known: {', '.join(f.name for f in FIELDS)}. "
    shown = term if len(term) <= 40 else term[:39] + "…"
    remedy = hint + f'To search for the text itself, quote it: "{shown}"'
    return FilterError(f"there is no key {key!r}", position=position, remedy=remedy)


def _nearest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word[:40], list(known), n=1, cutoff=0.6)), "")


def _amount(field: str, value: str) -> int:
    """Whole nano-dollars, microseconds or a count; ValueError says what to write."""
    if field == "cost":
        usd = _decimal(value.removeprefix("$"), "Write dollars: cost>0.01")
        return money.to_nusd(usd) if usd <= money.to_usd(_MAX_VALUE) else _MAX_VALUE + 1
    if field == "duration":
        try:
            return period_us(value)
        except ValueError:
            raise ValueError("Write a number and a unit of us ms s m h d w: duration>2s") from None
    remedy = f"Write a whole number, with k or m for thousands and millions: {field}>10"
    factor = {"k": 1_000, "m": 1_000_000}.get(value[-1:].lower(), 1)
    count = _decimal(value[:-1] if factor > 1 else value, remedy) * factor
    if count != int(count):
        raise ValueError(remedy)
    return int(count)


def _decimal(text: str, remedy: str) -> Decimal:
    if not _NUMBER.match(text):
        raise ValueError(remedy)
    return Decimal(text)


def _moment(value: str, now_us: int, position: int, field: FieldInfo) -> int:
    try:
        return moment_us(value, now_us)
    except (ValueError, OverflowError) as error:
        remedy = f"{WRITE}: {field.name}:2026-01-31T08:00"
        raise FilterError(f"{value!r} is not a time", position=position, remedy=remedy) from error
