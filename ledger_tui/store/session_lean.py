"""Plain statements inside a SQLModel session's transaction: each sees what the other wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.store import postgres, sqlite

if TYPE_CHECKING:
    from sqlmodel import Session

    from ledger_tui.store.lean import Lean


def lean_of(session: Session) -> Lean:
    """A ``Lean`` on the session's open transaction. What is pending in the session is written first.

    Objects that the session holds do not notice what is written here: call ``session.expire_all()`` after it.
    """
    session.flush()
    connection = session.connection()
    raw = connection.connection.dbapi_connection
    return sqlite.SqliteLean(raw) if connection.dialect.name == "sqlite" else postgres.PostgresLean(raw)
