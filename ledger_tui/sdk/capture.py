"""From the arguments of a recording call to a record: everything that cannot be true or stored is refused right here.

The common case is a handful of C calls; only what looks unusual is walked through value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.domain.span_words import FLAG_CUT, FLAG_LOSSY, LAST_US, MAX_COST_NUSD, MAX_ID, MAX_TOKENS
from ledger_tui.errors import ContentRefused, InputError
from ledger_tui.store.spool_record import TEXTS

if TYPE_CHECKING:
    from datetime import datetime

MAX_NAME = 512
MAX_KIND = 64
MAX_ATTRIBUTES_BYTES = 200 * 1024
MAX_VALUE_CHARACTERS = 8 * 1024 * 1024
"""Of all texts in one structured value; checked before it is copied."""
STATUS_WORDS = {
    "ok": "succeeded", "success": "succeeded", "succeeded": "succeeded", "completed": "succeeded",
    "error": "failed", "failed": "failed", "failure": "failed", "timeout": "failed",
    "canceled": "canceled", "cancelled": "canceled", "running": "running", "queued": "queued", "pending": "queued",
}  # fmt: skip
_PLAIN = frozenset((str, int, float, bool, type(None)))


def _placeholder(value: Any) -> str:
    """``...`` stands for what an example leaves out; nothing else becomes text by itself."""
    if value is ...:
        return "..."
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


@cache
def encoder() -> Callable[[Any], str]:
    """The function that writes JSON."""
    import json

    return json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_placeholder
    ).encode


def json_text(value: Any, what: str) -> tuple[str, int]:
    """``value`` as JSON, and flags; raises ContentRefused for what JSON or the ledger cannot hold."""
    _weigh(value, what)
    try:
        text = encoder()(value)
    except (ValueError, RecursionError) as error:
        raise ContentRefused(f"{what} cannot be stored: {error}") from error
    except TypeError as error:
        raise ContentRefused(
            f"{what} cannot be stored: {error}", remedy="Use text, numbers, lists and mappings."
        ) from error
    if "\\u0000" in text:
        _refuse_nul(value, what)
    if text.isascii():
        return text, 0
    text, was_broken = repaired(text)
    return text, FLAG_LOSSY * was_broken


def repaired(value: str) -> tuple[str, bool]:
    """``domain.text.repaired``, loaded when a text needs it."""
    from ledger_tui.domain import text as texts

    return texts.repaired(value)


def text(value: str, what: str, limit: int) -> tuple[str, int]:
    """``value`` cut at ``limit`` bytes of UTF-8, and flags; raises ContentRefused for a NUL, with its position."""
    flags = 0
    if len(value) > limit:
        value, flags = value[:limit], FLAG_CUT
    if "\x00" in value:
        raise _nul(what, value)
    return _cut(value, limit, flags)


def payload(value: Any, what: str, limit: int) -> tuple[str, int]:
    """Input or output: text as it is, anything else as JSON; cut at ``limit`` bytes, and flags."""
    if isinstance(value, str):
        return text(value, what, limit)
    made, flags = json_text(value, what)
    return _cut(made, limit, flags)


def _cut(value: str, limit: int, flags: int) -> tuple[str, int]:
    """``value`` without broken characters, cut between two characters, and the flags that say so."""
    if not value.isascii():
        value, was_broken = repaired(value)
        data = value.encode()
        flags |= FLAG_LOSSY * was_broken
        if len(data) > limit:
            return data[:limit].decode(errors="ignore"), flags | FLAG_CUT
    elif len(value) > limit:
        return value[:limit], flags | FLAG_CUT
    return value, flags


def attributes_text(attributes: Mapping[str, Any]) -> tuple[str, int]:
    """Attributes as a JSON object, and flags; raises ContentRefused when they are none, or too large."""
    if not isinstance(attributes, dict):
        if not isinstance(attributes, Mapping):
            raise ContentRefused(f"attributes are a mapping, not {type(attributes).__name__}")
        attributes = dict(attributes)
    for name in attributes:
        if not isinstance(name, str):
            raise ContentRefused(f"attributes have names that are texts, not {type(name).__name__}")
    made, flags = json_text(attributes, "attributes")
    if len(made) > MAX_ATTRIBUTES_BYTES or len(made.encode()) > MAX_ATTRIBUTES_BYTES:
        raise ContentRefused(f"attributes take {len(made)} characters; {MAX_ATTRIBUTES_BYTES} bytes are allowed")
    return made, flags


def names(name: str, kind: str) -> tuple[str, int]:
    """A name that is too long, cut, and the flag for it; raises InputError for a kind that is too long."""
    for what, value in (("name", name), ("kind", kind)):
        if not isinstance(value, str):
            raise InputError(f"a {what} is a text, not {type(value).__name__}")
    if len(kind) > MAX_KIND:
        raise InputError(f"a kind is any text of up to {MAX_KIND} characters")
    return name[:MAX_NAME], FLAG_CUT * (len(name) > MAX_NAME)


def _name_of(place: int) -> str:
    return TEXTS[place].replace("_", " ") if place < len(TEXTS) else "attributes"


def repaired_texts(texts: Sequence[Any]) -> tuple[str, ...]:
    """The texts of a record without broken characters; raises InputError for an id that has one, or for no text."""
    for place, value in enumerate(texts):
        if not isinstance(value, str):
            raise InputError(f"{_name_of(place)}: a text is needed, not {type(value).__name__}")
        if place < 3 and value:
            checked_id(_name_of(place), value)
    return tuple(repaired(value)[0] for value in texts)


def misplaced_nul(texts: Sequence[str]) -> InputError:
    """The error for a record with a NUL in one of its texts."""
    place, found = next((place, value) for place, value in enumerate(texts) if "\x00" in value)
    if place < 3:
        return InputError(f"a {_name_of(place)} is any text of 1 to {MAX_ID} characters without NUL")
    return _nul(_name_of(place), found)


def _weigh(value: Any, what: str) -> None:
    """Refuse values that are too deep, too many or too long before anything is copied."""
    from ledger_tui.domain.content import MAX_DEPTH, MAX_KEYS

    level = [value]
    count = size = depth = 0
    while level:
        if depth > MAX_DEPTH:
            raise ContentRefused(f"{what} is nested deeper than {MAX_DEPTH} levels")
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                size += len(item)
            elif kind not in _PLAIN:
                if isinstance(item, dict):
                    below.extend(item.values())
                    size += sum(len(key) for key in item if type(key) is str)
                elif isinstance(item, list | tuple):
                    below.extend(item)
                elif isinstance(item, str):
                    size += len(item)
        count += len(level)
        if count > MAX_KEYS:
            raise ContentRefused(f"{what} has more than {MAX_KEYS} values")
        if size > MAX_VALUE_CHARACTERS:
            raise ContentRefused(f"{what} has more than {MAX_VALUE_CHARACTERS} characters")
        level = below
        depth += 1


def _refuse_nul(value: Any, what: str) -> None:
    """Raise for the first NUL in ``value`` (a backslash and ``u0000`` written out are no NUL)."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if "\x00" in item:
                raise _nul(what, item)
        elif isinstance(item, dict):
            stack += item.keys()
            stack += item.values()
        elif isinstance(item, list | tuple):
            stack += item


