"""Chaos of real processes around a real server, in small: a few seconds of what ``python -m tests.sync.chaos`` does for hours."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.sync.chaos import Server, story
from tests.sync.chaos_worker import Nursery


@pytest.mark.long
@pytest.mark.timeout(300)
def test_f1_f2_f4_f6_f7_f8_f10_f11_f22_programs_are_killed_and_nothing_is_lost() -> None:
    """Programs on real ledgers with clocks days and years apart are killed, cut off, copied, and see their server restarted,
    restored and wiped: at rest everything that was told to be kept is everywhere, once, and adds up to the same."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="ledger-chaos-pg-", ignore_cleanup_errors=True) as folder:
        server, nursery = Server(Path(folder)), Nursery()
        try:
            for seed in (1, 2):
                counts += story(server, nursery, seed, rounds=2, seconds=1.5)
        finally:
            nursery.close()
            server.close()
    print(dict(counts))
    assert counts["killed"] + counts["died"] >= 10 and counts["synced"] >= 4 and counts["noted"] > 100, counts
    assert (
        counts["cut"] + counts["hole"] + counts["restore"] + counts["silent"] + counts["restart"] + counts["wipe"] >= 4
    ), counts
