"""How sync stands, in a few characters for the top line and in sentences for the screen about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain import measure

if TYPE_CHECKING:
    from ledger_tui.services.sync_values import SyncStatus
    from ledger_tui.sync.engine import Progress

LONG_US = 86_400_000_000
"""After a day of failures the line says so; until then being offline is nothing to talk of."""
SHOWN_FROM = 500
"""Records that an exchange has to have before its progress is shown: a few are there before an eye moves."""
DOING = {"send": "▲", "receive": "▼", "compare": "≟"}
WAITING, AGREED, CONFLICTS, ASIDE = "▲", "=", "Ψ", "!"


def line_forms(status: SyncStatus, conflicts: int, progress: Progress | None, now_us: int) -> tuple[str, ...]:
    """What the top line says, the longest form first; nothing for a ledger that is shared with nobody."""
    if not status.is_shared:
        return ()
    extra = [f"{CONFLICTS} {conflicts}"] if conflicts else []
    extra += [f"{ASIDE} {status.aside}"] if status.aside else []
    if progress is not None and progress.total >= SHOWN_FROM:
        return _forms([progress_words(progress)], extra)
    waiting = [f"{WAITING} {measure.count(status.pending)}"] if status.pending else []
    since = status.failing_since_us
    if status.error and since is not None and now_us - since >= LONG_US:
        days = measure.age(since, now_us)
        told = [[*waiting, f"no sync for {days}"], [*waiting, f"⊘ {days}"], [f"⊘ {days}"]]
    elif status.agreed is not None and not status.pending:
        told = [[f"{AGREED} {status.agreed}"]]
    elif status.agreed_us is not None:
        ago = measure.age(status.agreed_us, now_us)
        told = [[*waiting, f"agreed {ago} ago" if ago[0].isdigit() else "agreed just now"], [*waiting, ago]]
    else:
        told = [[*waiting, "not yet agreed"], waiting or ["◌"]]
    forms = [form for words in told for form in _forms(words, extra)]
    return tuple(dict.fromkeys(forms))


def _forms(words: list[str], extra: list[str]) -> tuple[str, ...]:
    shown = "  ".join([*words, *extra])
    tight = " ".join(part.replace(" ", "") for part in [*words, *extra])
    return (shown, tight) if extra else (shown,)


def progress_words(progress: Progress) -> str:
    """How far an exchange has come: ``▲ 3.00k/1.00M``, ``▼ 40 %``, ``≟ 3.00k``."""
    sign = DOING.get(progress.doing, "⇅")
    if progress.doing == "receive":
        return f"{sign} {progress.done * 100 // max(1, progress.total)} %"
    if progress.doing == "send":
        return f"{sign} {_short(progress.done)}/{_short(progress.total)}"
    return f"{sign} {_short(progress.done)}"


def _short(count: int) -> str:
    """A count without decimals."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count // size}{unit}"
    return str(count)
