"""``ledger-tui export``: prompts as files; traces, spans, calls, renders and costs as CSV, JSON or JSON Lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger_tui.cli import output
from ledger_tui.cli.folder import export_prompts
from ledger_tui.cli.front import Front, json_option, pass_front
from ledger_tui.cli.progress import ProgressLine
from ledger_tui.domain.exporting import FORMATS, Format, format_of

if TYPE_CHECKING:
    from ledger_tui.services.export import Rows
    from ledger_tui.store.export import Subject

SUBJECTS = {
    "traces": "Traces, newest first, each with its sums.",
    "spans": "Every step of the traces that fit.",
    "executions": "Calls of prompts to models.",
    "usages": "Renders of prompts, run or not.",
    "costs": "Sums of calls by day, model, version and environment.",
}
_OF_CALLS = "prompt, version, env, day, since and until"


class ExportGroup(click.Group):
    """A group whose first word may be left out: then it is the folder that prompts go to."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word, ``prompts`` when it is none."""
        if args and args[0] not in self.commands:
            return "prompts", self.commands["prompts"], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options may stand before the folder too."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["prompts", *args]
        return super().parse_args(ctx, args)


@click.group("export", cls=ExportGroup, subcommand_metavar="WHAT [ARGS]... | FOLDER")
def export() -> None:
    """Write data into a file, whole or not at all; or prompts into FOLDER.

    Money is exact: USD as decimal text and whole nano-dollars beside it. Moments are UTC. Unknown is null.
    """


export.add_command(export_prompts, "prompts")


def _add(subject: Subject, words: str) -> None:
    texts = subject not in ("traces", "costs")

    @click.argument("filter_words", metavar="[FILTER]...", nargs=-1)
    @click.option("--format", "kind", type=click.Choice(FORMATS), help="Else as the file's name ends, else jsonl.")
    @click.option("-o", "--output", "target", metavar="FILE", default="-", help="A new file; '-' is standard output.")
    @click.option("--force", is_flag=True, help="Exchange a file of that name.")
    @json_option
    @pass_front
    def command(
        front: Front,
        filter_words: tuple[str, ...],
        kind: Format | None,
        target: str,
        force: bool,
        as_json: bool,
        texts: bool = False,
    ) -> None:
        place = None if target == "-" else Path(target)
        chosen: Format = "json" if as_json and not kind and place is None else kind or format_of(target) or "jsonl"
        with front.ledger() as ledger:
            if place is not None:
                ledger.exports.check_place(place.expanduser().absolute(), replace=force)
            _send(
                ledger.exports.rows(subject, " ".join(filter_words), texts=texts),
                subject,
                place,
                chosen,
                force,
                as_json,
            )

    if texts:
        command = click.option("--texts", is_flag=True, help="What was sent and answered too.")(command)
    grammar = "the grammar of 'traces list'" if subject in ("traces", "spans") else f"made of {_OF_CALLS} ..."
    export.command(subject, help=f"{words}\n\nFILTER is {grammar}.", short_help=words)(command)


def _send(rows: Rows, noun: str, place: Path | None, kind: Format, force: bool, as_json: bool) -> None:
    from ledger_tui.services.export import encoded, write

    with ProgressLine(noun) as line:
        if place is None:
            for piece in encoded(rows, kind, line.told):
                output.raw(piece)
            return
        done = write(rows, place, kind, replace=force, on_progress=line.told)
    assert done is not None
    if as_json:
        output.document({"path": str(done.path), "rows": done.rows, "bytes": done.size, "format": kind})
    else:
        output.say(f"{done.rows:,} {noun} in {done.path}")


for _subject, _words in SUBJECTS.items():
    _add(_subject, _words)  # type: ignore[arg-type]
