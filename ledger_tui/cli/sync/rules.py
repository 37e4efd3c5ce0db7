"""``sync share``: what may leave this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.cli.sync import words
from ledger_tui.errors import NotFound
from ledger_tui.services import sync_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_tui.domain.sync.sharing import Share, Sharing


@click.command()
@click.option("--numbers/--no-numbers", default=None, help="Calls, steps and renders as numbers and names.")
@click.option("--texts/--no-texts", default=None, help="What was sent and answered, too; goes only where numbers do.")
@click.option(
    "--folder",
    "folders",
    multiple=True,
    metavar="FOLDER",
    help="Only for a folder (support/) or one prompt; may be repeated.",
)
@click.option(
    "--remove-folder", "removed", multiple=True, metavar="FOLDER", help="Let the usual rule hold there again."
)
@json_option
@pass_front
def share(
    front: Front,
    numbers: bool | None,
    texts: bool | None,
    folders: tuple[str, ...],
    removed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show or change what may leave this machine.

    What is decided about prompts (versions, labels, prices, budgets) is always shared; numbers of calls unless switched off;
    texts only when asked for. The deepest folder that a prompt is in counts. Rules are of this ledger and are not shared.
    """
    changes = {name: value for name, value in (("numbers", numbers), ("texts", texts)) if value is not None}
    if folders and not changes:
        raise click.UsageError("--folder needs --numbers, --no-numbers, --texts or --no-texts.")
    with front.ledger() as ledger:
        before = ledger.sync.sharing()
        names = [one.name for one in ledger.registry.prompts(archived=True)] if folders else []
        asked = [sync_folders.meant(folder, names) for folder in folders]
        rules = _changed(before, changes, asked, removed)
        if rules != before:
            ledger.database.check_writable()
            ledger.sync.set_sharing(rules)
    if as_json:
        output.document(words.sharing_shape(rules))
        return
    rows = [["", _yes(True), _yes(rules.usual.numbers), _texts(rules.usual)]]
    rows += [[folder, _yes(True), _yes(one.numbers), _texts(one)] for folder, one in rules.folders]
    rows[0][0] = "everything else" if rules.folders else "everything"
    output.table(["WHAT BELONGS TO", "PROMPTS", "NUMBERS", "TEXTS"], rows, named=True)
    _say_covered(asked, names)
    _comment(before, rules)


def _changed(rules: Sharing, changes: dict[str, bool], folders: Sequence[str], removed: Sequence[str]) -> Sharing:
    for given in removed:
        folder = given if given in dict(rules.folders) else given + "/"
        if folder not in dict(rules.folders):
            raise NotFound(given, title="This folder has no rule of its own", remedy="See: ledger-tui sync share")
        rules = rules.without_folder(folder)
    for one in folders or ((None,) if changes else ()):
        rules = rules.with_rule(one, **changes)
    return rules


def _say_covered(rules: Sequence[str], names: Sequence[str]) -> None:
    """Say of rules that were just given which prompts they are about, where that may be another thing than was meant."""
    for rule in rules:
        if not sync_folders.covers(rule, names):
            output.say(f"! {rule} covers nothing yet: no prompt is below it.")
        elif not rule.endswith("/") and sync_folders.covers(rule + "/", names):
            output.say(f"! {rule} is one prompt; what is below it is the folder {rule}/")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _texts(rule: Share) -> str:
    return "no (no numbers)" if rule.texts and not rule.numbers else _yes(rule.texts)


def _comment(before: Sharing, rules: Sharing) -> None:
    """Say what a change means, and what it does not."""
    if rules == before:
        return
    shares = [rules.usual, *dict(rules.folders).values()]
    was = [before.usual, *dict(before.folders).values()]
    if any(one.texts and one.numbers for one in shares) and "bodies" not in before.streams:
        output.say(
            "! From the next sync on, texts leave this machine: what was sent to models, what they answered, sessions and users."
        )
        output.say("  Anything that looks like a key is taken out on the way.")
    if sum(one.numbers + one.texts for one in shares) < sum(one.numbers + one.texts for one in was):
        output.say("What went already stays with the server and with those who have it.")
