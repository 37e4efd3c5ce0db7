"""Fixtures for pytest, found by it wherever this package is installed; costs nothing until a test asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ledger_tui.testing.memory import MemoryLedger


@pytest.fixture
def prompt_ledger() -> Iterator[MemoryLedger]:
    """A ledger of this test alone, empty, gone afterwards; see ``ledger_tui.testing.memory_ledger``."""
    from ledger_tui.testing.memory import memory_ledger

    with memory_ledger() as ledger:
        yield ledger


@pytest.fixture
def steady_prompt_ledger() -> Iterator[MemoryLedger]:
    """``prompt_ledger`` with counted ids and a clock that stands at ``testing.START``."""
    from ledger_tui.testing.memory import memory_ledger
    from ledger_tui.testing.steady import counted_ids, stopped_clock

    with memory_ledger() as ledger, stopped_clock(), counted_ids():
        yield ledger
