"""Which prompts a rule of sharing is about: what a person names, put beside the prompts that there are."""

from __future__ import annotations

from collections.abc import Collection

from ledger_tui.domain.sync.sharing import check_folder
from ledger_tui.errors import NotFound


def meant(given: str, names: Collection[str]) -> str:
    """The folder (``support/``) or prompt that a rule is to be about.

    A name without a slash at its end is a prompt where there is one, else the folder of that name where prompts are below it.
    names: of all prompts. Raises InputError for what can be neither, NotFound for what is neither here.
    """
    checked = check_folder(given)
    if checked.endswith("/") or checked in names:
        return checked
    if covers(checked + "/", names):
        return checked + "/"
    near = _near(checked, names)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise NotFound(
        f"there is neither a prompt nor a folder named {checked}",
        title="This rule would cover nothing",
        remedy=f"{hint}A folder that is still to come is named with a slash: {checked}/",
    )


def covers(rule: str, names: Collection[str]) -> bool:
    """Whether there is a prompt that a rule is about."""
    return any(name == rule or (rule.endswith("/") and name.startswith(rule)) for name in names)


def _near(given: str, names: Collection[str]) -> list[str]:
    """Folders and prompts whose names are like this one."""
    from difflib import get_close_matches

    parts = [name.split("/")[:-1] for name in names]
    folders = {"/".join(part[:depth]) + "/" for part in parts for depth in range(1, len(part) + 1)}
    return get_close_matches(given, sorted({*folders, *names}), n=3)
