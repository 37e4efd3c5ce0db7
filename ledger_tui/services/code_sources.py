"""Where a program keeps its prompts: a function, a class, a module, a mapping or a folder of files, all asked the same way."""

from __future__ import annotations

import enum
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from ledger_tui.domain import names
from ledger_tui.domain.content import PromptContent, content_of_mapping
from ledger_tui.domain.prompt_files import SUFFIXES, parse_prompt, prompt_name
from ledger_tui.errors import InputError, LedgerError, NotFound
from ledger_tui.services.folder_files import Folder

CodeRegistry = Callable[[str], Any] | type | ModuleType | Mapping[str, Any] | str | Path
"""What ``PromptLedger(code_registry=...)`` takes. A text is the path of a folder."""


@dataclass(frozen=True, slots=True)
class CodePrompt:
    """A prompt as the code has it now; ``file``: where it is written, None when that cannot be told."""

    name: str
    content: PromptContent
    file: Path | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


class CodeSource(Protocol):
    """The prompts of some code."""

    def get(self, name: str) -> CodePrompt | None:
        """The prompt of a name as it is now, None when there is none; raises InputError for what is no prompt."""

    def names(self) -> list[str]:
        """Every name; raises InputError when the source cannot tell."""

    @property
    def place(self) -> Path | None:
        """The file or folder that the prompts are in, None when that cannot be told."""

    @property
    def owner(self) -> str:
        """The class or mapping that the prompts are in, '' for a module or anything else."""


class HeldPrompts:
    """Prompts that were read already, each with its file."""

    owner = ""

    def __init__(self, prompts: Mapping[str, CodePrompt]) -> None:
        self._prompts = dict(prompts)

    @property
    def place(self) -> Path | None:
        """The file or folder that all of them are in."""
        files = [str(prompt.file) for prompt in self._prompts.values() if prompt.file is not None]
        return Path(os.path.commonpath(files)) if files else None

    def get(self, name: str) -> CodePrompt | None:
        """The prompt of a name, as it was read."""
        return self._prompts.get(name)

    def names(self) -> list[str]:
        """Every name."""
        return list(self._prompts)

    def only(self, names: Iterable[str]) -> HeldPrompts:
        """Those of the names."""
        return HeldPrompts({name: self._prompts[name] for name in names if name in self._prompts})


def open_source(given: CodeRegistry | HeldPrompts) -> CodeSource:
    """The source that a program means; raises InputError."""
    if isinstance(given, HeldPrompts):
        return given
    if isinstance(given, Mapping):
        return _Lookup(given.get, None, functools.partial(list, given))
    if isinstance(given, str | Path):
        return _FolderSource(Folder(given))
    if isinstance(given, ModuleType | type):
        file = _file_of(given)
        owner = given.__qualname__ if isinstance(given, type) else ""
        return _Lookup(functools.partial(_attribute, given), file, functools.partial(_public, given), owner)
    if callable(given):
        holder = getattr(given, "__self__", None)
        return _Lookup(given, _file_of(given), None, holder.__qualname__ if isinstance(holder, type) else "")
    raise InputError(
        f"a {type(given).__name__}",
        title="This cannot hold prompts",
        remedy="Give a function from name to template, a class, a module, a mapping or the path of a folder.",
    )


class _Lookup:
    """Prompts that a function finds by name."""

    def __init__(
        self,
        find: Callable[[str], Any],
        file: Path | None,
        list_names: Callable[[], Iterable[str]] | None,
        owner: str = "",
    ) -> None:
        self._find = find
        self._list_names = list_names
        self.place = file
        self.owner = owner

    def get(self, name: str) -> CodePrompt | None:
        """The prompt of a name."""
        try:
            value = self._find(name)
        except (LookupError, AttributeError, NotFound):
            return None
        if value is None:
            return None
        return CodePrompt(name, _content(name, value), self.place)

    def names(self) -> list[str]:
        """Every name that the code lists."""
        if self._list_names is None:
            raise InputError(
                "a function cannot tell which prompts it knows",
                title="The names are missing",
                remedy="Call register_code_prompts with a list of names.",
            )
        return list(self._list_names())


