"""``ledger-tui prompts unregistered | register``: what programs send that belongs to no prompt, from a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.services.executing import iso

if TYPE_CHECKING:
    from ledger_tui.services.linking import UnregisteredRow


@click.command()
@click.option("--limit", metavar="N", type=click.IntRange(1, 300), default=100, help="At most N; else 100.")
@click.option("--dismiss", metavar="FINGERPRINT", help="Do not list this one again, instead of listing.")
@json_option
@pass_front
def unregistered(front: Front, limit: int, dismiss: str | None, as_json: bool) -> None:
    """List what programs send to models and no prompt explains, the most called first."""
    with front.ledger() as ledger:
        if dismiss is not None:
            row = ledger.linking.one(dismiss)
            ledger.linking.dismiss(row.fingerprint)
            if as_json:
                output.document({"dismissed": row.fingerprint})
            else:
                output.say(f"{row.fingerprint} is not listed any more")
            return
        rows = ledger.linking.unregistered(limit)
    if as_json:
        output.document({"unregistered": [_shape(row) for row in rows]})
        return
    cells = [
        [row.fingerprint[:8], f"{row.calls}", shapes.age(row.last_us), ", ".join(row.models), row.text] for row in rows
    ]
    output.table(["FINGERPRINT", "CALLS", "LAST", "MODELS", "TEXT"], cells, right=(1, 2))
    if not rows:
        output.say("Nothing here: every recorded call belongs to a prompt, or none was recorded.")


@click.command()
@click.argument("fingerprint")
@click.argument("name")
@json_option
@pass_front
def register(front: Front, fingerprint: str, name: str, as_json: bool) -> None:
    """Make prompt NAME of an unregistered one, named by the beginning of its fingerprint; its past calls belong to it."""
    with front.ledger() as ledger:
        done = ledger.linking.register(fingerprint, name)
        version = ledger.registry.version(done.name)
    if as_json:
        output.document(
            {"name": done.name, "version": version.number, "version_id": done.version_id, "linked": done.linked}
        )
    else:
        output.say(f"{done.name} v{version.number}; {done.linked} past calls belong to it")


def _shape(row: UnregisteredRow) -> dict[str, Any]:
    return {
        "fingerprint": row.fingerprint,
        "messages": [{"role": message.role, "text": message.text} for message in row.content.messages],
        "sample": [{"role": role, "text": text} for role, text in row.sample],
        "calls": row.calls,
        "first_at": iso(row.first_us),
        "last_at": iso(row.last_us),
        "models": list(row.models),
        "span_name": row.span_name,
        "trace_id": row.trace_id,
    }
