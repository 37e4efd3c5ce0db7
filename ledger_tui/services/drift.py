"""Holding code against the ledger: what the working tree, the last commit, the registry, its labels and the runs have."""

from __future__ import annotations

import contextlib
import importlib
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ledger_tui.domain import ids
from ledger_tui.domain.drift import DriftRow, Ground, Matrix, Place, drifted_first
from ledger_tui.domain.values import ACTIVE
from ledger_tui.errors import InputError, NotFound
from ledger_tui.services import drift_reading as reading
from ledger_tui.services import git
from ledger_tui.services.code_sources import CodeSource, HeldPrompts, open_source
from ledger_tui.services.drift_reading import FileReader, Found, Reading, Seen, SourceReader, Told
from ledger_tui.store import last_runs, standings

if TYPE_CHECKING:
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.services.code_prompts import Registration
    from ledger_tui.store.database import Database
    from ledger_tui.store.standings import Pointed, Standing

MAX_PYPROJECT = 1024 * 1024


class DriftService:
    """Compares; only ``register`` writes. Thread-safe."""

    def __init__(
        self, database: Database, *, author: Callable[[], str] = lambda: "", device: Callable[[], str] = lambda: ""
    ) -> None:
        self._database = database
        self._author = author
        self._device = device

    def look(self, source: CodeSource | None, folder: Path) -> list[DriftRow]:
        """One row a code prompt, by name.

        source: where the code's prompts are; None reads, without running code, the files that registered prompts came from,
        in the repository that ``folder`` is in. Raises InputError for a source that cannot be read.
        """
        tracked = self._tracked()
        if source is not None:
            return self._rows(SourceReader(source, tracked).read().seen)
        placed = [one for one in tracked if one.git_path]
        repository = git.head(folder)
        if repository is None and placed:
            raise InputError(
                f"{folder} is in no git repository",
                title="It is not known where the code is",
                remedy="Call it in the program's repository, or name the code with --from.",
            )
        return [] if repository is None else self._rows(FileReader(placed, repository).read().seen)

    def matrix(self, folder: Path, told: Told | None = None) -> Matrix:
        """Every code prompt in every place, for a front end that must not run the program's code.

        folder: some folder of the program. A folder that its pyproject.toml names is read as it is; for all other code
        prompts the files are read that they were registered from. ``told`` hears, in the calling thread, what is being
        done; what it raises ends the work. Raises InputError for a folder of prompts that cannot be read.
        """
        hear = told or (lambda words: None)
        hear("Asking the ledger for code prompts")
        ground, found = self._read(folder, hear)
        hear("Asking the ledger for labels and runs")
        return Matrix(ground, drifted_first(self._rows(found.seen)))

    def content(self, name: str, place: Place) -> PromptContent:
        """What stands in a place of a prompt; raises NotFound when there is nothing."""
        if place.content is not None:
            return place.content
        if place.sha256 is not None:
            from ledger_tui.domain.content import PromptContent
            from ledger_tui.store import prompts as reads

            with self._database.lean() as lean:
                text = reads.content(lean, ids.version_id(ids.prompt_id(name), place.sha256))
            if text is not None:
                return PromptContent.from_json(text)
        raise NotFound(f"there is no text of {name} in this place", title="Nothing to compare")

    def register(self, folder: Path, wanted: Mapping[str, str], *, dry_run: bool = False) -> list[Registration]:
        """Bring the registry to what the working tree has of prompts, and say what changed, as ``register_code_prompts`` does.

        wanted: name to the sha256 that the person saw: raises Conflict when a text is another one by now, NotFound when
        the working tree has no such prompt. With ``dry_run`` nothing is written.
        """
        from ledger_tui.errors import Conflict
        from ledger_tui.services.code_prompts import CodePromptService

        _, found = self._read(folder, lambda words: None)
        held = HeldPrompts({name: one.prompt for name, one in found.seen.items() if one.prompt is not None})
        for name, sha256 in wanted.items():
            prompt = held.get(name)
            if prompt is None:
                raise NotFound(f"the working tree has no text of {name}", title="Nothing to register")
            if prompt.content.sha256 != sha256:
                raise Conflict(
                    f"the text of {name} is another one than a moment ago",
                    title="The file changed meanwhile",
                    remedy="Look at it again, then register it.",
                )
        service = CodePromptService(
            self._database, author=self._author, device=self._device, code_registry=held.only(wanted)
        )
        return service.register(dry_run=dry_run)

    def _read(self, folder: Path, hear: Told) -> tuple[Ground, Reading]:
        """What code has, and where that was found."""
        tracked = self._tracked()
        wanted, base = _configured(folder)
        hear("Asking git")
        repository = git.head(folder) if folder.is_dir() else None
        unplaced = [one for one in tracked if not one.git_path]
        placed = [one for one in tracked if one.git_path]
        found = Reading(reading.unknown(unplaced, reading.UNPLACED))
        if repository is not None:
            files = FileReader(placed, repository).read(hear)
            found = Reading({**found.seen, **files.seen}, files.watched, elsewhere=files.elsewhere)
        else:
            found.seen.update(reading.unknown(placed, reading.OUTSIDE))
        named = wanted is not None and (base / wanted).is_dir()
        if named and wanted is not None:
            hear(f"Reading the folder {wanted}")
            source = SourceReader(open_source(base / wanted), tracked).read()
            found = Reading({**found.seen, **source.seen}, [*found.watched, *source.watched], elsewhere=found.elsewhere)
        project = [base / "pyproject.toml"] if wanted is not None else [folder / "pyproject.toml"]
        git_state = "work tree" if repository is not None else "no work tree" if git.is_there() else "no git"
        ground = Ground(
            str(folder),
            git_state,  # type: ignore[arg-type]
            top=str(repository.top) if repository else "",
            branch=repository.branch if repository else "",
            commit=repository.commit if repository else None,
            commit_us=repository.commit_us if repository else None,
            reading="folder" if named else "files that were registered",
            wanted=wanted or "",
            elsewhere=found.elsewhere,
            unplaced=len(unplaced),
            watched=(*(repository.watched if repository else ()), *project, *found.watched),
        )
        return ground, found

    def _tracked(self) -> list[Standing]:
        with self._database.lean() as lean:
            return standings.tracked(lean)

    def _rows(self, seen: Seen) -> list[DriftRow]:
        """One row for each prompt that was read, by name, with what the ledger has of it."""
        prompt_ids = {ids.prompt_id(name): name for name in seen}
        wanted = [
            ids.version_id(ids.prompt_id(name), place.sha256)
            for name, found in seen.items()
            for place in found.places
            if place.sha256
        ]
        with self._database.lean() as lean:
            known = standings.standings(lean, list(prompt_ids))
            labels = _by_name(standings.labels(lean, list(prompt_ids)), prompt_ids)
            executed = _by_name(last_runs.last_executed(lean, list(prompt_ids)), prompt_ids)
            numbers = standings.numbers(lean, wanted)
        by_name = {standing.name: standing for standing in known.values()}
        rows = []
        for name, found in sorted(seen.items()):
            prompt_id, standing = ids.prompt_id(name), by_name.get(name)
            places = _numbered(found, prompt_id, numbers)
            ledger = _ledger_places(standing, labels.get(name, ()), executed.get(name, ()))
            rows.append(DriftRow(name, found.path, (*places, *ledger), found.note, standing.mode if standing else ""))
        return rows


