"""What must not be written down: shapes of keys, and the named patterns that a program may ask for. Pure text in and out.

Every pattern takes time in proportion to the text: repeats are bounded or possessive, and begin at a boundary only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

HIDDEN = "•••"
Rule = Callable[[str], str]

_PEM = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----)){0,8000}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
_SHAPES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "-",
        (
            ("-----BEGIN", _PEM),
            *((f"{name}-", rf"{name}-[A-Za-z0-9_-]{{16,}}") for name in ("xai", "hf", "pplx", "gsk", "csk")),
            ("sk-", r"sk-[A-Za-z0-9_*.-]{8,}"),
            ("xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ),
    ),
    (
        "_",
        (
            *((f"{name}_", rf"{name}_[A-Za-z0-9_-]{{16,}}") for name in ("gsk", "xai", "hf", "pplx", "csk")),
            *((f"gh{kind}_", rf"gh{kind}_[A-Za-z0-9]{{20,}}") for kind in "pousr"),
            ("github_pat_", r"github_pat_[A-Za-z0-9_]{20,}"),
        ),
    ),
    (
        "A",
        (
            ("AIza", r"AIza[0-9A-Za-z_-]{30,}"),
            ("AKIA", r"\bAKIA[0-9A-Z]{16}\b"),
            ("ASIA", r"\bASIA[0-9A-Z]{16}\b"),
        ),
    ),
    ("J", (("eyJ", r"eyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]*"),)),
    ("B", (("Bearer ", r"(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}"),)),
    ("b", (("bearer ", r"(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),)),
)
"""A rare piece, marks that hold it, and the shape of key that each mark begins: nearly all texts have no mark, and looking
for marks costs a hundredth of searching for the shapes."""
_HIDING = (
    r"(?i)(?:proxy-)?authorization|(?:x-)?api[_-]?key|.*_api_key|pass(?:word|wd|phrase)|secret|client[_-]?secret"
    r"|(?:access|refresh|id|auth|bearer)[_-]?token|private[_-]?key|(?:set-)?cookie"
)
_HIDING_PIECES = ("auth", "key", "pass", "secret", "token", "coo")
"""One of them is in every such name."""

_EMAIL = r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]++@(?:[^\W_][\w-]*+\.)++[^\W\d_][\w-]++"
_DIGIT_GROUPS = r"(?<!\d)\d{3,}+(?:[ -]\d{3,}+)*+"
_PHONE = (
    r"(?<![\w+.])(?:\+|00(?=[1-9]))(?:[ .()/-]{0,2}\d){7,15}(?!\d)"
    r"|(?<![\w+.,:-])\(?0[1-9]\d{1,4}\)?(?:[ /-]{1,3}\d{2,8}){1,4}(?!\d|[.,:]\d)"
    r"|(?<![\w+.,:-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\d|[.,:]\d)"
)
_IBAN = r"(?<![A-Za-z0-9])([A-Za-z]{2})\d{2}(?: ?[A-Za-z0-9]){11,30}"
_IBAN_LETTERS = {letter: str(10 + place) for place, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE BI", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BF DJ FR GR IT MC MR SM",
        28: "AL AZ BJ BY CI CM CY DO DZ GT HN HU LB MG ML MZ NI PL SN SV TG", 29: "BR EG PS QA UA", 30: "JO KW MU YE",
        31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is secret whatever it looks like."""
    folded = name.casefold()
    return any(piece in folded for piece in _HIDING_PIECES) and re.fullmatch(_HIDING, name) is not None


def without_keys(text: str) -> str:
    """``text`` without anything that has the shape of a provider's key, a token or a private key."""
    for piece, shapes in _SHAPES:
        if piece in text:
            for mark, shape in shapes:
                if mark in text:
                    text = re.sub(shape, HIDDEN, text)
    return text


def without_emails(text: str) -> str:
    """``text`` with [email] for every mail address."""
    return re.sub(_EMAIL, "[email]", text) if "@" in text else text


def without_cards(text: str) -> str:
    """``text`` with [card] for every number of 13 to 19 digits that has a payment card's check digit."""
    return re.sub(_DIGIT_GROUPS, _hide_cards, text)


def without_phones(text: str) -> str:
    """``text`` with [phone] for international numbers, and for national ones that are written in groups."""
    return re.sub(_PHONE, "[phone]", text)


def without_ibans(text: str) -> str:
    """``text`` with [iban] for every account number whose check digits are right."""
    out, done, search_from = [], 0, 0
    pattern = re.compile(_IBAN)
    while (match := pattern.search(text, search_from)) is not None:
        end = _end_of_iban(match)
        if end:
            out += [text[done : match.start()], "[iban]"]
            done = end
        search_from = end or match.start() + 4
    return "".join(out) + text[done:]


NAMED: Mapping[str, Rule] = {
    "keys": without_keys,
    "emails": without_emails,
    "cards": without_cards,
    "iban": without_ibans,
    "phones": without_phones,
}
"""The patterns that can be asked for by name, in the order in which they are applied; ``keys`` always is."""


def redact_tree(value: Any, rule: Rule, rule_of_names: Callable[[str], tuple[str, bool]]) -> Any:
    """Plain JSON with ``rule`` applied to every text and long number in it; its depth must be bounded.

    rule_of_names: the name to keep for a name, and whether texts under it are secret and hidden altogether.
    """
    if isinstance(value, str):
        return rule(value)
    if isinstance(value, dict):
        out: dict[str, Any] = {}
        for name, item in value.items():
            kept, is_secret = rule_of_names(name)
            if type(item) is str:
                out[kept] = HIDDEN if is_secret else rule(item)
            else:
                out[kept] = redact_tree(item, rule, rule_of_names)
        return out
    if isinstance(value, list | tuple):
        return [redact_tree(item, rule, rule_of_names) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 9_999_999:
        written = str(value)
        changed = rule(written)
        return value if changed == written else changed
    return value


def _hide_cards(match: re.Match[str]) -> str:
    """Groups of digits with the cards among them hidden; a card begins and ends where a group does."""
    run = match[0]
    groups = [(found.start(), found.end()) for found in re.finditer(r"\d+", run)]
    out, done, first = [], 0, 0
    while first < len(groups):
        after = next((n for n in range(min(first + 6, len(groups)), first, -1) if _is_card(run, groups[first:n])), 0)
        if after:
            out += [run[done : groups[first][0]], "[card]"]
            done = groups[after - 1][1]
        first = after or first + 1
    return "".join(out) + run[done:]


def _is_card(run: str, groups: list[tuple[int, int]]) -> bool:
    if not 13 <= sum(end - start for start, end in groups) <= 19:
        return False
    total = 0
    digits = "".join(run[start:end] for start, end in groups)
    for distance, char in enumerate(reversed(digits)):
        digit = int(char) * (1 + distance % 2)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def _end_of_iban(match: re.Match[str]) -> int:
    """Where in the text the account number ends that begins at the match; 0 when there is none."""
    length = _IBAN_LENGTHS.get(match[1].upper(), 0)
    places = [place for place, char in enumerate(match[0]) if char != " "][:length]
    if not length or len(places) < length:
        return 0
    end = match.start() + places[-1] + 1
    if match.string[end : end + 1].isalnum():
        return 0
    plain = "".join(match[0][place] for place in places).upper()
    return end if int("".join(_IBAN_LETTERS.get(char, char) for char in plain[4:] + plain[:4])) % 97 == 1 else 0
