"""What a fact of the journal is sealed with."""

from __future__ import annotations

import hashlib


def digest(kind: str, rid: str, prompt_id: str | None, field: str, body: str, base: str) -> str:
    """The hash of a fact's content; ``body`` and ``base`` are its JSON texts."""
    return hashlib.sha256(f"{kind}\n{rid}\n{prompt_id}\n{field}\n{body}\n{base}".encode()).hexdigest()