class _FolderSource:
    """Prompts in files: ``mail/welcome.jinja`` is the prompt ``mail/welcome``."""

    owner = ""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @property
    def place(self) -> Path:
        """The folder."""
        return self._folder.path

    def get(self, name: str) -> CodePrompt | None:
        """The prompt of a name, read now."""
        names.check_prompt_name(name)
        texts = [(name + suffix, self._folder.read(name + suffix)) for suffix in SUFFIXES]
        found = [(path, text) for path, text in texts if text is not None]
        if len(found) > 1:
            raise _two_files(name, found[0][0], found[1][0])
        return read_prompt(self._folder, *found[0]) if found else None

    def names(self) -> list[str]:
        """The names of all files; raises InputError for a link, and for two files of one name."""
        return list(prompt_paths(self._folder))


def prompt_paths(folder: Folder) -> dict[str, str]:
    """The path of each prompt in a folder, by its name; raises InputError for links, bad names and twins."""
    found: dict[str, str] = {}
    for file in folder.files(SUFFIXES):
        name = prompt_name(file.path)
        if file.problem:
            raise InputError(
                f"{file.path}: {file.problem}", title="A file cannot be read", remedy="Take it out of the folder."
            )
        if name is None:
            continue
        names.check_prompt_name(name)
        if name in found:
            raise _two_files(name, found[name], file.path)
        found[name] = file.path
    return found


def read_prompt(folder: Folder, path: str, text: str) -> CodePrompt:
    """The prompt of a file; raises InputError with the path."""
    try:
        parsed = parse_prompt(path, text)
        _ = parsed.content.sha256
    except LedgerError as error:
        raise InputError(f"{path}: {error.cause}", title=error.title, remedy=error.remedy) from error
    return CodePrompt(prompt_name(path) or path, parsed.content, folder.path / path, parsed.fields)


def _two_files(name: str, first: str, second: str) -> InputError:
    return InputError(f"{first} and {second} both mean {name}", title="Two files for one prompt", remedy="Remove one.")


def _content(name: str, value: Any) -> PromptContent:
    value = value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, PromptContent):
        return value
    if isinstance(value, str):
        return PromptContent.of_text(str(value))
    if isinstance(value, Mapping) and ("messages" in value or "template" in value):
        return content_of_mapping(value)
    raise InputError(
        f"the code gives a {type(value).__name__} for {name}", title="This is no template", remedy="Return a text."
    )


def _attribute(owner: Any, name: str) -> Any:
    if not name.isidentifier() or name.startswith("_"):
        raise AttributeError(name)
    return getattr(owner, name)


def _public(owner: type | ModuleType) -> list[str]:
    """The public attributes that hold prompts, in the order written."""
    if isinstance(owner, type) and issubclass(owner, enum.Enum):
        return list(owner.__members__)
    places = reversed(inspect.getmro(owner)) if isinstance(owner, type) else [owner]
    written = dict.fromkeys(name for place in places for name in vars(place) if not name.startswith("_"))
    return [name for name in written if isinstance(getattr(owner, name, None), str | PromptContent)]


def _file_of(given: Any) -> Path | None:
    """The file that a function, class or module is written in."""
    if isinstance(given, functools.partial):
        return _file_of(given.func)
    if not isinstance(given, type | ModuleType):
        given = inspect.unwrap(getattr(given, "__func__", given))
        if not inspect.isroutine(given):
            given = type(given)
    try:
        file = inspect.getsourcefile(given)
    except (TypeError, OSError):
        module = sys.modules.get(getattr(given, "__module__", "") or "")
        file = getattr(module, "__file__", None)
    return Path(file).absolute() if file and Path(file).is_file() else None
