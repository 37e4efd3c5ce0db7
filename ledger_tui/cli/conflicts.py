"""``ledger-tui conflicts``: what several people wrote at once, and deciding it, from a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import DONE, NOT_HELD, Front, json_option, pass_front
from ledger_tui.errors import InputError, NotFound
from ledger_tui.services.executing import iso

if TYPE_CHECKING:
    from ledger_tui.domain.deciding import Candidate, Comparison, Contested
    from ledger_tui.domain.values import VersionRow
    from ledger_tui.ledger import PromptLedger

_HEADS = "heads"
_NONE = "-"


@click.group(invoke_without_command=True)
@click.pass_context
def conflicts(ctx: click.Context) -> None:
    """What several people wrote at once: list it, look at it, decide it."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_conflicts)


@conflicts.command("list")
@click.option("--exit-code", is_flag=True, help=f"End with {NOT_HELD} when there is something to decide.")
@json_option
@pass_front
def list_conflicts(front: Front, exit_code: bool = False, as_json: bool = False) -> int:
    """List what there is to decide. WHAT is how ``resolve`` calls it; * marks what counts meanwhile."""
    with front.ledger() as ledger:
        found = ledger.conflicts.conflicts()
    if as_json:
        output.document({"conflicts": [_shape(one) for one in found]})
    else:
        output.table(
            ["PROMPT", "WHAT", "CANDIDATES"],
            [[one.prompt or _NONE, one.key, "  |  ".join(_words(one, c) for c in one.candidates)] for one in found],
        )
        output.say(f"{len(found)} to decide." if found else "Nobody wrote at once: there is nothing to decide.")
    return NOT_HELD if exit_code and found else DONE


@conflicts.command()
@click.argument("name")
@click.argument("what", default=_HEADS)
@json_option
@pass_front
def show(front: Front, name: str, what: str, as_json: bool) -> None:
    """Print what two heads of a prompt come to, with marks where both changed the same lines.

    What was printed can be edited and given to ``resolve --file``. For another WHAT, its candidates by number.
    """
    with front.ledger() as ledger:
        contested = _find(ledger, name, what)
        here = ledger.conflicts.compare(name) if what == _HEADS else None
    if as_json:
        output.document(_shape(contested) | ({} if here is None else _comparison_shape(here)))
    elif here is None:
        rows = [[str(at), *_cells(contested, one)] for at, one in enumerate(contested.candidates, 1)]
        output.table(["", "VALUE", "WHO", "AGE"], rows)
    else:
        base = f"both were written on v{here.base_number}" if here.base_number else "they have no version in common"
        output.say(
            f"mine {here.mine.name} by {here.mine.author}, theirs {here.theirs.name} by {here.theirs.author}; {base}"
        )
        output.say(f"{len(here.merge.changed)} changes, {len(here.merge.conflicts)} of them to decide.")
        if here.more:
            output.say(f"Besides these: {', '.join(head.name for head in here.more)}.")
        output.text(here.merge.text({}))


@conflicts.command()
@click.argument("name")
@click.argument("what", default=_HEADS)
@click.option(
    "--take", metavar="SIDE", help="mine, theirs, merged (heads without a conflict), or a candidate's number."
)
@click.option(
    "--file", "file", metavar="FILE", help="The text decided on, as 'show' prints it; - reads standard input."
)
@click.option("--keep-both", "branch", metavar="LABEL", help="Go on from mine; LABEL points to theirs.")
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Move this label to it too; may be repeated.")
@click.option("--message", default="", help="What was decided, and why.")
@json_option
@pass_front
def resolve(
    front: Front, /, name: str, what: str, take: str | None, file: str | None, as_json: bool, **more: Any
) -> None:
    """Decide: a version on top of both heads, or which candidate of WHAT (such as label:production) holds."""
    if sum(given is not None for given in (take, file, more["branch"])) != 1:
        raise click.UsageError("say one of --take, --file and --keep-both")
    with front.ledger() as ledger:
        if what != _HEADS:
            contested = _find(ledger, name, what)
            chosen = _chosen(contested, take)
            ledger.conflicts.resolve_register(contested, chosen.rid, reason=more["message"])
            output.say(f"{name} {what}: {contested.words(chosen)}")
            if as_json:
                output.document(
                    {"prompt": contested.prompt, "what": what, "candidate": _candidate_shape(contested, chosen)}
                )
            return
        version = _resolve_heads(ledger, name, take, file, **more)
    if as_json:
        output.document({"prompt": name, "what": what, "version": shapes.version_shape(version)})
        return
    output.say(f"{name} {version.name} ({version.short_hash}) stands on both, and is active")


