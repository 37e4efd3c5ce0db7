"""Reading the prompts of code, in the working tree and at the last commit: from a source that can be asked, or from files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ledger_tui.domain.code_literals import line_in, template_in
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.drift import Place
from ledger_tui.domain.prompt_files import parse_prompt, prompt_name
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.services import git
from ledger_tui.services.code_sources import CodePrompt, CodeSource
from ledger_tui.services.folder_files import Folder
from ledger_tui.services.git import Repository
from ledger_tui.store.standings import Standing

COMPUTED = "its text is computed by code, which is not run here"
COMPUTED_BEFORE = "the last commit's text is computed by code, so it is not known"
ELSEWHERE = "its file was never in this repository"
UNTOLD = "its file is not here, and a shallow clone cannot tell whether it ever was"
UNPLACED = "it was registered without a file"
OUTSIDE = "there is no git work tree here, so its file is not known"
Told = Callable[[str], None]
"""Hears what is being read."""


@dataclass(frozen=True, slots=True)
class Found:
    """What code has of one prompt. ``prompt``: as it can be registered; ``note``: why a place is not known."""

    path: str
    places: list[Place]
    note: str = ""
    prompt: CodePrompt | None = None


Seen = dict[str, Found]


@dataclass
class Reading:
    """What was read, and the files and folders whose times tell that it has to be read again."""

    seen: Seen = field(default_factory=dict)
    watched: list[Path] = field(default_factory=list)
    repository: Repository | None = None
    elsewhere: int = 0


class SourceReader:
    """The prompts of a source that can be asked, and of its files at the last commit."""

    def __init__(self, source: CodeSource, tracked: Sequence[Standing]) -> None:
        self._source = source
        self._tracked = tracked
        self._place = source.place
        self._repository = git.repository(self._place) if self._place is not None else None

    def read(self) -> Reading:
        """What the source and its last commit have."""
        folder = self._place is not None and self._place.is_dir()
        seen = self._folder() if folder else self._code()
        files = [prompt.prompt.file for prompt in seen.values() if prompt.prompt and prompt.prompt.file]
        watched = {self._place, *files, *(file.parent for file in files)} if self._place is not None else set(files)
        return Reading(seen, sorted(place for place in watched if place is not None), self._repository)

    def _folder(self) -> Seen:
        repository, prefix = self._repository, self._prefix()
        working = {name: self._source.get(name) for name in self._source.names()}
        at_head = {} if repository is None else _folder_at_head(repository, prefix)
        gone = [one.name for one in self._tracked if one.git_path and prefix and one.git_path.startswith(prefix)]
        seen: Seen = {}
        for name in dict.fromkeys([*working, *at_head, *gone]):
            prompt = working.get(name)
            path = at_head.get(name, ("", None))[0]
            if repository is not None and prompt is not None and prompt.file is not None:
                path = repository.relative(prompt.file) or path
            places = [_working(prompt, path, 1 if prompt else None)]
            if repository is not None and repository.commit is not None:
                places.append(_head(at_head.get(name, ("", None))[1], repository, path, 1))
            seen[name] = Found(path, places, prompt=prompt)
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
        now = _read(self._place) if self._place is not None else ""
        seen: Seen = {}
        for name in dict.fromkeys([*self._names(), *mine]):
            prompt = self._source.get(name)
            places = [_working(prompt, path, line_in(now, name, self._source.owner))]
            note = ""
            if repository is not None and repository.commit is not None and self._place is not None:
                known, content = self._at_head(name, prompt, before, now)
                if known:
                    places.append(_head(content, repository, path))
                else:
                    note = COMPUTED_BEFORE
            seen[name] = Found(path, places, note, prompt)
        return seen

    def _names(self) -> list[str]:
        try:
            return self._source.names()
        except InputError:
            return [one.name for one in self._tracked if self._source.get(one.name) is not None]

    def _at_head(
        self, name: str, prompt: CodePrompt | None, before: bytes | None, now: str
    ) -> tuple[bool, PromptContent | None]:
        """Whether it can be told, without running its code, what the last commit has; and what that is."""
        assert self._place is not None and self._repository is not None
        if before is None:
            return True, None
        if not self._repository.facts(self._place).dirty:
            return True, prompt.content if prompt else None
        text = template_in(now, name, self._source.owner)
        if prompt is not None and (text is None or PromptContent.of_text(text).sha256 != prompt.content.sha256):
            return False, None
        then = template_in(before.decode("utf-8", "replace"), name, self._source.owner)
        return True, None if then is None else PromptContent.of_text(then)


class FileReader:
    """The files that registered prompts came from, in the repository that a folder is in, read without running them."""

    def __init__(self, tracked: Sequence[Standing], repository: Repository) -> None:
        self._tracked = [one for one in tracked if one.git_path]
        self._repository = repository
        self._folder = Folder(repository.top)

    def read(self, told: Told | None = None) -> Reading:
        """What the files and their last commit have. A file that the repository never had is not compared."""
        repository = self._repository
        paths = sorted({one.git_path for one in self._tracked if one.git_path})
        if told is not None:
            told(f"Reading {len(paths)} files and their last commit")
        before = repository.at_head(paths)
        ours = repository.knows([one.git_commit for one in self._tracked if one.git_commit])
        texts = {path: self._now(path) for path in paths}
        shallow = repository.is_shallow()
        reading = Reading(repository=repository, watched=[repository.top / path for path in paths])
        for one in self._tracked:
            path = one.git_path or ""
            if texts[path] == (None, "") and path not in before and one.git_commit not in ours:
                reading.elsewhere += 1
                reading.seen[one.name] = Found(path, [], UNTOLD if shallow else ELSEWHERE)
            else:
                reading.seen[one.name] = self._found(one.name, path, texts[path], before.get(path))
        return reading

    def _now(self, path: str) -> tuple[str | None, str]:
        """The text of a file, None when there is none, and why it cannot be read."""
        try:
            return self._folder.read(path, git.MAX_BLOB_BYTES), ""
        except LedgerError as error:
            return None, error.cause

    def _found(self, name: str, path: str, now: tuple[str | None, str], before: bytes | None) -> Found:
        text, problem = now
        content, fields = (None, {}) if text is None else _parsed(path, text, name)
        if problem or (text is not None and content is None and _is_code(path)):
            return Found(path, [], problem or COMPUTED)
        line = None if content is None or text is None else line_in(text, name) if _is_code(path) else 1
        file = self._repository.top / path
        prompt = None if content is None else CodePrompt(name, content, file, fields)
        places = [_working(prompt, path, line)]
        if self._repository.commit is not None:
            old = None if before is None else before.decode("utf-8", "replace")
            then = None if old is None else _parsed(path, old, name)[0]
            line = None if old is None or then is None else line_in(old, name) if _is_code(path) else 1
            places.append(_head(then, self._repository, path, line))
        return Found(path, places, prompt=prompt)


def unknown(tracked: Sequence[Standing], why: str) -> Seen:
    """Prompts of which nothing can be read."""
    return {one.name: Found(one.git_path or "", [], why) for one in tracked}


def with_numbers(found: Found, number: Callable[[str], int | None]) -> tuple[Place, ...]:
    """The places with the numbers that their hashes have in the ledger."""
    return tuple(
        place if place.sha256 is None else replace(place, version=number(place.sha256)) for place in found.places
    )


def _working(prompt: CodePrompt | None, path: str, line: int | None) -> Place:
    if prompt is None:
        return Place("working", None, path=path)
    return Place(
        "working", prompt.content.sha256, at_us=_changed_us(prompt.file), path=path, line=line, content=prompt.content
    )


def _head(content: PromptContent | None, repository: Repository, path: str, line: int | None = None) -> Place:
    return Place(
        "head",
        None if content is None else content.sha256,
        at_us=repository.commit_us,
        commit=repository.commit,
        path=path,
        line=None if content is None else line,
        content=content,
    )


def _changed_us(file: Path | None) -> int | None:
    """When a file was written last."""
    try:
        return None if file is None else file.stat().st_mtime_ns // 1_000
    except OSError:
        return None


def _folder_at_head(repository: Repository, prefix: str) -> dict[str, tuple[str, PromptContent | None]]:
    """Path and content of each prompt below a folder at the last commit; None for a file that cannot be read."""
    listed = {path: prompt_name(path.removeprefix(prefix)) for path in repository.files_at_head(prefix)}
    contents = repository.at_head([path for path, name in listed.items() if name])
    return {
        name: (path, _parsed(path, contents[path].decode("utf-8", "replace"), name)[0])
        for path, name in listed.items()
        if name and path in contents
    }


def _is_code(path: str) -> bool:
    return prompt_name(path) is None


def _parsed(path: str, text: str, name: str) -> tuple[PromptContent | None, Mapping[str, object]]:
    """The prompt in a file's text with its fields, None when it is not there or cannot be read."""
    if _is_code(path):
        template = template_in(text, name)
        return (None if template is None else PromptContent.of_text(template)), {}
    try:
        parsed = parse_prompt(path, text.removeprefix("\ufeff").replace("\r\n", "\n"))
        _ = parsed.content.sha256
    except LedgerError:
        return None, {}
    return parsed.content, parsed.fields


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(git.MAX_BLOB_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
