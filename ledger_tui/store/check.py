"""One thing that ``doctor`` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """``remedy`` says what to do when the status is not ``ok``."""

    name: str
    status: Literal["ok", "warn", "bad"]
    detail: str
    remedy: str = ""
