"""Every foreign error becomes one of ours, and no password gets out."""

from __future__ import annotations

import errno

import psycopg
import pytest
import sqlalchemy.exc
from ledger_tui.errors import (
    Conflict,
    DatabaseDamaged,
    DatabaseForeign,
    DatabaseFull,
    DatabaseLocked,
    DatabaseUnavailable,
    InputError,
    LedgerError,
    StoreError,
)
from ledger_tui.paths import Paths
from ledger_tui.store import postgres, sqlite
from ledger_tui.store.database import Database
from ledger_tui.store.failures import masked, translate, translated


def _sqlite(code: int, text: str = "x") -> Exception:
    error: Exception = sqlite.library().OperationalError(text)
    error.sqlite_errorcode = code  # type: ignore[attr-defined]
    return error


def _state(code: str) -> Exception:
    return psycopg.errors.lookup(code)("x")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (_sqlite(5), DatabaseLocked), (_sqlite(6), DatabaseLocked), (_sqlite(517), DatabaseLocked),
        (_sqlite(8), DatabaseUnavailable), (_sqlite(1032), DatabaseUnavailable), (_sqlite(14), DatabaseUnavailable),
        (_sqlite(10), DatabaseUnavailable), (_sqlite(11), DatabaseDamaged), (_sqlite(267), DatabaseDamaged),
        (_sqlite(13), DatabaseFull), (_sqlite(26), DatabaseForeign), (_sqlite(1), StoreError),
        (_sqlite(19, "UNIQUE constraint failed: a.b"), Conflict),
        (_sqlite(19, "NOT NULL constraint failed: a.b"), StoreError),
        (_state("55P03"), DatabaseLocked), (_state("40P01"), DatabaseLocked), (_state("40001"), DatabaseLocked),
        (_state("53100"), DatabaseFull), (_state("53300"), DatabaseUnavailable), (_state("28P01"), DatabaseUnavailable),
        (_state("3D000"), DatabaseUnavailable), (_state("57P01"), DatabaseUnavailable), (_state("08006"), DatabaseUnavailable),
        (_state("25006"), DatabaseUnavailable), (_state("XX001"), DatabaseDamaged), (_state("23505"), Conflict),
        (_state("42P01"), StoreError), (psycopg.OperationalError("gone"), DatabaseUnavailable),
        (OSError(errno.ENOSPC, "full"), DatabaseFull), (OSError(errno.EROFS, "ro"), DatabaseUnavailable),
        (OSError(errno.EIO, "io"), DatabaseUnavailable), (OSError(errno.ENOTDIR, "x"), StoreError),
    ],
)  # fmt: skip
def test_kinds(error: Exception, ours: type[LedgerError]) -> None:
    """The code of an error decides what it is for us, bare or wrapped by SQLAlchemy, and its cause is kept."""
    assert type(translate(error)) is ours
    wrapped = sqlalchemy.exc.DBAPIError("SELECT 1", {}, error)
    assert type(translate(wrapped)) is ours
    with pytest.raises(ours) as caught, translated():
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.remedy or ours in (StoreError, Conflict)


def test_texts_stand_for_codes_that_are_missing() -> None:
    """An error without a code is told by SQLite's own words for it."""
    texts = {"database is locked": DatabaseLocked, "database or disk is full": DatabaseFull, "what?": StoreError}
    for text, ours in texts.items():
        assert type(translate(sqlite.library().OperationalError(text))) is ours


def test_every_driver_error_is_ours() -> None:
    """No error class of a driver passes the door as it is; errors of our own code do."""
    for module in (sqlite.library(), psycopg):
        for name in (
            "Error",
            "DatabaseError",
            "OperationalError",
            "IntegrityError",
            "ProgrammingError",
            "InterfaceError",
        ):
            assert isinstance(translate(getattr(module, name)("x")), LedgerError), name
    assert isinstance(translate(sqlalchemy.exc.InvalidRequestError("x")), StoreError)
    assert translate(ValueError("x")) is None
    with pytest.raises(KeyError), translated():
        raise KeyError("x")
    refused = InputError("x")
    with pytest.raises(InputError) as caught, translated():
        raise refused
    assert caught.value is refused


def test_passwords_are_masked() -> None:
    """A password in an address or a keyword list is not repeated."""
    assert masked("no route to postgresql://ann:s3cret@host/db") == "no route to postgresql://ann:***@host/db"
    assert masked("host=h password='s3 cret' user=u") == "host=h password=*** user=u"


@pytest.mark.parametrize(
    "rest",
    ["@127.0.0.1:1/db", "@127.0.0.1:1/db?sslmode=banana", "@127.0.0.1:1/db?nonsense=1", "@[::1/db", "@/db?host=/none"],
)
def test_passwords_stay_out_of_every_message(rest: str, paths: Paths) -> None:
    """Label, repr and errors of a Postgres address that fails never hold the password."""
    import traceback

    database = Database("postgresql://ann:p%40ss-s3cret" + rest, paths)
    with pytest.raises(DatabaseUnavailable) as caught:
        database.prepare()
    shown = (
        "".join(traceback.format_exception(caught.value)) + repr(database) + database.label + str(vars(caught.value))
    )
    assert "s3cret" not in shown
    with pytest.raises(DatabaseUnavailable), database.session() as session:
        session.flush()
        session.connection()


def test_options_in_the_address_are_refused(paths: Paths) -> None:
    """An address cannot change the search path or other server settings of the session."""
    database = Database("postgresql://ann@127.0.0.1:1/db?options=-csearch_path%3Devil", paths)
    with pytest.raises(DatabaseUnavailable, match="refused"):
        database.state()


def test_parameters_are_translated_outside_of_literals_only() -> None:
    """``:name`` is a parameter; casts, literals, quoted names and comments are not, and ``%`` stays a percent sign."""
    sql = """SELECT ':a' || 'it''s :b', "c:d", x::text, CAST(:e AS text) -- :f
    /* :g */ FROM t WHERE y LIKE '%z' AND 5 % :h = 1"""
    assert postgres.translated_sql(sql) == (
        """SELECT ':a' || 'it''s :b', "c:d", x::text, CAST(%(e)s AS text) -- :f
    /* :g */ FROM t WHERE y LIKE '%%z' AND 5 %% %(h)s = 1"""
    )


def test_missing_driver_names_the_extra(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the error says what to install."""
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseUnavailable) as caught:
        Database("postgresql://ann@host/db", paths).state()
    assert "ledger-tui[postgres]" in caught.value.remedy
