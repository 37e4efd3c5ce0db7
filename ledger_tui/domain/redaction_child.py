"""The helper process that applies a program's own regular expressions, so that one that never ends, ends with it.

Started as ``python -m ledger_tui.domain.redaction_child``; speaks the frames of `render_child`: in come the patterns and
a text, out comes the text with every match replaced.
"""

from __future__ import annotations

import re
import signal
import sys
from contextlib import suppress
from functools import lru_cache
from typing import Any

from ledger_tui.domain.render_child import limit_next_request, limit_once, read_frame, write_frame

REPLACEMENT = "[redacted]"
_compiled = lru_cache(maxsize=64)(re.compile)


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    limit_once()
    write_frame(answers, None)
    with suppress(EOFError, BrokenPipeError):
        while True:
            request: dict[str, Any] = read_frame(requests)
            limit_next_request()
            text = request["text"]
            for pattern, flags in request["patterns"]:
                text = _compiled(pattern, flags).sub(REPLACEMENT, text)
            write_frame(answers, text)


if __name__ == "__main__":
    main()
