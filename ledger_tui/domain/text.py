"""The one place where text from outside becomes something a terminal may print.

Model output, synced rows, file names and error messages are data. A terminal is an interpreter: escape sequences,
C1 controls, bidirectional overrides and invisible characters are shown as visible stand-ins. Stored text stays untouched.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN_CATEGORIES = {"Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*\Z")
# The whole of Latin, Greek and Cyrillic letters, common punctuation, CJK, kana and hangul need no look-up.
_HARMLESS = re.compile(
    "[\n\t\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0400-\u0481\u048a-\u052f\u2010-\u2027\u2030-\u205e"
    "\u20a0-\u20bf\u2190-\u23ff\u2500-\u27bf\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]*\\Z"
)
_JOINERS = {"\u200d", "\ufe0f"}
MAX_COMBINING = 8


def _is_pictograph(char: str) -> bool:
    point = ord(char)
    return 0x1F000 <= point <= 0x1FAFF or 0x2190 <= point <= 0x2BFF or point in (0x200D, 0xFE0F)


def _visible(char: str) -> str:
    point = ord(char)
    if point < 0x20:
        return chr(0x2400 + point)
    if point == 0x7F:
        return "\u2421"
    return f"\\u{{{point:04x}}}"


def printable(text: str, *, keep: str = "\n\t") -> str:
    """``text`` with everything a terminal could obey replaced by a visible stand-in.

    keep: control characters that may pass (a one-line surface passes ``""``). Emoji joiners survive between
    pictographs only; at most 8 combining marks follow a base character. Never raises, keeps printable text as it is.
    """
    if keep == "\n\t" and (_PLAIN.match(text) or _HARMLESS.match(text)):
        return text
    out: list[str] = []
    marks = 0
    previous = ""
    for char in text:
        point = ord(char)
        if 0x20 <= point < 0x7F or char in keep:
            out.append(char)
            marks = 0
        elif point < 0x20 or 0x7F <= point < 0xA0:
            out.append(_visible(char))
            marks = 0
        elif char in _JOINERS:
            out.append(char if previous and _is_pictograph(previous) else _visible(char))
        else:
            category = unicodedata.category(char)
            if category in _HIDDEN_CATEGORIES:
                out.append(_visible(char))
                marks = 0
            elif category in ("Mn", "Me"):
                marks += 1
                if marks <= MAX_COMBINING:
                    out.append(char)
            else:
                out.append(char)
                marks = 0
        previous = char
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
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"), True


def nul_position(text: str) -> int:
    """0-based position of the first NUL in ``text``, or -1."""
    return text.find("\x00")
