"""The second wall between foreign text and the terminal: what the first one (``domain.text``) missed stops here.

Every line that is painted passes ``SafeText``; every write of the driver passes ``guarded``. Textual writes CSI sequences
only; the single OSC that is ours is the clipboard (52) with base64 text.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter, Monochrome, NoColor

if TYPE_CHECKING:
    from textual.app import App
    from textual.driver import Driver

_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_STAND_IN = "\ufffd"

OUR_OSC = re.compile(r"\x1b\]52;c;[A-Za-z0-9+/=]*(?:\x07|\x1b\\)")
"""The only operating system command that the workstation sends: text for the clipboard."""
OUR_CSI = re.compile(
    r"\x1b\[(?:"
    r"[0-9;:]*m"  # colours and text styles
    r"|[0-9;]*[HABCDGJK]"  # where to write, and clearing
    r"|[?<>=][0-9;]*[hlunmpqc]|\?[0-9;]*\$p"  # modes: alternate screen, mouse, paste, keyboard, their queries
    r"|[0-9;]*[ntu]|[0-9]* q"  # size and position queries, cursor shape
    r"|c"
    r")"
)
"""Control sequences that Textual writes."""
OUR_OTHER = re.compile(r"\x1b(?:[78=>M]|\(B)|\x1bPtmux;|\x1bP=[12]s\x1b\\\\?")
_ESCAPE = re.compile("[\x1b\x80-\x9f]")
_SUSPECT = re.compile("\x1b[\\]PX^_kc]|[\x80-\x9f]")
_ANY_OSC = re.compile(r"\x1b[\]PX^_k](?:[^\x07\x1b]|\x1b(?!\\))*(?:\x07|\x1b\\)?|\x1bc|[\x80-\x9f]", re.DOTALL)


def foreign_sequences(output: str) -> list[str]:
    """Escape sequences and C1 controls in what went to a terminal that neither Textual nor we write (for tests)."""
    found: list[str] = []
    position = 0
    while match := _ESCAPE.search(output, position):
        start = match.start()
        known = OUR_CSI.match(output, start) or OUR_OSC.match(output, start) or OUR_OTHER.match(output, start)
        if known is None:
            found.append(output[start : start + 24])
        position = known.end() if known else start + 1
    return found


def guarded(data: str) -> str:
    """``data`` without OSC, DCS, APC, PM, SOS, reset and C1 sequences that are not ours; costs one scan when there is none.

    A text for the clipboard is a write of its own; inside a painted frame it is not ours.
    """
    if _SUSPECT.search(data) is None or OUR_OSC.fullmatch(data):
        return data
    return _ANY_OSC.sub(lambda match: match[0] if OUR_OTHER.match(match[0]) else _STAND_IN, data)


class Terminal:
    """The terminal's file; what is written after it disappeared is dropped, so that the program can still end.

    Textual's writer thread dies of such an error, and then everybody who writes waits for ever.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, or drop what nobody can read any more."""
        with contextlib.suppress(OSError, ValueError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop what nobody can read any more."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def guarded_driver(base: type[Driver]) -> type[Driver]:
    """The platform's driver whose writes pass ``guarded``."""

    class GuardedDriver(base):  # type: ignore[misc, valid-type]
        """Writes nothing that the workstation did not mean to write."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            file: Any = getattr(self, "_file", None)
            if file is not None:
                self._file = Terminal(file)

        def write(self, data: str) -> None:
            super().write(guarded(data))

    return GuardedDriver


class SafeText(LineFilter):
    """Replaces control characters in painted text and drops hyperlinks, which hide where they lead."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments when they are harmless, which is always when the first wall stands."""
        harmful = _HARMFUL.search
        for segment in segments:
            style = segment.style
            if harmful(segment.text) or (style is not None and style._link):
                return [self._mended(one) for one in segments]
        return segments

    @staticmethod
    def _mended(segment: Segment) -> Segment:
        text = _HARMFUL.sub(_STAND_IN, segment.text)
        style = segment.style
        return Segment(text, style.update_link(None) if style is not None and style._link else style, segment.control)


class WithoutColor(LineFilter):
    """NO_COLOR on the terminal's own colours: a background that stands out becomes reverse video, the rest is plain."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Segments without any colour."""
        return [Segment(text, _without_color(style), control) for text, style, control in segments]


@lru_cache(1024)
def _without_color(style: Style | None) -> Style | None:
    if style is None:
        return None
    stands_out = style.bgcolor is not None and not style.bgcolor.is_default
    plain = style + NoColor.DEFAULT_COLORS
    return plain + Style(reverse=not style.reverse) if stands_out else plain


def install_filters(app: App[Any], filters: list[LineFilter], *, no_color: bool, ansi: bool) -> None:
    """Put the wall first, and the right way to lose colours for the theme; call it whenever the theme changes."""
    kept: Iterable[LineFilter] = (
        one for one in filters if not isinstance(one, SafeText | Monochrome | NoColor | WithoutColor)
    )
    last: list[LineFilter] = [WithoutColor() if ansi else Monochrome()] if no_color else []
    filters[:] = [SafeText(), *kept, *last]
