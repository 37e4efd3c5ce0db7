"""The group ``ledger-tui sync`` and what it does without a command."""

from __future__ import annotations

import click

from ledger_tui.cli.front import DONE, Front, json_option
from ledger_tui.cli.sync import exchange, joining, keeping, looking, people, rules


@click.group(invoke_without_command=True)
@click.option("--dry-run", is_flag=True, help="Only say what would go and come.")
@click.option("--watch", is_flag=True, help="Go on exchanging until interrupted: exit code 130.")
@click.option(
    "--anew",
    is_flag=True,
    help="Compare everything, and exchange all that one end lacks: after 'verify' found a difference.",
)
@json_option
@click.pass_context
def sync(ctx: click.Context, dry_run: bool, watch: bool, anew: bool, as_json: bool) -> None:
    """Share this ledger with a team: send what waits, bring what is new, once.

    The workstation does it by itself. Each machine has a whole ledger of its own and works without the server. The answer says
    what left this machine, by kind, and four digits when both ends hold the same.
    """
    if ctx.invoked_subcommand is not None:
        return
    if dry_run + watch + anew > 1:
        raise click.UsageError("--dry-run, --watch and --anew exclude each other.")
    front: Front = ctx.obj
    with front.ledger() as ledger:
        if dry_run:
            code = exchange.would_do(ledger, as_json)
        else:
            ledger.database.check_writable()
            code = exchange.watch(ledger, as_json) if watch else exchange.once(ledger, as_json, anew=anew)
    if code != DONE:
        ctx.exit(code)


for command in (
    joining.init, joining.join, joining.leave, looking.status, looking.verify, rules.share, looking.quarantine,
    looking.devices, looking.receipts, people.members, people.enrol, people.dismiss, people.login_sql,
    keeping.purge, keeping.retire,
):  # fmt: skip
    sync.add_command(command)
