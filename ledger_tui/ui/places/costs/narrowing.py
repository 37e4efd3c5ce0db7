"""What the filter line of Costs means: terms that limit the calls, and words that rows have to hold."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ledger_tui.domain.filter_fields import quoted
from ledger_tui.domain.selection import Grouping, Selection
from ledger_tui.errors import InputError

TERMS = {
    "provider": "provider",
    "model": "model",
    "prompt": "prompt",
    "version": "version",
    "env": "environment",
    "environment": "environment",
    "user": "user",
    "session": "session",
}
_OTHERS = {
    "status",
    "kind",
    "trace",
    "name",
    "agent",
    "day",
    "since",
    "until",
    "cost",
    "duration",
    "tokens",
    "unpriced",
}
_REMEDY = (
    "Terms are provider: model: prompt: version: env: user: session: with one value each; other words look for rows."
)


class Narrowing(NamedTuple):
    """A filter line, understood."""

    limits: tuple[tuple[str, str], ...] = ()
    """Attribute of a Selection, and value; an empty value means calls that have none."""
    words: tuple[str, ...] = ()
    """In lower case; a row is shown when its name holds them all."""

    def select(self, selection: Selection) -> Selection:
        """The calls of a selection that the terms leave; raises InputError."""
        if not self.limits:
            return selection
        given: dict[str, str | int] = dict(self.limits)
        if "version" in given:
            try:
                given["version"] = int(str(given["version"]).removeprefix("v") or 0)
            except ValueError as error:
                raise InputError(f"{given['version']!r} is no number of a version", remedy=_REMEDY) from error
        return replace(selection, **given)  # type: ignore[arg-type]

    def fits(self, label: str) -> bool:
        """Whether a row of this name is shown."""
        label = label.lower()
        return all(word in label for word in self.words)


def parse(text: str) -> Narrowing:
    """Understand a filter line; raises InputError for a term that costs cannot be limited by."""
    limits: dict[str, str] = {}
    found: list[str] = []
    for token in _tokens(text):
        name, colon, value = token.partition(":")
        none = name.startswith("-") and value == "*"
        attribute = TERMS.get(name.lstrip("-") if none else name)
        if colon and attribute is not None:
            if attribute in limits:
                raise InputError(f"{name}: stands there twice", remedy=_REMEDY)
            if "*" in value and not none:
                raise InputError(f"{token}: costs are limited by whole names", remedy=_REMEDY)
            limits[attribute] = "" if none else value
        elif colon and name.lstrip("-") in _OTHERS:
            raise InputError(f"costs are not limited by {name}:", remedy=_REMEDY)
        elif token:
            found.append(token.lower())
    return Narrowing(tuple(limits.items()), tuple(found))


def term(by: Grouping, key: tuple[str, ...]) -> str:
    """The terms that limit calls to a row of a table, as the filter line takes them."""
    named: list[tuple[str, str]] = []
    if by == "model":
        named = [("provider", key[0]), ("model", key[1])]
    elif by == "version":
        named = [("prompt", key[0]), ("version", key[1])] if key[0] else [("prompt", "")]
    elif by != "day":
        named = [("env" if by == "environment" else by, key[0])]
    return " ".join(f"{name}:{quoted(value)}" if value else f"-{name}:*" for name, value in named)


def added(text: str, terms: str) -> str:
    """A filter line with terms in the place of those of the same names."""
    names = {token.lstrip("-").partition(":")[0] for token in _tokens(terms)}
    kept = [token for token in _tokens(text) if ":" not in token or token.lstrip("-").partition(":")[0] not in names]
    again = []
    for token in kept:
        name, colon, value = token.partition(":")
        again.append(f"{name}:{value if value == '*' else quoted(value)}" if colon else quoted(token))
    return " ".join([*again, terms]).strip()


def _tokens(text: str) -> list[str]:
    """Words of the line; quotes hold spaces together."""
    found, now, quote, any_quote = [], "", False, False
    escaped = False
    for character in text:
        if escaped:
            now, escaped = now + character, False
        elif character == "\\" and quote:
            escaped = True
        elif character == '"':
            quote, any_quote = not quote, True
        elif character.isspace() and not quote:
            if now or any_quote:
                found.append(now)
            now, any_quote = "", False
        else:
            now += character
    return [*found, now] if now or any_quote else found
