"""A page of records taken so that none of them can hold up the others.

What a record says is checked before it is taken. Should one get through all the same that no table can hold, it is found by
halves and refused alone: whoever may send anything must not be able to stop everybody else's exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger_tui.domain.sync.records import Delivered
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.store.sync_standing import Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

WHY = "it cannot be kept"
Take = Callable[["Lean", Sequence[Delivered]], Taken]
How = Callable[["Lean", Sequence[Delivered], Take], Taken]
"""How records are taken by ``Take``: all at once, or so that one that breaks is found (``take``)."""
_OF_A_VALUE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_OF_A_ROW = ("DataError", "IntegrityError", "InterfaceError")
"""What drivers raise for values that a table will not hold; what they raise for locks, disks and damage is of the ledger."""


def take(lean: Lean, rows: Sequence[Delivered], kind: Take) -> Taken:
    """Take records by ``kind``, in the caller's transaction; those that cannot be kept are refused."""
    try:
        with _savepoint(lean):
            return kind(lean, rows)
    except Exception as error:
        if not is_of_a_record(error):
            raise
    if len(rows) == 1:
        return Taken(refused=[(rows[0], WHY)])
    middle = len(rows) // 2
    return _both(take(lean, rows[:middle], kind), take(lean, rows[middle:], kind))


def _both(first: Taken, second: Taken) -> Taken:
    return Taken(
        first.new + second.new,
        first.known + second.known,
        first.unread + second.unread,
        [*first.refused, *second.refused],
    )


@contextmanager
def _savepoint(lean: Lean) -> Iterator[None]:
    lean.execute("SAVEPOINT records")
    try:
        yield
    except BaseException:
        lean.execute("ROLLBACK TO records")
        raise
    finally:
        lean.execute("RELEASE records")


def is_of_a_record(error: BaseException | None) -> bool:
    """Whether what went wrong lies in what a record says, and not in the ledger, its disk or its locks."""
    if isinstance(error, LedgerError):
        return isinstance(error, InputError) or is_of_a_record(error.__cause__)
    if isinstance(error, UnicodeDecodeError):
        return False
    return (
        isinstance(error, _OF_A_VALUE) or type(error).__name__ in _OF_A_ROW or str(error).startswith("integer overflow")
    )
