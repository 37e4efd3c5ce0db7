"""Prompts as a folder of files that a team keeps in git: writing them there, and taking them back. Both may be repeated."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ledger_tui.domain import ids
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.prompt_files import SUFFIX, SUFFIXES, PromptFile, format_prompt, prompt_name
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.services.code_prompts import TRACKING
from ledger_tui.services.code_sources import CodePrompt, prompt_paths, read_prompt
from ledger_tui.services.folder_files import Folder
from ledger_tui.store import prompts as reads
from ledger_tui.store import standings

if TYPE_CHECKING:
    from ledger_tui.domain.values import PromptRow
    from ledger_tui.store.database import Database
    from ledger_tui.store.standings import Standing

MAX_PROBLEMS = 10
ImportAction = Literal["new", "update", "unchanged", "in code"]
"""``in code``: the prompt is in tracking mode; its text is the code's, so the file's is not taken."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One file; ``written`` is False when it was as it should be."""

    name: str
    path: str
    written: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """One file and what it did, or would do; ``version`` is the active number after it, 0 when that is not known yet."""

    name: str
    path: str
    action: ImportAction
    version: int


class PromptFolderService:
    """Export and import. Thread-safe."""

    def __init__(self, database: Database, *, author: Callable[[], str], device: Callable[[], str]) -> None:
        self._database = database
        self._author = author
        self._device = device

    def export(self, folder: str | Path, pattern: str = "*") -> list[Exported]:
        """Write the active version of each prompt that fits the pattern to ``NAME.prompty`` in a folder.

        Files that are so already are not touched; files of other prompts stay. Raises InputError, before anything is
        written, when a file of another kind there means one of the prompts.
        """
        target = Folder(folder)
        with self._database.lean() as lean:
            rows = [row for row in reads.prompts(lean) if fnmatch.fnmatchcase(row.name, pattern)]
            contents = standings.active_contents(lean)
        texts = {row.name: _text(row, contents[row.id]) for row in rows if row.id in contents}
        if target.path.exists():
            _refuse_twins(target, texts)
        return [
            Exported(name, name + SUFFIX, target.write(name + SUFFIX, text.encode())) for name, text in texts.items()
        ]

    def load(self, folder: str | Path, *, dry_run: bool = False) -> list[Imported]:
        """Take every prompt file of a folder, all or none; content that is active already makes no version.

        With ``dry_run`` nothing is written. Raises InputError that tells every file that cannot be taken.
        """
        from ledger_tui.store import batches
        from ledger_tui.store.batches import Entry
        from ledger_tui.store.registry import Pen

        files = _read_all(Folder(folder))
        known = self._known([prompt.name for prompt in files.values()])
        plan = {path: _action(prompt, *known.get(prompt.name, (None, None))) for path, prompt in files.items()}
        entries = [
            Entry(prompt.name, prompt.content, prompt.fields, f"Imported from {path}")
            for path, prompt in files.items()
            if plan[path] in ("new", "update")
        ]
        numbers = {name: row.active_number for name, (row, _) in known.items() if row is not None}
        if entries and not dry_run:
            pen = Pen(actor=self._author(), device=self._device(), action=ids.new_id())
            with self._database.session() as session:
                numbers |= {one.name: one.number for one in batches.write(session, pen, entries)}
        return [Imported(p.name, path, plan[path], numbers.get(p.name, 0)) for path, p in files.items()]

    def _known(self, names: list[str]) -> Mapping[str, tuple[PromptRow | None, Standing | None]]:
        prompt_ids = [ids.prompt_id(name) for name in names]
        with self._database.lean() as lean:
            found = standings.standings(lean, prompt_ids)
            rows = {row.id: row for row in reads.prompts(lean, archived=True)}
        return {standing.name: (rows.get(prompt_id), standing) for prompt_id, standing in found.items()}


def _text(row: PromptRow, content: str) -> str:
    return format_prompt(PromptFile(PromptContent.from_json(content), row.description, row.tags, row.team))


def _refuse_twins(folder: Folder, texts: Mapping[str, str]) -> None:
    """A second file for a prompt would make the folder unreadable."""
    for file in folder.files(SUFFIXES):
        name = prompt_name(file.path)
        if name in texts and file.path != f"{name}{SUFFIX}":
            raise InputError(
                f"{file.path} means {name} too",
                title="Two files for one prompt",
                remedy="Export to another folder, or take that file away. Nothing was written.",
            )


def _read_all(folder: Folder) -> dict[str, CodePrompt]:
    """The prompt of each file by its path; raises one InputError that tells every file that cannot be read."""
    found: dict[str, CodePrompt] = {}
    problems: list[str] = []
    for path in prompt_paths(folder).values():
        try:
            found[path] = read_prompt(folder, path, folder.read(path) or "")
        except LedgerError as error:
            problems.append(str(error))
    if problems:
        more = f" and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
        raise InputError(
            "; ".join(problems[:MAX_PROBLEMS]) + more,
            title="Nothing was imported",
            remedy="Mend these files, or take them out of the folder.",
        )
    return found


def _action(prompt: CodePrompt, row: PromptRow | None, standing: Standing | None) -> ImportAction:
    if row is None or standing is None:
        return "new"
    if standing.mode == TRACKING:
        return "in code"
    has = {"description": row.description, "tags": list(row.tags), "team": row.team}
    same_fields = all(has[name] == value for name, value in prompt.fields.items())
    same = standing.active_sha256 == prompt.content.sha256 and same_fields and not row.archived
    return "unchanged" if same else "update"