def stamp(ground: Ground) -> tuple[tuple[int, int] | None, ...]:
    """What changes when HEAD moves or a file changes: time and size of everything that was read, None for what is not there."""
    return tuple(_time_and_size(path) for path in ground.watched)


def _time_and_size(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


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


def _ledger_places(
    standing: Standing | None, labels: Sequence[Pointed], executed: Sequence[Pointed]
) -> tuple[Place, ...]:
    if standing is None:
        return (Place("registered", None),)
    registered = Place(
        "registered",
        standing.active_sha256,
        version=standing.active_number or None,
        at_us=standing.active_created_us,
        commit=standing.git_commit,
        path=standing.git_path or "",
        dirty=_yes_or_no(standing.git_dirty),
    )
    return (
        registered,
        *(_pointed("label", one) for one in labels if one.pointer != ACTIVE),
        *(_pointed("executed", one) for one in executed),
    )


def _pointed(kind: Literal["label", "executed"], one: Pointed) -> Place:
    return Place(
        kind,
        one.sha256,
        one.pointer or "(none)",
        one.number,
        one.at_us,
        commit=one.git_commit,
        path=one.git_path or "",
        dirty=_yes_or_no(one.git_dirty),
        trace_id=one.trace_id,
    )


def _yes_or_no(stored: object) -> bool | None:
    """A stored truth value: SQLite gives 0 and 1."""
    return None if stored is None else bool(stored)


def _numbered(found: Found, prompt_id: str, numbers: Mapping[str, int]) -> tuple[Place, ...]:
    return reading.with_numbers(found, lambda sha256: numbers.get(ids.version_id(prompt_id, sha256)))


def _by_name(rows: Sequence[Pointed], prompt_ids: Mapping[str, str]) -> dict[str, list[Pointed]]:
    found: dict[str, list[Pointed]] = defaultdict(list)
    for row in rows:
        found[prompt_ids[row.prompt_id]].append(row)
    return found
