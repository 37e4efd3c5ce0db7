"""``ledger-tui drift``: whether the code's prompts and the ledger agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import DONE, NOT_HELD, Front, json_option, pass_front

if TYPE_CHECKING:
    from ledger_tui.domain.drift import DriftRow, Place

_AGAINST = ("head", "registered", "label", "executed")


@click.command()
@click.option(
    "--from",
    "wanted",
    metavar="CODE",
    help="module:attribute, a module or a folder; else 'prompts' of [tool.ledger-tui] in pyproject.toml, else the files "
    "that registered prompts came from.",
)
@click.option("--exit-code", is_flag=True, help=f"End with {NOT_HELD} when something differs.")
@click.option(
    "--against", multiple=True, type=click.Choice(_AGAINST), help="Only this counts as a difference; may be repeated."
)
@json_option
@pass_front
def drift(front: Front, wanted: str | None, exit_code: bool, against: tuple[str, ...], as_json: bool) -> int:
    """Hold each code prompt against the last commit, the registry, its labels and what ran last.

    Everything is told by the hash of the content. Naming a module imports it.
    """
    from ledger_tui.services.drift import find_source

    kinds = against or _AGAINST
    here = Path.cwd()
    source = find_source(wanted, here)
    with front.ledger() as ledger:
        rows = ledger.drift.look(source, here)
    drifted = [row for row in rows if row.differing(kinds)]
    if as_json:
        output.document({"drifted": bool(drifted), "prompts": [_shape(row, kinds) for row in rows]})
    else:
        output.table(
            ["", "NAME", "WORKING", "HEAD", "REGISTERED", "LABELS", "EXECUTED"], [_cells(r, kinds) for r in rows]
        )
        for row in rows:
            if row.note:
                output.say(f"{row.name}: {row.note}")
        output.say(f"{len(drifted)} of {len(rows)} code prompts differ." if rows else "No code prompts are known here.")
    return NOT_HELD if exit_code and drifted else DONE


def _cells(row: DriftRow, kinds: tuple[str, ...]) -> list[str]:
    def many(kind: str) -> str:
        return " ".join(f"{place.name}={_short(row, place)}" for place in row.places if place.kind == kind)

    def one(kind: Any) -> str:
        place = row.place(kind)
        return "?" if place is None else _short(row, place)

    mark = "✗" if row.differing(kinds) else "✓"
    return [mark, row.name, one("working"), one("head"), one("registered"), many("label"), many("executed")]


def _short(row: DriftRow, place: Place) -> str:
    """``v3``, or the hash of what has no number; ``≠`` before what differs."""
    if place.sha256 is None:
        return "—"
    shown = f"v{place.version}" if place.version else place.sha256[:7]
    return f"≠{shown}" if place in row.differing() else shown


def _shape(row: DriftRow, kinds: tuple[str, ...]) -> dict[str, Any]:
    def single(kind: Any) -> dict[str, Any] | None:
        place = row.place(kind)
        return None if place is None else _place(place)

    return {
        "name": row.name,
        "path": row.path,
        "working": single("working"),
        "head": single("head"),
        "registered": single("registered"),
        "labels": {place.name: _place(place) for place in row.places if place.kind == "label"},
        "executed": {place.name: _place(place) for place in row.places if place.kind == "executed"},
        "differs": [place.key for place in row.differing(kinds)],
        "note": row.note,
    }


def _place(place: Place) -> dict[str, Any]:
    from ledger_tui.services.executing import iso

    return {
        "sha256": place.sha256,
        "version": place.version,
        "at": None if place.at_us is None else iso(place.at_us),
    }
