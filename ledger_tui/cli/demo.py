"""``ledger-tui demo``: a filled workspace to try things in."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger_tui.cli import output
from ledger_tui.cli.front import DONE, Front, pass_front
from ledger_tui.errors import InputError

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger

DATABASE = "demo.db"


@click.command()
@click.option("--no-open", is_flag=True, help="Fill it, print where its database is and keep it.")
@click.option(
    "--keep", metavar="FOLDER", type=click.Path(path_type=Path), help="Make it in this new or empty folder and keep it."
)
@pass_front
def demo(front: Front, no_open: bool, keep: Path | None) -> int:
    """Open a throw-away workspace with prompts, versions and traces in it.

    Nothing of it touches your own workspace. It is removed at the end unless it is kept.
    """
    folder = _folder(keep)
    stays = no_open or keep is not None
    try:
        output.say("Filling a workspace for you …")
        ledger = _filled(folder, front.environment)
        if no_open:
            ledger.close()
            output.line(str(folder / DATABASE))
            return DONE
        return front.open_workstation(ledger, front.theme)
    except BaseException:
        stays = keep is not None
        raise
    finally:
        if stays:
            output.say(f"Kept: ledger-tui --database-url {folder / 'demo.db'}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _filled(folder: Path, environment: str | None) -> PromptLedger:
    """A ledger over a new database in ``folder``, filled; it knows nothing of the person's own files."""
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.paths import Paths
    from ledger_tui.services.demo import fill

    ledger = PromptLedger(
        str(folder / DATABASE), paths=Paths(data=folder, config=folder / "config"), environment=environment
    )
    ledger.prepare()
    fill(ledger)
    return ledger


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="ledger-demo-"))
    keep = keep.absolute()
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise InputError(
            f"{keep} is there and not empty", remedy="Name a new folder.", title="The demo needs a new folder"
        )
    keep.mkdir(parents=True, exist_ok=True)
    keep.chmod(0o700)
    return keep
