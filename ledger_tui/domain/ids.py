"""Identities: two machines that mean the same prompt or version make the same id; facts get time-ordered ones."""

from __future__ import annotations

import os
import uuid

from ledger_tui.domain import clock

NAMESPACE = uuid.UUID("5f0a4c66-3c0b-5d0e-9a58-6b1f0c7d2e41")


def prompt_id(name: str) -> str:
    """UUIDv5 of a prompt's name."""
    return str(uuid.uuid5(NAMESPACE, "prompt:" + name))


def version_id(prompt: str, sha256_hex: str) -> str:
    """UUIDv5 of a prompt id and the sha256 of its canonical content."""
    return str(uuid.uuid5(uuid.UUID(prompt), sha256_hex))


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits."""
    moment = f"{max(0, clock.now_us() // 1_000) & ((1 << 48) - 1):012x}"
    # Put together as text: a UUID object costs more than all the rest, and every span has two ids.
    random_bytes = os.urandom(10)
    digits, variant = random_bytes.hex(), "89ab"[random_bytes[9] & 3]
    return f"{moment[:8]}-{moment[8:]}-7{digits[:3]}-{variant}{digits[3:6]}-{digits[6:18]}"