def _nul(what: str, text: str) -> ContentRefused:
    return ContentRefused(f"{what} holds a NUL character at position {text.index(chr(0))}", remedy="Remove it.")


def checked_id(what: str, value: Any) -> str:
    """An id of anybody's: 1 to 128 characters without NUL or broken characters."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID or "\x00" in value:
        raise InputError(f"a {what} is any text of 1 to {MAX_ID} characters without NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"a {what} holds a broken character at position {error.start}") from error
    return value


def checked_count(what: str, value: Any) -> int:
    """A count of tokens."""
    if type(value) is int and 0 <= value <= MAX_TOKENS:
        return value
    if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 <= int(value) <= MAX_TOKENS:
        raise InputError(f"{what} of {str(value)[:40]} cannot be true", remedy="Give a whole number, or None.")
    return int(value)


def duration_us(milliseconds: Any) -> int:
    """Whole microseconds of milliseconds."""
    if type(milliseconds) is not float and type(milliseconds) is not int and not _is_number(milliseconds):
        raise InputError(f"a duration of {str(milliseconds)[:40]} is no number of milliseconds")
    if not 0 <= milliseconds <= LAST_US // 1000:
        raise InputError(f"a duration of {str(milliseconds)[:40]} ms cannot be true")
    lasted: int = round(milliseconds * 1000)
    return lasted


def _is_number(value: Any) -> bool:
    from decimal import Decimal

    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def start_us(started_at: Any, duration: int, now_us: int) -> int:
    """When a span began: as given, else ``duration`` before ``now_us`` (-1: unknown)."""
    duration = max(0, duration)
    began = now_us - duration if started_at is None else _moment_us(started_at)
    if not 0 <= began <= began + duration <= LAST_US:
        raise InputError(f"a start of {began} microseconds since 1970 cannot be true")
    return began


def _moment_us(started_at: Any) -> int:
    from datetime import datetime

    if isinstance(started_at, str):
        started_at = _parsed(started_at)
    if not isinstance(started_at, datetime) or started_at.tzinfo is None:
        raise InputError("started_at is a datetime with a time zone", remedy="Numbers are not guessed: s, ms or ns?")
    return clock.to_us(started_at)


def _parsed(moment: str) -> datetime:
    from datetime import datetime

    try:
        found = datetime.fromisoformat(moment)
    except ValueError as error:
        raise InputError(f"started_at {moment[:40]!r} is no ISO 8601 time") from error
    if found.tzinfo is None:
        raise InputError(f"started_at {moment[:40]!r} has no time zone")
    return found


def cost_nusd(cost: Any) -> int:
    """Nano-dollars of a cost in USD."""
    from decimal import Decimal

    from ledger_tui.domain import money

    if isinstance(cost, bool) or not isinstance(cost, int | float | str | Decimal):
        raise InputError(f"a cost is an amount in USD, not {type(cost).__name__}")
    try:
        nusd = money.to_nusd(Decimal(str(cost)))
    except (ValueError, ArithmeticError) as error:
        raise InputError(f"a cost of {str(cost)[:40]} cannot be true") from error
    if nusd > MAX_COST_NUSD:
        raise InputError(f"a cost of {str(cost)[:40]} USD cannot be true")
    return nusd


def status_of(word: str) -> str:
    """The ledger's status for a caller's word; raises InputError for an unknown one."""
    found = STATUS_WORDS.get(word) if isinstance(word, str) else None
    if found is None:
        raise InputError(f"{str(word)[:40]!r} is no status", remedy=f"One of: {', '.join(STATUS_WORDS)}.")
    return found
