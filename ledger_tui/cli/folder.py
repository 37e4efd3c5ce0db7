"""``ledger-tui export`` and ``ledger-tui import``: prompts as files."""

from __future__ import annotations

from pathlib import Path

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import Front, json_option, pass_front

_folder = click.argument("folder", type=click.Path(path_type=Path))


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path), default="prompts")
@click.option("--prompt", "pattern", metavar="GLOB", default="*", help="Only prompts whose names fit, e.g. 'mail/*'.")
@json_option
@pass_front
def export_prompts(front: Front, folder: Path, pattern: str, as_json: bool) -> None:
    """Write the active version of each prompt to FOLDER/NAME.prompty.

    The same prompts always give the same bytes. Files that are right already are not touched; other files stay.
    """
    with front.ledger() as ledger:
        files = ledger.folders.export(folder, pattern)
    if as_json:
        shown = [{"name": file.name, "path": file.path, "written": file.written} for file in files]
        output.document({"folder": str(folder), "exported": shown})
        return
    for file in files:
        output.line(f"{'+' if file.written else '='} {file.path}")
    output.say(f"{sum(file.written for file in files)} of {len(files)} files written to {folder}")


@click.command("import")
@_folder
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@json_option
@pass_front
def import_prompts(front: Front, folder: Path, dry_run: bool, as_json: bool) -> None:
    """Take the prompt files of FOLDER (.prompty, .md, .jinja, .jinja2, .j2), all or none; a file's path is the name.

    Content that is active already makes no version. 'ledger-tui prompts undo' takes a whole import back.
    """
    with front.ledger() as ledger:
        files = ledger.folders.load(folder, dry_run=dry_run)
    if as_json:
        shown = [{"name": f.name, "path": f.path, "action": f.action, "version": f.version or None} for f in files]
        output.document({"folder": str(folder), "dry_run": dry_run, "imported": shown})
        return
    for file in files:
        output.line(f"{file.action:<9}  {file.name}" + (f"  v{file.version}" if file.version and not dry_run else ""))
    changed = sum(file.action in ("new", "update") for file in files)
    output.say(f"{changed} of {len(files)} prompts {'would change' if dry_run else 'changed'}")