def _resolve_heads(
    ledger: PromptLedger,
    name: str,
    take: str | None,
    file: str | None,
    *,
    branch: str | None,
    labels: tuple[str, ...],
    message: str,
) -> VersionRow:
    from ledger_tui.domain.merge_text import read
    from ledger_tui.services.reading import MAX_BYTES, read_text_file, text_of

    here = ledger.conflicts.compare(name)
    heads = (here.mine.version_id, here.theirs.version_id)
    if branch is not None:
        return ledger.conflicts.keep_both(name, *heads, branch, message=message)
    if file is not None:
        given = text_of(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input") if file == "-" else read_text_file(file)
        content = read(given.replace("\r\n", "\n"))
    elif take in ("mine", "theirs"):
        content = here.mine_content if take == "mine" else here.theirs_content
    elif take == "merged":
        content = read(here.merge.text({}))
    else:
        raise click.UsageError("--take is mine, theirs or merged here")
    return ledger.conflicts.resolve_heads(name, content, heads=heads, labels=labels, message=message)


def _find(ledger: PromptLedger, name: str, what: str) -> Contested:
    found = ledger.conflicts.conflicts(None if name == _NONE else name)
    one = next((one for one in found if one.key == what and (one.prompt or _NONE) == name), None)
    if one is None:
        raise NotFound(
            f"nothing of {what} is to be decided for {name}",
            title="No such conflict",
            remedy="See what there is with: ledger-tui conflicts list",
        )
    return one


def _chosen(contested: Contested, take: str | None) -> Candidate:
    """The candidate that ``take`` means: a number, or mine or theirs where that is one only."""
    if take in ("mine", "theirs"):
        found = [one for one in contested.candidates if one.mine == (take == "mine")]
    else:
        found = [one for at, one in enumerate(contested.candidates, 1) if str(at) == take]
    if len(found) != 1:
        raise InputError(
            f"{take!r} means {len(found)} of its {len(contested.candidates)} candidates",
            remedy="Give the number that 'ledger-tui conflicts show' prints.",
        )
    return found[0]


def _cells(contested: Contested, one: Candidate) -> list[str]:
    who = f"{one.actor} (mine)" if one.mine else one.actor
    return [contested.words(one) + (" *" if one.holds else ""), who, shapes.age(one.at_us)]


def _words(contested: Contested, one: Candidate) -> str:
    return f"{'*' if one.holds else ''}{contested.words(one)} ({one.actor})"


def _shape(contested: Contested) -> dict[str, Any]:
    return {
        "prompt": contested.prompt,
        "what": contested.key,
        "candidates": [_candidate_shape(contested, one) for one in contested.candidates],
    }


def _candidate_shape(contested: Contested, one: Candidate) -> dict[str, Any]:
    return {
        "fact": one.rid,
        "value": one.value,
        "version": one.number,
        "words": contested.words(one),
        "author": one.actor,
        "at": iso(one.at_us),
        "holds": one.holds,
        "mine": one.mine,
    }


def _comparison_shape(here: Comparison) -> dict[str, Any]:
    return {
        "mine": here.mine.number,
        "theirs": here.theirs.number,
        "base": here.base_number,
        "hunks": [{"kind": h.kind, "base": h.base, "mine": h.mine, "theirs": h.theirs} for h in here.merge.hunks],
        "text": here.merge.text({}),
        "to_decide": len(here.merge.conflicts),
    }
