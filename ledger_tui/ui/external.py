"""The person's own editor: the workstation steps aside, a private file carries the text, and nothing is lost."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from ledger_tui.domain.text import repaired
from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.ui.app import LedgerApp

MAX_BYTES = 16 * 1024 * 1024
USUAL_EDITORS = ("nano", "vim", "vi", "notepad")


class EditorFailed(LedgerError):
    """The editor could not be used; the text is as it was."""

    default_title = "The editor could not be used"
    default_remedy = "Your text is as it was. Name another editor in Settings or in $EDITOR."


def editor_command(setting: str) -> list[str]:
    """The command of the editor: the setting, $VISUAL, $EDITOR, else a usual one. Raises EditorFailed."""
    given = setting or os.environ.get("VISUAL", "") or os.environ.get("EDITOR", "")
    try:
        command = shlex.split(given)
    except ValueError as error:
        raise EditorFailed(f"{given!r} is not a command ({error})") from error
    if not command:
        command = next(([name] for name in USUAL_EDITORS if shutil.which(name)), [])
    if not command:
        raise EditorFailed("no editor was found", remedy="Name one in Settings or in $EDITOR. Your text is as it was.")
    if shutil.which(command[0]) is None:
        raise EditorFailed(f"there is no program {command[0]!r}")
    return command


def edit_text(app: LedgerApp, text: str, suffix: str = ".md") -> str | None:
    """Edit ``text`` in the person's editor; returns the new text, or None when it is unchanged.

    Must be called on the event loop: the workstation is suspended meanwhile. Raises EditorFailed; when the editor left
    a text that cannot be taken, its file stays and the error names it.
    """
    command = editor_command(str(app.ledger.settings.editor))
    folder = app.ledger.paths.data
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix="edit-", suffix=suffix, dir=folder)
    file = Path(name)
    before = repaired(text)[0].encode()
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(before)
    try:
        with app.suspend():
            ended = subprocess.run([*command, str(file)], check=False).returncode
    except SuspendNotSupported as error:
        file.unlink(missing_ok=True)
        raise EditorFailed("this terminal cannot be handed to another program") from error
    except OSError as error:
        file.unlink(missing_ok=True)
        raise EditorFailed(f"{command[0]}: {error.strerror}") from error
    return _taken(file, before, text, ended, command[0])


def _taken(file: Path, before: bytes, text: str, ended: int, editor: str) -> str | None:
    keep = f"What the editor wrote is in {file}."
    try:
        with file.open("rb") as stream:
            after = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise EditorFailed(f"the file is gone ({error.strerror})") from error
    if len(after) > MAX_BYTES:
        raise EditorFailed(f"the text is larger than {MAX_BYTES // 1024 // 1024} MB", remedy=keep)
    if ended != 0:
        if after != before:
            raise EditorFailed(f"{editor} ended with {ended}", remedy=keep)
        file.unlink(missing_ok=True)
        raise EditorFailed(f"{editor} ended with {ended}")
    try:
        new = after.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EditorFailed("the file is not UTF-8 text any more", remedy=keep) from error
    file.unlink(missing_ok=True)
    if new.endswith("\n") and not text.endswith("\n"):
        new = new.removesuffix("\n").removesuffix("\r")
    return None if new == text or after == before else new
