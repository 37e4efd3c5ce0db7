"""A recorded span as the body of a spool frame: its numbers, then its texts with a NUL between two.

No text of the ledger holds a NUL, so one join, one count and one encoding write and check all texts together, and one
split reads them (`spool_reading.py`); nothing is escaped or parsed.
"""

from __future__ import annotations

import struct

NUMBERS = struct.Struct("<qqqqqqqqIHH")
"""Start and duration in microseconds, tokens (input, cache read, cache write, output, reasoning), cost in nano-dollars,
count of attributes, flags, and ``HAS`` bits. -1 stands for an unknown number."""
HAS_INPUT, HAS_OUTPUT, HAS_JSON, HAS_FIRST = 1, 2, 4, 8
FIRST = struct.Struct("<q")
"""The time to the first token in microseconds: after the numbers of a record that has ``HAS_FIRST``."""
TEXTS = (
    "trace_id", "span_id", "parent_span_id", "kind", "status", "provider", "model", "agent_id", "environment", "error_type",
    "prompt_name", "prompt_id", "version_id", "execution_id", "name", "session_id", "user_identifier", "error", "input",
    "output",
)  # fmt: skip
"""Texts in their order; an empty one stands for none. Then attributes: JSON (one text), or all names and all values."""
