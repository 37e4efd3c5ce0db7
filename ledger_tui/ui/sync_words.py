"""How sync stands, in a few characters for the top line and in sentences for the screen about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ledger_tui.domain import measure
from ledger_tui.errors import KeyMissing, LedgerError

if TYPE_CHECKING:
    from ledger_tui.services.sync_values import SyncStatus
    from ledger_tui.sync.engine import Progress

LONG_US = 86_400_000_000
"""After a day of failures the line says so; until then being offline is nothing to talk of."""
SHOWN_FROM = 500
"""Records that an exchange has to have before its progress is shown: a few are there before an eye moves."""
DOING = {"send": "▲", "receive": "▼", "compare": "≟"}
WAITING, AGREED, CONFLICTS, ASIDE = "▲", "=", "Ψ", "!"
NO_PASSWORD, WRONG_PASSWORD = "no password", "wrong password"
BARS = {
    "The shared server refused": "no access",
    "The shared server asks for a password": NO_PASSWORD,
    "The shared server refused the password": WRONG_PASSWORD,
    KeyMissing.default_title: NO_PASSWORD,
    "The server has no such login": "no such login",
    "There is no shared ledger in this database": "no ledger there",
    "This is another shared ledger": "another ledger",
    "The shared server could not prove who it is": "not trusted",
    "The shared server speaks no TLS": "no TLS",
    "The Postgres driver is not installed": "no driver",
    "The shared ledger was made by an older release": "server too old",
}
"""Titles of failures that end only when somebody does something, and a few characters for each."""
AWAY = "The shared server does not answer"
TYPE_IT = "p takes the password here."
_SET_ELSEWHERE = {
    "environment": "It comes from LEDGER_SYNC_PASSWORD: set the right one and start the workstation again.",
    "file": "It comes from the file that LEDGER_SYNC_PASSWORD_FILE names: correct that file.",
    "address": "It stands in the address: leave and join again with the right one.",
}
"""What to do about a password that typing another one does not replace, by where it comes from."""


def bar(status: SyncStatus) -> str:
    """What keeps the ledger from exchanging until somebody does something, in a few characters; empty for nothing of that kind."""
    return BARS.get(status.error.partition(": ")[0], "")


def wants_password(status: SyncStatus) -> bool:
    """Whether the password is what is missing or wrong."""
    return bar(status) in (NO_PASSWORD, WRONG_PASSWORD)


def can_type(source: str) -> bool:
    """Whether a password that a person types takes the place of the one from there (sync_server.with_password)."""
    return source not in _SET_ELSEWHERE


def remedy(status: SyncStatus, source: str) -> str:
    """What to do about a failure, for somebody who sits at the workstation. source: where the password came from."""
    if not wants_password(status):
        return status.remedy
    return _SET_ELSEWHERE.get(source, TYPE_IT)


def here(error: LedgerError) -> LedgerError:
    """An error with what to do about it at the workstation."""
    if BARS.get(error.title) in (NO_PASSWORD, WRONG_PASSWORD):
        return LedgerError(error.cause, title=error.title, remedy="Settings ▸ Sync says what to do.")
    return error


def line_state(status: SyncStatus) -> Literal["ok", "waits", "bad"]:
    """How much the top line's words matter: ``bad`` needs a person, ``waits`` goes before words about money."""
    if bar(status):
        return "bad"
    return "waits" if status.pending or status.error else "ok"


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
    if stop := bar(status):
        ends = (*_forms([*waiting, f"! {stop}"], extra), *_forms([f"! {stop}"], extra), f"! {stop}")
        return tuple(dict.fromkeys(ends))
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
