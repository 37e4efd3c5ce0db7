"""``sync init``, ``join`` and ``leave``: which server a ledger is shared through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import DONE, FAILED, Front, json_option, pass_front
from ledger_tui.cli.sync import exchange, password
from ledger_tui.cli.sync.progress import SyncLine
from ledger_tui.cli.sync.words import receipt_shape
from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.sync_values import Joined

_no_sync = click.option("--no-sync", is_flag=True, help="Exchange nothing yet.")


@click.command()
@click.argument("url", required=False)
@click.option("--name", default="", metavar="NAME", help="A name for the shared ledger, for its database.")
@click.option("--print-sql", is_flag=True, help="Only print the SQL that makes it, for the one who may run it.")
@_no_sync
@json_option
@pass_front
def init(front: Front, /, url: str | None, name: str, print_sql: bool, no_sync: bool, as_json: bool) -> int:
    """Make a shared ledger in a Postgres database, 15 or newer, and share this ledger through it.

    URL: postgresql://account@host/database. The password is asked for, or comes from LEDGER_SYNC_PASSWORD,
    LEDGER_SYNC_PASSWORD_FILE or the keyring. An account that may not make schemas gets the SQL for the one who may, and
    exit code 1. A shared ledger of an older release is brought to this one.
    """
    with front.ledger() as ledger:
        ledger.database.check_writable()
        if print_sql:
            return _print_sql(ledger.sync.script(name=name, owner=_account(url)))
        if url is None:
            raise click.UsageError("Missing argument 'URL', such as postgresql://account@host/database.")
        from ledger_tui.sync.server.install import SchemaRights

        try:
            joined = _answered(ledger, url, lambda typed: ledger.sync.init(url, name=name, password=typed))
        except SchemaRights as error:
            return _hand_over(error, error.script, _stored(url), as_json)
        return _began(ledger, joined, no_sync, as_json)


@click.command()
@click.argument("url")
@click.option("--workspace", metavar="ID", help="Which shared ledger, when the account belongs to several.")
@_no_sync
@json_option
@pass_front
def join(front: Front, /, url: str, workspace: str | None, no_sync: bool, as_json: bool) -> int:
    """Share this ledger through a server that has a shared ledger already; URL and password as for init.

    What this ledger holds goes there as far as the rules of 'sync share' allow, and what the others have comes here.
    """
    with front.ledger() as ledger:
        ledger.database.check_writable()
        joined = _answered(ledger, url, lambda typed: ledger.sync.join(url, workspace=workspace, password=typed))
        return _began(ledger, joined, no_sync, as_json)


@click.command()
@json_option
@pass_front
def leave(front: Front, as_json: bool) -> None:
    """Forget the server and its password. Everything exchanged stays at both ends; joining again goes on from there."""
    with front.ledger() as ledger:
        ledger.database.check_writable()
        address = ledger.sync.status().address
        ledger.sync.leave()
    if as_json:
        output.document({"left": address})
    else:
        output.say(f"✓ {address} is forgotten here. What was exchanged stays, here and there.")


def _answered(ledger: PromptLedger, url: str, work: Callable[[str | None], Joined]) -> Joined:
    """Make or join, asking for the password when it is wanted."""
    from ledger_tui.sync.dsn import Target

    target = Target(url)
    if target.password is not None:
        output.say(
            "! A password in an address stays in the shell's history and is seen by 'ps'. Leave it out: it is asked for."
        )

    def attempt(typed: str | None) -> Joined:
        with SyncLine(f"meeting {target.label} …"):
            return work(typed)

    return password.asked_when_wanted(attempt, lambda: ledger.sync.password_source(url), target.label)


def _began(ledger: PromptLedger, joined: Joined, no_sync: bool, as_json: bool) -> int:
    what = "A shared ledger is made at" if joined.made else "This ledger is shared through"
    if not as_json:
        output.say(f"✓ {what} {joined.address}")
    password.say_where(joined.password_kept)
    shape: dict[str, Any] = {
        "workspace": joined.workspace, "address": joined.address, "made": joined.made,
        "password_kept": joined.password_kept or None, "sync": None,
    }  # fmt: skip
    failure: LedgerError | None = None
    if not no_sync:
        try:
            receipt = exchange.exchanged(ledger)
        except LedgerError as error:
            failure = error
        else:
            shape["sync"] = receipt_shape(receipt)
            if not as_json:
                exchange.show(ledger, receipt)
    if as_json:
        output.document(shape)
    if failure is not None:
        output.complain(failure)
        output.say("  The first exchange did not end; 'ledger-tui sync' goes on with it.")
    return DONE if failure is None else FAILED


def _account(url: str | None) -> str:
    if url is None:
        return ""
    from ledger_tui.sync.dsn import Target

    return Target(url).user


def _stored(url: str) -> str:
    from ledger_tui.sync.dsn import Target

    return Target(url).label


def _print_sql(script: str) -> int:
    output.text(script)
    output.say("Run it with psql on an empty database (UTF8); then each of the team: ledger-tui sync join URL")
    return DONE


def _hand_over(error: LedgerError, script: str, label: str, as_json: bool) -> int:
    """Give out the SQL for somebody else; the exit code."""
    if as_json:
        output.document({"made": False, "error": error.cause, "sql": script})
    else:
        output.text(script)
    output.complain(error)
    output.say(
        f"  The SQL is on standard output: put it into a file, have it run with 'psql -f FILE' on that database, and then\n"
        f"  run 'ledger-tui sync join' with the address of {label}."
    )
    return FAILED
