"""The one place where text from outside becomes something a terminal may print.

Model output, synced rows, file names and error messages are data. A terminal is an interpreter: escape sequences, C1
controls, bidirectional overrides and invisible characters are shown as visible stand-ins. Stored text stays untouched.
"""

from __future__ import annotations

import re
import unicodedata

MAX_COMBINING = 8
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*\Z")
# The whole of Latin, Greek and Cyrillic letters, common punctuation, CJK, kana and hangul need no look-up.
_HARMLESS = re.compile(
    "[\n\t\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0400-\u0481\u048a-\u052f\u2010-\u2027\u2030-\u205e"
    "\u20a0-\u20bf\u2190-\u23ff\u2500-\u27bf\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]*\\Z"
)
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and marks that show nothing: Hangul fillers, the grapheme joiner, Khmer and Mongolian inherent signs.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0}
_SYMBOLS_AS_EMOJI = {0xA9, 0xAE, 0x203C, 0x2049, 0x2122, 0x2139, 0x3030, 0x303D, 0x3297, 0x3299}

# One letter a character: . harmless, h hidden, m combining mark, k enclosing keycap, d keycap base, p pictograph,
# j emoji joiner, v emoji selector, i ideograph, s other variation selector.
_TO_REPLACE = re.compile(
    rf"(?P<fine>p(?:v|(?=j))(?:jpv?)*|dvk|is)|(?P<marks>(?<=[mk]{{{MAX_COMBINING}}})[mk]+)|(?P<hidden>[hjvs])"
)


class _Classes(dict[int, str]):
    """The class letter of each code point, looked up once; the characters of ``keep`` are harmless."""

    def __init__(self, keep: str) -> None:
        super().__init__({ord(char): "." for char in keep})

    def __missing__(self, point: int) -> str:
        letter = self[point] = _class_of(point)
        return letter


_classes: dict[str, _Classes] = {}


def _class_of(point: int) -> str:
    if point == 0x200D:
        return "j"
    if point in (0xFE0E, 0xFE0F):
        return "v"
    if 0xFE00 <= point <= 0xFE0D or 0xE0100 <= point <= 0xE01EF:
        return "s"
    if point == 0x20E3:
        return "k"
    if point in _INVISIBLE or unicodedata.category(chr(point)) in _HIDDEN_CATEGORIES:
        return "h"
    if 0x1F000 <= point <= 0x1FAFF or 0x2190 <= point <= 0x2BFF or point in _SYMBOLS_AS_EMOJI:
        return "p"
    if 0x30 <= point <= 0x39 or point in (0x23, 0x2A):
        return "d"
    if 0x3400 <= point <= 0x9FFF or 0xF900 <= point <= 0xFAFF or 0x20000 <= point <= 0x3FFFF:
        return "i"
    return "m" if unicodedata.category(chr(point)) in ("Mn", "Me") else "."


def _visible(char: str) -> str:
    point = ord(char)
    if point < 0x20:
        return chr(0x2400 + point)
    if point == 0x7F:
        return "\u2421"
    return f"\\u{{{point:04x}}}"


def printable(text: str, *, keep: str = "\n\t") -> str:
    """``text`` with everything a terminal could obey replaced by a visible stand-in.

    keep: control characters that may pass (a one-line surface passes ``""``). Joiners and variation selectors survive
    inside emoji and after ideographs only; at most 8 combining marks follow a base character. Never raises, keeps
    printable text as it is.
    """
    if keep == "\n\t" and (_PLAIN.match(text) or _HARMLESS.match(text)):
        return text
    classes = text.translate(_classes.setdefault(keep, _Classes(keep)))
    out: list[str] = []
    done = 0
    for match in _TO_REPLACE.finditer(classes):
        if match.lastgroup == "fine":
            continue
        start = match.start()
        out.append(text[done:start])
        if match.lastgroup == "hidden":
            out.append(_visible(text[start]))
        done = match.end()
    if not out:
        return text
    out.append(text[done:])
    return "".join(out)


def one_line(text: str, limit: int = 200) -> str:
    """``text`` made printable on a single line of at most ``limit`` characters, cut with an ellipsis."""
    head = text[: limit * 2].replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    shown = printable(head, keep="")
    if len(shown) > limit or len(text) > limit * 2:
        shown = shown[: max(0, limit - 1)] + "…"
    return shown


def repaired(text: str) -> tuple[str, bool]:
    """``text`` with lone surrogates replaced by U+FFFD, and whether any was (the flag ``lossy`` of a payload)."""
    try:
        text.encode("utf-8")
        return text, False
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), True


def nul_position(text: str) -> int:
    """0-based position of the first NUL in ``text``, or -1."""
    return text.find("\x00")
