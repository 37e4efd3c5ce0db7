"""``sync members``, ``enrol``, ``dismiss`` and ``login-sql``: who shares the ledger, and in which role."""

from __future__ import annotations

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.cli.sync.password import asked
from ledger_tui.services.executing import iso

ROLES = ("owner", "admin", "maintainer", "member", "ingest", "reader")
_role = click.argument("role", type=click.Choice(ROLES))


@click.command()
@json_option
@pass_front
def members(front: Front, as_json: bool) -> None:
    """List the accounts of the shared ledger and their roles."""
    with front.ledger() as ledger:
        found = asked(ledger, ledger.sync.members)
    if as_json:
        shown = [{"login": one.login, "role": one.role, "since": iso(one.since_us)} for one in found]
        output.document({"members": shown})
        return
    rows = [[one.login, one.role, shapes.age(one.since_us)] for one in found]
    output.table(["LOGIN", "ROLE", "SINCE"], rows, named=True)


@click.command()
@click.argument("login")
@_role
@json_option
@pass_front
def enrol(front: Front, login: str, role: str, as_json: bool) -> None:
    """Give a login of the database server a role in the shared ledger, or another one; for owners and admins.

    Members send and read everything; maintainers also move protected labels; ingest only sends numbers and texts; readers
    read what is decided about prompts, and the views.
    """
    with front.ledger() as ledger:
        asked(ledger, lambda: ledger.sync.enrol(login, role))
    if as_json:
        output.document({"login": login, "role": role})
    else:
        output.say(f"✓ {login} is {role} of this shared ledger.")


@click.command()
@click.argument("login")
@json_option
@pass_front
def dismiss(front: Front, login: str, as_json: bool) -> None:
    """Take a login's role away; what it brought stays, and so does the login itself."""
    with front.ledger() as ledger:
        asked(ledger, lambda: ledger.sync.dismiss(login))
    if as_json:
        output.document({"login": login, "role": None})
    else:
        output.say(f"✓ {login} belongs to this shared ledger no longer. What it has on its own machine stays there.")


@click.command("login-sql")
@click.argument("login")
@_role
@json_option
@pass_front
def login_sql(front: Front, login: str, role: str, as_json: bool) -> None:
    """Print the SQL for psql that makes a login and enrols it; psql asks for its password, which is not in the SQL."""
    with front.ledger() as ledger:
        script = ledger.sync.login_script(login, role)
    if as_json:
        output.document({"login": login, "role": role, "sql": script})
    else:
        output.text(script)
