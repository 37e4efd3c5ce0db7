"""Holding code against the ledger: what the working tree, the last commit, the registry, its labels and the runs have."""

from __future__ import annotations

import contextlib
import importlib
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_tui.domain import ids
from ledger_tui.domain.code_literals import template_in
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.drift import DriftRow, Place
from ledger_tui.domain.prompt_files import parse_prompt, prompt_name
from ledger_tui.domain.values import ACTIVE
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.services import git
from ledger_tui.services.code_sources import CodeSource, open_source
from ledger_tui.services.git import Repository
from ledger_tui.store import standings

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.standings import Pointed, Standing

MAX_PYPROJECT = 1024 * 1024
_UNREAD = "its text is computed by code; name the code with --from"


class DriftService:
    """Compares. Nothing is written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, source: CodeSource | None, folder: Path) -> list[DriftRow]:
        """One row a code prompt, by name.

        source: where the code's prompts are; None reads, without running code, the files that registered prompts came from,
        in the repository that ``folder`` is in. Raises InputError for a source that cannot be read.
        """
        with self._database.lean() as lean:
            tracked = standings.tracked(lean)
        tree = _Tree(source, tracked, folder) if source is not None else _Recorded(tracked, folder)
        seen = tree.places()
        prompt_ids = {ids.prompt_id(name): name for name in seen}
        with self._database.lean() as lean:
            known = standings.standings(lean, list(prompt_ids))
            labels = _by_name(standings.labels(lean, list(prompt_ids)), prompt_ids)
            executed = _by_name(standings.last_executed(lean, list(prompt_ids)), prompt_ids)
            hashes = {name: [p.sha256 for p in places if p.sha256] for name, (_, places, _) in seen.items()}
            numbers = standings.numbers(
                lean, [ids.version_id(ids.prompt_id(name), digest) for name in hashes for digest in hashes[name]]
            )
        by_name = {standing.name: standing for standing in known.values()}
        rows = []
        for name, (path, places, note) in sorted(seen.items()):
            numbered = [_numbered(name, place, numbers) for place in places]
            ledger = _ledger_places(by_name.get(name), labels.get(name, ()), executed.get(name, ()))
            rows.append(DriftRow(name, path, (*numbered, *ledger), note))
        return rows


Seen = dict[str, tuple[str, list[Place], str]]
"""Name to path, what working tree and last commit have, and why one of them is not known."""


class _Tree:
    """The prompts of a source that can be asked, and of its files at the last commit."""

    def __init__(self, source: CodeSource, tracked: Sequence[Standing], folder: Path) -> None:
        self._source = source
        self._tracked = tracked
        self._place = source.place
        self._repository = git.repository(self._place) if self._place is not None else None

    def places(self) -> Seen:
        """What the source and its last commit have."""
        return self._folder() if self._place is not None and self._place.is_dir() else self._code()

    def _folder(self) -> Seen:
        repository, prefix = self._repository, self._prefix()
        working = {name: self._source.get(name) for name in self._source.names()}
        paths = {name: prompt.file for name, prompt in working.items() if prompt is not None and prompt.file}
        at_head = {} if repository is None else _folder_at_head(repository, prefix)
        gone = [one.name for one in self._tracked if one.git_path and prefix and one.git_path.startswith(prefix)]
        seen: Seen = {}
        for name in dict.fromkeys([*working, *at_head, *gone]):
            prompt = working.get(name)
            places = [Place("working", prompt.content.sha256 if prompt else None)]
            if repository is not None and repository.commit is not None:
                places.append(Place("head", at_head.get(name, ("", None))[1]))
            file = paths.get(name)
            path = (repository.relative(file) if repository and file else None) or at_head.get(name, ("", None))[0]
            seen[name] = (path, places, "")
        return seen

    def _prefix(self) -> str:
        """The folder's path in the repository with a final ``/``; '' at its top or without one."""
        if self._repository is None or self._place is None:
            return ""
        path = self._repository.relative(self._place)
        return "" if path in (None, ".") else f"{path}/"

    def _code(self) -> Seen:
        repository = self._repository
        path = (repository.relative(self._place) if repository and self._place else None) or ""
        mine = [one.name for one in self._tracked if path and one.git_path == path]
        before = repository.at_head([path]).get(path) if repository and path else None
        seen: Seen = {}
        for name in dict.fromkeys([*self._names(), *mine]):
            prompt = self._source.get(name)
            digest = prompt.content.sha256 if prompt else None
            places = [Place("working", digest)]
            note = ""
            if repository is not None and repository.commit is not None and self._place is not None:
                head = self._head(name, digest, before)
                if head is None:
                    note = "the last commit's text is computed by code, so it is not known"
                else:
                    places.append(head)
            seen[name] = (path, places, note)
        return seen

    def _names(self) -> list[str]:
        try:
            return self._source.names()
        except InputError:
            return [one.name for one in self._tracked if self._source.get(one.name) is not None]

    def _head(self, name: str, digest: str | None, before: bytes | None) -> Place | None:
        """What the last commit has; None when that cannot be told without running its code."""
        assert self._place is not None and self._repository is not None
        if before is None:
            return Place("head", None)
        if not self._repository.facts(self._place).dirty:
            return Place("head", digest)
        now = _template(self._place, name, self._source.owner)
        if digest is not None and (now is None or _sha256(now) != digest):
            return None
        text = template_in(before.decode("utf-8", "replace"), name, self._source.owner)
        return Place("head", None if text is None else _sha256(text))


