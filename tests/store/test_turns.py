"""Work on a ledger in one thread lets others in, and reads and writes the same rows in portions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledger_tui import turns
from ledger_tui.store.database import Database


class Clock:
    """A clock that goes on by five milliseconds with each look, and counts who stood aside."""

    def __init__(self) -> None:
        self.now_s, self.moments = 0.0, 0

    def perf_counter(self) -> float:
        """The next moment."""
        self.now_s += 0.005
        return self.now_s

    def sleep(self, _: float) -> None:
        """Somebody stands aside."""
        self.moments += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The clock of turns, in a process whose threads take turns."""
    made = Clock()
    monkeypatch.setattr(turns, "time", made)
    monkeypatch.setattr(turns, "_every_s", 0.003)
    yield made


@pytest.mark.parametrize("count", [0, 1, 31, 255, 256, 257, 512, 1_000])
def test_every_row_is_written_and_read_whatever_the_portions(any_database: Database, count: int) -> None:
    """Rows go in and come out once and in order, by one statement for many and by many statements."""
    with any_database.lean_write() as lean:
        lean.insert_rows("workspace", ("key", "value"), [(f"a{n:04}", str(n)) for n in range(count)])
        lean.executemany(
            "UPDATE workspace SET value = :value WHERE key = :key",
            [{"key": f"a{n:04}", "value": str(-n)} for n in range(count)],
        )
        found = lean.fetch("SELECT key, value FROM workspace WHERE key LIKE 'a%' ORDER BY key")
    assert [tuple(row) for row in found] == [(f"a{n:04}", str(-n)) for n in range(count)]


def test_long_work_lets_others_in_again_and_again(database: Database, clock: Clock) -> None:
    """Whatever writes or reads a thousand rows stands aside after each portion, and after each statement when it is time."""
    rows = [(f"a{n:04}", str(n)) for n in range(1_000)]
    given = [{"key": key} for key, _ in rows]
    with database.lean_write() as lean:
        for work, least in (
            (lambda: lean.insert_rows("workspace", ("key", "value"), rows), 30),
            (lambda: lean.executemany("UPDATE workspace SET value = 'x' WHERE key = :key", given), 4),
            (lambda: lean.fetch("SELECT * FROM workspace"), 4),
            (lambda: lean.one("SELECT 1"), 1),
            (lambda: lean.execute("DELETE FROM workspace WHERE key = 'a0000'"), 1),
        ):
            before = clock.moments
            work()
            assert clock.moments - before >= least


def test_programs_that_do_not_take_turns_never_wait(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``take_turns`` nothing stands aside: the SDK and the command line are as fast as they can be."""
    monkeypatch.undo()
    monkeypatch.setattr(turns, "time", clock)
    with database.lean_write() as lean:
        lean.insert_rows("workspace", ("key", "value"), [(f"a{n:04}", "x") for n in range(1_000)])
    assert clock.moments == 0