class _Recorded:
    """The files that registered prompts came from, read without running them."""

    def __init__(self, tracked: Sequence[Standing], folder: Path) -> None:
        self._tracked = [one for one in tracked if one.git_path]
        self._repository = git.repository(folder)
        if self._repository is None and self._tracked:
            raise InputError(
                f"{folder} is in no git repository",
                title="It is not known where the code is",
                remedy="Call it in the program's repository, or name the code with --from.",
            )

    def places(self) -> Seen:
        """What the files and their last commit have."""
        repository = self._repository
        if repository is None:
            return {}
        state = git.repository(repository.top) or repository
        paths = sorted({one.git_path for one in self._tracked if one.git_path})
        before = state.at_head(paths)
        seen: Seen = {}
        for one in self._tracked:
            path = one.git_path or ""
            file = state.top / path
            there = file.is_file()
            now = _text_hash(path, _read(file), one.name) if there else None
            places, note = [], ""
            if there and now is None and _is_code(path):
                note = _UNREAD
            else:
                places.append(Place("working", now))
            if state.commit is not None and not note:
                raw = before.get(path)
                head = None if raw is None else _text_hash(path, raw.decode("utf-8", "replace"), one.name)
                places.append(Place("head", head))
            seen[one.name] = (path, places, note)
        return seen


def find_source(wanted: str | None, folder: Path) -> CodeSource | None:
    """The source that ``module:attribute``, a module or a folder names; for None what ``pyproject.toml`` says, else None.

    Importing a module runs it. Raises InputError.
    """
    base = folder
    if wanted is None:
        wanted, base = _configured(folder)
    if wanted is None:
        return None
    if (base / wanted).is_dir():
        return open_source(base / wanted)
    module_name, _, attribute = wanted.partition(":")
    if str(base) not in sys.path:
        sys.path.insert(0, str(base))
    try:
        # What the module prints is not the answer of whoever asked.
        with contextlib.redirect_stdout(sys.stderr):
            found = importlib.import_module(module_name)
            for part in attribute.split(".") if attribute else ():
                found = getattr(found, part)
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{wanted}: {type(error).__name__}: {error}",
            title="The code's prompts cannot be read",
            remedy="Name a folder, or module:attribute as Python imports it here.",
        ) from error
    return open_source(found)


def _configured(folder: Path) -> tuple[str | None, Path]:
    """``prompts`` of ``[tool.ledger-tui]`` in the nearest pyproject.toml, and the folder that it is in."""
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if file.is_file() and file.stat().st_size <= MAX_PYPROJECT:
            try:
                tool = tomllib.loads(file.read_text()).get("tool", {}).get("ledger-tui", {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError):
                return None, folder
            wanted = tool.get("prompts") if isinstance(tool, dict) else None
            return (wanted if isinstance(wanted, str) else None), place
    return None, folder


def _folder_at_head(repository: Repository, prefix: str) -> dict[str, tuple[str, str | None]]:
    """Path and hash of each prompt below a folder at the last commit; None for a file that cannot be read."""
    listed = {path: prompt_name(path.removeprefix(prefix)) for path in repository.files_at_head(prefix)}
    contents = repository.at_head([path for path, name in listed.items() if name])
    return {
        name: (path, _text_hash(path, contents[path].decode("utf-8", "replace"), name))
        for path, name in listed.items()
        if name and path in contents
    }


def _ledger_places(
    standing: Standing | None, labels: Sequence[Pointed], executed: Sequence[Pointed]
) -> tuple[Place, ...]:
    if standing is None:
        return (Place("registered", None),)
    registered = Place("registered", standing.active_sha256, version=standing.active_number or None)
    return (
        registered,
        *(Place("label", one.sha256, one.pointer, one.number, one.at_us) for one in labels if one.pointer != ACTIVE),
        *(Place("executed", one.sha256, one.pointer or "(none)", one.number, one.at_us) for one in executed),
    )


def _numbered(name: str, place: Place, numbers: Mapping[str, int]) -> Place:
    if place.sha256 is None:
        return place
    number = numbers.get(ids.version_id(ids.prompt_id(name), place.sha256))
    return Place(place.kind, place.sha256, place.name, number, place.at_us)


def _by_name(rows: Sequence[Pointed], prompt_ids: Mapping[str, str]) -> dict[str, list[Pointed]]:
    found: dict[str, list[Pointed]] = defaultdict(list)
    for row in rows:
        found[prompt_ids[row.prompt_id]].append(row)
    return found


def _is_code(path: str) -> bool:
    return prompt_name(path) is None


def _text_hash(path: str, text: str, name: str) -> str | None:
    """The hash of a prompt in a file's text, None when it is not there or cannot be read."""
    if _is_code(path):
        template = template_in(text, name)
        return None if template is None else _sha256(template)
    try:
        return parse_prompt(path, text.removeprefix("\ufeff").replace("\r\n", "\n")).content.sha256
    except LedgerError:
        return None


def _template(file: Path, name: str, owner: str) -> str | None:
    return template_in(_read(file), name, owner)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(git.MAX_BLOB_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _sha256(template: str) -> str:
    return PromptContent.of_text(template).sha256
